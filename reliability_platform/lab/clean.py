"""What the lab knows the truth of: the sources of a home without any fault, whether simulated or recorded."""

from collections.abc import Collection, Mapping

from reliability_platform.contracts import SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.lab.recordings.recording import RecordedSource, Recording
from reliability_platform.lab.simulation.reference import reference_files
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import simulated_sources
from reliability_platform.settings import Settings
from reliability_platform.sources.source import Source


def recording_of(settings: Settings) -> Recording | None:
    """The recording of a home of the lab, every file of it as it was recorded; None for any other home.

    Raises `UsageError` for one that is not what was recorded, or of other contracts than those of the project.
    """
    if not settings.recording.exists():
        return None
    recording = Recording.open(settings.recording)
    recording.examine()
    return recording


def clean_sources(settings: Settings) -> Mapping[str, Source]:
    """Each source whose clean deliveries are known, by name: all of a home of the lab, else those that are simulated.

    Raises `UsageError` as `recording_of`.
    """
    recording = recording_of(settings)
    if recording is not None:
        return {name: RecordedSource(recording, name) for name in SOURCES}
    return simulated_sources(Simulation.load(settings))


def clean_reference(settings: Settings) -> Mapping[str, bytes]:
    """The reference tables that belong to them, as Parquet files by name; none where no source is known."""
    recording = recording_of(settings)
    if recording is not None:
        return recording.reference_files()
    return reference_files(Simulation.load(settings)) if clean_sources(settings) else {}


def breakable(settings: Settings, sources: Collection[str]) -> Mapping[str, Source]:
    """The clean sources of a home. Raises `UsageError` if one of `sources` is real: what the lab breaks must be its own."""
    clean = clean_sources(settings)
    real = sorted(set(sources) - set(clean))
    if real:
        raise UsageError(
            f"{real[0]} is a real source, and {settings.home} no home of the lab: `reliability lab record --from DAY --to DAY "
            "--into FOLDER` makes one out of landed days; break it there, with --home FOLDER."
        )
    return clean

"""The kind of source that a home of the lab has, whatever its contract says: the recording, behind the home's fault plan.

As `lab.simulated`, it imports the lab where a source is asked.
"""

from collections.abc import Mapping

from reliability_platform.settings import Settings
from reliability_platform.sources.source import Source


class RecordedKind:
    """The kind as `sources.source` asks for it."""

    can_be_asked = True

    def source(self, settings: Settings, name: str) -> Source:
        from reliability_platform.lab.faults.injected import InjectedSource
        from reliability_platform.lab.faults.plan import ActivePlan
        from reliability_platform.lab.recordings.recording import RecordedSource, Recording

        behind = RecordedSource(Recording.open(settings.recording), name)
        return InjectedSource(behind, ActivePlan.load(settings), settings)

    def reference_files(self, settings: Settings) -> Mapping[str, bytes]:
        from reliability_platform.lab.recordings.recording import Recording

        return Recording.open(settings.recording).reference_files()


RECORDED = RecordedKind()

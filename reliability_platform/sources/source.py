"""The interface of a source, and the kinds that are installed.

Landing and remediation ask `source_named(...)`; whether a simulation, a recording or a faulty proxy answers, they cannot
tell. A kind is an entry point of the group `reliability_platform.source_kinds`, so a package of your own can add one.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import PROJECT, Settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.endpoint import endpoints_of

KINDS = "reliability_platform.source_kinds"
RECORDED = "recorded"


class Source(Protocol):
    """One upstream system of record. Hashable: what it delivers never changes."""

    @property
    def name(self) -> str:
        """As its contract calls it."""

    def deliver(self, day: date) -> Sequence[Batch]:
        """What the source delivers on a landing day. The same day gives the same batches."""

    def deliver_again(self, day: date, sequence: int, attempt: int) -> Batch:
        """One slot once more. `attempt` must be higher than any that landed."""

    def __hash__(self) -> int:
        """Equal sources deliver the same."""


class SourceKind(Protocol):
    """What a kind of source offers for a home."""

    can_be_asked: bool
    """Whether its sources send a slot once more when they are asked to."""

    def source(self, settings: Settings, name: str) -> Source:
        """The source of that name."""

    def reference_files(self, settings: Settings) -> Mapping[str, bytes]:
        """The Parquet file of each reference table, as the system of record has it now."""


@cache
def _kind(name: str) -> SourceKind:
    found = [point for point in entry_points(group=KINDS) if point.name == name]
    if not found:
        raise EnvironmentUnusableError(
            f"No kind of source {name!r} is installed: install the platform again (`make .venv`), or the package that has it."
        )
    kind: SourceKind = found[0].load()
    return kind


def kind_of(settings: Settings, name: str) -> str:
    """The kind of a source: its contract's, but in a home that replays a recording, where nobody else is asked."""
    return RECORDED if settings.recording.exists() else CONTRACTS[name].kind


def is_picked_up(settings: Settings, name: str) -> bool:
    """Whether deliveries of a source are picked up where they appear: never in a home that replays a recording."""
    return bool(CONTRACTS[name].places) and kind_of(settings, name) != RECORDED


def is_fetched(settings: Settings, name: str) -> bool:
    """Whether deliveries of a source come when they are asked for, over HTTP, from a database or out of a topic."""
    return bool(endpoints_of(settings, name)) or kind_of(settings, name) in ("database", "stream")


def can_be_asked(settings: Settings, name: str) -> bool:
    """Whether a source sends a slot once more when it is asked to."""
    return bool(endpoints_of(settings, name)) or _kind(kind_of(settings, name)).can_be_asked


def source_named(settings: Settings, name: str) -> Source:
    """A source of the home. Raises `EnvironmentUnusableError` if its kind is not installed."""
    return _kind(kind_of(settings, name)).source(settings, name)


def own_tables() -> dict[str, Path]:
    """The reference tables that a project keeps itself: `reference/NAME.parquet` beside its contracts."""
    return {path.stem: path for path in sorted((PROJECT / "reference").glob("*.parquet"))}


def reference_files(settings: Settings) -> Mapping[str, bytes]:
    """The reference tables as the system of record has them now, as Parquet files by name."""
    kinds = sorted({kind_of(settings, name) for name in CONTRACTS})
    own = {} if settings.recording.exists() else {name: path.read_bytes() for name, path in own_tables().items()}
    return own | {name: content for kind in kinds for name, content in _kind(kind).reference_files(settings).items()}

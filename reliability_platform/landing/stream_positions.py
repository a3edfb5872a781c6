"""How far a topic has landed: what the manifests say, which are the truth.

A batch has the offsets of one partition from `first` to `last`, and the next batch begins after that: so offsets that no
manifest has are missing, while those that hold no record (compaction, transactions) are inside of a batch. The batch that closes a landing day says for each partition
at which offset the next day begins (`next`). Both may say which offsets were `lost`: the topic did not keep them until
they were read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from reliability_platform.landing.entries import entries
from reliability_platform.landing.manifest import MANIFEST_SUFFIX, ManifestError, parse
from reliability_platform.landing.watch import landed_days
from reliability_platform.landing.working_copy import bring_in, learn_days
from reliability_platform.landing.writer import landing_folder
from reliability_platform.settings import Settings

CLOSING = 1
"""The slot of the batch that closes a landing day. It has no rows: those of the day are in the slots after it."""


@dataclass(frozen=True)
class Lost:
    """Offsets of a partition that the topic did not keep until they were read."""

    partition: int
    first: int
    last: int

    @property
    def records(self) -> int:
        """At most so many records: transactions and compaction leave offsets without one."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class LandedOffsets:
    """What one manifest says of its topic."""

    slot: int
    attempt: int
    next: Mapping[int, int]
    """By partition, the offset after the last one that has landed."""
    first: int | None = None
    """Of a batch with records, where it begins: the offset after the batch before, whether there is a record or not."""
    lost: tuple[Lost, ...] = ()

    @property
    def closes(self) -> bool:
        """Whether it is the batch that closes its day."""
        return self.slot == CLOSING


def offsets_landed(settings: Settings, source: str, topic: str, day: date) -> list[LandedOffsets]:
    """What the manifests of a landing day say of a topic. Raises nothing: what is no manifest is admission's business."""
    try:
        found = entries(landing_folder(settings, source, day), settings.landing)
    except OSError:
        return []
    return [one for entry in found if entry.path.name.endswith(MANIFEST_SUFFIX) for one in _read(entry.path, topic)]


def _read(path: Any, topic: str) -> Iterator[LandedOffsets]:
    try:
        said = parse(path.read_bytes())
        told = said["offsets"]
        if told["topic"] != topic:
            return
        lost = tuple(Lost(int(one["partition"]), int(one["first"]), int(one["last"])) for one in told.get("lost", ()))
        slot, attempt = int(said["sequence"]), int(said["attempt"])
        if slot == CLOSING:
            yield LandedOffsets(
                slot, attempt, {int(one): int(offset) for one, offset in told["next"].items()}, lost=lost
            )
        else:
            yield LandedOffsets(
                slot, attempt, {int(told["partition"]): int(told["last"]) + 1}, int(told["first"]), lost
            )
    except (OSError, ManifestError, LookupError, TypeError, ValueError, AttributeError):
        return


def missing_offsets(settings: Settings, source: str, topic: str, day: date) -> int:
    """How many offsets of a landing day no batch has: those that the topic had not kept, and those whose manifest is gone."""
    told = offsets_landed(settings, source, topic, day)
    before = [one.next for one in offsets_landed(settings, source, topic, day - timedelta(days=1)) if one.closes]
    ends = [one.next for one in told if one.closes]
    lost = {one for said in told for one in said.lost}
    ranges: dict[int, list[tuple[int, int]]] = {}
    for one in told:
        for partition, end in one.next.items() if one.first is not None else ():
            ranges.setdefault(partition, []).append((one.first or 0, end))
    missing = sum(one.records for one in lost)
    for partition in {*ranges, *(ends[0] if ends else ())}:
        found = sorted(ranges.get(partition, []))
        known = [(one.first, one.last + 1) for one in lost if one.partition == partition]
        reached = before[0].get(partition) if before else None
        last = [(end, end) for end in [ends[0].get(partition)] if end is not None] if ends else []
        for first, end in [*sorted([*found, *known]), *last]:
            missing += max(0, first - reached) if reached is not None else 0
            reached = max(reached or 0, end)
    return missing


def said_of(topic: str, lost: tuple[Lost, ...], **told: Any) -> dict[str, Any]:
    """What a manifest says of its topic."""
    return {"topic": topic, **told, **({"lost": [vars(one) for one in lost]} if lost else {})}


@dataclass
class Positions:
    """How far a topic has landed."""

    next: dict[int, int] = field(default_factory=dict)
    """By partition, the offset from which on nothing has landed; none for a partition of which nothing has."""
    newest: dict[int, date] = field(default_factory=dict)
    """By partition, the landing day of its last record that has landed since the last day was closed."""
    closed: date | None = None
    """The last landing day that is closed: what comes now is of a later one."""
    first: date | None = None
    """The first landing day with records that is not closed."""

    @classmethod
    def of(cls, settings: Settings, source: str, topic: str) -> "Positions":
        """As the manifests have them, read from the newest day back to the last one that is closed."""
        found = cls()
        learn_days(settings, [source])
        for day in sorted(landed_days(settings, source), reverse=True):
            bring_in(settings, source, [day])
            told = offsets_landed(settings, source, topic, day)
            for one in told:
                found.landed(one, day)
            if any(one.closes for one in told):
                break
        return found

    def landed(self, one: LandedOffsets, day: date) -> None:
        """Take in what a manifest says."""
        for partition, offset in one.next.items():
            self.next[partition] = max(self.next.get(partition, 0), offset)
            if not one.closes:
                self.newest[partition] = max(self.newest.get(partition, day), day)
        if one.closes:
            self.closed = max(self.closed or day, day)
        elif self.first is None or day < self.first:
            self.first = day

    def is_open(self, day: date) -> bool:
        """Whether a day is not closed."""
        return self.closed is None or day > self.closed

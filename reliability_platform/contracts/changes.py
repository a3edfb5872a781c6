"""What is other in one contract than in another, each change typed, and whether it is compatible.

Compatible is what takes nothing back: whatever was admitted under the old contract would be admitted under the new one,
and read as the same. No landed day needs to be built again for it. Everything else is incompatible.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from reliability_platform.contracts.contract import MODES, Cadence, Column, Contract
from reliability_platform.counted import counted


class Kind(StrEnum):
    """What changed."""

    SOURCE_ADDED = "source added"
    SOURCE_REMOVED = "source removed"
    COLUMN_ADDED = "column added"
    COLUMN_REMOVED = "column removed"
    TYPE = "type changed"
    REQUIRED = "became required"
    OPTIONAL = "became optional"
    RANGE_WIDENED = "range widened"
    RANGE_NARROWED = "range narrowed"
    LABELS_ADDED = "labels added"
    LABELS_REMOVED = "labels removed"
    REFERENCE = "reference changed"
    PERSONAL = "personal data"
    ALIASES_ADDED = "names added"
    ALIASES_REMOVED = "names removed"
    ZONE = "zone changed"
    ROLE = "role changed"
    KEY = "key changed"
    EVENT_TIME = "event time changed"
    FILE_FORMAT = "file format changed"
    DAYS = "days changed"
    CADENCE = "cadence changed"
    DEADLINE = "deadline changed"
    MODE = "compatibility changed"
    NOTICE = "notice changed"
    ANNOUNCED = "announced columns changed"
    DELIVERY = "delivery changed"
    RULE_ADDED = "rule added"
    RULE_CHANGED = "rule changed"
    RULE_REMOVED = "rule removed"
    VERSION_REMOVED = "version removed"
    VERSION_MOVED = "version holds from another day"


OF_THE_DAYS = (Kind.VERSION_REMOVED, Kind.VERSION_MOVED)
"""What changes no version, but by which of them days are read."""


@dataclass(frozen=True)
class ContractChange:
    """One change of a source's contract."""

    source: str
    kind: Kind
    is_compatible: bool
    said: str
    """The old and the new, in words."""
    column: str | None = None
    holds_from: date | None = None
    """The landing day from which it holds; None: all of them."""

    @property
    def line(self) -> str:
        """As people read it, in one line."""
        place = f"{self.source}.{self.column}" if self.column is not None else self.source
        since = f", from {self.holds_from} on" if self.holds_from is not None else ""
        return f"{place}: {self.kind}{f', {self.said}' if self.said else ''}{since}"

    @property
    def document(self) -> dict[str, Any]:
        """As programs read it."""
        return {
            "source": self.source,
            "column": self.column,
            "kind": self.kind.value,
            "compatible": self.is_compatible,
            "said": self.said,
            "holds_from": self.holds_from,
        }


Found = tuple[Kind, bool, str]
"""A change, whether it is compatible, and its words."""


def all_changes(old: Mapping[str, Contract], new: Mapping[str, Contract]) -> list[ContractChange]:
    """What is other in the contracts of a project, source by source."""
    added = [ContractChange(name, Kind.SOURCE_ADDED, True, "") for name in new if name not in old]
    removed = [ContractChange(name, Kind.SOURCE_REMOVED, False, "") for name in old if name not in new]
    return added + removed + [one for name in new if name in old for one in _by_version(old[name], new[name])]


def _by_version(old: Contract, new: Contract) -> Iterator[ContractChange]:
    """Each version against itself as it was, and one that is new against the one before it."""
    before, after = old.versions or (old,), new.versions or (new,)
    known = {one.version: one for one in before}
    for place, version in enumerate(after):
        if version.version not in known and place > 0:
            found = changes(after[place - 1], version)
            yield from (replace(one, holds_from=version.holds_from) for one in found)
        else:
            yield from changes(known.get(version.version, before[min(place, len(before) - 1)]), version)
        if len(after) > 1 and version.version in known and known[version.version].holds_from != version.holds_from:
            yield _moved(known[version.version], version)
    for gone in before if len(before) > len(after) else ():
        if gone.version not in {one.version for one in after}:
            said = f"{gone.version}: its landing days are read by another"
            yield ContractChange(new.source, Kind.VERSION_REMOVED, False, said)


def _moved(old: Contract, new: Contract) -> ContractChange:
    """The landing days between the two are read by another version."""
    days = (old.holds_from, new.holds_from)
    first = None if None in days else min(day for day in days if day is not None)
    said = f"{new.version}, {old.holds_from or 'the first one'} → {new.holds_from or 'the first one'}"
    return ContractChange(new.source, Kind.VERSION_MOVED, False, said, holds_from=first)


def short_notice(old: Contract, new: Contract) -> str | None:
    """What is owed of the notice that the old version asks for before an incompatible change; None if nothing is."""
    if not old.notice_days:
        return None
    owed = f"{new.source}: {counted(old.notice_days, 'day of notice is', 'days of notice are')} owed for an incompatible change"
    if new.holds_from is None or new.announced_on is None:
        return f"{owed}, and it does not say both when it was written (contractCreatedTs) and from when it holds (generalAvailability)"
    given = (new.holds_from - new.announced_on).days
    return None if given >= old.notice_days else f"{owed}, and {counted(given, 'day is', 'days are')} given"


def changes(old: Contract, new: Contract) -> list[ContractChange]:
    """What is other in the new contract of a source."""
    before = {one.name: one for one in old.columns}
    after = {one.name: one for one in new.columns}
    found = [ContractChange(new.source, *one) for one in _of_contract(old, new)]
    for name, column in after.items():
        if name in before:
            found += [ContractChange(new.source, *one, name) for one in _of_column(before[name], column, new)]
        else:
            said = f"{column.type}, {'required' if column.required else 'optional'}"
            found.append(ContractChange(new.source, Kind.COLUMN_ADDED, not column.required, said, name))
    gone = [one for name, one in before.items() if name not in after]
    found += [ContractChange(new.source, Kind.COLUMN_REMOVED, False, one.type, one.name) for one in gone]
    return found


def _of_contract(old: Contract, new: Contract) -> Iterator[Found]:
    parts: list[tuple[Kind, Callable[[Contract], Any]]] = [
        (Kind.KEY, lambda one: ", ".join(one.key)),
        (Kind.EVENT_TIME, lambda one: one.event_time),
        (Kind.FILE_FORMAT, lambda one: _mapping(one.file_format.declared)),
        (Kind.DAYS, _days),
        (Kind.CADENCE, lambda one: _cadence(one.cadence)),
    ]
    for kind, of in parts:
        if of(old) != of(new):
            yield kind, False, f"{of(old)} → {of(new)}"
    if old.deadline_minutes != new.deadline_minutes:
        is_later = new.deadline_minutes > old.deadline_minutes
        yield (
            Kind.DEADLINE,
            is_later,
            f"{counted(old.deadline_minutes, 'minute')} → {counted(new.deadline_minutes, 'minute')} after the day",
        )
    if old.mode != new.mode:
        yield Kind.MODE, MODES.index(new.mode) > MODES.index(old.mode), f"{old.mode} → {new.mode}"
    if old.notice_days != new.notice_days:
        yield Kind.NOTICE, True, f"{counted(old.notice_days, 'day')} → {counted(new.notice_days, 'day')}"
    if old.announced != new.announced:
        yield Kind.ANNOUNCED, True, f"{_listed(old.announced)} → {_listed(new.announced)}"
    if (old.kind, old.servers, old.query) != (new.kind, new.servers, new.query):
        yield Kind.DELIVERY, True, f"{_delivery(old)} → {_delivery(new)}"
    yield from _relations(old, new)


def _relations(old: Contract, new: Contract) -> Iterator[Found]:
    """A rule that is new holds from the next landing day on, and one that compares rows rejects none."""
    before = {one.name: replace(one, since=None, description="") for one in old.relations}
    after = {one.name: replace(one, since=None, description="") for one in new.relations}
    for name, one in after.items():
        if name not in before:
            yield Kind.RULE_ADDED, True, f"{name}, {one.text}"
        elif one != before[name]:
            yield Kind.RULE_CHANGED, not one.of_rows, f"{name}, {before[name].text} → {one.text}"
    for name in before.keys() - after.keys():
        yield Kind.RULE_REMOVED, True, name


def _of_column(old: Column, new: Column, contract: Contract) -> Iterator[Found]:
    if (old.type, old.json) != (new.type, new.json):
        yield Kind.TYPE, _is_wider(old, new), f"{_type(old)} → {_type(new)}"
    if old.required != new.required:
        yield (Kind.REQUIRED, False, "") if new.required else (Kind.OPTIONAL, True, "")
    yield from _ranges(old, new)
    yield from _labels(old, new)
    # A rule tells of one that leads to another source: it rejects no row.
    if old.references != new.references and new.name not in contract.references_to_sources:
        yield Kind.REFERENCE, new.references is None, f"{old.references or 'none'} → {new.references or 'none'}"
    if old.pii != new.pii:
        # Rows are known by their key, of which a personal column is a digest.
        yield Kind.PERSONAL, new.name not in contract.key, "is now personal" if new.pii else "is not personal any more"
    if more := _without(new.aliases, old.aliases):
        yield Kind.ALIASES_ADDED, True, _listed(more)
    if fewer := _without(old.aliases, new.aliases):
        yield Kind.ALIASES_REMOVED, False, _listed(fewer)
    if old.zone != new.zone:
        yield Kind.ZONE, False, f"{old.zone or 'UTC'} → {new.zone or 'UTC'}"
    if old.role != new.role:
        yield Kind.ROLE, True, f"{old.role or 'none'} → {new.role or 'none'}: its history begins anew"


def _ranges(old: Column, new: Column) -> Iterator[Found]:
    """What narrows on one end narrows, whatever the other does."""
    if (old.minimum, old.maximum) == (new.minimum, new.maximum):
        return
    lower = new.minimum is None or (old.minimum is not None and new.minimum <= old.minimum)
    higher = new.maximum is None or (old.maximum is not None and new.maximum >= old.maximum)
    kind = Kind.RANGE_WIDENED if lower and higher else Kind.RANGE_NARROWED
    yield kind, lower and higher, f"{_range(old)} → {_range(new)}"


def _labels(old: Column, new: Column) -> Iterator[Found]:
    if bool(old.valid_values) != bool(new.valid_values):
        is_freed = not new.valid_values
        yield (
            Kind.LABELS_ADDED if is_freed else Kind.LABELS_REMOVED,
            is_freed,
            "any" if is_freed else f"only {_listed(new.valid_values)}",
        )
        return
    if more := _without(new.valid_values, old.valid_values):
        yield Kind.LABELS_ADDED, True, _listed(more)
    if fewer := _without(old.valid_values, new.valid_values):
        yield Kind.LABELS_REMOVED, False, _listed(fewer)


_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def _is_wider(old: Column, new: Column) -> bool:
    """Whether the new type holds each value of the old one as it is."""
    if old.json or new.json:
        return False
    if old.type in _INTEGERS and new.type in _INTEGERS:
        return _INTEGERS.index(old.type) < _INTEGERS.index(new.type)
    before, after = _DECIMAL.fullmatch(old.type), _DECIMAL.fullmatch(new.type)
    if before and after:
        return before[2] == after[2] and int(before[1]) < int(after[1])
    return (old.type, new.type) == ("FLOAT", "DOUBLE")


def _without(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for one in some if one not in others)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _type(column: Column) -> str:
    return "JSON" if column.json else column.type


def _range(column: Column) -> str:
    low, high = column.minimum, column.maximum
    if low is None and high is None:
        return "any"
    return " ".join(
        [*([f"from {low:.15g}"] if low is not None else []), *([f"to {high:.15g}"] if high is not None else [])]
    )


def _mapping(said: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in said.items())


def _days(contract: Contract) -> str:
    several = ", several in a file" if contract.several_days else ""
    offset = f", files named {-contract.day_offset} later" if contract.day_offset else ""
    return f"days of {contract.day_zone}{several}{offset}"


def _cadence(cadence: Cadence) -> str:
    days = (
        f"weekday {cadence.weekday}"
        if cadence.weekday is not None
        else f"day {cadence.day_of_month} of the month"
        if cadence.day_of_month is not None
        else "day"
    )
    return f"{cadence.batches} each {days}"


def _delivery(contract: Contract) -> str:
    return f"{contract.kind}{f' at {contract.servers[0].address}' if contract.servers else ''}"

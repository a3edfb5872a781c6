"""Writes the impact of an incident on its timeline, once before healing and once after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from reliability_platform.counted import counted
from reliability_platform.errors import PlatformError
from reliability_platform.incidents.impact.measures import (
    MeasureChange,
    measures_of_each,
    touched_dates_of_each,
    unreadable,
)
from reliability_platform.incidents.impact.numbers import Numbers, numbers_of_each
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.masking import error_message
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import warehouse_reader

if TYPE_CHECKING:
    import duckdb

ACTOR = "impact recorder"
BAD, RECOVERED = "bad", "recovered"
SAID = {BAD: "While bad", RECOVERED: "After recovery"}
_RECOVERED_STATES = frozenset({State.VERIFIED, State.RESOLVED, State.CLOSED})


def phase_of(incident: Incident) -> str | None:
    """Which impact can be recorded now: `bad` before anybody acts, `recovered` after; None in between."""
    if incident.state in _RECOVERED_STATES:
        return RECOVERED
    if incident.state in (State.RECOVERING, State.FALSE_ALARM) or incident.attempts:
        return None
    return BAD


def record_impact(settings: Settings, engine: Engine, incident: Incident, now: datetime, phase: str) -> bool:
    """Append an entry of kind `impact`, once per phase and life of the incident; whether it was appended.

    Its data: `phase`, `rows`, `keys`, `event_dates`, `numbers` (source → counts of rows), `measures` (table, measure,
    event_dates, published, warehouse; numbers as text, null where there is none). What cannot be read never keeps
    anybody from healing: it is null, and the entry says why.
    """
    return bool(record_impacts(settings, engine, [(incident, phase)], now))


def record_impacts(settings: Settings, engine: Engine, due: Sequence[tuple[Incident, str]], now: datetime) -> list[str]:
    """The same for several incidents, each with its phase, which are measured together; the ids of those that were appended to."""
    lacking = [_Unmeasured(incident, phase) for incident, phase in due]
    lacking = [one for one in lacking if not one.is_recorded]
    store, appended = IncidentStore(engine), list[str]()
    for one, (data, why) in zip(lacking, _measured(settings, lacking), strict=True):
        key = f"impact-{one.incident.id}-{one.phase}-{len(one.reopened)}"
        said, told = f"{SAID[one.phase]}: {why}", {"phase": one.phase, **data}
        if store.append(one.incident.id, now, ACTOR, "impact", said, told, key=key):
            appended.append(one.incident.id)
    return appended


@dataclass(frozen=True)
class _Unmeasured:
    """An incident whose impact is to be recorded for a phase."""

    incident: Incident
    phase: str

    @property
    def reopened(self) -> list[int]:
        """The entries with which it came back."""
        return [
            entry.number
            for entry in self.incident.timeline
            if entry.kind == "transition" and entry.data["to"] == State.REOPENED
        ]

    @property
    def _own(self) -> list[dict[str, Any]]:
        """What its present life has recorded."""
        since = max(self.reopened, default=0)
        return [dict(one.data) for one in self.incident.timeline if one.kind == "impact" and one.number > since]

    @property
    def is_recorded(self) -> bool:
        """Whether that has been done already."""
        return any(data["phase"] == self.phase for data in self._own)

    @property
    def dates(self) -> list[date] | None:
        """The event dates; None where what landed must tell. The same before and after, or the values could not be compared."""
        before = [data["event_dates"] for data in self._own if data["phase"] == BAD]
        return [date.fromisoformat(day) for day in before[0]] if before and self.phase == RECOVERED else None


def _measured(settings: Settings, asked: Sequence[_Unmeasured]) -> list[tuple[dict[str, Any], str]]:
    """The data of each entry, and what they say in words. Where something fails for all of them, each is asked about by
    itself, so that it costs only the one that it is about."""
    import duckdb

    if not asked:
        return []
    by_source: list[dict[str, Numbers]] = [{} for _ in asked]
    changes: list[list[MeasureChange]] = [[] for _ in asked]
    names, dates, missing = [one.incident.sources for one in asked], [one.dates for one in asked], list[str]()
    try:
        ensure_manifest()
        with warehouse_reader(settings) as connection:
            touched = touched_dates_of_each(
                connection, [(one.incident.sources, one.incident.partitions) for one in asked]
            )
            dates = [known or found for known, found in zip(dates, touched, strict=True)]
            changes = measures_of_each(
                settings, connection, list(zip(names, (some or () for some in dates), strict=True))
            )
            by_source = _numbers(connection, asked)
    except (PlatformError, duckdb.Error) as error:
        if len(asked) > 1:
            return [_measured(settings, [one])[0] for one in asked]
        missing.append(error_message(error, 200).rstrip("."))
    over = [known or sorted(one.incident.partitions) for known, one in zip(dates, asked, strict=True)]
    lacking = [number for number, found in enumerate(changes) if not found]
    if lacking:
        try:
            alone = measures_of_each(settings, None, [(names[number], over[number]) for number in lacking])
            for number, found in zip(lacking, alone, strict=True):
                changes[number] = found
        except (PlatformError, duckdb.Error, OSError) as error:
            missing.append(error_message(error, 200).rstrip("."))
    missing += [f"{name} is published and cannot be read" for name in unreadable(settings)]
    return [_said(*one, missing) for one in zip(by_source, over, changes, strict=True)]


def _numbers(connection: "duckdb.DuckDBPyConnection", asked: Sequence[_Unmeasured]) -> list[dict[str, Numbers]]:
    """The numbers of each by source."""
    pairs = [(number, source) for number, one in enumerate(asked) for source in one.incident.sources]
    found = numbers_of_each(connection, [(source, asked[number].incident.partitions) for number, source in pairs])
    by_source: list[dict[str, Numbers]] = [{} for _ in asked]
    for (number, source), counts in zip(pairs, found, strict=True):
        by_source[number][source] = counts
    return by_source


def _said(
    by_source: Mapping[str, Numbers], dates: Sequence[date], changes: Sequence[MeasureChange], troubles: Sequence[str]
) -> tuple[dict[str, Any], str]:
    missing = list(troubles)
    if not any(one.published is not None for one in changes):
        missing.append("nothing is published of these event dates")
    rows = sum(one.delivered_rows for one in by_source.values()) if by_source else None
    keys = sum(one.keys for one in by_source.values()) if by_source else None
    data = {
        "rows": rows,
        "keys": keys,
        "event_dates": [day.isoformat() for day in dates],
        "numbers": {source: {**vars(one), "event_dates": len(one.event_dates)} for source, one in by_source.items()},
        "measures": [_plain(one) for one in changes],
    }
    said = (
        f"{counted(rows, 'row')} delivered, {counted(keys, 'key')}"
        if rows is not None and keys is not None
        else "rows and keys unknown"
    )
    words = f"{said}, {counted(len(dates), 'event date')}, {counted(len(changes), 'measure')}"
    return data, "; ".join([words, *missing]) + "."


def _plain(change: MeasureChange) -> dict[str, Any]:
    return {
        "table": change.table,
        "measure": change.measure,
        "event_dates": [day.isoformat() for day in change.event_dates],
        "published": None if change.published is None else str(change.published),
        "warehouse": None if change.warehouse is None else str(change.warehouse),
        "published_dates": change.published_dates,
        "warehouse_dates": change.warehouse_dates,
    }

"""Writes the impact of an incident on its timeline, once before healing and once after it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine

from reliability_platform.counted import counted
from reliability_platform.errors import PlatformError
from reliability_platform.incidents.impact.measures import MeasureChange, measures, touched_dates, unreadable
from reliability_platform.incidents.impact.numbers import Numbers, numbers
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.masking import error_message
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import warehouse_reader

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
    lives = [entry for entry in incident.timeline if entry.kind == "transition" and entry.data["to"] == State.REOPENED]
    since = lives[-1].number if lives else 0
    own = [entry for entry in incident.timeline if entry.kind == "impact" and entry.number > since]
    if any(entry.data["phase"] == phase for entry in own):
        return False
    before = [entry.data["event_dates"] for entry in own if entry.data["phase"] == BAD]
    # The same dates before and after, or the values could not be compared.
    dates = [date.fromisoformat(day) for day in before[0]] if before and phase == RECOVERED else None
    data, why = _measured(settings, incident, dates)
    key = f"impact-{incident.id}-{phase}-{len(lives)}"
    return IncidentStore(engine).append(
        incident.id, now, ACTOR, "impact", f"{SAID[phase]}: {why}", {"phase": phase, **data}, key=key
    )


def _measured(settings: Settings, incident: Incident, dates: list[date] | None) -> tuple[dict[str, Any], str]:
    """The data of an entry, and what they say in words."""
    import duckdb

    by_source: dict[str, Numbers] = {}
    changes: list[MeasureChange] = []
    missing = []
    try:
        ensure_manifest()
        with warehouse_reader(settings) as connection:
            dates = dates or touched_dates(connection, incident.sources, incident.partitions)
            changes = measures(settings, connection, incident, dates)
            by_source = {source: numbers(connection, source, incident.partitions) for source in incident.sources}
    except (PlatformError, duckdb.Error) as error:
        missing.append(error_message(error, 200).rstrip("."))
        dates = dates or sorted(incident.partitions)
    if not changes:
        try:
            changes = measures(settings, None, incident, dates)
        except (PlatformError, duckdb.Error, OSError) as error:
            missing.append(error_message(error, 200).rstrip("."))
    missing += [f"{name} is published and cannot be read" for name in unreadable(settings)]
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

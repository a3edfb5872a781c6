"""Which zones of the calendar explain the days in the names of files: every one that does, the likeliest first.

What a sample can tell are the offsets from UTC on its days. Many zones share them, and where the sample holds no change of
the clock even those with and without summer time: so the zone is a question, and the evidence says what else would fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, available_timezones

import duckdb

FREQUENT = (
    "America/New_York", "Europe/Berlin", "Europe/London", "America/Chicago", "America/Los_Angeles", "Asia/Kolkata",
    "Asia/Shanghai", "Asia/Tokyo", "America/Sao_Paulo", "Europe/Paris", "Australia/Sydney", "America/Denver",
    "Europe/Istanbul", "Europe/Moscow", "Asia/Singapore", "Asia/Dubai", "Africa/Lagos", "Africa/Johannesburg",
    "America/Mexico_City", "America/Bogota", "America/Argentina/Buenos_Aires", "Asia/Jakarta", "Asia/Karachi", "Asia/Dhaka",
    "Europe/Athens", "Africa/Cairo", "Pacific/Auckland", "America/Halifax", "America/Anchorage", "Pacific/Honolulu",
)  # fmt: skip
"""Where most data are from, in the order in which they are proposed where several fit."""
AREAS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
NEARLY = 0.0001
"""Shares that differ by less are the same: rows that are late."""


@dataclass(frozen=True)
class Fit:
    """What fits best."""

    share: float
    """Of the rows that lie on the day of their file by the calendar of these zones."""
    zones: tuple[str, ...]
    """The likeliest first."""


def fitting_zones(connection: duckdb.DuckDBPyConnection, event_time: str, lag: int) -> Fit:
    """The zones by whose calendar most rows of `sample` lie on the day of their file in `named`, `lag` days before."""
    connection.execute(
        "create or replace temp table quarters as select time_bucket(interval 15 minute, "
        f'"{event_time}") as quarter, _day - {lag} as day, count(*) as rows from sample join named using (_file) group by all'
    )
    [(first, last)] = connection.execute("select min(quarter), max(quarter) from quarters").fetchall()
    shares = {
        zones: connection.execute(
            "select sum(rows) filter (cast(timezone($zone, quarter at time zone 'UTC') as date) = day) / sum(rows) "
            "from quarters",
            {"zone": zones[0]},
        ).fetchall()[0][0]
        or 0.0
        for zones in _alike(first.date(), last.date())
    }
    best = max(shares.values())
    fitting = [one for zones, share in shares.items() if share >= best - NEARLY for one in zones]
    return Fit(best, tuple(sorted(fitting, key=_unlikeliness)))


def _alike(first: date, last: date) -> Sequence[tuple[str, ...]]:
    """Zones of places, together where their clocks agree on each of some days."""
    days = sorted({first, last, *(date.fromordinal(one) for one in range(first.toordinal(), last.toordinal(), 7))})
    moments = [datetime.combine(day, time(12), UTC) for day in days]
    found: dict[tuple[object, ...], list[str]] = {}
    for name in places():
        zone = ZoneInfo(name)
        found.setdefault(tuple(moment.astimezone(zone).utcoffset() for moment in moments), []).append(name)
    return [tuple(names) for names in found.values()]


def places() -> list[str]:
    """The zones of places, the likeliest first."""
    return sorted((one for one in available_timezones() if one.partition("/")[0] in AREAS), key=_unlikeliness)


def _unlikeliness(zone: str) -> tuple[int, str]:
    return (FREQUENT.index(zone) if zone in FREQUENT else len(FREQUENT)), zone

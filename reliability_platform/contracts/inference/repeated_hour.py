"""The hour that clocks repeat in autumn: moments without an offset from UTC come twice in it, and look like keys that do."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb

from reliability_platform.contracts.inference.keys import repeated
from reliability_platform.contracts.inference.zones import places
from reliability_platform.counted import counted
from reliability_platform.parquet import identifier

SHOWN = 3
"""Other zones that are named."""


@dataclass(frozen=True)
class RepeatedHours:
    """Hours by the clock, and the zones whose clocks show them twice."""

    hours: tuple[datetime, ...]
    """One each autumn."""
    zones: tuple[str, ...]
    """The likeliest first."""

    def hold(self, event_time: str) -> str:
        """SQL: whether the moment of a row lies in one of them."""
        listed = ", ".join(f"timestamp '{one}'" for one in self.hours)
        return f"date_trunc('hour', {identifier(event_time)}) in ({listed})"

    @property
    def first(self) -> str:
        """The first of them, in words, and how many follow."""
        more = f" and of {counted(len(self.hours) - 1, 'more', 'more')}" if len(self.hours) > 1 else ""
        return f"{self.hours[0]:%Y-%m-%d %H:%M}{more}"

    def told(self, rows: int) -> str:
        """That so many rows have the key of another one, in words."""
        others = self.zones[1:]
        also = f" (as {', '.join(others[:SHOWN])}{f' and {len(others) - SHOWN} more' if len(others) > SHOWN else ''})"
        return (
            f"but for {counted(rows, 'row')} of the hour from {self.first} on, which the clocks of {self.zones[0]}"
            f"{also if others else ''} show twice: held as contradicting keys unless moments say their offset from UTC"
        )


def repeated_hours(first: date, last: date) -> list[RepeatedHours]:
    """Those between two days, both included, of all zones; those of the likeliest zones first."""
    found: dict[tuple[datetime, ...], list[str]] = {}
    weeks = [first + timedelta(days=number) for number in range(-1, (last - first).days + 8, 7)]
    noons = [datetime.combine(day, time(12), UTC) for day in weeks]
    for name in places():
        zone = ZoneInfo(name)
        offsets = [_offset(noon, zone) for noon in noons]
        hours = [
            hour
            for before, after, offset, next_offset in zip(noons, noons[1:], offsets, offsets[1:], strict=False)
            if next_offset < offset and first <= (hour := _shown_twice(before, after, zone)).date() <= last
        ]
        if hours:
            found.setdefault(tuple(hours), []).append(name)
    return [RepeatedHours(hours, tuple(zones)) for hours, zones in found.items()]


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _shown_twice(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The hour by the clock that is shown again, of a zone whose clock is put back between two moments."""
    earlier = _offset(before, zone)
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) / 2
        before, after = (middle, after) if _offset(middle, zone) == earlier else (before, middle)
    shown = after.astimezone(zone).replace(tzinfo=None)
    return shown.replace(minute=0, second=0, microsecond=0)


def only_there(
    connection: duckdb.DuckDBPyConnection, key: tuple[str, ...], event_time: str, zones: list[RepeatedHours]
) -> tuple[RepeatedHours, int] | None:
    """The repeated hours in which all rows of `sample` lie whose key came before, and how many they are; None if some lie
    elsewhere.
    """
    names, everywhere = ", ".join(map(identifier, key)), repeated(connection, key)
    for one in zones:
        [(inside,)] = connection.execute(
            "select coalesce(sum(n - 1), 0) from "
            f"(select count(*) as n from sample where {one.hold(event_time)} group by {names})"
        ).fetchall()
        if inside and inside == everywhere:
            return one, int(inside)
    return None

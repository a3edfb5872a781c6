"""Which days the events of a file are of, beside the day in its name: the same, the day before, those of another zone, several."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from reliability_platform.contracts.inference.told import Told
from reliability_platform.contracts.inference.zones import fitting_zones
from reliability_platform.contracts.named_days import named_days
from reliability_platform.counted import counted

ALL_BUT = 0.999
"""Share of the rows that must lie on the day of their file; the rest may be late."""
SEVERAL = 0.7
"""Fewer rows of a file than this on its busiest day: it holds several days."""
SHOWN = 5
"""Other zones that are named as fitting too."""


@dataclass(frozen=True)
class Days:
    """What is proposed."""

    several: Told | None = None
    """That a file holds several days, and is taken apart by the days of its events."""
    span: int = 1
    """Days from the first to the last event of most files: its first day is known so long after it was over."""
    lag: int = 0
    """Days from the events to the day in the name of their file."""
    zone: Told | None = None
    """The zone whose calendar the names follow, where it is not that of the moments."""


def days_of_files(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], event_time: str, is_moment: bool
) -> Days:
    """What the table `sample` says of the days of its files."""
    named = [(str(path), said.first) for path in files if (said := named_days(str(path))) is not None and said.is_day]
    day = f'cast("{event_time}" as date)'
    [(share,)] = connection.execute(
        "select median(share) from (select max(rows) / sum(rows) as share from "
        f"(select _file, {day}, count(*) as rows from sample group by all) group by _file)"
    ).fetchall()
    if len(named) < len(files):
        [(most,)] = connection.execute(
            f"select max(days) from (select count(distinct {day}) as days from sample group by _file)"
        ).fetchall()
        if most == 1:
            return Days()
        several = Told(True, f"a file holds up to {counted(most, 'day')}, and no name says which", len(files) == 1)
        return Days(several, _span(connection, day, files))
    if share is not None and share < SEVERAL:
        several = Told(True, f"a file holds several days: {share:.0%} of its rows are of the busiest one")
        return Days(several, _span(connection, day, files))
    connection.execute("create or replace temp table named (_file varchar, _day date)")
    connection.executemany("insert into named values (?, ?)", named)
    [(lag,)] = connection.execute(
        f"select cast(median(datediff('day', {day}, _day)) as integer) from sample join named using (_file)"
    ).fetchall()
    lag = max(lag or 0, 0)
    if not is_moment:
        return Days(lag=lag)
    [(in_utc,)] = connection.execute(
        f"select avg(cast({day} = _day - {lag} as integer)) from sample join named using (_file)"
    ).fetchall()
    if (in_utc or 0) >= ALL_BUT:
        return Days(lag=lag)
    fit = fitting_zones(connection, event_time, lag)
    if fit.share <= (in_utc or 0):
        return Days(lag=lag)
    zone, *others = fit.zones
    also = f"{', '.join(others[:SHOWN])}{f' and {len(others) - SHOWN} more' if len(others) > SHOWN else ''}"
    told = (
        f"{1 - (in_utc or 0):.1%} of the rows lie beside the day of their file in UTC, {1 - fit.share:.1%} by the calendar of "
        f"this zone{f'; the same with {also}' if others else ''}"
    )
    return Days(lag=lag, zone=Told(zone, told, True))


def _span(connection: duckdb.DuckDBPyConnection, day: str, files: Sequence[Path]) -> int:
    """Of the file in the middle; of a single one nobody knows whether others will hold as much."""
    if len(files) == 1:
        return 1
    [(span,)] = connection.execute(
        f"select cast(median(span) as integer) from (select datediff('day', min({day}), max({day})) + 1 as span from sample group by _file)"
    ).fetchall()
    return max(span or 1, 1)

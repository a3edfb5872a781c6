"""In which format days and moments are written that ISO 8601 does not know, over all rows of a sample.

DuckDB tells formats by the first file alone, and none without seconds, as spreadsheets write them.
"""

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from reliability_platform.contracts.file_format import FileFormat
from reliability_platform.parquet import identifier, literal

DAYS = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%d-%b-%Y", "%d %b %Y")  # fmt: skip
"""Where two of them fit all values, the first one is taken, and the other is named."""
TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S.%f")
MOMENTS = tuple(f"{day} {time}" for day in DAYS for time in TIMES)
FIRST_ROWS = 5_000
"""So many are looked at for columns that could hold days; of those all rows are read."""
LOOKS_LIKE = r"\d{1,2}[-./ ](\d{1,2}|[A-Za-z]{3})[-./ ](\d{4}|\d\d)( \d{1,2}:\d\d.*)?"
"""What no format reads is not tried."""


def with_formats(
    connection: duckdb.DuckDBPyConnection, found: FileFormat, names: Sequence[str], words: Sequence[str]
) -> tuple[FileFormat, str]:
    """The format with those of days and moments in which all values of a column of the table `raw` are written, and what else
    fits as well, in words. `words` stand for no value."""
    doubts: list[str] = []
    columns = ", ".join(identifier(name) for name in names)
    known = ", ".join(literal(word) for word in words)
    rows = connection.execute(
        f"select n from (unpivot (select {columns} from raw limit {FIRST_ROWS}) on columns(*) into name n value v) "
        f"where v <> '' and v not in ({known}) group by n having bool_and(regexp_full_match(v, '{LOOKS_LIKE}'))"
    ).fetchall()
    alike = [name for (name,) in rows]
    days, moments = (_fit(connection, alike, candidates, known) for candidates in (DAYS, MOMENTS))
    if days and found.date_format not in days:
        found = replace(found, date_format=days[0])
    if moments and found.timestamp_format not in moments:
        found = replace(found, timestamp_format=moments[0])
    for said, fits in ((found.date_format, days), (found.timestamp_format, moments)):
        if others := [one for one in fits if one != said]:
            doubts.append(f"{said} is a guess: {others[0]} reads all values as well")
    return found, "; ".join(doubts)


def _fit(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], candidates: Sequence[str], known: str
) -> list[str]:
    """The candidates that read every value of some column, of the column first that few of them do."""
    if not names:
        return []
    terms = ", ".join(f"bool_and(try_strptime(v, {literal(one)}) is not null)" for one in candidates)
    columns = ", ".join(identifier(name) for name in names)
    rows = connection.execute(
        f"select n, {terms} from (select distinct n, v from (unpivot (select {columns} from raw) on columns(*) "
        f"into name n value v) where v <> '' and v not in ({known})) group by n"
    ).fetchall()
    fitting = {
        name: fits for name, *said in rows if (fits := [one for one, fit in zip(candidates, said, strict=True) if fit])
    }
    if not fitting:
        return []
    name = min(fitting, key=lambda one: len(fitting[one]))
    return fitting[name] if len(fitting[name]) == 1 else _as_files_are_named(connection, name, fitting[name])


def _as_files_are_named(connection: duckdb.DuckDBPyConnection, name: str, fits: list[str]) -> list[str]:
    """The one by which most rows are of the day in the name of their file; all where names say nothing."""
    parsed = [f"try_strptime({identifier(name)}, {literal(one)})" for one in fits]
    terms = ", ".join(
        f"avg((contains(_file, strftime({one}, '%Y-%m-%d')) or contains(_file, strftime({one}, '%Y%m%d')))::int)"
        for one in parsed
    )
    [shares] = connection.execute(f"select {terms} from (from raw limit {FIRST_ROWS})").fetchall()
    named = [one for one, share in zip(fits, shares, strict=True) if (share or 0) > 0.5]
    return named if len(named) == 1 else fits

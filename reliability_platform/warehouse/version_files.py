"""The files of a table in a version: one for each month of its event dates, or one for all of its rows.

A file that would hold the same rows as that of the version before is that very file under one more name, so a version takes
the room of what it changes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from reliability_platform.atomic import link
from reliability_platform.damage import Written, written
from reliability_platform.parquet import identifier, literal, scan
from reliability_platform.warehouse.published import ALL, PublishedDate, PublishedTable

Parts = Mapping[str, Mapping[str, PublishedDate]]
"""What a file is called, without its suffix → the event dates that it holds, or `whole`."""


@dataclass(frozen=True)
class StoredRows:
    """Rows as Parquet keeps them: a query, and the types of its columns by their names."""

    query: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Before:
    """A table as the version before has it: what its record says, its folder, and which of its files are damaged."""

    table: PublishedTable
    folder: Path
    damaged: Collection[str]


def parts_of(dates: Mapping[str, PublishedDate], whole: PublishedDate | None) -> Parts:
    """The files that a table has: of its months, or a single one where it has no event dates or no rows."""
    if whole is not None or not dates:
        return {ALL: {} if whole is None else {"whole": whole}}
    months: dict[str, dict[str, PublishedDate]] = {}
    for day, one in dates.items():
        months.setdefault(day[:7], {})[day] = one
    return months


def as_kept(connection: duckdb.DuckDBPyConnection, rows: str, scratch: Path) -> StoredRows:
    """Rows of a query with the types that they have once they were in a file, as an enumeration becomes text.

    What is compared with the rows of a file must hash alike. `scratch` is a path at which nothing stays.
    """
    connection.execute(f"copy (select * from ({rows}) limit 0) to {literal(scratch)} (format parquet)")
    columns = _columns(connection, scratch)
    scratch.unlink()
    casts = ", ".join(f"cast({identifier(name)} as {kind}) as {identifier(name)}" for name, kind in columns.items())
    return StoredRows(f"select {casts} from ({rows})", columns)


def write_files(
    connection: duckdb.DuckDBPyConnection,
    rows: StoredRows,
    day: str,
    parts: Parts,
    before: Before | None,
    folder: Path,
    table: str,
) -> dict[str, Written]:
    """Write the files of a table, or take those of the version before; returns them by their names in the version.

    `day` is the event date of a row, as SQL.
    """
    (folder / table).mkdir()
    shared = _unchanged(connection, rows, parts, before, table)
    found = {}
    for part, dates in parts.items():
        name = f"{table}/{part}.parquet"
        if before is not None and part in shared:
            link(before.folder / name, folder / name)
            found[name] = before.table.files[name]
            continue
        only = "" if part == ALL else f"where {day} between date '{min(dates)}' and date '{max(dates)}'"
        connection.execute(
            f"copy (select * from ({rows.query}) {only} order by all) to {literal(folder / name)} "
            "(format parquet, compression zstd)"
        )
        found[name] = written(folder / name)
    return found


def _unchanged(
    connection: duckdb.DuckDBPyConnection, rows: StoredRows, parts: Parts, before: Before | None, table: str
) -> set[str]:
    """The files that the version before has as they would be written now."""
    if before is None:
        return set()
    old = parts_of(before.table.dates, before.table.whole)
    names = {part: f"{table}/{part}.parquet" for part, dates in parts.items() if old.get(part) == dates}
    sound = {part: name for part, name in names.items() if name in before.table.files and name not in before.damaged}
    if not sound:
        return set()
    # All files of a table have the same columns.
    return set(sound) if _columns(connection, before.folder / next(iter(sound.values()))) == rows.columns else set()


def _columns(connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"describe select * from {scan(file)}").fetchall()}

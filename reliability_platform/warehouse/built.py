"""What the last builds made of staging, silver and quarantine, by source and landing day: what is other now was changed
behind the pipeline's back.

Checks compare layers with each other, and a build makes gold of silver as it finds it: a value that is wrong in all of
them would be published. So each build leaves a digest of the rows of every day, in the warehouse itself, and the next
build and every publication compare. What differs when a build begins keeps its old digest until its own day is built.

Rows are read only where somebody has written since: every commit changes the head of a DuckDB file, and a block that
was changed without one has a wrong checksum. A build leaves the digest of that head, too.
"""

import hashlib
from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts import SOURCES
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    import duckdb

BUILT, ORIGIN = "built_rows", "built_by"
STAGING, SILVER = "stg_{source}", "int_{source}__deduplicated"
SHARED = ("qtn_rows", "hld_too_late", "corrected_cells")
"""Tables of all sources, with a column that says which."""

BUILDING, HEAD = "writing", "head"
"""Files beside the locks of builds. The first is there while a build is under way, and after one that was killed: what
that one wrote is not strange. The other is the digest of the warehouse's head after the last one."""
CONFIRMED = "confirmed.json"
"""Beside them, what `confirmed.py` keeps; gone as soon as a build finds that somebody else wrote."""
HEAD_BYTES = 3 * 4096
"""DuckDB's main header and its two database headers, which carry the number of the last commit."""

Changed = tuple[str, str, date]
"""A table, a source and a landing day."""


def _head(settings: Settings) -> str:
    with settings.warehouse.open("rb") as file:
        return hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()


def note_head(settings: Settings) -> None:
    """Say that the file, closed, is as a build of the platform has left it."""
    write_atomically(settings.builds / HEAD, _head(settings).encode())


def nobody_wrote(settings: Settings) -> bool:
    """Whether the file is as the last build has left it, and that knew of no change."""
    try:
        log = settings.warehouse.with_suffix(".duckdb.wal")
        return not log.exists() and (settings.builds / HEAD).read_text() == _head(settings)
    except (OSError, ValueError):
        return False


def is_building(settings: Settings) -> bool:
    """Whether a build is under way, or was killed: what it wrote is not strange."""
    return (settings.builds / BUILDING).exists()


def tables_by_day(connection: "duckdb.DuckDBPyConnection") -> set[str]:
    """The tables that have landing days."""
    # Not by `duckdb_columns()`: to list the columns of views it plans all of them, 75 ms in the shop.
    rows = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'main' "
        "and contains(sql, 'landing_date')"
    ).fetchall()
    return {row[0] for row in rows}


def _now(connection: "duckdb.DuckDBPyConnection", staging: str = "true") -> str | None:
    """The digests of what is there now, as a query; None if nothing has been built. `staging` restricts its rows."""
    there = tables_by_day(connection)

    def digests(table: str, source: str, where: str = "true") -> str:
        return (
            f"select '{table}' as table_name, {source} as source, landing_date as day, count(*) as rows, "
            f"sum(hash(one)::hugeint)::varchar as digest from {table} as one where {where} group by all"
        )

    parts = [
        digests(name, f"'{source}'", where)
        for shape, where in ((STAGING, staging), (SILVER, "true"))
        for source in SOURCES
        if (name := shape.format(source=source)) in there
    ]
    # Under which reading a row was rejected is no content of it: it changes with every release.
    parts += [
        digests(name, "source").replace(f"from {name}", f"from (select columns(c -> c <> 'reading') from {name})")
        for name in SHARED
        if name in there
    ]
    return " union all ".join(parts) or None


def changed_since_built(settings: Settings, connection: "duckdb.DuckDBPyConnection") -> list[Changed]:
    """What is not as the last builds left it; nothing where no build has left word yet."""
    if nobody_wrote(settings) and not _is_suspect(connection):
        return []
    now = _now(connection)
    if now is None or not _has_word(connection) or is_building(settings):
        return []
    rows = connection.execute(
        f"""
        select coalesce(was.table_name, is_now.table_name), coalesce(was.source, is_now.source),
            coalesce(was.day, is_now.day)
        from {BUILT} as was
        full join ({now}) as is_now using (table_name, source, day)
        where was.digest is distinct from is_now.digest
        order by all
        """
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def has_table(connection: "duckdb.DuckDBPyConnection", name: str) -> bool:
    """Whether a table of ours is there."""
    row = connection.execute(
        f"select count(*) from duckdb_tables() where table_name = '{name}' and schema_name = 'main'"
    ).fetchone()
    return row is not None and bool(row[0])


def _has_word(connection: "duckdb.DuckDBPyConnection") -> bool:
    return has_table(connection, BUILT)


def _is_suspect(connection: "duckdb.DuckDBPyConnection") -> bool:
    """Whether the last build left days alone that had been changed before it."""
    if not _has_word(connection):
        return False
    row = connection.execute(f"select count(*) from {BUILT} where is_suspect").fetchone()
    return row is not None and bool(row[0])


def built_rows_between(connection: "duckdb.DuckDBPyConnection", first: date, last: date) -> int | None:
    """How many rows the last builds of some landing days made; None where no build has left word yet."""
    if not _has_word(connection):
        return None
    row = connection.execute(f"select sum(rows) from {BUILT} where day between $1 and $2", [first, last]).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def built_days(connection: "duckdb.DuckDBPyConnection") -> list[date]:
    """The landing days that builds have made rows of, in their order."""
    if not _has_word(connection):
        return []
    return [row[0] for row in connection.execute(f"select distinct day from {BUILT} order by all").fetchall()]


def digests(connection: "duckdb.DuckDBPyConnection", source: str) -> dict[date, str]:
    """What the last build of each landing day of a source made of it; a day that is not there has not been built."""
    if not _has_word(connection):
        return {}
    rows = connection.execute(
        f"select day, string_agg(table_name || ' ' || digest, ' ' order by table_name) from {BUILT} where source = $1 "
        "and table_name in ($2, $3) group by day",
        [source, STAGING.format(source=source), SILVER.format(source=source)],
    ).fetchall()
    return dict(rows)


def begin_build(settings: Settings, connection: "duckdb.DuckDBPyConnection") -> list[Changed]:
    """What had been changed before a build that begins now."""
    changed = changed_since_built(settings, connection)
    settings.builds.mkdir(parents=True, exist_ok=True)
    if not nobody_wrote(settings):
        (settings.builds / CONFIRMED).unlink(missing_ok=True)
    (settings.builds / BUILDING).touch()
    return changed


def note_built(
    connection: "duckdb.DuckDBPyConnection", built: Collection[date], changed_before: Collection[Changed]
) -> None:
    """Leave the digests of a build of landing days, but of what had been changed before it on other days.

    A build writes the staging of its own days alone; silver and quarantine of others too, where late rows concern them.
    """
    days = ", ".join(f"date '{day.isoformat()}'" for day in built)
    connection.execute(
        f"create table if not exists {BUILT} "
        "(table_name varchar, source varchar, day date, rows bigint, digest varchar, is_suspect boolean)"
    )
    known = f"(select day from {BUILT} where starts_with(table_name, 'stg_'))"
    now = _now(connection, f"landing_date in ({days}) or landing_date not in {known}")
    if now is None:
        return
    connection.execute("create or replace temp table suspect (table_name varchar, source varchar, day date)")
    suspect = [list(one) for one in changed_before if one[2] not in built]
    if suspect:
        connection.executemany("insert into suspect values (?, ?, ?)", suspect)
    connection.execute(
        f"create or replace temp table fresh as select *, false from ({now}) anti join suspect "
        "using (table_name, source, day)"
    )
    connection.execute("begin")
    connection.execute(
        f"delete from {BUILT} where (table_name, source, day) not in (from suspect) "
        f"and (not starts_with(table_name, 'stg_') or day in ({days}))"
    )
    connection.execute(f"insert into {BUILT} from fresh")
    connection.execute(f"update {BUILT} set is_suspect = (table_name, source, day) in (from suspect)")
    connection.execute("commit")


def note_origin(connection: "duckdb.DuckDBPyConnection", home: str, build: int) -> None:
    """Leave whose warehouse it is, and which entry of the journal of builds wrote it last."""
    connection.execute(f"create or replace table {ORIGIN} as select '{home}' as home, {int(build)} as build")


def is_anothers(connection: "duckdb.DuckDBPyConnection", home: str | None, last_build: int) -> str | None:
    """Why the file is not the one that the last build of this home has left, in words; None if it is, or does not say."""
    row = connection.execute(f"select count(*) from duckdb_tables() where table_name = '{ORIGIN}'").fetchone()
    origin = connection.execute(f"from {ORIGIN}").fetchone() if row is not None and row[0] else None
    if origin is None or home is None:
        return None
    if origin[0] != home:
        return "is the warehouse of another home"
    return "is older than the last build of this home" if origin[1] < last_build else None


def end_build(settings: Settings, *, is_as_built: bool = True) -> None:
    """The build is over, and the file closed. Where something is left in it that had been changed before and was not built
    again, whoever asks next looks at all rows."""
    if is_as_built:
        note_head(settings)
    (settings.builds / BUILDING).unlink(missing_ok=True)

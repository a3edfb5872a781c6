"""What the last builds made of staging, silver and quarantine, by source and landing day: what is other now was changed
behind the pipeline's back.

Checks compare layers with each other, and a build makes gold of silver as it finds it: a value that is wrong in all of
them would be published. So each build leaves a digest of the rows of every day, in the warehouse itself, and the next
build and every publication compare. What differs when a build begins keeps its old digest until its own day is built.
"""

from collections.abc import Collection
from datetime import date

import duckdb

from reliability_platform.settings import Settings
from reliability_platform.sources import SOURCES

BUILT = "built_rows"
TABLES = ("stg_{source}", "int_{source}__deduplicated")
SHARED = ("qtn_rows", "hld_too_late")
"""Tables of all sources, with a column that says which."""

BUILDING = "writing"
"""A file that is there while a build is under way, and after one that was killed: what that one wrote is not strange."""

Changed = tuple[str, str, date]
"""A table, a source and a landing day."""


def _there(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {
        row[0]
        for row in connection.execute(
            "select table_name from duckdb_columns() join duckdb_tables() using (database_name, schema_name, table_name) "
            "where column_name = 'landing_date' and database_name = current_database() and schema_name = 'main'"
        ).fetchall()
    }


def _now(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The digests of what is there now, as a query; None if nothing has been built."""
    there = _there(connection)
    own = [(name, source) for source in SOURCES for shape in TABLES if (name := shape.format(source=source)) in there]
    parts = [
        f"select '{name}' as table_name, '{source}' as source, landing_date as day, count(*) as rows, "
        f"sum(hash(one)::hugeint)::varchar as digest from {name} as one group by all"
        for name, source in own
    ]
    parts += [
        f"select '{name}' as table_name, source, landing_date as day, count(*) as rows, "
        f"sum(hash(one)::hugeint)::varchar as digest from {name} as one group by all"
        for name in SHARED
        if name in there
    ]
    return " union all ".join(parts) or None


def changed_since_built(settings: Settings, connection: duckdb.DuckDBPyConnection) -> list[Changed]:
    """What is not as the last builds left it; nothing where no build has left word yet."""
    now = _now(connection)
    known = connection.execute(f"select count(*) from duckdb_tables() where table_name = '{BUILT}'").fetchone()
    if now is None or known is None or not known[0] or (settings.builds / BUILDING).exists():
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


def begin_build(settings: Settings, connection: duckdb.DuckDBPyConnection) -> list[Changed]:
    """What had been changed before a build that begins now."""
    changed = changed_since_built(settings, connection)
    settings.builds.mkdir(parents=True, exist_ok=True)
    (settings.builds / BUILDING).touch()
    return changed


def note_built(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    built: Collection[date],
    changed_before: Collection[Changed],
) -> None:
    """Leave the digests of a build of landing days, but of what had been changed before it on other days."""
    now = _now(connection)
    if now is None:
        (settings.builds / BUILDING).unlink(missing_ok=True)
        return
    connection.execute(
        f"create table if not exists {BUILT} "
        "(table_name varchar, source varchar, day date, rows bigint, digest varchar)"
    )
    connection.execute("create or replace temp table suspect (table_name varchar, source varchar, day date)")
    suspect = [list(one) for one in changed_before if one[2] not in built]
    if suspect:
        connection.executemany("insert into suspect values (?, ?, ?)", suspect)
    connection.execute("begin")
    connection.execute(f"delete from {BUILT} where (table_name, source, day) not in (from suspect)")
    connection.execute(
        f"insert into {BUILT} select * from ({now}) anti join suspect using (table_name, source, day)"
    )
    connection.execute("commit")
    (settings.builds / BUILDING).unlink(missing_ok=True)

"""What the last build made of the tables of an own dbt project: what is other now was changed behind the pipeline's back.

Which numbers of theirs are right, their yml alone can say (`adds_up`), and most say nothing. So a build leaves a digest of
the rows of each of their tables, by the days of `event_date` where a table has some, and each publication compares.
Their tables are built whole each time: a build makes right whatever was changed before it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reliability_platform.parquet import identifier, literal
from reliability_platform.settings import OWN_DBT_PROJECT, Settings
from reliability_platform.warehouse.built import SILVER, Changed, has_table, is_building, nobody_wrote
from reliability_platform.warehouse.marts import read_manifest, sources_of
from reliability_platform.warehouse.own_project import depends_on_its_runs, is_own

if TYPE_CHECKING:
    import duckdb

OWN_BUILT = "built_own_rows"
ROW = "row_as_built"
"""An alias that no column of theirs is called by: `hash` of it is that of the whole row."""


@dataclass(frozen=True)
class OwnTable:
    """A table of an own dbt project that a build makes anew from what has landed."""

    name: str
    schema: str
    alias: str
    sources: tuple[str, ...]
    event_date: str | None
    """The column by whose days it is published; None where nobody says one."""

    @property
    def digests(self) -> str:
        """A query: the digest of its rows, by day."""
        day = "null" if self.event_date is None else identifier(self.event_date)
        return (
            f"select {literal(self.name)} as table_name, cast({day} as date) as day, count(*) as rows, "
            f"sum(hash({ROW})::hugeint)::varchar as digest "
            f"from {identifier(self.schema)}.{identifier(self.alias)} as {ROW} group by all"
        )


def own_tables(manifest_path: Path) -> list[OwnTable]:
    """Those that are made of a declared source, in the order of their names. Left out is what has no rows of its own, and
    what depends on its runs: a build would not make that right again."""
    if OWN_DBT_PROJECT is None:
        return []
    manifest = read_manifest(manifest_path)
    found = [
        OwnTable(
            node["name"],
            node["schema"],
            node["alias"],
            sources_of(manifest, key),
            node["config"]["meta"].get("event_date"),
        )
        for key, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
        and is_own(node)
        and node["config"]["materialized"] in ("table", "incremental")
        and not depends_on_its_runs(node)
    ]
    return sorted((one for one in found if one.sources), key=lambda one: one.name)


def _there(connection: "duckdb.DuckDBPyConnection", tables: Iterable[OwnTable]) -> list[OwnTable]:
    rows = connection.execute(
        "select lower(schema_name), lower(table_name) from duckdb_tables() where database_name = current_database()"
    ).fetchall()
    return [one for one in tables if (one.schema.lower(), one.alias.lower()) in rows]


def note_own_built(connection: "duckdb.DuckDBPyConnection", tables: Sequence[OwnTable], built: Collection[str]) -> None:
    """Leave the digests of those tables that a build has made, by their names; the others keep theirs."""
    if not tables:
        return
    fresh = _there(connection, [one for one in tables if one.name in built])
    kept = {one.name for one in tables} - {one.name for one in fresh}
    connection.execute(
        f"create table if not exists {OWN_BUILT} (table_name varchar, day date, rows bigint, digest varchar)"
    )
    connection.execute("begin")
    connection.execute(f"delete from {OWN_BUILT} where not list_contains([{_names(kept)}]::varchar[], table_name)")
    connection.execute(f"insert into {OWN_BUILT} {_now(fresh)}")
    connection.execute("commit")


def own_changed_since_built(
    settings: Settings, connection: "duckdb.DuckDBPyConnection", tables: Sequence[OwnTable]
) -> list[Changed]:
    """The tables that are not as the last builds left them, with the landing days that are in what was changed: all of their
    sources' where a table has no days, or the day is none of theirs."""
    if not tables or nobody_wrote(settings) or is_building(settings) or not has_table(connection, OWN_BUILT):
        return []
    made_of = ", ".join(f"({literal(table.name)}, {literal(one)})" for table in tables for one in table.sources)
    landed = " union ".join(
        f"select {literal(one)} as source, landing_date, event_date from {SILVER.format(source=one)}"
        for one in sorted({one for table in tables for one in table.sources})
    )
    rows = connection.execute(
        f"""
        with was as (from {OWN_BUILT} where list_contains([{_names(one.name for one in tables)}], table_name)),
        is_now as ({_now(_there(connection, tables))}),
        changed as (
            select distinct table_name, day from ((from was except from is_now) union all (from is_now except from was))
        ),
        landed as ({landed})
        select distinct changed.table_name, landed.source, landed.landing_date
        from changed
        inner join (values {made_of}) as made_of (table_name, source) using (table_name)
        inner join landed using (source)
        where changed.day is null or changed.day = landed.event_date
            or changed.day not in (select event_date from landed where event_date is not null)
        order by all
        """
    ).fetchall()
    return [(table, source, day) for table, source, day in rows]


def _names(some: Iterable[str]) -> str:
    return ", ".join(literal(one) for one in sorted(some))


def _now(tables: Sequence[OwnTable]) -> str:
    none = f"from {OWN_BUILT} where false"
    return " union all ".join([none, *(one.digests for one in tables)])

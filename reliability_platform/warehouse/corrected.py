"""The values that corrections change, as a table of the warehouse: which row, which column, what came and what stands for it.

Bronze stays as it was delivered. Before dbt builds some landing days, what is in force there is evaluated on their bronze
rows, one correction on what those before it have left, and the macro `read_corrected` puts the results in the place of what
came. A correction counts only for the bytes that it is about.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import duckdb

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.landing.bronze_files import admissions_file, bronze_folder
from reliability_platform.landing.correction import Correction, expressions
from reliability_platform.landing.corrections import InForce, corrected_days, read_corrections
from reliability_platform.parquet import identifier, literal, read_table, scan_days
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lacking import WHOLE, Lacking
from reliability_platform.warehouse.marts import Mart

CELLS = "corrected_cells"
"""Grain: one value that one correction changed. `position` orders those of a value; `forgets` is a merge patch."""
_COLUMNS = (
    "correction varchar, position integer, source varchar, landing_date date, batch_id varchar, row_number bigint, "
    "column_name varchar, type varchar, before varchar, after varchar, forgets varchar"
)

Batches = Collection[tuple[date, str]]
"""Landing days and batch ids."""
Step = tuple[str, int, Correction, Batches]
"""The id of a correction, its place among those of its source, what it says, and the deliveries that it is about."""


def note_corrected(settings: Settings, connection: duckdb.DuckDBPyConnection, first: date, last: date) -> None:
    """Evaluate what is in force on some landing days, in place of what was known of them."""
    connection.execute(f"create table if not exists {CELLS} ({_COLUMNS})")
    known = connection.execute(f"select count(*) from {CELLS}").fetchone()
    if known is not None and known[0]:
        connection.execute(
            f"delete from {CELLS} where landing_date between {literal(first.isoformat())} and {literal(last.isoformat())}"
        )
    for source in SOURCES:
        found = [day for day in corrected_days(settings, source) if first <= day <= last]
        if in_order := steps(settings, source, found):
            connection.execute(f"insert into {CELLS} {cells(settings, source, found, in_order)}")


def admitted(settings: Settings, source: str, day: date) -> dict[str, str]:
    """The batches of a landing day that are in bronze, with the SHA-256 of their bytes as they landed."""
    path = admissions_file(settings, source, day)
    if not path.exists():
        return {}
    import pyarrow.compute as pc

    records = read_table(path, columns=["batch_id", "checksum", "status"])
    records = records.filter(pc.equal(records["status"], "admitted"))
    return dict(zip(records["batch_id"].to_pylist(), records["checksum"].to_pylist(), strict=True))


def steps(settings: Settings, source: str, days: Sequence[date]) -> list[Step]:
    """What is in force on some days, in its order. The same correction on several days is one step."""
    batches: dict[str, set[tuple[date, str]]] = {}
    said: dict[str, InForce] = {}
    for day in days:
        there = admitted(settings, source, day)
        for one in read_corrections(settings, source, day):
            said[one.id] = one
            meant = {(day, batch) for batch, fingerprint in one.batches.items() if there.get(batch) == fingerprint}
            batches.setdefault(one.id, set()).update(meant)
    in_order = sorted(said.values(), key=lambda one: one.place)
    return [(one.id, one.place, one.correction, sorted(batches[one.id])) for one in in_order if batches[one.id]]


def delivered(settings: Settings, source: str, days: Sequence[date]) -> str:
    """The bronze rows of some landing days as a table of a query."""
    wanted = ", ".join(f"date '{day.isoformat()}'" for day in days)
    return f"(select * from {scan_days(bronze_folder(settings, source, days[0]).parent, days)} where landing_date in ({wanted}))"


def is_of(batches: Batches) -> str:
    """Whether a bronze row is of one of these deliveries, as SQL."""
    listed = ", ".join(f"(date '{day.isoformat()}', {literal(batch)})" for day, batch in batches)
    return f"(landing_date, _batch_id) in ({listed})"


def applied(source: str, correction: Correction, batches: Batches, rows: str) -> str:
    """Rows of bronze as a query, after a correction of some deliveries."""
    one = expressions(CONTRACTS[source], correction)
    name = identifier(correction.column)
    new = f"case when {is_of(batches)} and {one.changed} then {one.new} else {name} end as {name}"
    forgotten = (
        f", case when {is_of(batches)} and {one.changed} then {forgetting('_rescued', literal(one.forgets))} "
        "else _rescued end as _rescued"
        if one.forgets is not None
        else ""
    )
    return f"(select * replace ({new}{forgotten}) from {rows})"


def forgetting(rescued: str, patch: str) -> str:
    """A text of what is rescued without the names of a patch, as SQL; null if nothing is left. The macro spells the same."""
    return f"nullif(cast(json_merge_patch({rescued}, {patch}) as varchar), '{{}}')"


def corrected_rows(settings: Settings, source: str, day: date) -> str:
    """The bronze rows of a landing day as a query, with what is in force there applied."""
    rows = delivered(settings, source, [day])
    for _, _, correction, batches in steps(settings, source, [day]):
        rows = applied(source, correction, batches, rows)
    return f"(select * exclude (landing_date) from {rows})"


def cells(settings: Settings, source: str, days: Sequence[date], in_order: Sequence[Step]) -> str:
    """The rows of `corrected_cells` that some corrections of a source give, as a query."""
    rows, parts = delivered(settings, source, days), []
    for name, position, correction, batches in in_order:
        one = expressions(CONTRACTS[source], correction)
        parts.append(
            f"select {literal(name)}, {position}, {literal(source)}, landing_date, _batch_id, _row_number, "
            f"{literal(correction.column)}, {literal(one.kind)}, {one.before}, {one.after}, "
            f"{'null' if one.forgets is None else literal(one.forgets)} "
            f"from {rows} where {is_of(batches)} and {one.changed}"
        )
        rows = applied(source, correction, batches, rows)
    return " union all ".join(parts)


def has_corrected(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether any value of the warehouse was corrected."""
    there = connection.execute(f"select count(*) from duckdb_tables() where table_name = '{CELLS}'").fetchone()
    if there is None or not there[0]:
        return False
    row = connection.execute(f"select count(*) from {CELLS}").fetchone()
    return row is not None and bool(row[0])


def corrected(
    connection: duckdb.DuckDBPyConnection,
    mart: Mart,
    fresh: Collection[date] | None,
    before: Lacking,
    kept: Collection[date],
) -> Lacking:
    """Event date → correction → rows of a table's sources that count with a value that a person has corrected.

    `fresh` are the event dates that come out of gold now; None for a table that is published whole, of which all stand under
    `WHOLE`. Of the dates that keep the rows of an earlier version, what that one said `before` holds.
    """
    found = {day.isoformat(): before[day.isoformat()] for day in kept if day.isoformat() in before}
    if not mart.sources or not has_corrected(connection):
        return found
    parts = " union all ".join(
        f"select staged.event_date, cells.correction, cells.source, cells.batch_id, cells.row_number "
        f"from {CELLS} as cells inner join stg_{source} as staged on cells.source = '{source}' "
        "and cells.landing_date = staged.landing_date and cells.batch_id = staged.batch_id "
        "and cells.row_number = staged.row_number where staged.disposition = 'valid'"
        for source in mart.sources
    )
    day_of = f"'{WHOLE}'" if fresh is None else "event_date::varchar"
    rows = connection.execute(
        f"select {day_of}, correction, count(distinct (source, batch_id, row_number)) from ({parts}) group by all order by all"
    ).fetchall()
    wanted = {WHOLE} if fresh is None else {day.isoformat() for day in fresh}
    for day, correction, count in rows:
        if day in wanted:
            found.setdefault(day, {})[correction] = count
    return dict(sorted(found.items()))


def values_of(
    connection: duckdb.DuckDBPyConnection, correction: str, source: str, limit: int
) -> list[tuple[date, str, int, Any, Any]]:
    """Landing day, batch, row, value before and after of the first rows that a correction changes, as values of the column's
    type; what came as a text that is none stays one."""
    if not has_corrected(connection):
        return []
    own = f"{CELLS} where correction = {literal(correction)} and source = {literal(source)}"
    found: list[tuple[date, str, int, Any, Any]] = []
    for (kind,) in connection.execute(f"select distinct type from {own}").fetchall():
        rows = connection.execute(
            f"select landing_date, batch_id, row_number, try_cast(before as {kind}), before, cast(after as {kind}) "
            f"from {own} order by landing_date, batch_id, row_number limit {int(limit)}"
        ).fetchall()
        found += [
            (day, batch, row, text if value is None else value, after) for day, batch, row, value, text, after in rows
        ]
    return found

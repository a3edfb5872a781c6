"""Provisional rows: what stands in for an event date whose deliveries are missing past their deadline, where a contract allows it.

A published table holds audited rows and no others. What stands in lies beside it, in a file and with a column of its own:
whoever reads it has asked for it, and whoever does not never takes a guess for a number. It is made of rows of the same
version, and is gone with the version that has the truth.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import PROVISIONAL
from reliability_platform.damage import written
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.landing.deadline import deadline_of
from reliability_platform.parquet import identifier, literal, read_table, scan
from reliability_platform.settings import Settings
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.provisional_rows import ProvisionalRows
from reliability_platform.warehouse.published import table_files

PREFIX = "provisional."
"""In front of the name: no pattern that begins with a table's name takes what stands in for the table."""
FROM = "provisional_from"
"""The column that says of which event date the rows are."""
Partition = tuple[str, date]
CAME = ("admitted", "refused", "held")
"""What became of a file that was delivered. One that is refused is no missing delivery."""


def file_name(table: str) -> str:
    """What the file beside a table is called."""
    return f"{PREFIX}{table}.parquet"


def stand_ins(settings: Settings, held: Collection[Partition], now: datetime) -> dict[Partition, date]:
    """Held landing days of which a delivery is missing past its deadline, and the day whose rows may stand in for each.

    A day that is held for anything else has no stand-in: what came is wrong, and somebody is at work on it.
    """
    found = {}
    for source, day in held:
        allowed = CONTRACTS[source].on(day).provisional
        if allowed is not None and now >= deadline_of(source, day) and _is_missing(settings, source, day):
            found[source, day] = day - timedelta(days=PROVISIONAL[allowed])
    return found


def _is_missing(settings: Settings, source: str, day: date) -> bool:
    due, path = CONTRACTS[source].cadence.due_on(day), admissions_file(settings, source, day)
    if not path.exists():
        return due > 0
    records = read_table(path, columns=["batch_sequence", "status"])
    there = records.filter(pc.is_in(records["status"], value_set=pa.array(CAME)))["batch_sequence"].unique().to_pylist()
    return not set(there) >= set(range(1, 1 + due))


def dates_of(
    mart: Mart, held: Collection[Partition], instead: Mapping[Partition, date], published: Collection[str]
) -> dict[date, date]:
    """Event dates of a table that it lacks and for which another of its dates may stand in: all that holds one of them is
    missing, by contracts that say the same."""
    found = {}
    for day in sorted({day for source, day in held if source in mart.sources}):
        wanted = {instead.get((source, day)) for source, other in held if other == day and source in mart.sources}
        [stand_in] = wanted if len(wanted) == 1 else [None]
        if stand_in is not None and day.isoformat() not in published and stand_in.isoformat() in published:
            found[day] = stand_in
    return found


def write_provisional(
    connection: duckdb.DuckDBPyConnection, mart: Mart, folder: Path, dates: Mapping[date, date]
) -> ProvisionalRows | None:
    """Write what stands in beside a table that has just been written to the folder; None if nothing does."""
    if not dates:
        return None
    name, table = mart.event_date or "event_date", scan(*table_files(folder, mart.name))
    kind = {row[0]: row[1] for row in connection.execute(f"describe select * from {table}").fetchall()}[name]
    column = identifier(name)
    parts: Sequence[str] = [
        f"select * replace (cast({column} + to_days({(day - stand_in).days}) as {kind}) as {column}), "
        f"date '{stand_in.isoformat()}' as {FROM} from {table} where {mart.day} = date '{stand_in.isoformat()}'"
        for day, stand_in in sorted(dates.items())
    ]
    target = folder / file_name(mart.name)
    connection.execute(
        f"copy (select * from ({' union all '.join(parts)}) order by all) to {literal(target)} "
        "(format parquet, compression zstd)"
    )
    count = connection.execute(f"select count(*) from {scan(target)}").fetchone()
    assert count is not None
    file = written(target)
    told = {day.isoformat(): stand_in.isoformat() for day, stand_in in sorted(dates.items())}
    return ProvisionalRows(int(count[0]), file.sha256, file.bytes or 0, told)

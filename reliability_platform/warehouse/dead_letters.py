"""The memory of dead letters: what a build rejected, so that a row which passes in a later one has an end.

The row quarantine is built anew from bronze; a row that is no longer rejected would vanish from it without a trace.
So each build writes down at its end what the quarantine of its landing days holds, and at its beginning, too: the one
before may have been killed.
"""

import hashlib
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.atomic import parquet_bytes
from reliability_platform.landing.dead_letters import SCHEMA, dead_letter_file, ensure_dead_letters
from reliability_platform.landing.reading import contract_fingerprint
from reliability_platform.landing.seals import seal_again
from reliability_platform.landing.working_copy import write
from reliability_platform.parquet import read_table, scan_below
from reliability_platform.settings import Settings


def rules_fingerprint(settings: Settings, source: str) -> str:
    """SHA-256 of all that decides whether a row of a source is rejected: contract, model, macros, reference data."""
    project = settings.dbt_project
    files = [project / "models" / "staging" / f"stg_{source}.sql", *sorted((project / "macros").glob("*.sql"))]
    files += sorted(settings.reference.glob("*.parquet"))
    said = hashlib.sha256(contract_fingerprint(source).encode())
    for path in files:
        said.update(hashlib.sha256(path.read_bytes()).digest() if path.exists() else b"-")
    return said.hexdigest()


def remember(settings: Settings, connection: duckdb.DuckDBPyConnection, first: date, last: date) -> int:
    """Write down the quarantined rows of landing days that are not remembered yet; returns how many.

    Cut off anywhere, it can be done again: a file is written whole, and what is in one already is not written twice.
    """
    ensure_dead_letters(settings)
    known = connection.execute("select count(*) from duckdb_tables() where table_name = 'qtn_rows'").fetchone()
    if known is None or not known[0]:
        return 0
    columns = {row[0] for row in connection.execute("select column_name from (describe qtn_rows)").fetchall()}
    reading = "reading" if "reading" in columns else "null::varchar as reading"  # the table of an older release
    found = connection.execute(
        f"""
        with remembered as (
            select batch_id, row_number, landing_date, source
            from {scan_below(settings.quarantine, "*/landing_date=*/dead_letters.parquet")}
        )
        select source, landing_date, batch_id, row_number, record_key, reject_reasons, first_failed_at, last_failed_at,
            attempts, {reading}
        from qtn_rows anti join remembered using (source, landing_date, batch_id, row_number)
        where state = 'quarantined' and landing_date between $first and $last
        order by source, landing_date, batch_id, row_number
        """,
        {
            "first": first,
            "last": last,
        },
    ).to_arrow_table()
    new = found.cast(SCHEMA)
    for source, day in sorted(set(zip(new["source"].to_pylist(), new["landing_date"].to_pylist(), strict=True))):
        _append(settings, source, day, new)
    return int(new.num_rows)


def _append(settings: Settings, source: str, day: date, new: pa.Table) -> None:
    path = dead_letter_file(settings, source, day)
    own = new.filter(pc.and_(pc.equal(new["source"], source), pc.equal(new["landing_date"], pa.scalar(day))))
    before = [read_table(path, schema=SCHEMA)] if path.exists() else []
    together = pa.concat_tables([*before, own]).sort_by([("batch_id", "ascending"), ("row_number", "ascending")])
    write(settings, path, parquet_bytes(together))
    seal_again(settings, path)

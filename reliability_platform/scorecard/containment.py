"""Did any bad row of a fault ever reach consumers? Judged on every version that was ever published.

For the event dates that a fault touches, a version is clean if it shows the oracle's rows or none at all (held).
Where it shows something else, the fault is still contained if each of its bad rows sits in quarantine: the numbers
were incomplete for a while, but nothing wrong was in them.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def wrong_dates(versions: Sequence[Path], oracle: Path, tables: Sequence[str], dates: Sequence[date]) -> list[str]:
    """`version/table/date` of every shown event date whose rows differ from the oracle's."""
    found = []
    wanted = ", ".join(f"date '{day.isoformat()}'" for day in dates) or "null"
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        for version in versions:
            for table in tables:
                shown, expected = version / f"{table}.parquet", oracle / f"{table}.parquet"
                if not shown.exists() or not expected.exists():
                    continue
                rows = connection.execute(
                    f"""
                    with shown as (from read_parquet('{_quoted(shown)}') where event_date in ({wanted})),
                    expected as (
                        from read_parquet('{_quoted(expected)}')
                        where event_date in (select event_date from shown)
                    )
                    select distinct event_date from (
                        (from shown except all from expected) union all (from expected except all from shown)
                    ) order by event_date
                    """
                ).fetchall()
                found += [f"{version.name}/{table}/{row[0].isoformat()}" for row in rows]
    return found

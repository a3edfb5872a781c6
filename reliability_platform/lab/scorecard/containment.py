"""Did any bad row of a fault ever reach consumers? Judged on every version that was ever published.

For the event dates that a fault touches, a version is clean if it shows the oracle's rows or none at all (held).
A table that is published whole is compared where a version shows it fresh, out of the very landing days that the oracle is
made of, with no more rows put aside: then a difference is wrong rows, and not rows to come or known to be lacking.
Where it shows something else, the fault is still contained if each of its bad rows sits in quarantine: the numbers
were incomplete for a while, but nothing wrong was in them. Wrong numbers are never contained. Where the catalogue says
that they may be published and told, an incident must name the fault: then they count as told.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from reliability_platform.in_memory import in_memory
from reliability_platform.lab.faults.fault import Containment
from reliability_platform.lab.faults.truth import Truth
from reliability_platform.lab.scorecard.unlike_rows import unlike_rows
from reliability_platform.parquet import scan
from reliability_platform.warehouse.lacking import WHOLE
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.published import RECORD, read_record, table_files


@dataclass(frozen=True)
class Difference:
    """An event date of a table that a version shows with other rows than the oracle."""

    version: str
    table: str
    event_date: date | None
    """None for all of a table that is published whole."""

    def __str__(self) -> str:
        return f"{self.version}/{self.table}/{self.event_date.isoformat() if self.event_date else WHOLE}"


def was_told(truth: Truth, *, contained: bool, detected: bool) -> bool:
    """Whether wrong numbers were published, may have been, and an incident said so."""
    return truth.containment == Containment.TOLD.value and detected and not contained


def own_dates(truth: Truth, truths: Iterable[Truth], sources: Collection[str]) -> set[date]:
    """The event dates of a fault that no other fault of `sources` touches: only there is a difference its doing."""
    others = [other for other in truths if other is not truth and other.source in sources]
    return set(truth.event_dates) - {day for other in others for day in other.event_dates}


def differences(versions: Sequence[Path], oracle: Path, tables: Sequence[Mart]) -> list[Difference]:
    """Every event date that a version shows with other rows than the oracle, and every whole table; what it does not show is
    none.
    """
    found = []
    with in_memory() as connection:
        for version in versions:
            for table in tables:
                files = [table_files(folder, table.name) for folder in (version, oracle)]
                if not all(files):
                    continue
                shown, expected = (scan(*one) for one in files)
                if table.event_date is None:
                    if _may_be_compared(version, oracle, table) and _differ(connection, shown, expected):
                        found.append(Difference(version.name, table.name, None))
                    continue
                every = f"from {shown}"
                of_its_days = f"from {expected} where {table.day} in (select {table.day} from {shown})"
                rows = connection.execute(
                    f"select distinct {table.day} from ({unlike_rows(every, of_its_days, table.day)}) order by all"
                ).fetchall()
                found += [Difference(version.name, table.name, row[0]) for row in rows]
    return found


def _differ(connection: duckdb.DuckDBPyConnection, shown: str, expected: str) -> bool:
    row = connection.execute(
        f"select count(*) from ((from {shown} except all from {expected}) "
        f"union all (from {expected} except all from {shown}))"
    ).fetchone()
    return row is not None and bool(row[0])


def _may_be_compared(version: Path, oracle: Path, table: Mart) -> bool:
    """Whether a version shows a whole table fresh, as the oracle has it if nothing in it is wrong."""
    here, there = read_record(version / RECORD), read_record(oracle / RECORD)
    ours, theirs = here.table(table.name), there.table(table.name)
    if ours is None or theirs is None or ours.whole is None or ours.is_kept:
        return False
    made_of = [{source: one.released.get(source) for source in table.sources} for one in (here, there)]
    return made_of[0] == made_of[1] and (ours.lacks, ours.corrected) == (theirs.lacks, theirs.corrected)

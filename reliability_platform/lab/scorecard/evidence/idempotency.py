"""Published versions: that the same content gives the same bytes, and that nothing changes without a reason."""

import itertools
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun
from reliability_platform.lab.scorecard.unlike_rows import unlike_rows
from reliability_platform.operations.tables import check_results
from reliability_platform.parquet import scan
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.publication import Publication, PublishedTable
from reliability_platform.warehouse.published import table_files

Pair = tuple[str, date]


def _judged_between(run: GradedRun, first: str, last: str) -> set[Pair]:
    """Sources and landing days whose checks were evaluated after one publication and before the next."""
    start, end = (datetime.fromisoformat(text) for text in (first, last))
    query = (
        select(check_results.c.source, check_results.c.partition_date)
        .where(check_results.c.evaluated_at > start, check_results.c.evaluated_at <= end)
        .distinct()
    )
    with run.engine.connect() as connection:
        return {(row[0], row[1]) for row in connection.execute(query)}


def _event_dates(run: GradedRun, pairs: set[Pair], sources: Sequence[str]) -> set[date]:
    """Event dates of all rows of these partitions, and the landing days themselves."""
    own = sorted(pair for pair in pairs if pair[0] in sources)
    if not own:
        return set()
    days_of = {source: ", ".join(f"date '{day}'" for one, day in own if one == source) for source, _ in own}
    rows = run.query(
        " union ".join(
            f"select distinct event_date from stg_{source} where landing_date in ({days}) and event_date is not null"
            for source, days in days_of.items()
        )
    )
    return {row["event_date"] for row in rows} | {day for _, day in own}


def _changes(run: GradedRun, before: str, after: str) -> dict[date, int]:
    """Rows that only one of two row sets has, by event date."""
    rows = run.query(
        f"select event_date, count(*) as rows from ({unlike_rows(before, after, 'event_date')}) "
        "group by event_date order by event_date"
    )
    return {row["event_date"]: row["rows"] for row in rows}


def _shown(run: GradedRun, version: str, table: str) -> str:
    return f"select * from {scan(*table_files(run.settings.published / version, table))}"


def _table(publication: Publication, name: str) -> PublishedTable | None:
    return next((table for table in publication.tables if table.name == name), None)


def _step(
    run: GradedRun, mart: Mart, before: Publication, after: Publication, rerun: set[Pair]
) -> dict[str, Any] | None:
    """One table from one version to the next."""
    old, new = _table(before, mart.name), _table(after, mart.name)
    if old is None or new is None:
        return None
    same = old.checksum == new.checksum
    here, there = (_shown(run, one.version, mart.name) for one in (before, after))
    changed = {} if same else _changes(run, here, there)
    causes = rerun | (before.held_partitions.keys() ^ after.held_partitions.keys())
    unexplained = sorted(set(changed) - _event_dates(run, causes, mart.sources)) if changed else []
    own = sorted(f"{source}/{day}" for source, day in rerun if source in mart.sources)
    return {
        "table": mart.name,
        "control": "version to version",
        "before": before.version,
        "after": after.version,
        "rerun_partitions": own,
        "checksum_before": old.checksum,
        "checksum_after": new.checksum,
        "same_bytes": same,
        "rows_before": old.rows,
        "rows_after": new.rows,
        "rows_changed": sum(changed.values()),
        "event_dates_changed": list(changed),
        "event_dates_unexplained": unexplained,
        "status": "unexplained change" if unexplained else "changed by a re-run" if changed else "unchanged",
    }


def _replay(run: GradedRun, mart: Mart, current: Publication) -> dict[str, Any] | None:
    """What publishing once more would change: the current version against gold, on the dates that it shows fresh."""
    table = _table(current, mart.name)
    if table is None:
        return None
    shown = _shown(run, current.version, mart.name)
    kept = ", ".join(f"date '{day}'" for day in table.kept_dates)
    fresh = f"where event_date not in ({kept})" if kept else ""
    dates = f"(select distinct event_date from ({shown}) {fresh})"
    here = f"select * from ({shown}) where event_date in {dates}"
    columns = ", ".join(f'"{row["column_name"]}"' for row in run.query(f"describe {shown}"))
    gold = f"select {columns} from {mart.name} where event_date in {dates}"
    changed = _changes(run, here, gold)
    [counts] = run.query(f"select (select count(*) from ({here})) as here, (select count(*) from ({gold})) as gold")
    return {
        "table": mart.name,
        "control": "publish again",
        "before": current.version,
        "after": "gold",
        "rerun_partitions": [],
        "checksum_before": table.checksum,
        "checksum_after": None,
        "same_bytes": None,
        "rows_before": counts["here"],
        "rows_after": counts["gold"],
        "rows_changed": sum(changed.values()),
        "event_dates_changed": list(changed),
        "event_dates_unexplained": list(changed),
        "status": "unexplained change" if changed else "unchanged",
    }


def _control(run: GradedRun) -> list[Row]:
    versions = run.publications
    found: list[dict[str, Any] | None] = []
    for before, after in itertools.pairwise(versions):
        rerun = _judged_between(run, before.published_at, after.published_at)
        found += [_step(run, mart, before, after, rerun) for mart in run.marts]
    if versions:
        found += [_replay(run, mart, versions[-1]) for mart in run.marts]
    return [row for row in found if row is not None]


CONTROL = Report(
    name="idempotency_control_report",
    folder=Folder.SCORECARDS,
    about="Does running again change nothing but what was wrong before?",
    grain=(
        "One row per published table and step from version to version, oldest first; then one per table for the "
        "question what publishing once more would change."
    ),
    columns=(
        ReportColumn("table", "Published table"),
        ReportColumn("control", "version to version, or publish again"),
        ReportColumn("before", "Version before the step"),
        ReportColumn("after", "Version after it; gold for `publish again`"),
        ReportColumn("rerun_partitions", "source/landing day judged between the two, of the table's sources", "list"),
        ReportColumn("checksum_before", "SHA-256 of what `sha256sum <table>/*.parquet` prints, before"),
        ReportColumn("checksum_after", "The same, after"),
        ReportColumn("same_bytes", "Whether both are the same", "yes/no"),
        ReportColumn("rows_before", "Rows before", "rows"),
        ReportColumn("rows_after", "Rows after", "rows"),
        ReportColumn("rows_changed", "Rows that only one of the two has", "rows"),
        ReportColumn("event_dates_changed", "Event dates of these rows", "list of dates"),
        ReportColumn(
            "event_dates_unexplained", "Those that no re-run, held or released partition touches", "list of dates"
        ),
        ReportColumn("status", "unchanged, changed by a re-run, or unexplained change"),
    ),
    rows=_control,
)

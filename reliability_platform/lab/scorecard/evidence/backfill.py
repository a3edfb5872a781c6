"""Re-runs and replacements: that a second attempt takes the place of the first, never a place beside it."""

from datetime import date
from typing import Any

from sqlalchemy import func, select

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun
from reliability_platform.operations.tables import check_results

Key = tuple[str, date]

_SQL = """
with slots as (
    select source, landing_date, batch_sequence, max(batch_attempt) as highest,
        max(batch_attempt) filter (where status = 'admitted') as latest
    from admissions where batch_sequence > 0 group by all
),
files as (
    select source, landing_date, count(batch_id) as files, count(*) filter (where kind = 'replacement') as replacement_files,
        count(*) filter (where shim is not null) as files_read_through_a_shim,
        coalesce(sum(admitted_rows) filter (where batch_attempt = 1 and kind <> 'resend' and shim is null), 0)
            as rows_before
    from landed left join admissions using (source, landing_date) group by all
),
attempts as (
    select source, landing_date, count(*) as slots, count(*) filter (where highest > 1) as slots_replaced,
        max(highest) as max_attempts from slots group by all
),
latest as (
    select source, landing_date, sum(admitted_rows) as rows_after
    from admissions join slots using (source, landing_date, batch_sequence)
    where status = 'admitted' and batch_attempt = latest and kind <> 'resend' group by all
),
overlap as (
    select source, landing_date, count(*) as overlapping_rows
    from silver
    join admissions using (source, landing_date, batch_id)
    join slots using (source, landing_date, batch_sequence)
    where batch_attempt < latest group by all
),
counted as (
    select source, landing_date, count(*) as silver_rows from silver group by all
),
expected as (
    select source, landing_date, count(*) as oracle_rows from oracle_silver group by all
)
select source, landing_date, coalesce(slots, 0) as slots, coalesce(slots_replaced, 0) as slots_replaced,
    coalesce(max_attempts, 0) as max_attempts, files, replacement_files, files_read_through_a_shim, rows_before,
    coalesce(rows_after, 0) as rows_after, coalesce(overlapping_rows, 0) as overlapping_rows,
    coalesce(silver_rows, 0) as silver_rows, coalesce(oracle_rows, 0) as oracle_rows
from files
left join attempts using (source, landing_date)
left join latest using (source, landing_date)
left join overlap using (source, landing_date)
left join counted using (source, landing_date)
left join expected using (source, landing_date)
order by landing_date, source
"""


_UNLIKE = """
with here as (
    select *, {key} as record_key from int_{source}__deduplicated
), there as (
    select *, {key} as record_key from oracle.main.int_{source}__deduplicated
), pairs as (
    select coalesce(here.landing_date, there.landing_date) as landing_date, record_key
    from here full join there using (record_key)
    where here.event_date is null or there.event_date is null or row({here}) is distinct from row({there})
)
select landing_date, count(*) filter (where held.record_key is null) as unlike, count(held.record_key) as waiting
from pairs left join (select distinct record_key from hld_too_late where source = '{source}') as held using (record_key)
group by landing_date
"""


def _differences(run: GradedRun) -> dict[Key, dict[str, int]]:
    """Rows by which silver and the oracle differ, by source and landing day; those held as too late counted apart.

    Neither which batch brought a row nor on which landing day it came matters: a row may come again, or late.
    """
    found: dict[Key, dict[str, int]] = {}
    for source in SOURCES:
        contract = CONTRACTS[source]
        here, there = (
            ", ".join(f"{side}.{name}" for name in [*(column.name for column in contract.columns), "event_date"])
            for side in ("here", "there")
        )
        for row in run.query(_UNLIKE.format(source=source, key=contract.record_key, here=here, there=there)):
            found[source, row["landing_date"]] = {"unlike": row["unlike"], "waiting": row["waiting"]}
    return found


def _times_judged(run: GradedRun) -> dict[Key, int]:
    """How often the checks of a source and landing day were evaluated."""
    columns = (check_results.c.source, check_results.c.partition_date)
    by_check = select(*columns, func.count().label("times")).group_by(*columns, check_results.c.check_name).subquery()
    most = select(by_check.c.source, by_check.c.partition_date, func.max(by_check.c.times)).group_by(
        by_check.c.source, by_check.c.partition_date
    )
    with run.engine.connect() as connection:
        return {(row[0], row[1]): int(row[2]) for row in connection.execute(most)}


def _safety(run: GradedRun) -> list[Row]:
    judged, differences = _times_judged(run), _differences(run) if run.has_oracle else None
    held = [publication.held_partitions for publication in run.publications]
    found: list[Row] = []
    for row in run.query(_SQL):
        key = (row["source"], row["landing_date"])
        replays = [replay for replay in run.replays if (replay.source, replay.landing_date) == key]
        again = row["max_attempts"] > 1 or row["files_read_through_a_shim"] or replays or judged.get(key, 0) > 1
        if not again:
            continue
        held_now = bool(held) and key in held[-1]
        here = None if differences is None else differences.get(key, {"unlike": 0, "waiting": 0})
        unequal = None if here is None else here["unlike"]
        oracle: dict[str, Any] = {} if run.has_oracle else {"oracle_rows": None}
        found.append(
            {
                **row,
                **oracle,
                "times_judged": judged.get(key, 0),
                "batches_replayed": len(replays),
                "held_in_versions": sum(key in one for one in held),
                "held_now": held_now,
                "rows_unlike_oracle": unequal,
                "rows_waiting": None if here is None else here["waiting"],
                "equal_to_oracle": None if unequal is None else unequal == 0,
                "safe": row["overlapping_rows"] == 0 and (not unequal or held_now),
            }
        )
    return found


SAFETY = Report(
    name="backfill_safety_report",
    folder=Folder.SCORECARDS,
    about="Did a re-run or a replacement ever count rows twice, or publish what was not whole?",
    grain="One row per source and landing day that was run, judged or delivered more than once, by landing day and source.",
    columns=(
        ReportColumn("source", "The source"),
        ReportColumn("landing_date", "Landing day", "date"),
        ReportColumn("slots", "Slots of the day of which a batch came", "count"),
        ReportColumn("slots_replaced", "Slots of which a second attempt came", "count"),
        ReportColumn("max_attempts", "Highest attempt of any slot", "count"),
        ReportColumn("files", "Files delivered", "files"),
        ReportColumn("replacement_files", "Files that came on request", "files"),
        ReportColumn("files_read_through_a_shim", "Refused files that were replayed under other column names", "files"),
        ReportColumn("rows_before", "Rows that the first attempts brought into bronze", "rows"),
        ReportColumn("rows_after", "Rows in bronze of the latest attempt of each slot", "rows"),
        ReportColumn("overlapping_rows", "Rows in silver of an attempt that a later one replaced; must be 0", "rows"),
        ReportColumn("silver_rows", "Rows of the day in silver", "rows"),
        ReportColumn("oracle_rows", "Rows of the day in a run without failures; null without an oracle", "rows"),
        ReportColumn("times_judged", "How often the checks of the day were evaluated", "count"),
        ReportColumn("batches_replayed", "Batches in the replay ledger", "count"),
        ReportColumn("held_in_versions", "Published versions that held the day", "count"),
        ReportColumn("held_now", "Whether the current version holds it", "yes/no"),
        ReportColumn(
            "rows_unlike_oracle", "Rows that silver and the oracle do not share, on whatever day they came", "rows"
        ),
        ReportColumn("rows_waiting", "Rows that silver lacks because they are held beyond the watermark", "rows"),
        ReportColumn("equal_to_oracle", "Whether nothing but these is unlike", "yes/no"),
        ReportColumn("safe", "No row counts twice, and what differs from the oracle is held", "yes/no"),
    ),
    rows=_safety,
)

"""Deduplication against the oracle: each key once, none missing, none too many."""

from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun

_SQL = """
with delivered as (
    select source, landing_date, coalesce(sum(delivered_rows), 0) as delivered_rows,
        coalesce(sum(accepted_rows), 0) as unique_keys, coalesce(sum(duplicate_rows), 0) as duplicates_removed,
        coalesce(sum(quarantined_rows), 0) as quarantined_rows, coalesce(sum(held_late_rows), 0) as held_late_rows
    from landed left join rec_batches__conserved using (source, landing_date) group by all
),
repeated as (
    select source, landing_date, count(*) - count(distinct record_key) as keys_twice_in_silver
    from silver group by all
),
-- A key of the oracle is expected on the day of its first good delivery: it may have come late, or twice.
first_good as (
    select source, record_key, min(landing_date) as first_day from staged
    where disposition in ('valid', 'superseded') group by all
),
expected as (
    select source, coalesce(first_day, landing_date) as landing_date, count(*) as expected_unique_keys,
        count(first_day) as delivered_keys
    from oracle_silver left join first_good using (source, record_key) group by 1, 2
),
missing as (
    select source, coalesce(first_day, landing_date) as landing_date, count(*) as missing_keys
    from oracle_silver
    left join first_good using (source, record_key)
    anti join silver using (source, record_key) group by 1, 2
),
extra as (
    select source, landing_date, count(*) as extra_keys
    from silver anti join oracle_silver using (source, record_key) group by all
)
select source, landing_date, delivered_rows, quarantined_rows, held_late_rows, unique_keys, duplicates_removed,
    case when $oracle then delivered_rows - quarantined_rows - held_late_rows - coalesce(extra_keys, 0)
        - coalesce(delivered_keys, 0) end as expected_duplicates,
    coalesce(keys_twice_in_silver, 0) as keys_twice_in_silver,
    case when $oracle then coalesce(expected_unique_keys, 0) end as expected_unique_keys,
    case when $oracle then coalesce(missing_keys, 0) end as missing_keys,
    case when $oracle then coalesce(extra_keys, 0) end as extra_keys,
    case when $oracle and expected_unique_keys > 0 then greatest(0, 1 -
        (coalesce(missing_keys, 0) + coalesce(extra_keys, 0) + coalesce(keys_twice_in_silver, 0))
        / expected_unique_keys::double) end as accuracy
from delivered
left join repeated using (source, landing_date)
left join expected using (source, landing_date)
left join missing using (source, landing_date)
left join extra using (source, landing_date)
order by landing_date, source
"""


def _accuracy(run: GradedRun) -> list[Row]:
    return list(run.query(_SQL.replace("$oracle", "true" if run.has_oracle else "false")))


ACCURACY = Report(
    name="deduplication_accuracy_report",
    folder=Folder.SCORECARDS,
    about="Does each key count once, whatever came twice?",
    grain="One row per source and landing day, by landing day and source. Without an oracle its columns are null.",
    columns=(
        ReportColumn("source", "The source"),
        ReportColumn("landing_date", "Landing day", "date"),
        ReportColumn("delivered_rows", "Rows of all files of the day", "rows"),
        ReportColumn("quarantined_rows", "Rows rejected, or in a refused file", "rows"),
        ReportColumn("held_late_rows", "Rows held beyond the watermark", "rows"),
        ReportColumn("unique_keys", "Rows of the day that are in silver", "rows"),
        ReportColumn("duplicates_removed", "Rows that silver holds already, or that a later attempt replaced", "rows"),
        ReportColumn("expected_duplicates", "Good rows of the day, less the keys that must remain of them", "rows"),
        ReportColumn("keys_twice_in_silver", "Rows too many in silver; must be 0", "rows"),
        ReportColumn(
            "expected_unique_keys", "Keys of a run without failures whose first good delivery is of the day", "count"
        ),
        ReportColumn("missing_keys", "Of these, keys that silver lacks", "count"),
        ReportColumn("extra_keys", "Keys in silver that the oracle lacks", "count"),
        ReportColumn("accuracy", "1 - (missing + extra + repeated) / expected", "share 0 to 1"),
    ),
    rows=_accuracy,
)

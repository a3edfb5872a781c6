"""Lateness: what came within the watermark counts, what came beyond it is held, and nothing is lost in between."""

from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun
from reliability_platform.warehouse.build_rules import allowed_lateness_days

_SQL = """
with accepted as (
    select source, landing_date, coalesce(bool_or(late_accepted), false) as beyond_is_accepted
    from landed left join admissions using (source, landing_date) group by all
),
judged as (
    select *, date_diff('day', event_date, landing_date) as late_days from staged where event_date is not null
),
counted as (
    select source, landing_date,
        count(*) filter (where disposition not in ('rejected', 'discarded')) as rows_judged,
        max(late_days) filter (where disposition not in ('rejected', 'discarded')) as max_lateness_days,
        count(*) filter (where disposition = 'valid' and late_days between 1 and {allowed}) as rows_late_within,
        count(*) filter (where disposition = 'held_late') as rows_held_beyond,
        count(*) filter (where disposition = 'valid' and late_days > {allowed}) as rows_accepted_beyond,
        count(*) filter (where disposition = 'held_late' and late_days <= {allowed}) as rows_held_within
    from judged group by all
),
held as (
    select source, landing_date, count(*) as rows_in_hold from hld_too_late group by all
),
conserved as (
    select source, landing_date, sum(held_late_rows) as rows_in_balance from rec_batches__conserved group by all
)
select source, landing_date, {allowed} as allowed_lateness_days, coalesce(rows_judged, 0) as rows_judged,
    max_lateness_days, coalesce(rows_late_within, 0) as rows_late_within,
    coalesce(rows_held_beyond, 0) as rows_held_beyond, beyond_is_accepted,
    coalesce(rows_accepted_beyond, 0) as rows_accepted_beyond, coalesce(rows_held_within, 0) as rows_held_within,
    coalesce(rows_in_hold, 0) as rows_in_hold,
    coalesce(rows_held_beyond, 0) = coalesce(rows_in_hold, 0)
        and coalesce(rows_held_beyond, 0) = coalesce(rows_in_balance, 0)
        and coalesce(rows_held_within, 0) = 0
        and (coalesce(rows_accepted_beyond, 0) = 0 or beyond_is_accepted) as consistent
from accepted
left join counted using (source, landing_date)
left join held using (source, landing_date)
left join conserved using (source, landing_date)
order by landing_date, source
"""


def _validation(run: GradedRun) -> list[Row]:
    return list(run.query(_SQL.format(allowed=allowed_lateness_days(run.settings, run.connection))))


VALIDATION = Report(
    name="watermark_validation_report",
    folder=Folder.SCORECARDS,
    about="Are late rows handled as the watermark says?",
    grain="One row per source and landing day, by landing day and source.",
    columns=(
        ReportColumn("source", "The source"),
        ReportColumn("landing_date", "Landing day", "date"),
        ReportColumn("allowed_lateness_days", "How far an event date may lie before its landing day", "days"),
        ReportColumn("rows_judged", "Rows with an event date that were not rejected", "rows"),
        ReportColumn("max_lateness_days", "Largest distance of an event date from the landing day", "days"),
        ReportColumn("rows_late_within", "Rows of an earlier day that count, because they came in time", "rows"),
        ReportColumn("rows_held_beyond", "Rows held because they came too late", "rows"),
        ReportColumn("beyond_is_accepted", "Whether somebody decided that rows beyond the watermark count", "yes/no"),
        ReportColumn("rows_accepted_beyond", "Rows beyond the watermark that count; 0 unless accepted", "rows"),
        ReportColumn("rows_held_within", "Rows held though they came in time; must be 0", "rows"),
        ReportColumn("rows_in_hold", "Rows that the hold shows; must equal the held ones", "rows"),
        ReportColumn("consistent", "Whether all of this fits together", "yes/no"),
    ),
    rows=_validation,
)

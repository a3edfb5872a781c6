"""The daily schedules: the landing day that has just ended, and after it what it did to the error budgets."""

from datetime import timedelta

import dagster as dg

from reliability_platform.contracts import SOURCES
from reliability_platform.orchestration.jobs import landing_job, pipeline_job, slo_job
from reliability_platform.orchestration.resources import Home
from reliability_platform.sources.source import is_fetched

daily_pipeline = dg.build_schedule_from_partitioned_job(
    pipeline_job,
    name="daily_pipeline",
    hour_of_day=2,
    minute_of_hour=0,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 02:00 UTC: the landing day before, after its last batch's deadline.",
)


@dg.schedule(
    job=landing_job,
    cron_schedule="25-55/10 0 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Four times between 00:25 UTC and the deadlines at 01:00: sources over HTTP and databases are asked for what is "
    "missing, so that a deadline at risk is known while there is time. Simulated sources deliver by themselves.",
)
def early_fetch(context: dg.ScheduleEvaluationContext, home: Home) -> dg.RunRequest | dg.SkipReason:
    """One run for the landing day that has just ended."""
    settings = home.settings
    if not any(is_fetched(settings, source) for source in SOURCES):
        return dg.SkipReason("No source is fetched over HTTP or from a database.")
    day = (context.scheduled_execution_time - timedelta(days=1)).date()
    return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat(), partition_key=day.isoformat())


daily_slo_report = dg.ScheduleDefinition(
    name="daily_slo_report",
    job=slo_job,
    cron_schedule="0 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 04:00 UTC, two hours after the pipeline: the report is read in the morning.",
)

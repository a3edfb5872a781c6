"""The daily schedules: the landing day that has just ended, and after it what it did to the error budgets."""

import dagster as dg

from reliability_platform.orchestration.jobs import pipeline_job, slo_job

daily_pipeline = dg.build_schedule_from_partitioned_job(
    pipeline_job,
    name="daily_pipeline",
    hour_of_day=2,
    minute_of_hour=0,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 02:00 UTC: the landing day before, after its last batch's deadline.",
)

daily_slo_report = dg.ScheduleDefinition(
    name="daily_slo_report",
    job=slo_job,
    cron_schedule="0 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 04:00 UTC, two hours after the pipeline: the report is read in the morning.",
)

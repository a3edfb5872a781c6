"""The daily schedule: the landing day that has just ended."""

import dagster as dg

from reliability_platform.orchestration.jobs import pipeline_job

daily_pipeline = dg.build_schedule_from_partitioned_job(
    pipeline_job,
    name="daily_pipeline",
    hour_of_day=2,
    minute_of_hour=0,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 02:00 UTC: the landing day before, after its last batch's deadline.",
)

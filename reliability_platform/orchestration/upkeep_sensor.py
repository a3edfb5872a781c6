"""The sensor that notices what nobody runs: days whose turn has passed, snapshots and drills overdue, room running out.

Dagster's daemon alone evaluates it, never a command: so it also says from when to when the schedules of a home are on, and
asks the dead man's switch, last, once all that is its own work has gone well.
"""

import dagster as dg

from reliability_platform.clock import utc_now
from reliability_platform.day_clock import Service
from reliability_platform.lab.calendar import calendar
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.orchestration.schedules import daily_pipeline
from reliability_platform.recovery.upkeep import monitor_upkeep
from reliability_platform.service.dead_man import ping

POLL_SECONDS = 60
STOPPED = "STOPPED"
"""The state of a schedule that somebody has switched off; Dagster's enumeration of it is not public."""


def schedule_is_on(instance: dg.DagsterInstance) -> bool:
    """Whether the daily pipeline runs by itself: it does unless somebody has switched it off."""
    states = [one for one in instance.all_instigator_state() if one.instigator_name == daily_pipeline.name]
    return not any(one.status.value == STOPPED for one in states)


@dg.sensor(
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notices landing days that were due and not run, overdue snapshots and drills, low room and memory.",
)
@redact_errors
def upkeep_sensor(context: dg.SensorEvaluationContext, home: Home) -> dg.SkipReason:
    """Record what is wrong; the incident sensor opens incidents of it, and the alert sensor tells people."""
    settings = home.settings
    engine, now = home.engine, utc_now()
    Service(engine).note(schedule_is_on(context.instance), now)
    news = monitor_upkeep(settings, engine, now, calendar(settings))
    said = [f"{one.check}: {one.message}" for one in news] or ["Nothing new."]
    asked = ping(settings, now)
    return dg.SkipReason("; ".join(said if asked is None else [*said, asked]))

"""The sensor that tells people: whatever happened to incidents since its last tick, to each channel once."""

import dagster as dg

from reliability_platform.alerts.dispatch import dispatch
from reliability_platform.alerts.status_page import keep_status_page
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.remediation.owner_letters import write_letter

POLL_SECONDS = 60
"""Whatever happens to an incident wakes the sensor at once; what only time brings, as a reminder, is a matter of minutes."""


@dg.sensor(
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the configured channels of incidents that opened, changed, or are overdue.",
)
@redact_errors
def alert_sensor(context: dg.SensorEvaluationContext, home: Home) -> dg.SensorResult:
    """Send what is due. What was decided stands in the operations store, not in a cursor: `reliability alerts list`."""
    del context
    settings = home.settings
    done = dispatch(settings, home.engine, utc_now(), write=write_letter)
    keep_status_page(settings, home.engine, utc_now())
    how = "rehearsed" if settings.alert_dry_run else "sent"
    words = f"{counted(done.sent, 'alert')} {how}, {done.retried} to be tried again, {done.failed} given up, {done.deferred} waiting"
    return dg.SensorResult(skip_reason=words)

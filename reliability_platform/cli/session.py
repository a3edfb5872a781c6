"""What every command needs that drives the platform: the home held, Dagster's instance, a local daemon."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from reliability_platform.cli.options import home_session, progress
from reliability_platform.cli.stages import StageProgress
from reliability_platform.errors import UsageError
from reliability_platform.orchestration.alert_sensor import alert_sensor
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.local import REQUEST_TAG, LocalDaemon
from reliability_platform.orchestration.sensors import incident_sensor, remediation_sensor
from reliability_platform.settings import Settings

ATTENDED = "RELIABILITY_ATTENDED"


@contextmanager
def driving(settings: Settings, *, healing: bool) -> Iterator[tuple[Settings, LocalDaemon]]:
    """A local daemon on the home; with `healing`, its sensors heal what they find."""
    # Somebody typed this command and waits for it: its sensors do not wait between attempts.
    before = os.environ.get(ATTENDED)
    os.environ[ATTENDED] = "true"
    try:
        with _driving(settings.model_copy(update={"attended": True}), healing) as driven:
            yield driven
    finally:
        if before is None:
            os.environ.pop(ATTENDED, None)
        else:
            os.environ[ATTENDED] = before


@contextmanager
def _driving(settings: Settings, healing: bool) -> Iterator[tuple[Settings, LocalDaemon]]:
    # Dagster and dbt are half a million objects that stay: looked through at every collection, they took 6 % of a run.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sensors = [incident_sensor, remediation_sensor] if healing else [incident_sensor]
    sensors = [*sensors, alert_sensor]
    with home_session(settings), platform_instance(settings) as instance:
        requested = {REQUEST_TAG: settings.requested_run} if settings.requested_run else None
        told = StageProgress(lambda text: progress.print(f"[dim]{text}[/dim]"))
        daemon = LocalDaemon(instance, defs, sensors, told.on_run, told.on_step, tags=requested)
        try:
            yield settings, daemon
        except UsageError:
            raise
        except Exception:
            # A run that dies opens its incident now, not when somebody runs the next command.
            with suppress(Exception):  # the error of the run is the one to tell
                LocalDaemon(instance, defs, [incident_sensor, alert_sensor]).settle()
            raise
        finally:
            for one in daemon.troubles:
                progress.print(f"Failed, and everything else went on: {one.what}: {one.words}", markup=False)

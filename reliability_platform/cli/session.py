"""What every command needs that drives the platform: the home held, Dagster's instance, a local daemon."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from reliability_platform.causes import UNFORESEEN, cause_of
from reliability_platform.checks.failed_runs import FailedRun, FailedRuns
from reliability_platform.cli.options import home_session, progress
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.masking import error_text
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.alert_sensor import alert_sensor
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.orchestration.local import LocalDaemon
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
    sensors = [incident_sensor, remediation_sensor] if healing else [incident_sensor]
    sensors = [*sensors, alert_sensor]
    with home_session(settings), platform_instance(settings) as instance:
        daemon = LocalDaemon(instance, defs, sensors, on_run=lambda job: progress.print(f"[dim]run: {job}[/dim]"))
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


@contextmanager
def telling(settings: Settings, job: str, stage: str) -> Iterator[None]:
    """A stage that the command line does without Dagster: if it dies, that becomes an incident all the same."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        with suppress(Exception):  # the error of the stage is the one to tell
            _open_incident(settings, job, stage, error)
        raise


def _open_incident(settings: Settings, job: str, stage: str, error: Exception) -> None:
    landed = max(day for _, day in landed_partitions(settings))
    words, cause = error_text(error), cause_of(error) or UNFORESEEN
    died = FailedRun(f"command line {uuid4()}", job, stage, None, landed, landed, cause, words, utc_now())
    FailedRuns(operations_engine(settings)).record(died)
    with platform_instance(settings) as instance:
        LocalDaemon(instance, defs, [incident_sensor, alert_sensor]).settle()

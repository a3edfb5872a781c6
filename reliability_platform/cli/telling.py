"""A stage of the pipeline that a command does by itself. Dagster (4 s) is loaded only where the stage dies."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from reliability_platform.causes import UNFORESEEN, cause_of
from reliability_platform.checks.failed_runs import FailedRun, FailedRuns
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.masking import error_text
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


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
    from reliability_platform.orchestration.alert_sensor import alert_sensor
    from reliability_platform.orchestration.definitions import defs
    from reliability_platform.orchestration.home import platform_instance
    from reliability_platform.orchestration.local import LocalDaemon
    from reliability_platform.orchestration.sensors import incident_sensor

    with platform_instance(settings) as instance:
        LocalDaemon(instance, defs, [incident_sensor, alert_sensor]).settle()

"""Runs the same jobs and sensors as `make dev`, in this process: the command line needs no daemon.

Runs, materializations and check evaluations land in the same Dagster home, where the UI shows them afterwards.
"""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

import dagster as dg

from reliability_platform.causes import DAMAGE, HELD, NO_RIGHTS, NO_ROOM, UNUSABLE, cause_named
from reliability_platform.ending import raise_if_stopped, stop_first
from reliability_platform.errors import ExitCode, PlatformError, StoppedError, UsageError
from reliability_platform.masking import error_text
from reliability_platform.orchestration.partitions import INCIDENT_TAG, range_tags
from reliability_platform.orchestration.run_endings import endings_of

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
LOCAL = {"reliability/started_by": "command line"}
REQUEST_TAG = "reliability/requested_run"
"""On every run of a command that carries out a request of the API: the request's id."""
SENSOR = "dagster/sensor_name"
"""By this tag the daemon says which sensor asked for a run; without it the UI calls one "manually launched"."""
MAX_TICKS = 20
"""Sensors that still ask for runs after so many ticks are going round in circles."""


class RunFailedError(PlatformError):
    """A Dagster run ended in failure. Its exit code is that of the cause."""


EXIT_CODES = dict.fromkeys((cause.name for cause in (DAMAGE, NO_RIGHTS, NO_ROOM, UNUSABLE)), ExitCode.ENVIRONMENT) | {
    HELD.name: ExitCode.BUSY
}
"""By the cause that the error of a step names; any other is a bug of ours, or a program's beside us."""


INTERRUPTIONS = {one.__name__ for one in (KeyboardInterrupt, StoppedError, dg.DagsterExecutionInterruptedError)}
"""The errors by which a run ends that somebody stops."""


@dataclass(frozen=True)
class StepError:
    """The first step of a run that failed, and the error that began it."""

    step: str
    kind: str
    words: str


def failed_run(job: str, first: StepError | None) -> RunFailedError:
    """The error of a run that failed; without a step that says why, the page of the run does."""
    words = f"{first.step}: {first.words}" if first else "no step says why; see the run in the Dagster UI (`make dev`)."
    failed = RunFailedError(f"The run of {job} failed: {words}")
    cause = cause_named(first.kind, first.words) if first else None
    if first is not None and first.kind == UsageError.__name__:
        failed.exit_code = ExitCode.USAGE
    elif cause is not None and cause.name in EXIT_CODES:
        failed.exit_code = EXIT_CODES[cause.name]
    return failed


@dataclass(frozen=True)
class Trouble:
    """A sensor or a run that failed while the others went on."""

    what: str
    """The sensor or the job, and for which incident or partition."""
    words: str


class LocalDaemon:
    """Evaluates sensors and executes what they request, as Dagster's daemon would, one run after the other."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        definitions: dg.Definitions,
        sensors: list[dg.SensorDefinition],
        on_run: Callable[[str], None] = lambda _: None,
        on_step: Callable[[str], None] = lambda _: None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._instance = instance
        self._definitions = definitions
        self._sensors = sensors
        self._cursors: dict[str, str | None] = {}
        self._seen: set[str] = set()
        self._on_run, self._on_step = on_run, on_step
        self._tags = {**LOCAL, **(tags or {})}
        self.troubles: list[Trouble] = []
        """What failed while sensors were settled. It stopped nothing else; whoever settles tells of it."""
        self._end_left_runs()

    def _end_left_runs(self) -> None:
        """Runs whose end nobody recorded would stay "started" for ever: only one command drives a home at a time."""
        alive = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
        for run in self._instance.get_runs(dg.RunsFilter(statuses=alive, tags=LOCAL)):
            word = endings_of(self._instance).told(run.run_id)
            why = f"Its end could not be recorded: {word.error}" if word else "The process of this run was killed."
            self._instance.report_run_failed(run, f"{why} Run it again; nothing is lost.")

    @stop_first()
    def run(
        self,
        job: str,
        *,
        first: date | None = None,
        last: date | None = None,
        partition_key: str | None = None,
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Execute one job; over landing days `first`..`last`, or one partition. Raises `RunFailedError`."""
        if first is not None and last is not None and first == last:
            partition_key = first.isoformat()
        elif first is not None and last is not None:
            tags = {**range_tags(first, last), **(tags or {})}
        raise_if_stopped()
        self._on_run(job)
        run_id = str(uuid4())
        self._instance.add_event_listener(run_id, self._hear)
        with endings_of(self._instance).told_if_it_fails():
            result = self._definitions.resolve_job_def(job).execute_in_process(
                instance=self._instance,
                run_id=run_id,
                partition_key=partition_key,
                run_config={**QUIET, **(run_config or {})},
                tags={**self._tags, **(tags or {})},
                raise_on_error=False,
            )
        raise_if_stopped()  # a library may have passed over it, and the last step have come to its end
        _raise_if_failed(job, result)
        return result

    def _hear(self, event: dg.EventLogEntry) -> None:
        """Pass on that a step begins."""
        if event.dagster_event is not None and event.dagster_event.is_step_start and event.step_key is not None:
            self._on_step(event.step_key)

    def tick(self) -> int:
        """Evaluate every sensor once and execute its run requests. Returns how many runs there were.

        One sensor or run that fails costs only itself: the rest goes on, and it is among the `troubles` then.
        """
        executed = 0
        for sensor in self._sensors:
            try:
                outcome = self._evaluate(sensor)
            except UsageError:
                raise  # a setting is wrong: no sensor would do what was meant
            except Exception as error:
                self._note(sensor.name, error)
                continue
            for request in outcome.run_requests or []:
                if request.run_key is not None and request.run_key in self._seen:
                    continue
                if request.run_key is not None:
                    self._seen.add(request.run_key)
                self._execute(request, sensor.name)
                executed += 1
        return executed

    @stop_first()
    def _evaluate(self, sensor: dg.SensorDefinition) -> dg.SensorResult:
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self._cursors.get(sensor.name),
            definitions=self._definitions,
            resources=self._definitions.resources,
        ) as context:
            outcome = sensor(context)
        assert isinstance(outcome, dg.SensorResult)
        self._cursors[sensor.name] = outcome.cursor
        for new in outcome.dynamic_partitions_requests or []:
            assert isinstance(new, dg.AddDynamicPartitionsRequest)
            self._instance.add_dynamic_partitions(new.partitions_def_name, list(new.partition_keys))
        return outcome

    def _execute(self, request: dg.RunRequest, sensor: str) -> None:
        """Execute what a sensor asked for; a failure is noted."""
        assert request.job_name is not None
        try:
            self.run(
                request.job_name,
                partition_key=request.partition_key,
                run_config=request.run_config,
                tags={SENSOR: sensor, **request.tags},
            )
        except Exception as error:
            about = request.tags.get(INCIDENT_TAG) or request.partition_key
            what = f"{request.job_name} of {about}" if about else request.job_name
            self._note(what, error)

    def _note(self, what: str, error: Exception) -> None:
        trouble = Trouble(what, str(error) if isinstance(error, PlatformError) else error_text(error))
        if trouble not in self.troubles:  # the next tick may fail at the same again
            self.troubles.append(trouble)

    def settle(self) -> None:
        """Tick until no sensor asks for a run, and none has anything left to read."""
        for _ in range(MAX_TICKS):
            before = dict(self._cursors)
            if self.tick() == 0 and self._cursors == before:
                return
        raise RunFailedError(
            f"The sensors still ask for runs after {MAX_TICKS} rounds: see `reliability incidents list`."
        )


def _raise_if_failed(job: str, result: dg.ExecuteInProcessResult) -> None:
    if result.success:
        return
    first = _first_error(result)
    if first is not None and first.kind in INTERRUPTIONS:
        raise StoppedError(
            signal.SIGINT
        )  # Dagster makes a failed step of it; whoever stopped it wants the command to end
    raise failed_run(job, first)


def _first_error(result: dg.ExecuteInProcessResult) -> StepError | None:
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            if error is not None:
                return StepError(event.step_key or "", error.cls_name or "", _said(error.cls_name or "", error.message))
    return None


def _said(kind: str, message: str) -> str:
    """What an error says; our own say it all, and the path of their class helps nobody who reads it."""
    words = error_text(message)
    module, found, said = words.partition(f"{kind}: ")
    return said if found and module.startswith("reliability_platform.") else words

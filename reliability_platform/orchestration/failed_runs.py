"""Which of Dagster's runs died, at which stage and why: from its run storage into the operations store.

It holds for every run alike, launched by a schedule, in the UI or on the command line, ended by an error or killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy import Engine

from reliability_platform.causes import CAUSES, KILLED, STOPPED, UNFORESEEN, Cause, cause_named
from reliability_platform.checks.failed_runs import PUBLICATION, FailedRun, FailedRuns
from reliability_platform.checks.run_monitor import tells
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import SOURCES
from reliability_platform.ending import STOPPED_WORDS
from reliability_platform.errors import UsageError
from reliability_platform.masking import error_text
from reliability_platform.orchestration.local import INTERRUPTIONS, LOCAL
from reliability_platform.orchestration.partitions import tagged_days
from reliability_platform.orchestration.run_endings import endings_of
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal

LOOK_BACK = timedelta(days=2)
"""Runs that failed earlier have been seen: a sensor looks every few seconds, and each command when it begins."""
AT_ONCE = 100
STAGES = {
    "reference": "reference data",
    "landing": "landing",
    "bronze": "admission",
    "dbt": "dbt",
    "audit": "audit",
    "published": PUBLICATION,
}
"""By the beginning of a step's name, the stage as people know it. Other steps move no data."""


def _stage(step: str) -> tuple[str, str | None] | None:
    """The stage of a step and the source that it is about; None for a step that moves no data."""
    first, _, rest = step.partition("__")
    if first not in STAGES:
        return None
    source = rest if rest in SOURCES else None
    return (f"{STAGES[first]} of {source}" if source else STAGES[first]), source


@dataclass(frozen=True)
class _Failure:
    """An error that ended a run."""

    step: str
    """Empty for one of no step."""
    kind: str
    words: str

    @classmethod
    def of(cls, step: str, error: SerializableErrorInfo) -> "_Failure":
        """From the error that began it."""
        while error.cause is not None:
            error = error.cause
        kind = error.cls_name or ""
        words = STOPPED_WORDS if kind in INTERRUPTIONS else error_text(error.message)
        return cls(step, kind, words)

    @property
    def cause(self) -> Cause | None:
        """None for what nobody foresaw."""
        return STOPPED if self.kind in INTERRUPTIONS else cause_named(self.kind, self.words)


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[_Failure]:
    """The errors of the steps that failed."""
    return [
        _Failure.of(event.step_key or "", event.step_failure_data.error)
        for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        if (event := entry.dagster_event) is not None and event.step_failure_data.error is not None
    ]


def _end(instance: dg.DagsterInstance, run_id: str) -> tuple[Cause, str]:
    """Why a run ended of which no step failed, and its words. It was killed if nothing says what else it was."""
    word = endings_of(instance).told(run_id)
    if word is not None:
        return CAUSES[word.outcome], word.error
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE):
        data = entry.dagster_event.event_specific_data if entry.dagster_event else None
        error = getattr(data, "error", None)
        if error is not None:
            failure = _Failure.of("", error)
            return failure.cause or UNFORESEEN, failure.words
    return KILLED, "its process was killed, or ended by a time limit"


def _where(instance: dg.DagsterInstance, run_id: str) -> str:
    """The stages that had begun and not ended when a run was killed."""
    begun: dict[str, None] = {}
    for entry in instance.all_logs(run_id, of_type={dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS}):
        event = entry.dagster_event
        stage = _stage(event.step_key or "") if event else None
        if event is not None and stage is not None:
            begun[stage[0]] = None
            if event.event_type is dg.DagsterEventType.STEP_SUCCESS:
                del begun[stage[0]]
    return ", ".join(begun) or "its beginning"


def _build_tells(settings: Settings, engine: Engine, record: dg.RunRecord, window: Sequence[date]) -> bool:
    """Whether a build of the run, or one that the guard refused it, becomes an incident by itself."""
    began = record.start_time or record.create_timestamp.timestamp()
    return any(
        build.began_at.timestamp() >= began - 1 and tells(build) and any(map(build.covers, window))
        for build in BuildJournal(engine, settings.builds).troubled()
    )


def _read(settings: Settings, instance: dg.DagsterInstance, engine: Engine, record: dg.RunRecord) -> FailedRun | None:
    run = record.dagster_run
    window = tagged_days(run.tags)
    if not window or _build_tells(settings, engine, record, window):
        return None
    failures = _failures(instance, run.run_id)
    # What an operator asked for wrongly, or has stopped, is known to the operator, who waits for it.
    by_hand = LOCAL.items() <= run.tags.items()
    if failures:
        stages = dict.fromkeys(stage for one in failures if (stage := _stage(one.step)) is not None)
        if not stages or (set(stages) == {_stage("dbt")} and CheckStore(engine).run_ids(run.run_id)):
            return None  # it moved no data; or dbt's results say which model failed
        if by_hand and all(one.kind == UsageError.__name__ for one in failures):
            return None
        first = next((one for one in failures if one.cause is not None), failures[0])
        cause, words = first.cause or UNFORESEEN, first.words
    else:
        stages = {(_where(instance, run.run_id), None): None}
        cause, words = _end(instance, run.run_id)
    if by_hand and cause is STOPPED:
        return None
    sources = {source for _, source in stages}
    return FailedRun(
        run_id=run.run_id,
        job=run.job_name,
        stage=", ".join(stage for stage, _ in stages),
        source=sources.pop() if len(sources) == 1 else None,
        first_day=window[0],
        last_day=window[-1],
        cause=cause,
        error=words,
        failed_at=datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC),
    )


def note_failed_runs(settings: Settings, engine: Engine, instance: dg.DagsterInstance, now: datetime) -> None:
    """Write down each run over landing days that has died since the last look."""
    store = FailedRuns(engine)
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - LOOK_BACK)
    for record in instance.get_run_records(filters, limit=AT_ONCE):
        if not store.known(record.dagster_run.run_id):
            found = _read(settings, instance, engine, record)
            if found is not None:
                store.record(found)
        endings_of(instance).forget(record.dagster_run.run_id)

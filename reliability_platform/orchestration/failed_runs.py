"""Which of Dagster's runs died, at which stage and why: from its run storage into the operations store.

It holds for every run alike, launched by a schedule, in the UI or on the command line, ended by an error or killed.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord
from sqlalchemy import Engine

from reliability_platform.causes import KILLED, UNFORESEEN, cause_named
from reliability_platform.checks.failed_runs import PUBLICATION, FailedRun, FailedRuns
from reliability_platform.checks.run_monitor import tells
from reliability_platform.checks.store import CheckStore
from reliability_platform.errors import UsageError
from reliability_platform.masking import error_words
from reliability_platform.orchestration.local import LOCAL
from reliability_platform.orchestration.partitions import tagged_days
from reliability_platform.settings import Settings
from reliability_platform.sources import SOURCES
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


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str, str]]:
    """The steps that failed: step, type of the error that began it, its words."""
    found = []
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        error = event.step_failure_data.error if event else None
        while error is not None and error.cause is not None:
            error = error.cause
        if event is not None and error is not None:
            found.append((event.step_key or "", error.cls_name or "", error_words(error.message)))
    return found


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


def _build_tells(settings: Settings, engine: Engine, record: RunRecord, window: Sequence[date]) -> bool:
    """Whether a build of the run, or one that the guard refused it, becomes an incident by itself."""
    began = record.start_time or record.create_timestamp.timestamp()
    return any(
        build.began_at.replace(tzinfo=UTC).timestamp() >= began - 1 and tells(build) and any(map(build.covers, window))
        for build in BuildJournal(engine, settings.builds).troubled()
    )


def _read(settings: Settings, instance: dg.DagsterInstance, engine: Engine, record: RunRecord) -> FailedRun | None:
    run = record.dagster_run
    window = tagged_days(run.tags)
    if not window or _build_tells(settings, engine, record, window):
        return None
    failures = _failures(instance, run.run_id)
    if failures:
        stages = dict.fromkeys(stage for step, _, _ in failures if (stage := _stage(step)) is not None)
        if not stages or (set(stages) == {_stage("dbt")} and CheckStore(engine).run_ids(run.run_id)):
            return None  # it moved no data; or dbt's results say which model failed
        # What an operator asked for wrongly is said to the operator, who waits for it.
        if LOCAL.items() <= run.tags.items() and all(kind == UsageError.__name__ for _, kind, _ in failures):
            return None
        causes = [cause_named(kind, words) for _, kind, words in failures]
        cause = next((one for one in causes if one is not None), UNFORESEEN)
        words = failures[causes.index(cause) if cause in causes else 0][2]
    else:
        stages, cause = {(_where(instance, run.run_id), None): None}, KILLED
        words = "its process was killed, or ended by a time limit"
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

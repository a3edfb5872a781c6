"""Tells OpenLineage what the assets do: that a job has begun, and how it ended.

Lineage is news about the work, never a condition of it: whatever goes wrong here is one warning, and the work goes on.
"""

import gc
import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from types import ModuleType

import dagster as dg

from reliability_platform.clock import utc_now
from reliability_platform.lineage.columns import column_lineage
from reliability_platform.openlineage_events.datasets import ColumnLineage, ModelLineage
from reliability_platform.openlineage_events.emitter import emit
from reliability_platform.openlineage_events.message import shown_error
from reliability_platform.openlineage_events.run import Dataset, Datasets, JobRun, JobState, namespace_of
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import NodeResult
from reliability_platform.warehouse.lease import hurried
from reliability_platform.warehouse.marts import read_manifest

_log = logging.getLogger(__name__)

TASK, AUDIT, MODEL = ("DAGSTER", "TASK"), ("SODA", "TASK"), ("DBT", "MODEL")
"""What each kind of job is to OpenLineage: the integration, and the type of job in it."""

BACKFILL = "dagster/backfill"
"""The tag by which Dagster says which backfill a run is part of."""

Asked = Callable[[], Datasets]
"""Datasets, looked up when they are needed: that may fail without harm."""


@dataclass(frozen=True)
class News:
    """Where the news of one run of the orchestrator go."""

    settings: Settings
    run: dg.DagsterRun
    days: Sequence[date]

    def tell(
        self,
        state: JobState,
        job: str,
        kind: tuple[str, str],
        datasets: Asked,
        error: BaseException | str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Emit one event of one job. Never raises."""
        try:
            integration, job_type = kind
            run = JobRun(
                namespace=namespace_of(self.settings.installation),
                job=job,
                integration=integration,
                job_type=job_type,
                parent_job=self.run.job_name,
                parent_run=self.run.run_id,
                first=min(self.days),
                last=max(self.days),
                backfill=self.run.tags.get(BACKFILL),
            )
            why = None if error is None else shown_error(error, self.settings)
            emit(self.settings, [_events().run_event(state, run, at or utc_now(), datasets(), why)])
        except Exception as problem:  # news of the work must not stop the work
            _warn_once(type(problem).__name__)


@lru_cache
def _events() -> ModuleType:
    """The client's classes are made when the first event is: the command line does not pay for them.

    Without the garbage collector, which would walk all of Dagster's objects again and again: 0.2 s instead of 0.4.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module("reliability_platform.openlineage_events.events")
    finally:
        if collecting:
            gc.enable()


class Job:
    """A job that is being told of; what it has `learned` goes out when it is done."""

    def __init__(self, expected: Asked) -> None:
        self.learned = expected


@contextmanager
def told(news: News, job: str, kind: tuple[str, str], expected: Asked) -> Iterator[Job]:
    """Tell of one job: START with what is `expected`; then COMPLETE with what was learned, FAIL or ABORT."""
    news.tell(JobState.START, job, kind, expected)
    working = Job(expected)
    try:
        yield working
    except Exception as error:
        news.tell(JobState.FAIL, job, kind, expected, error)
        raise
    except BaseException:
        news.tell(JobState.ABORT, job, kind, expected)
        raise
    news.tell(JobState.COMPLETE, job, kind, working.learned)


class ModelNews:
    """Tells of the models of one dbt build, each a job of its own."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._running: list[str] = []

    def prepare(self) -> None:
        """Look the models up before dbt runs: column lineage may have to compile them, which must not happen in dbt."""
        try:
            _ = self._models
        except Exception as problem:  # each event will fail as quietly
            _warn_once(type(problem).__name__)

    def started(self, model: str) -> None:
        """dbt has begun with a model; called in a thread of dbt's."""
        self._running.append(model)
        self._tell(JobState.START, model)

    def ended(self, nodes: Sequence[NodeResult]) -> None:
        """dbt has ended: each model that it began is complete, failed, or skipped because another one failed."""
        results = {node.name: node for node in nodes if node.resource_type == "model"}
        built = self._built([name for name in self._running if name in results and results[name].status == "success"])
        for model in self._running:
            node = results.get(model)
            if node is not None and node.status == "success":
                self._tell(JobState.COMPLETE, model, output=built.get(model), at=node.ended_at)
            elif node is not None and node.status == "error":
                self._tell(JobState.FAIL, model, error=node.message, at=node.ended_at)
            else:
                self._tell(JobState.ABORT, model)

    def broke(self, error: BaseException) -> None:
        """dbt itself did not come to its end, and so none of the models that it had begun."""
        for model in self._running:
            if isinstance(error, Exception):
                self._tell(JobState.FAIL, model, error=error)
            else:
                self._tell(JobState.ABORT, model)

    @cached_property
    def _models(self) -> ModelLineage:
        path = ensure_manifest(self._news.settings.dbt_project)
        return ModelLineage(read_manifest(path), _column_lineage(path))

    def _tell(
        self,
        state: JobState,
        model: str,
        output: Dataset | None = None,
        error: BaseException | str | None = None,
        at: datetime | None = None,
    ) -> None:
        def datasets() -> Datasets:
            return Datasets(self._models.inputs(model), [output or self._models.output(model)])

        self._news.tell(state, f"dbt.{model}", MODEL, datasets, error, at)

    def _built(self, names: Sequence[str]) -> dict[str, Dataset]:
        days, patience = self._news.days, self._news.settings.openlineage_timeout_seconds
        try:
            return self._models.built(hurried(self._news.settings, patience), names, min(days), max(days))
        except Exception as problem:  # the events then say what the yml declares
            _warn_once(type(problem).__name__)
            return {}


@contextmanager
def models_told(news: News) -> Iterator[ModelNews]:
    """Tell of every model that dbt begins within the block; the block calls `ended` when dbt has."""
    models = ModelNews(news)
    models.prepare()
    try:
        yield models
    except BaseException as error:
        models.broke(error)
        raise


def _column_lineage(manifest: Path) -> ColumnLineage:
    """Column-level lineage of the models; computed once after a change of them. Without it if their SQL is not read."""
    try:
        return column_lineage(manifest)
    except Exception as problem:  # tables and columns can be told of all the same
        _warn_once(type(problem).__name__)
        return {}


@lru_cache(maxsize=64)
def _warn_once(problem: str) -> None:
    _log.warning("An OpenLineage event could not be made or kept (%s); the run goes on.", problem)

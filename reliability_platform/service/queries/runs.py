"""Runs of the pipeline: which landing days were built when, and how it ended."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, page
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import Build, BuildJournal


class PipelineRun(QueryAnswer):
    """One build of landing days, as the journal has it."""

    id: int
    """Its number in the journal; it grows."""
    first_day: date
    """The first landing day built."""
    last_day: date
    """The last landing day built."""
    outcome: str
    """`running`, `succeeded`, `failed`, `blocked` (the backfill guard objected) or `killed`."""
    began_at: datetime
    """When it began."""
    ended_at: datetime | None
    """When it ended; null while it runs, and for one that was killed."""
    seconds: float | None
    """How long it took."""
    error: str | None
    """Why it failed, masked."""


@dataclass(frozen=True)
class RunFilter:
    """Which runs are asked for."""

    outcome: str | None = None
    day: date | None = None


def _run(build: Build) -> PipelineRun:
    ended = build.ended_at
    return PipelineRun(
        **{name: getattr(build, name) for name in ("id", "first_day", "last_day", "outcome", "began_at", "ended_at")},
        seconds=None if ended is None else round((ended - build.began_at).total_seconds(), 3),
        error=build.error,
    )


def run_page(
    settings: Settings, engine: Engine, asked: RunFilter = RunFilter(), window: Window = EVERYTHING
) -> Page[PipelineRun]:
    """Runs, the newest first."""
    journal = BuildJournal(engine, settings.builds)
    found, total = journal.newest(asked.outcome, asked.day, window.limit, window.offset)
    return page([_run(one) for one in found], total, window)


def last_run(settings: Settings, engine: Engine) -> PipelineRun | None:
    """The newest run; None before the first."""
    return next(iter(run_page(settings, engine, window=Window(1)).items), None)

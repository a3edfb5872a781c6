"""The state of the pipeline in one answer: what was run last, what consumers read, what is open."""

from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.service.queries.checks import CheckCounts, CheckFilter, check_counts, newest_judged_day
from reliability_platform.service.queries.incidents import open_by_severity
from reliability_platform.service.queries.pauses import StandingPause, standing_pauses
from reliability_platform.service.queries.quarantine import QuarantineTotals, quarantine_totals
from reliability_platform.service.queries.runs import PipelineRun, last_run
from reliability_platform.settings import Settings
from reliability_platform.warehouse.published import current_version, read_publication


class PublishedNow(QueryAnswer):
    """What consumers read."""

    version: str
    """The version."""
    published_at: datetime
    """When it was published."""
    held: list[str]
    """The landing days that it leaves out, as `orders 2026-01-15`."""


class PipelineSummary(QueryAnswer):
    """The state of the pipeline."""

    installation: str
    """What this installation is called."""
    as_of: datetime
    """When this was asked."""
    newest_day: date | None
    """The newest landing day that was judged; null if none was."""
    last_run: PipelineRun | None
    """The newest run; null before the first."""
    published: PublishedNow | None
    """What consumers read; null before the first publication."""
    open_incidents: dict[str, int]
    """Severity → open incidents."""
    checks: CheckCounts | None
    """The latest results on the newest landing day."""
    quarantine: QuarantineTotals
    """What waits in quarantine."""
    paused: list[StandingPause]
    """Sources and tables that people have paused or withdrawn."""


def pipeline_summary(settings: Settings, engine: Engine, now: datetime) -> PipelineSummary:
    """The state of the pipeline now."""
    newest = newest_judged_day(engine)
    return PipelineSummary(
        installation=settings.installation,
        as_of=now,
        newest_day=newest,
        last_run=last_run(settings, engine),
        published=_published(settings),
        open_incidents=open_by_severity(engine),
        checks=None if newest is None else check_counts(engine, CheckFilter(newest, newest)),
        quarantine=quarantine_totals(settings, engine),
        paused=standing_pauses(engine, now),
    )


def _published(settings: Settings) -> PublishedNow | None:
    version = current_version(settings)
    if version is None:
        return None
    record = read_publication(settings, version)
    held = [f"{source} {day}" for source, day in record.held_partitions]
    return PublishedNow(version=version, published_at=datetime.fromisoformat(record.published_at), held=held)

"""One reading of a home for all metrics: each question is asked once, whoever of them needs its answer."""

from datetime import datetime, timedelta
from functools import cached_property

from sqlalchemy import Engine, func, select

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.incidents.metrics import Group, GroupedBy, metrics
from reliability_platform.landing.stream_lag import StreamLag, lag_of
from reliability_platform.operations.tables import check_results, first_published
from reliability_platform.service.queries import backlogs, durations, heartbeats, incidents, publications, slo, sources
from reliability_platform.settings import Settings
from reliability_platform.slo.status import SloStatus
from reliability_platform.warehouse.published import current_version

RECENT = timedelta(days=30)
"""The incidents whose durations are averaged were detected within so long."""

KEPT_SECONDS = 300
"""A deadline that passes is seen so late. At 1,000 landing days objectives take two thirds of a scrape's time."""
_NEWEST = select(
    select(func.max(check_results.c.id)).scalar_subquery(),
    select(func.max(first_published.c.published_at)).scalar_subquery(),
)
_KEPT: dict[str, tuple[tuple[object, ...], SloStatus]] = {}
"""Home → what they rest on, and where objectives stand."""


class MetricReading:
    """The answers, as they stood at one moment."""

    def __init__(self, settings: Settings, engine: Engine, now: datetime) -> None:
        self.settings, self.engine, self.now = settings, engine, now

    @cached_property
    def publication(self) -> publications.PublishedVersion | None:
        """What consumers read."""
        there = current_version(self.settings) is not None
        return publications.publication(self.settings, "current") if there else None

    @cached_property
    def objectives(self) -> SloStatus:
        """Where each objective stands; kept until there are new results or publications, and for five minutes at most."""
        with self.engine.connect() as connection:
            seen = connection.execute(_NEWEST).one()
        stands_for = (*seen, self.now.timestamp() // KEPT_SECONDS, self.settings.slo_file)
        key = str(self.settings.home)
        if _KEPT.get(key, (None,))[0] != stands_for:
            _KEPT[key] = (stands_for, slo.slo_status(self.settings, self.engine, self.now))
        return _KEPT[key][1]

    @cached_property
    def incident_durations(self) -> list[Group]:
        """By severity, of the incidents that were detected lately."""
        return metrics(incidents.recent_incidents(self.engine, self.now - RECENT), GroupedBy.SEVERITY)[:-1]

    @cached_property
    def stages(self) -> list[durations.StageSeconds]:
        """How long stages took."""
        return durations.stage_seconds(self.engine)

    @cached_property
    def fetches(self) -> list[durations.FetchCounts]:
        """How often sources were asked."""
        return durations.fetch_counts(self.engine)

    @cached_property
    def steps(self) -> durations.StepCounts | None:
        """How often steps were tried again."""
        return durations.step_counts(self.settings)

    @cached_property
    def sources(self) -> list[sources.SourceStanding]:
        """How each source stands."""
        return sources.source_standings(self.settings, self.engine, self.now)

    @cached_property
    def stream_lags(self) -> dict[str, StreamLag]:
        """How far landing was behind each topic when it was read last."""
        told = {one: lag_of(self.settings, one) for one in SOURCES if CONTRACTS[one].is_stream}
        return {source: lag for source, lag in told.items() if lag is not None}

    @cached_property
    def dead_letters(self) -> list[backlogs.DeadLetters]:
        """What waits in quarantine."""
        return backlogs.dead_letters(self.settings, self.engine)

    @cached_property
    def alerts(self) -> list[backlogs.Backlog]:
        """What waits to be told."""
        return backlogs.alert_backlogs(self.settings, self.engine)

    @cached_property
    def at_home(self) -> heartbeats.Heartbeats:
        """Who works by itself."""
        return heartbeats.heartbeats(self.settings, self.now)

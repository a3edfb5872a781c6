"""Series of profiles, and the days on which one was told of: what `profiles` measures, and what incidents say about it."""

from datetime import date

from sqlalchemy import Engine

from reliability_platform.contracts import check_source
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_heads
from reliability_platform.service.queries.answer import MAX_LIMIT, QueryAnswer
from reliability_platform.settings import Settings


class ProfileSeries(QueryAnswer):
    """One metric of a source over its landing days."""

    kind: str
    """What is measured, as `empty` or `mean`."""
    subject: str
    """The column, or what else it is about."""
    part: str
    """The label, hour, slot or reason that it is about; empty for all of the column."""
    within: str
    """The segment in which it is measured, as `column=label`; empty for all rows."""
    days: int
    """Landing days of which there is a value."""


class ProfileAlarm(QueryAnswer):
    """A landing day on which an incident tells of a series, or of its whole column."""

    landing_date: date
    """The landing day."""
    incident: str
    """The incident."""
    failure_class: str
    """What kind of failure it is."""
    kind: str | None
    """The metric; null where the incident is about the whole column."""
    subject: str
    """The column."""
    part: str
    """As in the series."""
    within: str
    """As in the series."""
    found: float | None
    """The value as it was found, which healing may have changed; null where the incident is about the whole column."""

    def is_about(self, series: ProfileSeries) -> bool:
        """Whether this is told of the series."""
        if self.kind is None:
            return self.subject in series.subject.split()
        mine = (self.kind, self.subject, self.part, self.within)
        return mine == (series.kind, series.subject, series.part, series.within)


def profile_series(settings: Settings, source: str) -> list[ProfileSeries]:
    """All series of a source, by column and metric. Raises `UsageError` for a source that does not exist."""
    check_source(source)
    from reliability_platform.profiles.store import kept_profiles

    names = ["subject", "kind", "part", "within"]
    counted = kept_profiles(settings, source).group_by(names).aggregate([("landing_date", "count_distinct")])
    rows = counted.sort_by([(name, "ascending") for name in names]).to_pylist()
    return [
        ProfileSeries(**{name: row[name] for name in names}, days=row["landing_date_count_distinct"]) for row in rows
    ]


def profile_alarms(engine: Engine, source: str) -> list[ProfileAlarm]:
    """What the newest 500 incidents of a source have told of, by landing day; each once."""
    found, _ = IncidentStore(engine).newest([incident_heads.c.source == source], MAX_LIMIT, 0)
    alarms: dict[tuple[object, ...], ProfileAlarm] = {}
    for incident in found:
        for signal in incident.signals:
            deviations = signal.facts.get("deviations", [])
            told = [(one["kind"], one["column"], one["part"], one["within"], one.get("found")) for one in deviations]
            if not told and incident.column is not None:
                told = [(None, incident.column, "", "", None)]
            for kind, column, part, within, value in told:
                alarm = ProfileAlarm(
                    landing_date=signal.partition,
                    incident=incident.id,
                    failure_class=incident.failure_class,
                    kind=kind,
                    subject=column,
                    part=part,
                    within=within,
                    found=value,
                )
                alarms.setdefault(tuple(alarm.model_dump(exclude={"found"}).values()), alarm)
    return sorted(alarms.values(), key=lambda one: (one.landing_date, one.incident))

"""Profiles: the past of any number of any column, with the days that were told of and held drawn in."""

from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.formats import printable
from reliability_platform.profiles.judge import MIN_HISTORY_DAYS
from reliability_platform.profiles.metrics import LEVELS
from reliability_platform.service.dashboard.charts import DayChart, DayMark, line
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone
from reliability_platform.service.queries.answer import EVERYTHING
from reliability_platform.service.queries.profile_alarms import (
    ProfileAlarm,
    ProfileSeries,
    profile_alarms,
    profile_series,
)
from reliability_platform.service.queries.profiles import ProfileFilter, ProfilePoint, accepted_rows, profile_page
from reliability_platform.service.queries.publications import publication_page

KEYS = {
    "series": "value of the landing day",
    "alarm": "as an incident found it",
    "held": "held in a version that is kept",
}


WHOLE = "the whole delivery"
"""In the place of a column, where a number is about none."""


@dataclass(frozen=True)
class SeriesLink:
    """One series that can be drawn."""

    series: ProfileSeries
    name: str
    address: str
    """What stands behind the `?`."""
    alarms: int


@dataclass(frozen=True, kw_only=True)
class ProfilesView(PageView):
    """What the page shows."""

    source: str
    sources: tuple[str, ...]
    columns: list[str]
    column: str | None
    links: list[SeriesLink]
    """The series of the column."""
    name: str
    """Of the series that is drawn."""
    chart: DayChart | None
    points: list[ProfilePoint]
    """The newest day first."""
    told: dict[date, list[ProfileAlarm]]
    young: str
    """Why nothing is measured yet; empty where it is."""


def view(asked: PageRequest) -> ProfilesView:
    """One series; without a choice, the one that was told of last."""
    source = asked.choice("source", tuple(SOURCES)) or SOURCES[0]
    series, alarms = profile_series(asked.settings, source), profile_alarms(asked.engine, source)
    columns = sorted({one.subject for one in series})
    chosen = _chosen(asked, series, alarms)
    column = None if chosen is None else chosen.subject
    points = [] if chosen is None else _points(asked, source, chosen)
    told: dict[date, list[ProfileAlarm]] = {}
    for alarm in alarms:
        if chosen is not None and alarm.is_about(chosen):
            told.setdefault(alarm.landing_date, []).append(alarm)
    name = "" if chosen is None else _name(chosen)
    accepted = {} if points else accepted_rows(asked.engine, source)
    sentence, tone = _answer(source, name, points, told, len(accepted))
    return ProfilesView(
        sentence=sentence,
        tone=tone,
        source=source,
        sources=tuple(SOURCES),
        columns=columns,
        column=column,
        links=[_link(source, one, alarms) for one in series if one.subject == column],
        name=name,
        chart=_chart(asked, source, name, points, told) if points else _rows_chart(source, accepted),
        points=points,
        told=told,
        young=_young(source, len(accepted)),
    )


def _chosen(asked: PageRequest, series: list[ProfileSeries], alarms: list[ProfileAlarm]) -> ProfileSeries | None:
    subject, names = asked.query.get("column"), ("kind", "part", "within")
    if subject is None:
        exactly_first = sorted(alarms, key=lambda one: (one.kind is not None, one.landing_date), reverse=True)
        told = [one for alarm in exactly_first for one in series if alarm.is_about(one)]
        return next(iter([*told, *series]), None)
    of_column = [one for one in series if one.subject == subject]
    if not of_column:
        if not series:
            return None
        raise UsageError(f"There is no profile of {printable(subject, 100)!r}: choose one of the columns.")
    wanted = {name: asked.query[name] for name in names if name in asked.query}
    exact = [one for one in of_column if all(getattr(one, name) == value for name, value in wanted.items())]
    if not exact:
        raise UsageError(f"There is no such number of {printable(subject, 100)!r}: choose one of its list.")
    told_first = [one for one in exact if any(alarm.is_about(one) for alarm in alarms)]
    return (told_first or exact)[0]


def _points(asked: PageRequest, source: str, one: ProfileSeries) -> list[ProfilePoint]:
    found = profile_page(asked.settings, ProfileFilter(source, one.kind, one.subject), EVERYTHING).items
    return [point for point in found if (point.part, point.within) == (one.part, one.within)]


def _name(one: ProfileSeries) -> str:
    part = f" {one.part!r}" if one.part else ""
    return f"{one.subject or WHOLE}: {one.kind}{part}{f' within {one.within}' if one.within else ''}"


def _link(source: str, one: ProfileSeries, alarms: list[ProfileAlarm]) -> SeriesLink:
    fields = {"source": source, "column": one.subject, "kind": one.kind, "part": one.part, "within": one.within}
    days = {alarm.landing_date for alarm in alarms if alarm.is_about(one)}
    return SeriesLink(one, _name(one), urlencode(fields), len(days))


def _answer(
    source: str, name: str, points: list[ProfilePoint], told: dict[date, list[ProfileAlarm]], judged: int
) -> tuple[str, Tone]:
    if not points and judged:
        return f"{source} is young: {counted(judged, 'landing day')}, no column of which is measured yet.", Tone.PLAIN
    if not points:
        return f"Nothing of {source} has landed yet.", Tone.PLAIN
    days = counted(len(points), "landing day")
    told_days = [one.landing_date for one in points if one.landing_date in told]
    if told_days:
        return f"{source}, {name}: {counted(len(told_days), 'day')} of {len(points):,} stood out.", Tone.PLAIN
    return f"{source}, {name}: none of {days} stood out.", Tone.GOOD


def _young(source: str, judged: int) -> str:
    return (
        f"The columns of {source} are measured from its landing day number {MIN_HISTORY_DAYS + 1} on, those of the days before "
        f"with it: a day is compared with {MIN_HISTORY_DAYS} before it, and {judged} {'has' if judged == 1 else 'have'} landed."
    )


def _rows_chart(source: str, accepted: dict[date, int]) -> DayChart | None:
    title = f"{source}, accepted rows"
    return line(
        title, f"{title} on {counted(len(accepted), 'landing day')}.", accepted, keys={"series": KEYS["series"]}
    )


def _chart(
    asked: PageRequest, source: str, name: str, points: list[ProfilePoint], told: dict[date, list[ProfileAlarm]]
) -> DayChart | None:
    values = {one.landing_date: one.value for one in points if one.value is not None}
    marks = [
        DayMark(day, "alarm", ", ".join("-".join(one.incident.split("-")[:2]) for one in some), some[0].found)
        for day, some in told.items()
    ]
    for version in reversed(publication_page(asked.settings).items):
        marks += [
            DayMark(one.landing_date, "held", f"held in {version.version}")
            for one in version.held
            if one.source == source
        ]
    used = {one.kind for one in marks if one.day in values} | {"series"}
    keys = {kind: means for kind, means in KEYS.items() if kind in used}
    alt = f"{name} on {counted(len(values), 'landing day')}; {counted(len(told), 'day was', 'days were')} told of."
    one = points[0] if points else None
    share = one is not None and one.kind not in LEVELS
    return line(f"{source}, {name}{', as a share of the rows behind it' if share else ''}", alt, values, marks, keys)


PAGE = DashboardPage(
    "profiles", "Profiles", "How did a column go, and which days stood out?", PageGroup.DATA, view, "profiles"
)

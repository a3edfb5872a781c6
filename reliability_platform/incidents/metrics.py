"""How long incidents take: to be noticed, answered, recovered from, brought to an end; and how long data were wrong.

Derived from the raw times of each incident, nowhere stored. A symptom of another incident is none of its own. A false
alarm had nothing to recover from: it is counted, its times are not. What has not happened yet has no length: with open
incidents the numbers of the later phases are too good, so the table says how many incidents each of them rests on.

The median of an even number of durations is the mean of the two in the middle. The 95th percentile is the nearest rank:
the shortest duration of the group that at least 95 % of them do not exceed. Below 20 durations that is the longest one.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from statistics import median
from typing import Any

from reliability_platform.formats import NOTHING, duration
from reliability_platform.incidents.classes import CLASSES, Severity
from reliability_platform.incidents.documents.blocks import Block, Grid, Heading, Paragraph
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.times import Times

SMALL = 20
"""With fewer durations, the 95th percentile is the longest of them."""


@dataclass(frozen=True)
class Measure:
    """One duration of an incident, under the name that the field has for it."""

    name: str
    short: str
    means: str
    of: Callable[[Times], timedelta | None]


MEASURES = (
    Measure(
        "time_to_detect",
        "TTD",
        "first bad write to detection (MTTD where averaged)",
        lambda times: times.time_to_detect,
    ),
    Measure(
        "time_to_acknowledge",
        "TTA",
        "detection to first answer, by a person or by the remediation (MTTA)",
        lambda times: times.time_to_acknowledge,
    ),
    Measure(
        "time_to_recover",
        "TTR (recover)",
        "detection to data that are right again (MTTR, R as in recover)",
        lambda times: times.time_to_recover,
    ),
    Measure(
        "time_to_resolve",
        "TTR (resolve)",
        "detection to the end of the incident (MTTR, R as in resolve)",
        lambda times: times.time_to_resolve,
    ),
    Measure(
        "data_downtime",
        "data downtime",
        "first bad write, or else detection, to recovery",
        lambda times: times.data_downtime,
    ),
)


class GroupedBy(StrEnum):
    """By what incidents may be told apart."""

    SEVERITY = "severity"
    CLASS = "class"


@dataclass(frozen=True)
class Spread:
    """The durations of one measure in a group."""

    n: int
    median: timedelta | None
    p95: timedelta | None
    mean: timedelta | None = None

    @property
    def is_small(self) -> bool:
        """Whether the 95th percentile is the longest duration."""
        return 0 < self.n < SMALL


@dataclass(frozen=True)
class Group:
    """Incidents of one severity or class, or all of them."""

    name: str
    incidents: int
    """Real ones, without symptoms of others and false alarms."""
    open: int
    false_alarms: int
    spreads: dict[str, Spread]
    """By the name of the measure."""


def spread(durations: Sequence[timedelta]) -> Spread:
    """Median and 95th percentile, as the module defines them."""
    if not durations:
        return Spread(0, None, None)
    ordered = sorted(durations)
    rank = math.ceil(95 * len(ordered) / 100)
    middle = median(one.total_seconds() for one in ordered)
    mean = sum(ordered, timedelta(0)) / len(ordered)
    return Spread(len(ordered), timedelta(seconds=middle), ordered[rank - 1], mean)


def _group(name: str, incidents: Sequence[Incident]) -> Group:
    real = [incident for incident in incidents if incident.state is not State.FALSE_ALARM]
    spreads = {}
    for measure in MEASURES:
        durations = (measure.of(incident.times) for incident in real)
        spreads[measure.name] = spread([one for one in durations if one is not None])
    return Group(
        name=name,
        incidents=len(real),
        open=sum(incident.is_open for incident in real),
        false_alarms=len(incidents) - len(real),
        spreads=spreads,
    )


def metrics(incidents: Sequence[Incident], by: GroupedBy | None = None) -> list[Group]:
    """All incidents as one group, after one per severity or class if asked for; groups without incidents are left out."""
    causes = [incident for incident in incidents if not incident.is_symptom]
    groups = []
    if by is not None:
        names: Iterable[str] = Severity if by is GroupedBy.SEVERITY else CLASSES
        for name in names:
            found = [one for one in causes if name == (one.severity if by is GroupedBy.SEVERITY else one.failure_class)]
            if found:
                groups.append(_group(str(name), found))
    return [*groups, _group("all", causes)]


def document(groups: Sequence[Group]) -> dict[str, Any]:
    """For a program; durations in seconds."""

    def seconds(duration: timedelta | None) -> float | None:
        return None if duration is None else round(duration.total_seconds(), 3)

    return {
        "measures": {measure.name: measure.means for measure in MEASURES},
        "groups": [
            {
                "group": group.name,
                "incidents": group.incidents,
                "open": group.open,
                "false_alarms": group.false_alarms,
                **{
                    name: {"n": one.n, "median_seconds": seconds(one.median), "p95_seconds": seconds(one.p95)}
                    for name, one in group.spreads.items()
                },
            }
            for group in groups
        ],
    }


def header() -> list[str]:
    """The columns of the table for people."""
    return ["", "incidents", *(f"{measure.short}: median / p95 (n)" for measure in MEASURES)]


def row(group: Group) -> list[str]:
    """One group as a line of that table; `max` marks a 95th percentile that is the longest one."""
    notes = [f"{group.open} open" if group.open else "", f"{group.false_alarms} false" if group.false_alarms else ""]
    counted = ", ".join([str(group.incidents), *filter(None, notes)])
    cells = []
    for measure in MEASURES:
        one = group.spreads[measure.name]
        mark = "max " if one.is_small else ""
        cells.append(f"{duration(one.median)} / {mark}{duration(one.p95)} ({one.n})" if one.n else NOTHING)
    return [group.name, counted, *cells]


LEGEND = "; ".join(f"{measure.short}: {measure.means}" for measure in MEASURES) + (
    f". max: of fewer than {SMALL} durations, the 95th percentile is the longest."
)


def page(groups: Sequence[Group]) -> list[Block]:
    """As a section of a document."""
    return [Heading(2, "How long incidents take"), Grid(header(), [row(group) for group in groups]), Paragraph(LEGEND)]

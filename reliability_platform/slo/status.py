"""Where each objective stands on a landing day: its budget, how fast it burns, which days and incidents have spent it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Engine, select

from reliability_platform.day_clock import Service, simulated
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_heads, incident_signals
from reliability_platform.slo.budget import Budget, budget, exhausted_since
from reliability_platform.slo.judgement import (
    BAD,
    GOOD,
    NOT_ASKED,
    UNKNOWN,
    Judgements,
    Marks,
    Spans,
    judgements,
    spans,
)
from reliability_platform.slo.objectives import BurnAlert, Judged, Objective, Objectives, burns_at
from reliability_platform.slo.runs import RunsStatus, runs_status
from reliability_platform.warehouse.first_shown import published_at

PARAMETERS = 500
"""Values in one `in (…)`: databases limit how many a statement may bind."""


@dataclass(frozen=True)
class BadDay:
    """A landing day that has spent budget."""

    day: date
    checks: list[str]
    """The checks that were bad; and the promised hour, if consumers were not shown the day by then."""
    incidents: list[str]
    """The incidents to which their failures belong; none if no sensor has read them yet."""
    noticed_later: bool
    """Whether all of these checks had passed at first, so that consumers may have been shown the day."""


@dataclass(frozen=True)
class UnknownDay:
    """A landing day of which nobody can say whether it was good."""

    day: date
    checks: list[str]
    """The checks that were never evaluated."""


@dataclass(frozen=True)
class ObjectiveStatus:
    """One objective at the end of a landing day."""

    objective: Objective
    first_day: date
    """Of the window, or of the dataset if that is younger."""
    last_day: date
    budget: Budget
    burns: Mapping[int, Budget]
    """By window in landing days, the longest first."""
    burning: list[BurnAlert]
    """The alerts both of whose windows burn."""
    exhausted_since: date | None
    """The landing day from which on the budget has been exhausted without a break; two windows back at the earliest."""
    bad_days: list[BadDay]
    unknown_days: list[UnknownDay]


@dataclass(frozen=True)
class SloStatus:
    """All objectives as of one landing day; None if nothing has ever been judged."""

    as_of: date | None
    burn_windows: tuple[int, ...]
    objectives: list[ObjectiveStatus]
    runs: RunsStatus | None = None
    """None where nothing is promised of runs, or where a past day or some datasets were asked for."""
    freezes: bool = False
    """Whether changes of a dataset without budget are frozen."""

    @property
    def exhausted(self) -> list[ObjectiveStatus]:
        """The objectives without any budget left."""
        return [one for one in self.objectives if one.budget.exhausted]

    @property
    def frozen(self) -> list[str]:
        """The datasets of which no change is deployed that nobody has approved."""
        return list(dict.fromkeys(one.objective.dataset for one in self.exhausted)) if self.freezes else []


def _newest(engine: Engine, objectives: Objectives, known: Spans, now: datetime) -> date | None:
    """The newest landing day that was judged, or that was due and should have been published by now."""
    judged = [last for _, last in known.values()]
    promised = [one for one in objectives.all if one.published_by is not None]
    due = Service(engine).due(now) if promised else []
    missed = [day for day in due if all((one.deadline(day) or now) <= now for one in promised)]
    return max([*judged, *missed[-1:]], default=None)


def _marks(checks: Sequence[Marks], young: int) -> Marks:
    """One mark per day from those of an objective's checks, of which the worst counts; none for the first days, as many as
    the dataset had not been there.
    """
    worst = (max(marks) for marks in zip(*checks, strict=True))
    return bytes(NOT_ASKED if place < young else mark or UNKNOWN for place, mark in enumerate(worst))


def _incidents_of(engine: Engine, failures: Sequence[int]) -> dict[int, str]:
    """The incident of each failed result; for a symptom, the incident of its cause."""
    found: dict[int, str] = {}
    causes: dict[str, str] = {}
    for start in range(0, len(failures), PARAMETERS):
        some = incident_signals.c.result_id.in_(failures[start : start + PARAMETERS])
        with engine.connect() as connection:
            rows = connection.execute(
                select(incident_signals.c.result_id, incident_signals.c.incident_id).where(some)
            ).all()
        found.update((row.result_id, row.incident_id) for row in rows)
        owners = select(incident_signals.c.incident_id).where(some)
        for symptom in IncidentStore(engine).find(
            incident_heads.c.is_symptom, incident_heads.c.incident_id.in_(owners)
        ):
            causes[symptom.id] = symptom.linked_to or symptom.id
    return {failure: causes.get(incident, incident) for failure, incident in found.items()}


class _Status:
    """One reading of the store for all objectives."""

    def __init__(self, engine: Engine, objectives: Objectives, known: Spans, as_of: date, now: datetime) -> None:
        self._engine, self._objectives, self._known, self._as_of, self._now = engine, objectives, known, as_of, now
        self._clock = simulated(engine)
        self._first_due = min(Service(engine).due(now), default=None)
        # As long again before the window, for since when a budget has been exhausted.
        longest = max((one.window for one in objectives.all), default=1)
        self._start = as_of - timedelta(days=2 * longest - 1)
        self._judged: Judgements = judgements(engine, known, self._start, as_of)
        failures = [self._failures(one) for one in objectives.all]
        self._incidents = _incidents_of(engine, sorted({one for found in failures for one in found}))

    def _counted(self, objective: Objective) -> list[Marks]:
        """What counts of the judgements for the objective, by check."""
        all_marks = self._judged.first if objective.judged is Judged.FIRST else self._judged.ever
        return [all_marks[name] for name in objective.checks]

    def _published(self, objective: Objective) -> Marks:
        """Whether consumers were shown each day by the promised hour; not asked before that hour has come."""
        days = [self._day(place) for place in range((self._as_of - self._start).days + 1)]
        if objective.published_by is None:
            return bytes([NOT_ASKED] * len(days))
        shown = published_at(self._engine, objective.dataset, self._start, self._as_of)

        def mark(day: date) -> int:
            deadline, at = objective.deadline(day), shown.get(day)
            assert deadline is not None
            if self._clock.moment(day, at or self._now) > deadline:
                return BAD
            return NOT_ASKED if at is None else GOOD

        return bytes(map(mark, days))

    def _born(self, objective: Objective) -> date | None:
        """The first day of which anything was judged, or that was due."""
        found = [self._known[name][0] for name in objective.checks if name in self._known]
        if objective.published_by is not None and self._first_due is not None:
            found.append(self._first_due)
        return min(found, default=None)

    def _failures(self, objective: Objective) -> set[int]:
        """The ids of the failed results that made days of the window bad."""
        marks = zip(objective.checks, self._counted(objective), strict=True)
        days = (self._as_of - self._start).days + 1
        window = range(days - objective.window, days)
        return {self._judged.failure[name, place] for name, of in marks for place in window if of[place] == BAD}

    def _day(self, place: int) -> date:
        return self._start + timedelta(days=place)

    def of(self, objective: Objective) -> ObjectiveStatus:
        """Where one objective stands."""
        checks, born, published = self._counted(objective), self._born(objective), self._published(objective)
        young = len(published) if born is None else (born - self._start).days
        marks = _marks([*checks, published], young)
        burns = {window: budget(objective.target, marks, window) for window in self._objectives.burn_windows}
        since = exhausted_since(objective.target, marks, objective.window)
        window = range(len(marks) - objective.window, len(marks))
        old = [place for place in window if place >= young]
        return ObjectiveStatus(
            objective=objective,
            first_day=self._day(old[0] if old else window[0]),
            last_day=self._as_of,
            budget=budget(objective.target, marks, objective.window),
            burns=burns,
            burning=[alert for alert in self._objectives.alerts if burns_at(alert, burns)],
            exhausted_since=None if since is None else self._day(since),
            bad_days=[self._bad_day(objective, published, place) for place in window if marks[place] == BAD],
            unknown_days=[
                UnknownDay(self._day(place), self._with(UNKNOWN, objective, place))
                for place in window
                if marks[place] == UNKNOWN
            ],
        )

    def _with(self, mark: int, objective: Objective, place: int) -> list[str]:
        """The checks that have a mark on a day."""
        marks = zip(objective.checks, self._counted(objective), strict=True)
        return [name for name, of in marks if of[place] == mark]

    def _bad_day(self, objective: Objective, published: Marks, place: int) -> BadDay:
        bad, late = self._with(BAD, objective, place), published[place] == BAD
        owners = (self._incidents.get(self._judged.failure[name, place]) for name in bad)
        return BadDay(
            day=self._day(place),
            checks=bad + ([f"published by {objective.published_by:%H:%M}"] if late else []),
            incidents=sorted({owner for owner in owners if owner is not None}),
            noticed_later=not late and all(self._judged.first[name][place] == GOOD for name in bad),
        )


def status(engine: Engine, objectives: Objectives, now: datetime, as_of: date | None = None) -> SloStatus:
    """Where all objectives stand at the end of `as_of`, by default the newest landing day that was judged or due.

    It counts what the store says today of the days up to `as_of`: a failure noticed later is in it.
    """
    runs = None
    if objectives.runs is not None and as_of is None:
        runs = runs_status(engine, objectives.runs, objectives.burn_windows, objectives.alerts, now)
    known = spans(engine)
    day = as_of or _newest(engine, objectives, known, now)
    if day is None or (not known and Service(engine).since() is None):
        return SloStatus(None, objectives.burn_windows, [], runs, objectives.freezes)
    reading = _Status(engine, objectives, known, day, now)
    found = [reading.of(objective) for objective in objectives.all]
    return SloStatus(day, objectives.burn_windows, found, runs, objectives.freezes)

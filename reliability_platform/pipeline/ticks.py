"""What the sensors do at a tick: failed checks become incidents, and each open incident goes one step further."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.checks.run_monitor import monitor_runs
from reliability_platform.checks.steps import INCIDENTS_NOTICED, Step, steps
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import Clock, spans
from reliability_platform.contracts import CONTRACTS
from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.deadlines import note_missed
from reliability_platform.incidents.detection import Surroundings, take_in
from reliability_platform.incidents.impact import consumers
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.pickup import pick_up
from reliability_platform.operations.cursors import advance, cursor_of
from reliability_platform.remediation.called_right import called_right
from reliability_platform.remediation.due import due, may_act
from reliability_platform.remediation.heal import (
    days_due,
    end_if_recovered,
    runs_from_the_source,
    seems_recovered,
    verify,
)
from reliability_platform.remediation.owner import ask_owner
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.remediation.standstill import arrived, note_standstill
from reliability_platform.settings import Settings
from reliability_platform.sources.source import is_picked_up
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

RESULTS_PER_READING = 20_000
"""So many results are in memory at once."""
RUN_OVER_DAYS = 4
"""So many days between two that must be run again cost less in their run than a second run does: 0.6 s each, for 3 s."""
SENSOR = "incident_sensor"
"""Under this name stands how far the results have been read."""


def notice(
    settings: Settings, engine: Engine, clock: Clock, first: Callable[[], None] = lambda: None
) -> tuple[list[str], int]:
    """Read the results that nobody has read: the ids of the incidents that changed, and the number of the last one read.

    `first` writes down what the monitors read. Each step that fails costs only itself. Results that it failed with are
    read again at the next tick, with all that came since.

    The number is kept once all results up to it have been taken in. Whoever is killed before leaves them to be read again:
    a result enters an incident in one transaction with its own number, which another reading finds taken.
    """
    changed: list[str] = []
    with steps(engine, INCIDENTS_NOTICED, clock()) as step:
        with step("runs that died could not be written down"):
            first()
        monitor_runs(settings, engine, clock(), step)
        with step("new check results could not be read"):
            _read_results(settings, engine, clock, step, changed)
        with step("deadlines could not be looked at"):
            changed += note_missed(settings, engine, clock())
    store = IncidentStore(engine)
    for incident in store.open():
        with noted(store, incident, clock(), "Whether it has recovered could not be found out"):
            # Most have not, by what has just been read of them: to read each of 26 again took 90 ms.
            if seems_recovered(incident) and end_if_recovered(
                settings, engine, incident.id, clock(), "incident sensor"
            ):
                changed.append(incident.id)
    return list(dict.fromkeys(changed)), cursor_of(engine, SENSOR)


def _read_results(settings: Settings, engine: Engine, clock: Clock, step: Step, changed: list[str]) -> None:
    """Read to the last result; the cursor waits before the first that could not be brought into an incident.

    SQLite gives the numbers of rows that were lost again: a store that ends before the cursor is read from its beginning.
    """
    checks, read, waits = CheckStore(engine), cursor_of(engine, SENSOR), False
    if read > checks.last_id():
        read = 0
    around = Surroundings(settings, lambda: consumers(settings, ensure_manifest()))
    while results := checks.after(read, RESULTS_PER_READING):
        ids, again = take_in(engine, results, clock(), around, step)
        changed += ids
        read = results[-1][0]
        if not waits:
            advance(engine, SENSOR, again - 1 if again else read)
        waits = waits or again is not None


@dataclass(frozen=True)
class Rerun:
    """One run over landing days that the last actions on these incidents changed."""

    incidents: list[Incident]
    from_the_source: bool
    """From landing on; else from admission on."""
    days: tuple[date, date]
    """The first and the last of them."""


@dataclass(frozen=True)
class TickSteps:
    """What is to be done next about the open incidents, and what has been."""

    act: list[Incident]
    """The action of their policy is to be taken."""
    verified: list[Incident]
    """Their days had been run again: it has been looked whether that helped."""
    runs: list[Rerun]
    """Their days are to be run again: first all actions, then runs over the days that they changed."""
    arrivals: list[tuple[Incident, list[date]]]
    """What has come by itself is to be taken in, whether an attempt is left or not."""
    called_right: list[tuple[Incident, list[date]]]
    """False alarms whose days are held until they are run again."""


def take_steps(settings: Settings, engine: Engine, clock: Clock, actor: str) -> TickSteps:
    """Verify what can be verified, and say what is due by policy and limits. One incident that fails costs only itself."""
    store = IncidentStore(engine)
    waiting: list[tuple[Incident, list[date]]] = []
    verified: list[Incident] = []
    arrivals: list[tuple[Incident, list[date]]] = []
    open_ones = store.open()
    for source, days in _awaited_days(settings, open_ones).items():
        with steps(engine, INCIDENTS_NOTICED, clock()) as step, step(f"where {source} delivers could not be looked at"):
            pick_up(settings, source, days)
    act = due(settings, engine, open_ones, clock())
    chosen = {incident.id for incident in act}
    for incident in open_ones:
        if incident.id in chosen:
            continue
        if incident.state is State.RECOVERING and incident.attempts:
            with noted(store, incident, clock(), "Its recovery could not be verified"):
                pending = days_due(settings, engine, incident)
                if pending:
                    waiting.append((incident, pending))
                else:
                    verify(settings, engine, incident.id, clock(), actor)
                    verified.append(store.get(incident.id))
        else:
            with noted(store, incident, clock(), "What has landed for it could not be found out"):
                days = arrived(settings, incident)
                if days:
                    arrivals.append((incident, days))
                elif not _left_to_its_owner(settings, engine, incident, clock(), actor):
                    note_standstill(settings, engine, incident, clock(), actor)
    runs: list[Rerun] = []
    for from_the_source in (True, False):
        some = [one for one in waiting if runs_from_the_source(one[0]) is from_the_source]
        for first, last in () if act else spans_to_run(day for _, pending in some for day in pending):
            concerned = [one for one, pending in some if any(first <= day <= last for day in pending)]
            runs.append(Rerun(concerned, from_the_source, (first, last)))
    again = called_right(settings, engine, clock()) if settings.automation and not act and not runs else []
    return TickSteps(act, verified, runs, [] if act or runs else arrivals, again)


def spans_to_run(wanted: Iterable[date]) -> list[tuple[date, date]]:
    """Days as the first and last of each run over them: short gaps are run over."""
    found: list[tuple[date, date]] = []
    for first, last in spans(wanted):
        if found and (first - found[-1][1]).days - 1 <= RUN_OVER_DAYS:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _awaited_days(settings: Settings, incidents: Sequence[Incident]) -> dict[str, list[date]]:
    """By source whose deliveries are picked up, the landing days of open incidents: what is right may lie there now."""
    found: dict[str, set[date]] = {}
    for incident in incidents:
        for source in incident.sources:
            if source in CONTRACTS and is_picked_up(settings, source):
                found.setdefault(source, set()).update(incident.partitions)
    return {source: sorted(days) for source, days in found.items()}


def _left_to_its_owner(settings: Settings, engine: Engine, incident: Incident, now: datetime, actor: str) -> bool:
    """Whether the owner of a source that sends by itself must mend it; he hears of it."""
    return POLICIES[incident.failure_class].automatic and ask_owner(settings, engine, incident, now, actor)


def waiting_for_a_person(settings: Settings, engine: Engine, now: datetime) -> Sequence[Incident]:
    """The incidents whose action is taken as soon as somebody approves it."""
    store, found = IncidentStore(engine), list[Incident]()
    for incident in store.all():
        with noted(store, incident, now, "Whether it waits for a person could not be found out"):
            if not may_act(settings, engine, incident, now) and may_act(settings, engine, incident, now, approved=True):
                found.append(incident)
    return found

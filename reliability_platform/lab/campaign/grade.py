"""Joins what happened in a trial with the truth of each scenario. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from reliability_platform.checks.facts import Facts
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.model import Incident, State
from reliability_platform.lab.campaign.grid import Scenario, lane_of
from reliability_platform.lab.campaign.recovery import actions_begun, seconds_to_recover
from reliability_platform.lab.campaign.trial import RERUN_DAYS, Observation
from reliability_platform.lab.faults.fault import Containment
from reliability_platform.lab.faults.truth import Truth
from reliability_platform.lab.scorecard.containment import own_dates, was_told
from reliability_platform.lab.scorecard.quarantined import Quarantined
from reliability_platform.lab.scorecard.score import HEALED, noticed_at, seconds_between
from reliability_platform.lab.scorecard.severity import expected_severity
from reliability_platform.remediation.shared_tests import is_of_a_whole_table


@dataclass(frozen=True)
class ScenarioOutcome:
    """What became of one scenario. The fields are those of `scenarios[]` in the campaign's document."""

    id: str
    fault: str
    family: str
    source: str
    magnitude: str
    window: str
    first_day: str
    last_day: str
    seed: int
    detected: bool
    """Whether an incident names its source and its failure class on its days."""
    detected_by: list[str]
    """The checks of that incident."""
    expected_class: str | None
    incident: str | None
    incidents: int
    """Incidents on its lane and days; 1 is the aim."""
    other_incidents: list[str]
    root_cause_right: bool
    """Source, class, root dataset, no day too many, and the column where there is one."""
    root_cause: dict[str, Any]
    severity: str | None
    expected_severity: str | None
    severity_right: bool
    contained: bool | None
    """None where it cannot be told: consumers saw a table of several sources that differs, and others were hit as well."""
    told: bool
    """Whether wrong numbers were published where the catalogue allows it, and the incident said so."""
    healed: bool
    """Whether its incidents are over and no difference in the end is its own, as far as that can be told."""
    quarantine: dict[str, Any]
    days_to_detect: float | None
    """Landing days from its first one to the first that failed a check; 0 is the same day."""
    seconds_to_detect: float | None
    """From the landing of its first bad row to the opened incident, in a trial whose days all land at once."""
    seconds_to_recover: float | None
    """From the detection to data that are right again; see `recovery`."""
    remediations: int
    """Actions that were begun on its incidents."""
    changed_first: str | None
    """What its incident names first among what changed since the last good run, of a fault of the running platform."""
    changed_file_first: bool | None
    """Whether that is the file that was changed; None for a fault that changes none."""


@dataclass(frozen=True)
class ControlOutcome:
    """What became of one control; `false_alarms` are incidents on its source and days."""

    id: str
    control: str
    source: str
    first_day: str
    last_day: str
    seed: int
    false_alarms: int
    checks: list[str]


@dataclass(frozen=True)
class TrialOutcome:
    """One trial, graded."""

    scenarios: list[ScenarioOutcome]
    controls: list[ControlOutcome]
    kills: dict[str, list[str]]
    """Scenario → checks that failed on its lane and days."""
    false_alarms_elsewhere: list[str]
    """Incidents that no scenario and no control explains."""
    clean_partition_days: int
    """Landing days of sources that no fault touched."""
    z_score: dict[str, bool]
    """Scenario or control → whether a plain z-score on the row count alarms."""
    unexplained_differences: list[str]
    """`source/event date` whose published rows differ in the end although no fault or control explains it."""
    seconds: dict[str, float]


def _days(scenario: Scenario) -> set[date]:
    return {scenario.first_day + timedelta(days=offset) for offset in range(scenario.span)}


def _is_real(incident: Incident) -> bool:
    # A symptom that was merged into its cause ends as a false alarm that is linked to it.
    return incident.state is not State.FALSE_ALARM or incident.linked_to is None


def _incidents_of(scenario: Scenario, incidents: Iterable[Incident]) -> list[Incident]:
    lane, days = lane_of(scenario.source), _days(scenario)
    return [one for one in incidents if _is_real(one) and one.source in lane and days & own_days(one)]


def own_days(incident: Incident) -> set[date]:
    """The landing days that an incident is about. A test of a whole table fails on every day that is built while something is wrong
    in it: days on which nothing else failed were taken for those of the fault, and controls on them for false alarms.
    """
    of_tests = {one.partition for one in incident.signals if is_of_a_whole_table(one.check)}
    others = {one.partition for one in incident.signals if not is_of_a_whole_table(one.check)}
    return (set(incident.partitions) - (of_tests - others)) if others else set(incident.partitions)


def _primary(scenario: Scenario, found: list[Incident]) -> Incident | None:
    declared = scenario.declared
    same = [one for one in found if (one.source, one.failure_class) == (scenario.source, declared.expected_class)]
    # Of two sources that disagree, it is one of them that says so.
    other = [one for one in found if one.failure_class in declared.also_known_as]
    return next(iter([*same, *other]), None)


def _days_since(incident: Incident, known: int) -> set[date]:
    """The days that an incident has named since its timeline had so many entries: one that came back keeps those of before."""
    named = {date.fromisoformat(day) for one in incident.timeline[known:] for day in one.data.get("partitions", [])}
    return named or set(incident.partitions)


def _root_cause(truth: Truth, incident: Incident | None, known: int) -> dict[str, Any]:
    if incident is None:
        return {"class": False, "dataset": False, "days": False, "column": None}
    column, by_another = None, incident.failure_class in truth.also_known_as
    if by_another:
        return {"class": True, "dataset": True, "days": _in_time(truth, incident, known), "column": None}
    if truth.expected_column is not None:
        column = incident.column == truth.expected_column
    return {
        "class": incident.failure_class == truth.expected_class,
        "dataset": incident.root_dataset == truth.expected_root,
        "days": _in_time(truth, incident, known),
        "column": column,
    }


def _in_time(truth: Truth, incident: Incident, known: int) -> bool:
    return _days_since(incident, known) <= set(truth.landing_dates)


def _contained(truth: Truth, shown: set[date] | None, quarantine: Quarantined) -> bool | None:
    """No bad row was ever published: the dates were held, or each bad row sits in quarantine. None if nobody can tell."""
    if truth.containment == Containment.NONE_NEEDED.value or shown == set():
        return True
    if quarantine.true_rows and quarantine.hit_rows == quarantine.true_rows:
        return True
    return None if shown is None else False


def _against_truth(truth: Truth, quarantine: Quarantined) -> dict[str, Any]:
    """Rows of the quarantine; precision and recall only where the bad rows belong there."""
    wanted = truth.containment in (Containment.ROWS.value, Containment.FILES.value)
    return {
        **asdict(quarantine),
        "precision": quarantine.precision if wanted else None,
        "recall": quarantine.recall if wanted else None,
    }


def _noticed(incident: Incident) -> date:
    """The first landing day that failed a check by itself; those that a drift began on are known from a later one."""
    return min(Facts.read(one.facts).noticed_on or one.partition for one in incident.signals)


def outcome_of(
    scenario: Scenario,
    truth: Truth,
    incidents: Iterable[Incident],
    quarantine: Quarantined,
    *,
    shown: set[date] | None,
    wrong_in_the_end: set[date] | None,
    known: Mapping[str, int] | None = None,
    changed_first: Mapping[str, str] | None = None,
) -> ScenarioOutcome:
    """Grade one scenario by the incidents on its lane and days.

    `shown` are the event dates of its own that some version showed differently than the oracle, `wrong_in_the_end` those
    that the last one still does, each None if nobody can tell whose a difference is: then it is healed if its incidents
    are over. `known` says how long the timelines of incidents were already that came back, `changed_first` what each
    names first among what changed.
    """
    found, known = list(incidents), known or {}
    primary = _primary(scenario, found)
    cause = _root_cause(truth, primary, known.get(primary.id, 0) if primary else 0)
    ended = all(one.state in HEALED or one.state is State.FALSE_ALARM for one in found)
    contained = _contained(truth, shown, quarantine)
    suspect = (changed_first or {}).get(primary.id) if primary else None
    expected = expected_severity(
        scenario.declared.expected_severity,
        truth.containment,
        len(truth.landing_dates),
        primary.severity.value if primary else None,
    )
    return ScenarioOutcome(
        id=scenario.id,
        fault=scenario.fault,
        family=scenario.declared.family,
        source=scenario.source,
        magnitude=scenario.magnitude,
        window=scenario.window,
        first_day=scenario.first_day.isoformat(),
        last_day=truth.landing_dates[-1].isoformat() if truth.landing_dates else scenario.last_day.isoformat(),
        seed=scenario.seed,
        detected=primary is not None,
        detected_by=primary.checks if primary else [],
        expected_class=scenario.declared.expected_class,
        incident=primary.id if primary else None,
        incidents=len(found),
        other_incidents=[one.id for one in found if one is not primary],
        root_cause_right=all(value is not False for value in cause.values()),
        root_cause=cause,
        severity=primary.severity.value if primary else None,
        expected_severity=expected,
        severity_right=primary is not None and primary.severity.value == expected,
        contained=contained,
        told=was_told(truth, contained=contained is not False, detected=primary is not None),
        healed=primary is not None and ended and not wrong_in_the_end,
        quarantine=_against_truth(truth, quarantine),
        days_to_detect=float(max(0, (_noticed(primary) - scenario.first_day).days)) if primary else None,
        seconds_to_detect=seconds_between(truth.injected_at, noticed_at(truth, primary)) if primary else None,
        seconds_to_recover=seconds_to_recover(primary, known.get(primary.id, 0) if primary else 0),
        remediations=sum(actions_begun(one, known.get(one.id, 0)) for one in found),
        changed_first=suspect,
        changed_file_first=None if truth.changed_file is None else suspect == truth.changed_file,
    )


def own_wrong_dates(wrong: set[date], dates: set[date], *, differs_together: bool, is_alone: bool) -> set[date] | None:
    """The event dates among `dates` of a fault that a version showed wrong; None if nobody can tell. `wrong` are those of tables of
    its source alone. Where there is no such table and one of several sources differs (`differs_together`), that is its doing
    if nothing else was hit: a campaign without such tables called every fault contained.
    """
    if not differs_together or not dates:
        return wrong
    return dates if is_alone else None


def _scenario(observation: Observation, scenario: Scenario, truth: Truth) -> ScenarioOutcome:
    dates = own_dates(truth, observation.truths, (scenario.source,))

    def own(wrong: Mapping[str, set[date]], together: set[str]) -> set[date] | None:
        is_alone, differs = observation.plan.scenarios == (scenario,), scenario.source in together
        return own_wrong_dates(wrong[scenario.source] & dates, dates, differs_together=differs, is_alone=is_alone)

    return outcome_of(
        scenario,
        truth,
        _incidents_of(scenario, observation.incidents),
        observation.quarantined[truth.fault, truth.source, truth.landing_date],
        shown=own(observation.shown_wrong, observation.shown_together),
        wrong_in_the_end=own(observation.wrong_in_the_end, observation.together_in_the_end),
    )


def _control(observation: Observation, scenario: Scenario) -> ControlOutcome:
    found = [one for one in _incidents_of(scenario, observation.incidents) if one.source == scenario.source]
    return ControlOutcome(
        id=scenario.id,
        control=scenario.fault,
        source=scenario.source,
        first_day=scenario.first_day.isoformat(),
        last_day=scenario.last_day.isoformat(),
        seed=scenario.seed,
        false_alarms=len(found),
        checks=sorted({check for one in found for check in one.checks}),
    )


def _rerun_controls(observation: Observation) -> list[ControlOutcome]:
    """The re-run of the first clean days, a control for each source."""
    return [
        ControlOutcome(
            id=f"rerun_of_clean_days/{source}/{observation.plan.number}",
            control="rerun_of_clean_days",
            source=source,
            first_day=observation.plan.first_day.isoformat(),
            last_day=(observation.plan.first_day + timedelta(days=RERUN_DAYS - 1)).isoformat(),
            seed=observation.plan.seed,
            false_alarms=sum(f"-{source}-" in one for one in observation.incidents_of_rerun),
            checks=[],
        )
        for source in SOURCES
    ]


def _failing(results: Iterable[CheckResult]) -> dict[tuple[str, date], set[str]]:
    found: dict[tuple[str, date], set[str]] = {}
    for result in results:
        if result.status is CheckStatus.FAILED:
            found.setdefault((result.source, result.partition), set()).add(result.check)
    return found


def _z_score_alarms(delivered: dict[tuple[str, date], int]) -> set[tuple[str, date]]:
    """The baseline that everybody has: the day's rows against mean and standard deviation of the four weeks before."""
    alarms = set()
    for source in SOURCES:
        series = sorted((day, count) for (one, day), count in delivered.items() if one == source)
        for place, (day, count) in enumerate(series):
            past = [rows for _, rows in series[max(0, place - 28) : place]]
            if len(past) >= 14:
                mean = sum(past) / len(past)
                deviation = (sum((rows - mean) ** 2 for rows in past) / (len(past) - 1)) ** 0.5
                if abs(count - mean) > 3 * max(deviation, 1e-9):
                    alarms.add((source, day))
    return alarms


def grade(observation: Observation) -> TrialOutcome:
    """Grade one trial."""
    truths = {(one.fault, one.source, one.landing_date): one for one in observation.truths}
    failing = _failing(observation.results)
    z_alarms = _z_score_alarms(observation.delivered_rows)
    scenarios, controls = [], _rerun_controls(observation)
    kills: dict[str, list[str]] = {}
    z_score: dict[str, bool] = {}
    explained: set[str] = set()
    touched: set[tuple[str, date]] = set()
    differences = {(source, day) for source, dates in observation.wrong_in_the_end.items() for day in dates}
    for scenario in observation.plan.scenarios:
        truth = truths[scenario.fault, scenario.source, scenario.first_day]
        lane, days = lane_of(scenario.source), _days(scenario)
        explained |= {one.id for one in _incidents_of(scenario, observation.incidents)}
        touched |= {(source, day) for source in lane for day in days}
        # Rows late by nature belong to the day before; where some did not come, that date differs as well.
        before = {day - timedelta(days=1) for day in truth.landing_dates}
        differences -= {(scenario.source, day) for day in before | set(truth.event_dates)}
        z_score[scenario.id] = any((scenario.source, day) in z_alarms for day in days)
        if scenario.declared.is_control:
            controls.append(_control(observation, scenario))
        else:
            failed = [failing.get((source, day), set()) for source in lane for day in days]
            kills[scenario.id] = sorted(set().union(*failed))
            scenarios.append(_scenario(observation, scenario, truth))
    real = {one.id for one in observation.incidents if _is_real(one)}
    partition_days = {(source, date.fromordinal(day)) for source in SOURCES for day in _ordinals(observation)}
    return TrialOutcome(
        scenarios=scenarios,
        controls=controls,
        kills=kills,
        false_alarms_elsewhere=sorted(real - explained),
        clean_partition_days=len(partition_days - touched),
        z_score=z_score,
        unexplained_differences=sorted(f"{source}/{day}" for source, day in differences),
        seconds=observation.seconds,
    )


def _ordinals(observation: Observation) -> range:
    first = observation.plan.first_day.toordinal()
    return range(first, first + observation.plan.days)

"""Injections on a running platform, one after the other: hit, noticed, lifted, healed, and compared with the oracle."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.changes import what_changed
from reliability_platform.incidents.model import Incident
from reliability_platform.lab.campaign.grade import ScenarioOutcome, TrialOutcome, outcome_of, own_wrong_dates
from reliability_platform.lab.campaign.grid import Scenario, TrialPlan
from reliability_platform.lab.campaign.trial import Trial, prove
from reliability_platform.lab.faults.truth import Truth, load_truths
from reliability_platform.lab.scorecard.live_fault import live_fault
from reliability_platform.lab.scorecard.quarantined import Quarantined
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.publication import CURRENT, publications

AT_MOST = 100_000
"""Results of one injection that are looked through; a build and its audit have some hundred a day."""


def _truth_of(trial: Trial, scenario: Scenario, known: Sequence[Truth]) -> Truth:
    before = {(one.fault, one.source, one.magnitude) for one in known}
    found = [one for one in load_truths(trial.settings) if (one.fault, one.source, one.magnitude) not in before]
    return next(one for one in found if (one.fault, one.source) == (scenario.fault, scenario.source))


def _changed_first(trial: Trial, incidents: Sequence[Incident]) -> dict[str, str]:
    """What each incident names first among what changed since the last good run; nothing where it names nothing."""
    manifest = ensure_manifest()
    found = {one.id: what_changed(trial.settings, trial.engine, manifest, one).changes for one in incidents}
    return {name: changes[0].name for name, changes in found.items() if changes}


def _one(trial: Trial, scenario: Scenario) -> tuple[ScenarioOutcome, list[str]]:
    """Inject a fault, respond, lift, heal, compare; the outcome and the checks that failed."""
    known_truths = load_truths(trial.settings)
    known = {incident.id: len(incident.timeline) for incident in trial.incidents.all()}
    before = trial.checks.last_id()
    versions = {publication.version for publication in publications(trial.settings)}
    with live_fault(trial.settings, trial.plan.seed, scenario.injection()) as injected:
        truth = _truth_of(trial, scenario, known_truths)
        results = trial.respond(scenario.injection())
    # All that failed meanwhile, and not only what still does: a source that answers again has passed by now.
    monitored = [one for _, one in trial.checks.after(before, AT_MOST) if CHECKS[one.check].engine == "run"]
    trial.heal()
    # Opened by this injection, or opened again: the same failure of the same day had healed before.
    incidents: list[Incident] = [one for one in trial.incidents.all() if len(one.timeline) > known.get(one.id, 0)]
    fresh = [one.version for one in publications(trial.settings) if one.version not in versions]
    dates = set(injected.event_dates)

    def own(versions: Sequence[Path]) -> set[date] | None:
        wrong, differs = trial.wrong(versions)[scenario.source], scenario.source in trial.wrong_together(versions)
        return own_wrong_dates(wrong & dates, dates, differs_together=differs, is_alone=True)

    outcome = outcome_of(
        scenario,
        truth,
        incidents,
        Quarantined(0, 0, 0),
        shown=own([trial.settings.published / version for version in fresh]),
        wrong_in_the_end=own([trial.settings.published / CURRENT]),
        known=known,
        changed_first=_changed_first(trial, incidents),
    )
    failed = sorted({result.check for result in [*results, *monitored] if result.status is CheckStatus.FAILED})
    return outcome, failed


def run_live_trial(home: Path, plan: TrialPlan) -> TrialOutcome:
    """A clean platform, hit again and again."""
    started = time.perf_counter()
    trial = Trial(home, plan)
    trial.faults = replace(trial.faults, injections=())
    trial.faults.save(trial.settings)
    trial.land()
    clean = trial.judge(trial.window)
    prove(trial)
    built = time.perf_counter()
    outcomes, kills = [], {}
    for scenario in plan.scenarios:
        outcome, failed = _one(trial, scenario)
        outcomes.append(outcome)
        kills[scenario.id] = failed
    in_the_end = trial.wrong([trial.settings.published / CURRENT])
    return TrialOutcome(
        scenarios=outcomes,
        controls=[],
        kills=kills,
        false_alarms_elsewhere=sorted({one.check for one in clean if one.status is CheckStatus.FAILED}),
        clean_partition_days=len(trial.window) * len(SOURCES),
        z_score={scenario.id: False for scenario in plan.scenarios},  # rows that landed do not change
        unexplained_differences=[f"{source}/{day}" for source, days in in_the_end.items() for day in sorted(days)],
        seconds={"build": round(built - started, 2), "injections": round(time.perf_counter() - built, 2)},
    )

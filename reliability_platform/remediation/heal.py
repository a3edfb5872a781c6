"""The healing of one incident: act, let the pipeline run again, verify. Journaled before and after; it never loops."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from reliability_platform.causes import CAUSES, Cause, cause_of
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.gate import GateObjection, held
from reliability_platform.checks.results import UNTOLD, CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.checks.watched import RecoveryWatch
from reliability_platform.counted import counted
from reliability_platform.ending import stop_first
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES, AskFor, Harm
from reliability_platform.incidents.impact import BAD, phase_of, record_impact
from reliability_platform.incidents.model import (
    BROKEN_OFF,
    FAILED,
    NOT_RECOVERED,
    NOT_RUN,
    OUTCOME,
    UNCONFIRMED,
    Incident,
    Signal,
    State,
    TimelineEntry,
)
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.working_copy import bring_in_decisions
from reliability_platform.masking import error_text
from reliability_platform.remediation.actions import ACTIONS, Action, Done, action_named, in_words
from reliability_platform.remediation.actions.run_again import EVENT_DATES, FROM_THE_SOURCE
from reliability_platform.remediation.at_work import at_work
from reliability_platform.remediation.changes import WORLD, changed_since, environment_fingerprint
from reliability_platform.remediation.evidence import replacements
from reliability_platform.remediation.lateness import LATE_SLOTS, Slot, out_of_turn
from reliability_platform.remediation.ledger import REPLACEMENT, Replay, ReplayLedger
from reliability_platform.remediation.policy import POLICIES, stays_on_record
from reliability_platform.remediation.shared_tests import is_of_a_whole_table, waits_for
from reliability_platform.remediation.time_limit import within
from reliability_platform.settings import Settings
from reliability_platform.warehouse.publication import is_due as publication_is_due

RERUN_WITHIN = timedelta(hours=6)
"""Landing days that have not been run and judged after so long will not be without a person. The run is asked for
anew every hour and may last two: one that fails at once has six tries, one that takes all its time two or three, before an
attempt is spent on it.
"""

LONGEST_RUN = timedelta(hours=2)
"""No run lasts longer; Dagster ends it (`max_runtime_seconds`)."""

MAX_TOLD = 400
"""Letters of what the last attempt did, in an escalation."""


def describe(settings: Settings, incident: Incident, action: str | None = None) -> str:
    """What `act` would do for an incident now; changes nothing."""
    return action_named(action or POLICIES[incident.failure_class].action).describe(settings, incident)


def act(
    settings: Settings, engine: Engine, incident_id: str, now: datetime, actor: str, action: str | None = None
) -> Done:
    """Take the action of the incident's class, or another one that a person chose; returns what was done and the
    landing days to run again.

    Whether it is due is for `due.may_act` to say. On an incident whose action is done already it changes nothing. Raises
    `HomeBusyError` while another process acts on the same incident, and whatever the action itself raises; that, too,
    is on the timeline then, and counts as an attempt. An action whose process was killed is taken up again where it
    was broken off.
    """
    store = IncidentStore(engine)
    with at_work(settings, store.get(incident_id)):
        bring_in_decisions(settings, store.get(incident_id).sources)
        return _act(settings, engine, store.get(incident_id), now, actor, action)


def _keep_safe(
    settings: Settings, store: IncidentStore, incident: Incident, now: datetime, actor: str, action: Action
) -> Done:
    """What heals nothing is no attempt, and leaves the incident open."""
    if not incident.is_open:
        raise UsageError(f"{incident.id} is over: use `reliability publish --rollback`, `hold` or `release`.")
    words = f"Action: {action.purpose}"
    store.append(incident.id, now, actor, "action", words, {"action": action.name, "phase": "keeping_safe"})
    with within(POLICIES[incident.failure_class].time_limit, action.name):
        done = action.perform(settings, store.get(incident.id), actor)
    data = {"action": action.name, "phase": "kept_safe", "facts": dict(done.facts)}
    store.append(incident.id, now, actor, "action", done.summary, data)
    return done


def undo(settings: Settings, engine: Engine, incident_id: str, now: datetime, actor: str) -> str:
    """Take back the last action on an incident that can be taken back; what that was. Raises `UsageError` if there is
    none, or while the incident is being healed.
    """
    store = IncidentStore(engine)
    with at_work(settings, store.get(incident_id)):
        incident = store.get(incident_id)
        if incident.state is State.RECOVERING:
            raise UsageError(f"{incident.id} is being healed: wait until that has ended.")
        bring_in_decisions(settings, incident.sources)
        for name in dict.fromkeys(entry.data["action"] for entry in reversed(incident.timeline) if _took(entry)):
            action = action_named(name)
            words = None if action.undo is None else action.undo(settings, incident, actor)
            if words is not None:
                data = {"action": name, "phase": "undone"}
                store.append(incident.id, now, actor, "action", f"Undone: {words}", data)
                return words
    raise UsageError(f"Nothing was done about {incident.id} that could be taken back.")


def _took(entry: TimelineEntry) -> bool:
    return entry.data.get("phase") in ("done", "kept_safe") and entry.data.get("action") in ACTIONS


def _act(settings: Settings, engine: Engine, incident: Incident, now: datetime, actor: str, action: str | None) -> Done:
    store, policy = IncidentStore(engine), POLICIES[incident.failure_class]
    if action is not None and not action_named(action).heals:
        return _keep_safe(settings, store, incident, now, actor, action_named(action))
    if incident.state is not State.RECOVERING:
        if phase_of(incident) == BAD:
            record_impact(
                settings, engine, incident, now, BAD
            )  # what the bad data did; healing takes the evidence away
        chosen = action_named(action or policy.action)
        words = f"{chosen.purpose}; attempt {incident.attempts + 1} of {policy.max_attempts}"
        changed = changed_since(settings, incident)
        if changed:
            words += f"; changed since the last one: {', '.join(changed)}"
        elif incident.attempts:
            words += "; nothing has changed since the last one"
        # Journaled before: an action that kills its process was an attempt, and must not be tried for ever.
        begun = {"action": chosen.name, "phase": "begun"}
        store.move(incident.id, State.RECOVERING, now, actor, f"Action: {words}", **begun)
    elif incident.acting_since is None:
        return Done(f"Done already: {_last(incident, 'done').why}", list(incident.pending_reruns))
    else:  # nobody else is at work: whoever began it is gone
        chosen = action_named(_last(incident, "begun").data["action"])
        words = f"The attempt to {chosen.purpose} was broken off: it is taken up again."
        store.append(incident.id, now, actor, "action", words, {"action": chosen.name, "phase": "resumed"})
    incident = store.get(incident.id)
    try:
        with stop_first(), within(policy.time_limit, chosen.name):
            done = chosen.perform(settings, incident, actor)
    except Exception as error:
        failed = {"action": chosen.name, "phase": "failed", "reruns": []}
        store.append(incident.id, now, actor, "action", f"Failed: {error_text(error)}", failed)
        _give_up(settings, store, incident, now, actor, "The action failed.", FAILED, cause_of(error))
        raise
    replays = [*done.replays, *(_landed_before(settings, incident) if incident.resumed else ())]
    ReplayLedger(engine).record(replays, incident.id, incident.attempts, now)
    # A day that came as it was may have been told for those before it, as the last one of a drift.
    reruns = sorted({*done.reruns, *_left_failing(engine, incident)}) if done.reruns else []
    data = {
        "action": chosen.name,
        "phase": "done",
        "reruns": [day.isoformat() for day in reruns],
        "results_before": CheckStore(engine).last_id(),
    }
    data |= {"facts": dict(done.facts), WORLD: environment_fingerprint(settings, incident)}
    store.append(incident.id, now, actor, "action", done.summary, data)
    return done


def _left_failing(engine: Engine, incident: Incident) -> set[date]:
    """The days of an incident on which a check of it has not passed since it failed. An action may have judged some itself:
    those that it put back are not built again.
    """
    now = CheckStore(engine).statuses(sorted({day for _, day in incident.still_failing}))
    failing = (key for key in incident.still_failing if key not in now or now[key][0] is not CheckStatus.PASSED)
    return {day for _, day in failing}


def _landed_before(settings: Settings, incident: Incident) -> list[Replay]:
    """What a process may have landed that died before the ledger knew. What the ledger knows stays as it is."""
    return [
        Replay(one.batch_id, one.source, one.landing_date, REPLACEMENT, one.checksum)
        for one in replacements(settings, incident.source, incident.partitions)
    ]


def runs_from_the_source(incident: Incident) -> bool:
    """Whether the landing days that the last action changed are to be run from landing on: by the action, or by what it
    found.
    """
    done = next((one for one in reversed(incident.timeline) if one.data.get("phase") == "done"), None)
    found = done is not None and done.data.get("facts", {}).get(FROM_THE_SOURCE, False)
    return bool(found) or action_named(_last(incident, "begun").data["action"]).from_the_source


def reruns_of(incident: Incident) -> set[tuple[str, date]]:
    """The sources and landing days that the last action changed and that the pipeline must run again."""
    return {(source, day) for source in incident.sources for day in incident.pending_reruns}


def rerun_is_due(settings: Settings, engine: Engine, incident: Incident) -> bool:
    """Whether a day that the last action changed is to be run again."""
    return bool(days_due(settings, engine, incident))


def days_due(settings: Settings, engine: Engine, incident: Incident) -> list[date]:
    """The days that the last action changed and nobody has judged since; all of them if what was judged is not published: a
    run that was killed in between would leave consumers with what they had.
    """
    if incident.state is not State.RECOVERING:
        return []
    judged = _judged_since(engine, incident) if incident.pending_reruns else set()
    left = [day for day in incident.pending_reruns if day not in judged]
    return left or (incident.pending_reruns if publication_is_due(settings) else [])


def _last(incident: Incident, phase: str) -> TimelineEntry:
    return next(entry for entry in reversed(incident.timeline) if entry.data.get("phase") == phase)


def _judged_since(engine: Engine, incident: Incident) -> set[date]:
    """Those of the days that the last action changed which were judged after it."""
    conserved = f"rec_batches__conserved__{incident.source}"
    return {day for _, day in _later(CheckStore(engine), incident, incident.pending_reruns, {conserved})}


def _later(
    checks: CheckStore, incident: Incident, days: Sequence[date], names: Collection[str]
) -> set[tuple[str, date]]:
    """Those of some checks, and the days, that were judged after the last action.

    Results have an order of their own, for clocks are set back. It is not enough: an audit that began before the
    action may have ended after it; its time says so, unless that is too far back for any run that was under way.
    """
    acted_at = incident.acted_at
    return {
        (result.check, result.partition)
        for result in checks.latest(days, names, after=incident.acted_after or 0)
        if acted_at is None
        or result.evaluated_at >= acted_at
        or (incident.acted_after is not None and result.evaluated_at < acted_at - LONGEST_RUN)
    }


def _stands(result: CheckResult | None, had_failed: bool) -> bool:
    """Whether a result speaks for recovery: passed. What has never failed may also have had too little past to compare
    with, or no rows to judge.
    """
    if result is None:
        return False
    return result.status is CheckStatus.PASSED or (result.reason in UNTOLD and not had_failed)


def _failed(incident: Incident) -> set[tuple[str, date]]:
    """The checks that objected to the data, by landing day; those that broke off only have to be evaluated."""
    return {
        (signal.check, signal.partition) for signal in incident.signals if signal.status == CheckStatus.FAILED.value
    }


def _on_record(incident: Incident) -> dict[str, list[date]]:
    """The failures that stay, rightly: by their check."""
    found: dict[str, list[date]] = {}
    for signal in incident.signals:
        if stays_on_record(signal.check, signal.dataset) and signal.partition not in found.get(signal.check, []):
            found.setdefault(signal.check, []).append(signal.partition)
    return found


def _wanted(incident: Incident) -> set[tuple[str, date]]:
    """The checks that must pass, by landing day: those that had failed and can pass again, and the policy's proof, as far
    as the project has such checks.
    """
    policy = POLICIES[incident.failure_class]
    failed = {
        (signal.check, signal.partition)
        for signal in incident.signals
        if stays_on_record(signal.check, signal.dataset) is None and signal.check in CHECKS
    }
    if CLASSES[incident.failure_class].told_by_people:
        failed = set()  # nothing evaluates what a person has seen
    proof = {(name, day) for name in policy.proof for day in incident.partitions}
    proof |= {(name, day) for name in policy.event_date_proof for day in _event_dates(incident)}
    return failed | {(check, day) for name, day in proof if (check := name.format(source=incident.source)) in CHECKS}


def _event_dates(incident: Incident) -> set[date]:
    """The event dates that the last action has let be judged anew besides the landing days."""
    done = next((one for one in reversed(incident.timeline) if one.data.get("phase") == "done"), None)
    facts = done.data.get("facts", {}) if done else {}
    return {*incident.partitions, *map(date.fromisoformat, facts.get(EVENT_DATES, []))}


def _late_slots(incident: Incident) -> set[Slot]:
    """The slots of which the source has said, when it was asked again, that their rows came late."""
    told = [entry.data.get("facts", {}).get(LATE_SLOTS, ()) for entry in incident.timeline]
    return {(date.fromisoformat(day), slot) for slots in told for day, slot in slots}


def _held_by_others(objections: Iterable[GateObjection], day: date, others: Iterable[Incident]) -> list[str] | None:
    """The other open incidents to which all that holds a day belongs; None if one of the checks is nobody's."""
    holders: dict[str, None] = {}
    for objection in objections:
        owner = next((one.id for one in others if (objection.check, day) in one.still_failing), None)
        if owner is None:
            return None
        holders[owner] = None
    return list(holders)


def _objections(
    settings: Settings, engine: Engine, incident: Incident, others: Iterable[Incident], *, without_tests: bool = False
) -> tuple[list[str], list[str]]:
    """What still speaks against recovery, and the other incidents that hold the same days; empty if nothing does.
    `without_tests` leaves out those of whole tables.
    """
    checks = CheckStore(engine)
    wanted, had_failed = _wanted(incident), _failed(incident)
    days = sorted({*incident.partitions, *(day for _, day in wanted)})
    names = {check for check, _ in wanted}
    results = {(result.check, result.partition): result for result in checks.latest(days, names)}
    changed = set(incident.pending_reruns)

    later = _later(checks, incident, days, names)

    def speaks(check: str, day: date) -> bool:
        # A result on a run is about a run that is over: running its days again does not make it older.
        return day not in changed or CHECKS[check].engine == "run" or (check, day) in later

    found = [
        f"{check} on {day} has not passed{_because(results.get((check, day)))}"
        for check, day in sorted(wanted)
        if not (without_tests and is_of_a_whole_table(check))
        and not (speaks(check, day) and _stands(results.get((check, day)), (check, day) in had_failed))
    ]
    if AskFor.WRONG_CLOCK in CLASSES[incident.failure_class].asks_for:
        late = _late_slots(incident)
        found += [one.words for one in out_of_turn(settings, incident.source, incident.partitions, late)]
    holders: list[str] = []
    about_days = not CLASSES[incident.failure_class].of_the_home
    partitions = [(source, day) for source in incident.sources for day in incident.partitions if about_days]
    for (source, day), all_of_them in held(checks, partitions).items():
        objections = [one for one in all_of_them if not (without_tests and is_of_a_whole_table(one.check))]
        elsewhere = _held_by_others(objections, day, others)
        if elsewhere is None:
            found.append(f"{source} {day} is still held: {objections[0]}")
        else:
            holders += elsewhere
    return found, list(dict.fromkeys(holders))


def _because(result: CheckResult | None) -> str:
    """Why a check that neither passed nor failed has no result."""
    return f" ({result.message})" if result is not None and result.status is CheckStatus.NOT_EVALUATED else ""


def _give_up(
    settings: Settings,
    store: IncidentStore,
    incident: Incident,
    now: datetime,
    actor: str,
    what: str,
    outcome: str,
    cause: Cause | None = None,
) -> None:
    """End an attempt that did not help. What it changed is undone or left inert: its days stay held, and consumers see
    nothing. What would only fail again for the same cause is left to a person at once.
    """
    policy, last = POLICIES[incident.failure_class], _last(incident, "begun")
    action = action_named(last.data["action"])
    taken_back = None if action.undo is None else action.undo(settings, incident, actor)
    if taken_back is not None:
        undone = {"action": action.name, "phase": "undone"}
        store.append(incident.id, now, actor, "action", f"Undone: {taken_back}", undone)
    cause = cause or _usual_cause(incident)
    stays = outcome in (NOT_RECOVERED, FAILED) and not cause.is_transient and incident.attempts >= action.ways
    data: dict[str, Any] = {OUTCOME: outcome, "cause": cause.name}
    if outcome in (NOT_RECOVERED, FAILED):
        # As the attempt left it: what anybody has changed since is a reason to try again. What was undone is none.
        left = [one.data[WORLD] for one in incident.timeline if WORLD in one.data and one.number > last.number]
        data[WORLD] = left[-1] if left and taken_back is None else environment_fingerprint(settings, incident)
    if incident.attempts < policy.max_attempts and not stays:
        store.move(incident.id, State.CONTAINED, now, actor, f"{what} It will be tried again.", **data)
        return
    if incident.attempts < policy.max_attempts:
        words = f"{what} Trying again changes nothing while {cause.why}: a person must decide, or change something."
    else:
        words = f"{what} No attempts are left: a person must decide."
    store.move(incident.id, State.CONTAINED, now, actor, words, **data)
    tried = "once" if incident.attempts == 1 else counted(incident.attempts, "time")
    done = next((one for one in incident.timeline if one.number > last.number and one.kind == "action"), None)
    came = f" What the last attempt did: {done.why[:MAX_TOLD]}" if done else ""
    why = f"The platform is at its end, having tried {tried}: {policy.escalation} must decide.{came}"
    key = f"escalation-{incident.id}-{incident.lives}-{incident.attempts}"
    store.append(incident.id, now, actor, "escalation", why, {"to": policy.escalation}, key=key)


def _ask_for_confirmation(store: IncidentStore, incident: Incident, now: datetime, actor: str) -> None:
    """Leave an incident that a person has reported to people: its days are built again, and no check can say whether that was it."""
    to = POLICIES[incident.failure_class].escalation
    words = f"{_last(incident, 'done').why[:MAX_TOLD]} Nothing holds its days. Whether it is right now, {to} must say: "
    words += f"`reliability incidents resolve {incident.id} --why TEXT`."
    data = {OUTCOME: UNCONFIRMED, "cause": _usual_cause(incident).name}
    store.move(incident.id, State.CONTAINED, now, actor, words, **data)
    key = f"confirmation-{incident.id}-{incident.lives}-{incident.attempts}"
    store.append(incident.id, now, actor, "escalation", words, {"to": to}, key=key)


def _usual_cause(incident: Incident) -> Cause:
    """What an incident comes of, by its errors, else by its class."""
    return CAUSES[incident.triage.classification.cause]


def verify(settings: Settings, engine: Engine, incident_id: str, now: datetime, actor: str) -> bool:
    """Resolve a recovering incident if its checks pass and nothing is held for it; whether it is recovered.

    Otherwise the timeline says why, and the incident waits for its next attempt, or for a person if none is left.
    """
    store = IncidentStore(engine)
    incident = store.get(incident_id)
    if incident.state is not State.RECOVERING:
        return incident.state in (State.VERIFIED, State.RESOLVED, State.CLOSED)
    if incident.acting_since is not None:
        if now - incident.acting_since > POLICIES[incident.failure_class].time_limit:
            _give_up(settings, store, incident, now, actor, "The action was broken off.", BROKEN_OFF)
        return False
    if rerun_is_due(settings, engine, incident):
        if incident.acted_at is not None and now - incident.acted_at > RERUN_WITHIN:
            _give_up(settings, store, incident, now, actor, "Its landing days were not run again.", NOT_RUN)
        return False
    others = [one for one in store.open() if one.id != incident.id]
    objections, holders = _objections(settings, engine, incident, others)
    waits = waits_for(incident, others) if objections else []
    if waits and not _objections(settings, engine, incident, others, without_tests=True)[0]:
        words = f"What is its own passes. What fails still fails for {', '.join(waits)} as well: it waits until that is over."
        store.move(incident.id, State.CONTAINED, now, actor, words)
        return False
    if objections:
        what = f"Not recovered: {'; '.join(objections[:3])}."
        _give_up(settings, store, incident, now, actor, what, NOT_RECOVERED)
        return False
    if CLASSES[incident.failure_class].told_by_people and incident.still_failing:
        _ask_for_confirmation(store, incident, now, actor)
        return False
    _resolve(engine, store, incident, holders, now, actor)
    return True


def _resolve(
    engine: Engine,
    store: IncidentStore,
    incident: Incident,
    holders: Sequence[str],
    now: datetime,
    actor: str,
    first: Sequence[tuple[State, str]] = (),
) -> None:
    """End an incident to which nothing objects, and say what passes, what stays on record, and what is still held."""
    wanted = sorted(_wanted(incident))
    failed = [one for one in _wanted_of_signals(incident) if one in wanted]
    passes = (
        f"What had failed passes on all its landing days ({', '.join(dict.fromkeys(check for check, _ in failed))})"
    )
    words = f"{passes if failed else 'What proves that no harm was done passes on all its landing days'}; "
    words += f"what is still held belongs to {', '.join(holders)}." if holders else "nothing is held."
    # What was asked for again has come in time since: of it nothing stays.
    failing = set(incident.still_failing)
    on_record = {
        check: left
        for check, days in _on_record(incident).items()
        if (left := [day for day in days if (check, day) in failing])
    }
    for check, days in on_record.items():
        why = stays_on_record(check, CHECKS[check].dataset)
        words += f" On record stays {check} of {in_words(sorted(days))}: {why}."
    measured: dict[str, Any] = _recovery_measured(engine, incident, now)
    if measured:
        words += f" RPO {measured['rpo_rows']:g} rows, RTO {measured['rto_seconds']:.0f} s."
    end = "Recovery verified: what had failed passes."
    if on_record:
        end = "Recovery verified; what stays on record made no number wrong."
    watch = _watch(engine, incident)
    if watch is not None:
        words += f" {watch.words}"
        measured |= {"watch": watch.kept}
    evidence = [{"check": check, "partition": day.isoformat()} for check, day in wanted]
    steps = [*first, (State.VERIFIED, words), (State.RESOLVED, end)]
    store.move_through(incident.id, steps, now, actor, passed=evidence, **measured)


def _watch(engine: Engine, incident: Incident) -> RecoveryWatch | None:
    """The landing days that nobody has judged yet: those judged meanwhile were as they should be without it."""
    days = POLICIES[incident.failure_class].watch_days
    judged = CheckStore(engine).newest_day(incident.sources)
    if not days:
        return None
    first = max(one for one in (judged, incident.partitions[-1]) if one is not None) + timedelta(days=1)
    return RecoveryWatch(first, first + timedelta(days=days - 1), tuple(incident.checks))


def _wanted_of_signals(incident: Incident) -> list[tuple[str, date]]:
    return [(signal.check, signal.partition) for signal in incident.signals]


def _still_failing(incident: Incident) -> list[Signal]:
    """What fails still and can pass again."""
    return [one for one in incident.still_failing.values() if stays_on_record(one.check, one.dataset) is None]


def seems_recovered(incident: Incident) -> bool:
    """Whether nobody is healing it and nothing of it fails any more, by its own timeline."""
    waits = incident.is_open and incident.state is not State.RECOVERING
    left = any(one.check in CHECKS for one in _still_failing(incident))
    # Of what stays on record alone nothing passes by itself: its action proves that it did no harm.
    judged = len(_on_record(incident)) < len({signal.check for signal in incident.signals}) or incident.attempts > 0
    return waits and not left and judged


def end_if_recovered(settings: Settings, engine: Engine, incident_id: str, now: datetime, actor: str) -> bool:
    """Resolve an incident that nobody is healing, if what had failed passes since: late batches have come, a later run
    has ended well. It costs no attempt, and none need be left. Whether it did.
    """
    store = IncidentStore(engine)
    incident = store.get(incident_id)
    if not seems_recovered(incident) or publication_is_due(settings):
        return False
    objections, holders = _objections(
        settings, engine, incident, [one for one in store.open() if one.id != incident.id]
    )
    if objections:
        return False
    began = "What had failed has passed since, without an action on it."
    withdrawn = sorted({one.check for one in _still_failing(incident)} - CHECKS.keys())
    if withdrawn:  # as a test that its owner has taken out of the dbt project: nothing can pass it any more
        began = f"Not asked any more, for no such check is left: {', '.join(withdrawn)}."
    _resolve(engine, store, incident, holders, now, actor, [(State.RECOVERING, began)])
    return True


def _recovery_measured(engine: Engine, incident: Incident, now: datetime) -> dict[str, float]:
    """After rows were lost and put back: how many delivered rows are missing for good, and how long it took from the
    detection on. Empty for incidents that lost nothing.
    """
    if CLASSES[incident.failure_class].harm is not Harm.LOSS:
        return {}
    counted = [f"rec_batches__conserved__{source}" for source in incident.sources]
    unaccounted = sum(abs(one.value or 0) for one in CheckStore(engine).latest(incident.partitions, counted))
    # Where no check said so before, verification is what says that the data are right again.
    recovered = replace(incident.times, recovered=incident.times.recovered or now).time_to_recover
    assert recovered is not None
    return {"rpo_rows": unaccounted, "rto_seconds": recovered.total_seconds()}

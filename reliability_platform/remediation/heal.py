"""The healing of one incident: act, let the pipeline run again, verify. Journaled before and after; it never loops."""

from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.checks.gate import held
from reliability_platform.checks.results import Verdict
from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.model import ENDED, Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.remediation.actions import Done, action_named
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.settings import Settings


def may_act(incident: Incident, *, approved: bool = False) -> bool:
    """Whether an action is due: open, not under way, allowed by the policy, and not tried too often."""
    policy = POLICIES[incident.failure_class]
    waiting = incident.state not in ENDED and incident.state is not State.RECOVERING
    return waiting and (policy.automatic or approved) and incident.attempts < policy.max_attempts


def act(settings: Settings, engine: Engine, incident_id: str, now: datetime, actor: str) -> Done:
    """Take the action of the incident's class. The landing days to run again are on the timeline."""
    store = IncidentStore(engine)
    incident = store.get(incident_id)
    policy = POLICIES[incident.failure_class]
    if incident.state is not State.RECOVERING:
        store.move(incident.id, State.RECOVERING, now, actor, f"Action: {policy.action.replace('_', ' ')}")
    done = action_named(policy.action)(settings, incident, actor)
    days = [day.isoformat() for day in done.reruns]
    store.append(incident.id, now, actor, "action", done.summary, {"action": policy.action, "reruns": days})
    return done


def rerun_is_due(engine: Engine, incident: Incident) -> bool:
    """Whether a day that the last action changed has not been judged since."""
    return incident.state is State.RECOVERING and bool(incident.pending_reruns) and not _judged_since(engine, incident)


def _judged_since(engine: Engine, incident: Incident) -> bool:
    since = incident.recovering_since
    assert since is not None
    judged = {
        result.partition
        for result in CheckStore(engine).latest(incident.partitions)
        if result.check == f"rec_batches__conserved__{incident.source}" and result.evaluated_at >= since
    }
    return set(incident.pending_reruns) <= judged


def _objections(engine: Engine, incident: Incident) -> list[str]:
    """What still speaks against recovery; empty if nothing does."""
    store = CheckStore(engine)
    verdicts = {(result.check, result.partition): result for result in store.latest(incident.partitions)}
    proof = POLICIES[incident.failure_class].proof
    if proof:
        wanted = {(name.format(source=incident.source), day) for name in proof for day in incident.partitions}
    else:
        wanted = {(signal.check, signal.partition) for signal in incident.signals}
    found = []
    for check, day in sorted(wanted):
        result = verdicts.get((check, day))
        if result is None or result.verdict is not Verdict.PASSED:
            found.append(f"{check} on {day} has not passed")
    partitions = [(incident.source, day) for day in incident.partitions]
    found += [
        f"{source} {day} is still held: {reasons[0]}" for (source, day), reasons in held(store, partitions).items()
    ]
    return found


def verify(engine: Engine, incident_id: str, now: datetime, actor: str) -> bool:
    """Resolve a recovering incident if its checks pass and nothing is held; otherwise say why, for the next attempt."""
    store = IncidentStore(engine)
    incident = store.get(incident_id)
    if incident.state is not State.RECOVERING or rerun_is_due(engine, incident):
        return False
    objections = _objections(engine, incident)
    if not objections:
        store.move(incident.id, State.VERIFIED, now, actor, "Its checks pass on all its landing days; nothing is held.")
        store.move(incident.id, State.RESOLVED, now, actor, "Recovery verified.")
        return True
    policy = POLICIES[incident.failure_class]
    over = incident.attempts >= policy.max_attempts
    words = f"Not recovered: {'; '.join(objections[:3])}. " + (
        "No attempts are left: a person must decide." if over else "It will be tried again."
    )
    store.move(incident.id, State.CONTAINED, now, actor, words)
    return False

"""Whether the platform may act on an incident now, and if not, why not, in words that the person on call reads."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine

from reliability_platform.causes import CAUSES
from reliability_platform.counted import counted
from reliability_platform.formats import clock
from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.classes import Policy
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.pauses import Pauses
from reliability_platform.remediation.actions import action_named
from reliability_platform.remediation.actions.re_request import nobody_can_send
from reliability_platform.remediation.at_work import broken_off
from reliability_platform.remediation.changes import WORLD, changed_since, last_outcome
from reliability_platform.remediation.conditions import CONDITIONS
from reliability_platform.remediation.owner import owner_must_send
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.remediation.shared_tests import awaited
from reliability_platform.settings import Settings

MAX_RESUMED = 3
"""How often an action is taken up again. A kill says little about the action; four of them do."""


def _switch(settings: Settings, incident: Incident) -> str | None:
    if not settings.automation:
        return "automation is switched off (RELIABILITY_AUTOMATION)"
    if incident.failure_class in settings.automation_off_for:
        return f"automation is switched off for {incident.failure_class} (RELIABILITY_AUTOMATION_OFF_FOR)"
    return None


def next_attempt_at(incident: Incident, policy: Policy) -> datetime | None:
    """The end of the wait between two attempts; None if there is none to wait for. Waits double."""
    if not incident.attempts or incident.begun_at is None:
        return None
    wait: timedelta = policy.backoff * 2 ** (incident.attempts - 1)
    return incident.begun_at + wait


def begun_lately(engine: Engine, now: datetime) -> int:
    """How many actions were begun within the last hour, on all incidents."""
    return IncidentStore(engine).actions_since(now - timedelta(hours=1))


def _alone(
    settings: Settings, engine: Engine, incident: Incident, policy: Policy, now: datetime, begun: int | None
) -> str | None:
    """What keeps the platform from acting while nobody watches."""
    switched_off = _switch(settings, incident)
    if switched_off is not None:
        return switched_off
    waits_until = next_attempt_at(incident, policy)
    if waits_until is not None and now < waits_until:
        return f"the next attempt is at {clock(waits_until)}"
    if incident.actions_taken >= settings.remediation_budget:
        return f"it has been acted upon {counted(incident.actions_taken, 'time')}, which is all that its budget allows"
    if (begun_lately(engine, now) if begun is None else begun) >= settings.remediations_per_hour:
        return f"{counted(settings.remediations_per_hour, 'action')} in one hour is the limit (RELIABILITY_REMEDIATIONS_PER_HOUR)"
    return None


def _resuming(settings: Settings, engine: Engine, incident: Incident) -> str | None:
    """What keeps an action that was broken off from being taken up again: it was due, whoever wanted it."""
    if not broken_off(settings, engine, incident):
        return "it is being healed"
    if incident.resumed >= MAX_RESUMED:
        return f"its action was broken off {counted(incident.resumed + 1, 'time')}: it may be what kills its process"
    return None if settings.attended else _switch(settings, incident)


def _blindly(settings: Settings, incident: Incident, policy: Policy) -> str | None:
    """What keeps the platform from doing once more what did not help, though nothing has changed since."""
    last = last_outcome(incident)
    if last is None or WORLD not in last.data or incident.attempts < action_named(policy.action).ways:
        return None
    cause = CAUSES[last.data["cause"]]
    if cause.is_transient or changed_since(settings, incident):
        return None
    return f"nothing has changed since the last attempt, and {cause.why}"


def idle(settings: Settings, incident: Incident) -> str | None:
    """Why the action of the class would change nothing now; None if it would, or something has changed for it to see."""
    action = action_named(POLICIES[incident.failure_class].action)
    if action.idle is None or changed_since(settings, incident):
        return None
    return action.idle(settings, incident)


def left_to_a_person(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> str | None:
    """Why `heal` would change nothing, so that a person must end the incident; None if it would do something."""
    policy = POLICIES[incident.failure_class]
    mended = CONDITIONS["what_failed_passes_again"]
    if policy.action == "confirm" and not mended.holds(settings, engine, incident, now):
        return mended.otherwise
    return idle(settings, incident) if nobody_can_send(settings, incident) else None


def obstacle(
    settings: Settings,
    engine: Engine,
    incident: Incident,
    now: datetime,
    *,
    approved: bool = False,
    decided: bool = False,
    begun: int | None = None,
) -> str | None:
    """Why no action is taken on the incident now; None if one may be.

    `approved` says that a person wants it: then neither the policy's caution nor its conditions count. `decided` says
    that a person wants it although the platform is at its end: that is what an escalation asks for. A process that a
    person watches (`attended` in the settings) does not wait. `begun` says how many actions count against the limit of
    an hour, for whoever asks about many incidents; by default the timeline is asked.
    """
    policy = POLICIES[incident.failure_class]
    if not incident.is_open:
        return "it is over"
    if incident.state is State.RECOVERING:
        return _resuming(settings, engine, incident)
    paused = Pauses(engine).sources(now)
    for source in incident.sources:
        if source in paused:  # its healing asks the source, or waits for what it sends
            return f"{source} {paused[source].words}; `reliability sources resume {source}` ends that"
    waits = None if decided else awaited(IncidentStore(engine), incident)
    if waits is not None:
        return waits
    # What has changed since the last attempt renews it once: a late file that lands by itself, a mended model.
    if incident.attempts >= policy.max_attempts and not decided and not changed_since(settings, incident):
        return f"no attempt is left: {policy.escalation} must decide"
    if policy.automatic or approved or decided:
        must = owner_must_send(settings, incident)
        if must is not None:
            return must
    if approved or decided:
        return None
    if not policy.automatic:
        return "it waits for a person's approval"
    for name in policy.conditions:
        if not CONDITIONS[name].holds(settings, engine, incident, now):
            return CONDITIONS[name].otherwise
    blind = _blindly(settings, incident, policy)
    if blind is not None:
        return blind
    nothing = idle(settings, incident)
    if nothing is not None:
        return f"{nothing}: {policy.escalation} must decide"
    return None if settings.attended else _alone(settings, engine, incident, policy, now, begun)


def may_act(settings: Settings, engine: Engine, incident: Incident, now: datetime, *, approved: bool = False) -> bool:
    """Whether nothing speaks against acting now."""
    return obstacle(settings, engine, incident, now, approved=approved) is None


def due(settings: Settings, engine: Engine, incidents: Sequence[Incident], now: datetime) -> list[Incident]:
    """Those on which to act now, in their order: no more than the limit of an hour leaves.

    What was asked for a moment ago and has not begun yet comes first again, for the order does not change: so it counts.
    """
    begun, found = begun_lately(engine, now), list[Incident]()
    for incident in incidents:
        with noted(IncidentStore(engine), incident, now, "Whether it can be healed could not be found out"):
            if obstacle(settings, engine, incident, now, begun=begun) is not None:
                continue
            found.append(incident)
            # An action that is taken up again was begun before: it has been counted, or is older than the hour.
            begun += incident.state is not State.RECOVERING
    return found

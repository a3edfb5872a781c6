"""What people decide at once: incidents, and landing days that are kept back or let go. The functions are those of the command line."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Depends, Response

from reliability_platform.checks.holds import Holds
from reliability_platform.clock import utc_now
from reliability_platform.incidents.decisions import EFFECTS, Decision, IncidentRole, decide, give_update
from reliability_platform.incidents.documents.messages import promised_for
from reliability_platform.incidents.reports import report
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.pauses import Pauses, PauseState
from reliability_platform.service.access.roles import Act
from reliability_platform.service.api import asked
from reliability_platform.service.api.access import (
    Caller,
    Ground,
    OnGround,
    allowed,
    router_of_acts,
)
from reliability_platform.service.api.launches import IdempotencyKey
from reliability_platform.service.api.problems import told_as
from reliability_platform.service.api.reads import IncidentId
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.service.queries.incidents import IncidentSummary, summary_of
from reliability_platform.service.queries.pauses import StandingPause, standing_pauses

router = router_of_acts()
Responder = Annotated[Caller, Depends(allowed(Act.DECIDE))]


class StandingHold(QueryAnswer):
    """A landing day that somebody keeps from consumers."""

    source: str
    """The source."""
    landing_date: date
    """The landing day."""
    actor: str
    """Who holds it."""
    why: str
    """The reason."""


class HoldsNow(QueryAnswer):
    """What is held by people, after the decision."""

    changed: bool
    """Whether the decision changed anything."""
    holds: list[StandingHold]
    """All days that people hold. It counts from the next publication on."""


def _decide(
    on: Ground,
    incident_id: str,
    decision: Decision,
    who: Caller,
    why: str,
    to: str = "",
    role: IncidentRole = IncidentRole.COMMANDER,
) -> IncidentSummary:
    store, now = IncidentStore(on.engine), utc_now()
    with told_as(404):
        incident = store.get(incident_id)
    with told_as(409):  # the texts have been looked at: what is left is what the state of the incident does not allow
        incident = decide(store, incident.id, decision, now, who.name, why, to, role)
    return summary_of(on.settings, incident, now)


@router.post("/incidents", status_code=201, tags=["incidents"], summary="Report something wrong that no check has seen")
def report_incident(
    on: OnGround,
    who: Annotated[Caller, Depends(allowed(Act.REPORT))],
    said: asked.ReportAsked,
    answer: Response,
    key: IdempotencyKey = None,
) -> IncidentSummary:
    """Opens an incident, or adds to the one that is open for the same source on these or neighbouring days.

    Nothing is held for it, and nothing is asked for again before somebody has looked. Only a person ends it.
    """
    now = utc_now()
    with told_as(409):  # the fields have been looked at: what is left is a key that was used for another report
        incident = report(on.settings, on.engine, said.by(who.name, key), now)
    answer.headers["Location"] = f"/v1/incidents/{incident.id}"
    return summary_of(on.settings, incident, now)


def _help(decision: Decision) -> str:
    return f"{EFFECTS[decision].help} Written on the timeline with your name."


@router.post("/incidents/{incident_id}/acknowledge", tags=["incidents"], description=_help(Decision.ACKNOWLEDGE))
def acknowledge(on: OnGround, who: Responder, incident_id: IncidentId, said: asked.WithReason) -> IncidentSummary:
    return _decide(on, incident_id, Decision.ACKNOWLEDGE, who, said.why)


@router.post("/incidents/{incident_id}/assign", tags=["incidents"], description=_help(Decision.ASSIGN))
def assign(on: OnGround, who: Responder, incident_id: IncidentId, said: asked.Assignment) -> IncidentSummary:
    return _decide(on, incident_id, Decision.ASSIGN, who, said.why, said.to, said.role)


@router.post("/incidents/{incident_id}/note", tags=["incidents"], description=_help(Decision.NOTE))
def note(on: OnGround, who: Responder, incident_id: IncidentId, said: asked.Because) -> IncidentSummary:
    return _decide(on, incident_id, Decision.NOTE, who, said.why)


@router.post("/incidents/{incident_id}/update", tags=["incidents"])
def update(on: OnGround, who: Responder, incident_id: IncidentId, said: asked.UpdateAsked) -> IncidentSummary:
    """Tell everybody who was told of it how it stands, and promise the next update; one that is late is told of."""
    store, now = IncidentStore(on.engine), utc_now()
    with told_as(404):
        incident = store.get(incident_id)
    with told_as(409):
        next_at = promised_for(incident, said.next_hours, now)
        incident = give_update(store, incident.id, said.say, next_at, now, who.name)
    return summary_of(on.settings, incident, now)


@router.post("/incidents/{incident_id}/resolve", tags=["incidents"], description=_help(Decision.RESOLVE))
def resolve(on: OnGround, who: Responder, incident_id: IncidentId, said: asked.Because) -> IncidentSummary:
    return _decide(on, incident_id, Decision.RESOLVE, who, said.why)


@router.post("/incidents/{incident_id}/reopen", tags=["incidents"], description=_help(Decision.REOPEN))
def reopen(on: OnGround, who: Responder, incident_id: IncidentId, said: asked.Because) -> IncidentSummary:
    return _decide(on, incident_id, Decision.REOPEN, who, said.why)


@router.post("/incidents/{incident_id}/false-alarm", tags=["incidents"], description=_help(Decision.FALSE_ALARM))
def false_alarm(on: OnGround, who: Responder, incident_id: IncidentId, said: asked.Because) -> IncidentSummary:
    return _decide(on, incident_id, Decision.FALSE_ALARM, who, said.why)


@router.post("/incidents/{incident_id}/close", tags=["incidents"], description=_help(Decision.CLOSE))
def close(on: OnGround, who: Responder, incident_id: IncidentId, said: asked.Because) -> IncidentSummary:
    return _decide(on, incident_id, Decision.CLOSE, who, said.why)


def _say(on: Ground, who: Caller, day: asked.OfLandingDay, *, hold: bool) -> HoldsNow:
    held = Holds(on.engine)
    say = held.hold if hold else held.release
    changed = say(day.source, day.date, who.name, day.why, utc_now())
    return HoldsNow(
        changed=changed,
        holds=[
            StandingHold(**{name: getattr(one, name) for name in StandingHold.model_fields})
            for one in held.standing().values()
        ],
    )


@router.post("/hold", tags=["publication"], summary="Keep a landing day from consumers")
def hold(on: OnGround, who: Annotated[Caller, Depends(allowed(Act.HOLD))], day: asked.OfLandingDay) -> HoldsNow:
    """Whatever the checks say; consumers keep its last good rows. It counts from the next publication on."""
    return _say(on, who, day, hold=True)


@router.post("/release", tags=["publication"], summary="Let a landing day go that somebody holds")
def release(on: OnGround, who: Annotated[Caller, Depends(allowed(Act.RELEASE))], day: asked.OfLandingDay) -> HoldsNow:
    """What checks object to stays held."""
    return _say(on, who, day, hold=False)


class PausedNow(QueryAnswer):
    """What is paused, after the decision."""

    changed: bool
    """Whether the decision changed anything."""
    paused: list[StandingPause]
    """All sources and tables that people have paused or withdrawn."""


def _pause(on: Ground, who: Caller, said: asked.Pausing, state: PauseState, until: datetime | None = None) -> PausedNow:
    now = utc_now()
    changed = Pauses(on.engine).say(said.kind, said.name, state, who.name, said.why, now, until)
    return PausedNow(changed=changed, paused=standing_pauses(on.engine, now))


@router.post("/pause", tags=["pipeline"], summary="Pause a source or a published table")
def pause(on: OnGround, who: Annotated[Caller, Depends(allowed(Act.PAUSE))], said: asked.PauseAsked) -> PausedNow:
    """A source is not asked, and nothing is told of the days that it misses; a table stays as it was published last."""
    return _pause(on, who, said, PauseState.PAUSED, said.until)


@router.post("/resume", tags=["pipeline"], summary="Let a source or a published table go on")
def resume(on: OnGround, who: Annotated[Caller, Depends(allowed(Act.PAUSE))], said: asked.Pausing) -> PausedNow:
    """A table that was withdrawn is published again, too. Days that a source was not asked for are run by `run-pipeline`."""
    return _pause(on, who, said, PauseState.ACTIVE)

"""Open incidents on which the platform does not act: what has come for them by itself, and that nothing can be done."""

from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.model import OUTCOME, Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.remediation import evidence
from reliability_platform.remediation.changes import NOTHING_TO_DO, WORLD, environment_fingerprint, last_outcome
from reliability_platform.remediation.conditions import CONDITIONS
from reliability_platform.remediation.contract_change import reads_anew
from reliability_platform.remediation.due import idle
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.settings import Settings


def arrived(settings: Settings, incident: Incident) -> list[date]:
    """The landing days of an incident on which a batch has landed that admission has not seen, or which a compatible change
    of the contract reads in another way.

    To take it in is no attempt: it is what a run of the day does, and needs neither policy nor approval. So it goes on
    with automation switched off (`RELIABILITY_AUTOMATION`), which stops what the platform does about failures.
    """
    sources = [source for source in incident.sources if source in SOURCES]
    return [
        day
        for day in incident.partitions
        if any(evidence.waiting(settings, source, day) or reads_anew(settings, source, day) for source in sources)
    ]


def note_standstill(settings: Settings, engine: Engine, incident: Incident, now: datetime, actor: str) -> None:
    """Escalate an incident whose action would change nothing: no attempt is spent on it, and a person hears of it once.

    Once more only after something has changed and that did not help either.
    """
    policy = POLICIES[incident.failure_class]
    if not policy.automatic or incident.attempts or last_outcome(incident) is not None:
        return
    if not all(CONDITIONS[name].holds(settings, engine, incident, now) for name in policy.conditions):
        return
    why = idle(settings, incident)
    if why is None:
        return
    data = {
        "to": policy.escalation,
        OUTCOME: NOTHING_TO_DO,
        "cause": incident.triage.classification.cause,
        WORLD: environment_fingerprint(settings, incident),
    }
    words = f"The platform can do nothing about it by itself: {why}. {policy.escalation[:1].upper()}"
    words += f"{policy.escalation[1:]} must decide."
    key = f"standstill-{incident.id}-{incident.lives}"
    IncidentStore(engine).append(incident.id, now, actor, "escalation", words, data, key=key)

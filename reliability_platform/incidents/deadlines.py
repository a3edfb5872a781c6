"""Notes on the timeline what was due and is late: a missed deadline that nobody sees is missed twice."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.response import overdue, read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_heads
from reliability_platform.settings import Settings

ACTOR = "incident sensor"


def note_missed(settings: Settings, engine: Engine, now: datetime) -> list[str]:
    """Append each deadline that has passed since; once each. Returns the ids of the incidents concerned."""
    policy, store = read_policy(settings.response_policy), IncidentStore(engine)
    found = []
    for severity, terms in policy.items():
        of_it = incident_heads.c.severity == severity.value
        answer_before = now - timedelta(hours=terms.respond_within_hours)
        late = store.find(of_it, incident_heads.c.awaits_response, incident_heads.c.detected_at < answer_before)
        if terms.postmortem_within_hours is not None:
            written_before = now - timedelta(hours=terms.postmortem_within_hours)
            late += store.find(of_it, incident_heads.c.awaits_postmortem, incident_heads.c.ended_at < written_before)
        for incident in late:
            with noted(store, incident, now, "Whether its deadlines have passed could not be found out"):
                for deadline, words in overdue(incident, policy, now).items():
                    key = f"deadline-{incident.id}-{incident.lives}-{deadline}"
                    if deadline not in incident.missed:
                        data = {"deadline": deadline}
                        if store.append(incident.id, now, ACTOR, "deadline", words, data, key=key):
                            found.append(incident.id)
    return list(dict.fromkeys(found))

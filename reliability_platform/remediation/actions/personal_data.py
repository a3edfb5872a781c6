"""Masks personal data of a leak for good, wherever files hold them: a person's decision, for it cannot be taken back."""

from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.incidents.model import Incident
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions.action import Action, Done
from reliability_platform.remediation.purge import Survey, finish, purge, survey
from reliability_platform.settings import Settings


def _purge(settings: Settings, incident: Incident, actor: str) -> Done:
    engine, words = operations_engine(settings), []
    for found in _surveys(settings, incident):
        if found.is_clean:
            continue
        done = purge(settings, engine, found, f"{incident.id}: the leak is contained", actor, utc_now())
        finish(settings, engine, found.source, found.day, utc_now())
        words += [f"{one.batch_id} ({counted(one.rows, 'row')})" for one in done]
    if not words:
        return Done("No file of these days holds personal data any more.", list(incident.partitions))
    return Done(f"Masked for good what is personal in {', '.join(words)}.", list(incident.partitions))


def _surveys(settings: Settings, incident: Incident) -> list[Survey]:
    engine = operations_engine(settings)
    return [survey(settings, engine, incident.source, day) for day in incident.partitions]


def _describe_purge(settings: Settings, incident: Incident) -> str:
    surveys = _surveys(settings, incident)
    named = [f"{one.layer}/{one.batch_id} ({counted(one.rows, 'row')})" for found in surveys for one in found.files]
    waiting = [f"{batch}: {why}" for found in surveys for batch, why in found.waiting.items()]
    if waiting:
        return f"Nothing can be purged yet: {'; '.join(waiting)}."
    if not named:
        return "No file of these days holds personal data any more."
    return f"Mask for good what is personal in {', '.join(named)}, then run the days again."


PURGE = Action(
    "purge_personal_data",
    "mask for good what is personal in the files of the days",
    _purge,
    _describe_purge,
    leaves="what is masked stays masked, for good: nobody wants it back",
)

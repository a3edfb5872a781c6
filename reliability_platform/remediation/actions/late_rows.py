"""Lets rows beyond the watermark count: a person's decision, for it changes numbers that were final."""

from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.decisions import accept_late_rows, withdraw_late_rows
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions.action import Action, Done, in_words
from reliability_platform.settings import Settings


def _accept(settings: Settings, incident: Incident, actor: str) -> Done:
    for day in incident.partitions:
        accept_late_rows(settings, incident.source, day, actor, incident.id)
    days = in_words(incident.partitions)
    return Done(
        f"Rows of {incident.source} that landed on {days} count whatever their event date.", incident.partitions
    )


def _describe(settings: Settings, incident: Incident) -> str:
    del settings
    return (
        f"Let the held rows of {incident.source} that landed on {in_words(incident.partitions)} count, and recompute the "
        "event dates they are of: published numbers of those dates will change."
    )


def _withdraw(settings: Settings, incident: Incident, actor: str) -> str | None:
    """The rows are held again with the next run of their days; until then the gate holds these days."""
    source = incident.source
    days = [day for day in incident.partitions if withdraw_late_rows(settings, source, day, actor, incident.id)]
    if not days:
        return None
    CheckStore(operations_engine(settings)).invalidate([source], days)
    return (
        f"Late rows of {source} of {in_words(days)} do not count any more; the days are held until they are run again."
    )


ACCEPT_HELD = Action(
    "accept_held_rows",
    "let the held rows count",
    _accept,
    _describe,
    leaves="nothing: the approval is withdrawn",
    undo=_withdraw,
)

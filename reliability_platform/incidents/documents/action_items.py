"""What should be done after an incident: proposed from its class and its facts, tracked on its timeline until done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reliability_platform.contracts import CONTRACTS
from reliability_platform.formats import moment
from reliability_platform.incidents.classes import CLASSES, Prevention
from reliability_platform.incidents.decisions import add_action_item
from reliability_platform.incidents.documents.blocks import Block, Grid, Paragraph
from reliability_platform.incidents.documents.facts import FACTORS, PostmortemFacts
from reliability_platform.incidents.model import ActionItem, Incident
from reliability_platform.incidents.store import IncidentStore

PLATFORM = "owner of the platform"


@dataclass(frozen=True)
class ActionItemProposal:
    """An action item that nobody has taken up yet."""

    number: int
    what: str
    owner: str
    due: date


def propose_action_items(incident: Incident, facts: PostmortemFacts) -> list[ActionItemProposal]:
    """From the prevention of the class and the contributing factors; those that the timeline has already are left out.

    Due from the day of detection on, so that proposing again says the same.
    """
    wanted: list[Prevention] = list(CLASSES[incident.failure_class].texts.prevention)
    wanted += [factor.prevention for factor in FACTORS if factor.prevention is not None and factor.holds(facts)]
    known = incident.action_items
    taken = {item.what for item in known}
    last = max((item.number for item in known), default=0)
    owner = {"source": CONTRACTS[incident.source].owner, "platform": PLATFORM}
    fresh = [one for one in dict.fromkeys(wanted) if one.what not in taken]
    return [
        ActionItemProposal(place, one.what, owner[one.owner], incident.detected_at.date() + timedelta(days=one.days))
        for place, one in enumerate(fresh, start=last + 1)
    ]


def record_action_items(
    store: IncidentStore, incident_id: str, proposals: Sequence[ActionItemProposal], now: datetime, actor: str
) -> list[int]:
    """Put proposals on the timeline, but for those that are there already; returns the numbers of the new ones."""
    known = {item.what for item in store.get(incident_id).action_items}
    return [
        add_action_item(store, incident_id, one.what, one.owner, one.due, now, actor)
        for one in proposals
        if one.what not in known
    ]


def action_table(items: Sequence[ActionItem], proposals: Sequence[ActionItemProposal]) -> list[Block]:
    """Those on the timeline with their state, then those that are only proposed."""
    rows = [[str(one.number), one.what, one.owner, one.due.isoformat(), _state(one)] for one in items]
    rows += [[str(one.number), one.what, one.owner, one.due.isoformat(), "proposed"] for one in proposals]
    if not rows:
        return [Paragraph("None.")]
    return [Grid(["number", "what", "owner", "due", "state"], rows)]


def _state(item: ActionItem) -> str:
    return f"done {moment(item.done_at)}" if item.done_at else "open"

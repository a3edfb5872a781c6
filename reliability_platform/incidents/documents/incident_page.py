"""The one page of an incident: picture, impact, runbook, messages, timeline."""

from reliability_platform.incidents.documents.blocks import Block, Heading, Paragraph, Picture, sections
from reliability_platform.incidents.documents.measures import measured
from reliability_platform.incidents.documents.messages import messages
from reliability_platform.incidents.documents.runbook import opening, runbook, timeline
from reliability_platform.incidents.documents.situation import Situation
from reliability_platform.incidents.model import Incident


def incident_page(incident: Incident, situation: Situation, svg: str | None = None) -> list[Block]:
    """`svg` draws what lies downstream."""
    inner = sections(runbook(incident, situation))
    body = [block for name, blocks in inner.items() if name and not name.startswith("Timeline") for block in blocks]
    drawn: list[Block] = []
    if svg:
        tables = ", ".join(situation.reach.tables)
        alt = f"What lies downstream of {incident.root_dataset}: {tables}"
        drawn = [Heading(2, "Blast radius"), Picture(svg, alt)]
    told: list[Block] = [Heading(2, "Messages")]
    for message in messages(incident, situation):
        shown = [Heading(3, one.text) if isinstance(one, Heading) else one for one in message.blocks]
        told += [shown[0], Paragraph(f"For: {message.to}"), *shown[1:]]
    return [
        *opening(incident, situation),
        *drawn,
        Heading(2, "Impact"),
        *measured(incident),
        *body,
        *told,
        *timeline(incident),
    ]

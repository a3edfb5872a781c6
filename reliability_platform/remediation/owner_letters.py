"""What the owners of sources and of what reads them are told of an incident, in the words of its messages."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.alerts.message import OwnerLetter
from reliability_platform.alerts.routing.concerned import HearsAs
from reliability_platform.incidents.documents.blocks import Block, Bullets, Heading, Paragraph
from reliability_platform.incidents.documents.messages import all_clear, to_reader, to_source
from reliability_platform.incidents.documents.runbook import is_over
from reliability_platform.incidents.impact import Exposure
from reliability_platform.incidents.model import Incident
from reliability_platform.remediation.documents import situation_seen
from reliability_platform.settings import Settings


def write_letter(
    settings: Settings, engine: Engine, incident: Incident, now: datetime, role: HearsAs, exposures: Sequence[Exposure]
) -> OwnerLetter:
    """The letter to one owner: `exposures` are what they own of what reads the data."""
    situation = situation_seen(settings, engine, incident, now)
    if is_over(incident):
        message = all_clear(incident, situation)
    elif role is HearsAs.READERS and exposures:
        message = to_reader(incident, situation, exposures)
    else:
        message = to_source(incident, situation)
    return OwnerLetter(
        message.blocks[0].text if isinstance(message.blocks[0], Heading) else "", list(_lines(message.blocks))
    )


def _lines(blocks: Iterable[Block]) -> Iterator[str]:
    """The plain texts of a message, without its title and the line that says to whom it goes."""
    for block in blocks:
        if isinstance(block, Bullets):
            yield from (f"- {one}" for one in block.items)
        elif isinstance(block, Paragraph) and not block.text.startswith("To "):
            yield block.text.rstrip(":")  # a colon at the end of a line may begin a sign of a chat

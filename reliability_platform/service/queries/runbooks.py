"""The runbook of an incident as it was last written, or the general one of its class: nothing is computed, nothing waits."""

from datetime import UTC, datetime

from reliability_platform.incidents.documents.class_page import class_page
from reliability_platform.incidents.documents.render import markdown
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import read_policy
from reliability_platform.remediation.documents import documents_folder, remedy_of
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.settings import Settings


class Runbook(QueryAnswer):
    """What to do about an incident."""

    text: str
    """As Markdown."""
    written_at: datetime | None
    """When the page of the incident was written; null where there is none yet, and this is the runbook of its class."""


def runbook_of(settings: Settings, incident: Incident) -> Runbook:
    """The page that was written when the incident last changed; of its class, before the first one."""
    file = documents_folder(settings) / f"{incident.id}.md"
    try:
        return Runbook(text=file.read_text(), written_at=datetime.fromtimestamp(file.stat().st_mtime, UTC))
    except OSError:
        terms = read_policy(settings.response_policy)
        blocks = class_page(incident.failure_class, remedy_of(incident.failure_class), terms)
        return Runbook(text=markdown(blocks), written_at=None)

"""Documents of incidents as they were last written, and the general runbook of a class: nothing is computed anew, nothing waits."""

from datetime import UTC, datetime

from reliability_platform.incidents.documents.class_page import class_page
from reliability_platform.incidents.documents.render import markdown
from reliability_platform.incidents.response import read_policy
from reliability_platform.remediation.documents import documents_folder, remedy_of
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.settings import Settings


class WrittenDocument(QueryAnswer):
    """A document as it lies below the home."""

    text: str
    """As Markdown."""
    written_at: datetime
    """When."""


def postmortem_of(settings: Settings, incident_id: str) -> WrittenDocument | None:
    """The postmortem of an incident, by the whole id; None where none was kept."""
    return _written(settings, f"{incident_id}.postmortem")


def class_runbook(settings: Settings, failure_class: str) -> str:
    """What to know about a failure class before it happens, as Markdown."""
    return markdown(class_page(failure_class, remedy_of(failure_class), read_policy(settings.response_policy)))


def _written(settings: Settings, name: str) -> WrittenDocument | None:
    file = documents_folder(settings) / f"{name}.md"
    try:
        return WrittenDocument(
            text=file.read_text(encoding="utf-8"), written_at=datetime.fromtimestamp(file.stat().st_mtime, UTC)
        )
    except OSError:
        return None

"""What changed between the last good build of an incident's days and the first bad one."""

from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.incidents.changes import ChangedInput, what_changed
from reliability_platform.incidents.changes.what_changed import ComparedBuild
from reliability_platform.incidents.documents.changes import sentence
from reliability_platform.incidents.model import Incident
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.settings import Settings


class IncidentChanges(QueryAnswer):
    """What changed since the last good run, the most suspicious first."""

    sentence: str
    """The answer in words; that nothing changed is one: then it is the data."""
    bad: ComparedBuild | None
    """The first build after which a check failed; null where none lies between its last pass and its failure."""
    good: ComparedBuild | None
    """The last one after which it had not failed; null where there was none."""
    same_days: bool
    """Whether the good build was one of the days that fail."""
    is_known: bool
    """Whether both builds kept what they were made with."""
    changes: list[ChangedInput]
    """Files, settings, versions: those first with which what failed is made."""


def changes_of(settings: Settings, engine: Engine, manifest: Path, incident: Incident) -> IncidentChanges:
    """For an incident that somebody has read already."""
    found = what_changed(settings, engine, manifest, incident)
    return IncidentChanges(**vars(found), sentence=sentence(found))

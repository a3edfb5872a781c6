"""Runs landing days whose turn has passed, from landing on, as their schedule would have done."""

from datetime import date

from reliability_platform.incidents.model import Incident
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions.action import Action, Done, in_words
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal


def _left(settings: Settings, incident: Incident) -> list[date]:
    """The days that nobody has run meanwhile."""
    first, last = incident.partitions[0], incident.partitions[-1]
    built = BuildJournal(operations_engine(settings), settings.builds).built(first, last)
    return [day for day in incident.partitions if day not in built]


def _catch_up(settings: Settings, incident: Incident, actor: str) -> Done:
    del actor
    return Done(_describe(settings, incident), _left(settings, incident))


def _describe(settings: Settings, incident: Incident) -> str:
    left = _left(settings, incident)
    return f"Run {in_words(left)} from landing on, late." if left else "Nothing to run: the days have been run since."


CATCH_UP = Action(
    "catch_up",
    "run the landing days from landing on, late",
    _catch_up,
    _describe,
    "tables built as every run builds them; days that fail stay held",
    from_the_source=True,
)

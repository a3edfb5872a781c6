"""A test of a whole table fails for whatever is wrong in it: what has been healed waits for the cause of another incident.

No attempt is spent meanwhile, and none is needed afterwards: once the test passes it passes for all days.
"""

from collections.abc import Iterable

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.remediation.policy import stays_on_record


def is_of_a_whole_table(check: str) -> bool:
    """Whether a check judges a table as a whole, whatever landing day its result is filed under."""
    return check in CHECKS and CLASSES[CHECKS[check].failure_class].of_whole_tables


def _left(incident: Incident) -> tuple[set[str], bool]:
    """The tests of whole tables that still fail, and whether anything else does that can pass again."""
    failing = {one.check for one in incident.still_failing.values() if stays_on_record(one.check, one.dataset) is None}
    tests = set(filter(is_of_a_whole_table, failing))
    return tests, failing != tests


def waits_for(incident: Incident, others: Iterable[Incident]) -> list[str]:
    """The open incidents that something of their own holds, and by which tests fail that are all that an incident waits for."""
    tests, is_more = _left(incident)
    if not tests or is_more:
        return []
    found = []
    for other in others:
        theirs, has_cause = _left(other)
        if other.id != incident.id and has_cause and tests & theirs:
            found.append(other.id)
    return found


def awaited(store: IncidentStore, incident: Incident) -> str | None:
    """What an incident waits for, in words; None if for no other one."""
    if not any(is_of_a_whole_table(check) for check, _ in incident.still_failing):
        return None
    ids = waits_for(incident, store.open())
    return f"a test of a whole table fails as long as {', '.join(ids)} is open" if ids else None

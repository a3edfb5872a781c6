"""What applying a correction and taking one back have in common: its days are built, audited and published again."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from reliability_platform.actor import whoami
from reliability_platform.cli.options import hint, people
from reliability_platform.clock import utc_now
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.corrections import Decided
from reliability_platform.remediation.dead_letters.conclude import concerned, conclude, note
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from reliability_platform.orchestration.local import LocalDaemon


def rebuild(
    settings: Settings,
    engine: Engine,
    daemon: "LocalDaemon",
    decided: Decided,
    words: str,
    concerns: Sequence[Incident],
) -> list[str]:
    """Run the days of a correction again and end what that has healed; `words` stand on the timeline of the incident that it
    was applied for. Returns the ids of the incidents of these days that are still open."""
    from reliability_platform.clock import spans

    if decided.incident_id is not None:
        key = f"correction-{decided.id}-{utc_now():%Y%m%d%H%M%S%f}"
        note(engine, [IncidentStore(engine).get(decided.incident_id)], words, whoami(), utc_now(), key)
    for first, last in spans(decided.days):
        daemon.run("reprocess", first=first, last=last)
    daemon.settle()
    return conclude(settings, engine, concerns, utc_now, whoami())


def concerned_by(engine: Engine, source: str, days: Sequence[date]) -> list[Incident]:
    """The open incidents of some landing days of a source."""
    return concerned(engine, {(source, day) for day in days})


def tell_open(left: Sequence[str]) -> None:
    """Which incidents a person has to look at yet."""
    for incident_id in left:
        people.print(f"{incident_id} is still open: see `{hint(f'incidents show {incident_id}')}`.", markup=False)

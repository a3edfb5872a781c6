"""The guards as a table: each asks one question of a run that is about to begin, and objects in words.

The first run of a landing day is no backfill: it meets only the guards against a build that would go wrong at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Engine

from reliability_platform.checks.holds import Holds
from reliability_platform.counted import counted
from reliability_platform.errors import HomeBusyError, PlatformError, UsageError
from reliability_platform.formats import clock
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.inputs import BuildInputs
from reliability_platform.settings import Settings
from reliability_platform.slo.freeze import frozen_changes
from reliability_platform.warehouse.difference import TableDifference
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.versions import ModelsBuilt, models_of

NAMED = 3
"""So many days, incidents or batches stand in a message; the rest is a number."""
CURED_BY_BUILDING = ("dbt_build", "home")
"""Incidents with this root are about builds that did not come to their end: a build is their cure, not their harm."""

Rehearse = Callable[[], Sequence[TableDifference]]
"""What a run would change of what is published."""


class Purpose(StrEnum):
    """Why days are run."""

    ROUTINE = "routine"
    """As they come, or once more as they are: the schedule, `reliability run`. The gate keeps what is held."""
    BACKFILL = "backfill"
    """Somebody wants days anew."""
    REMEDIATION = "remediation"
    """The healing of an incident of these days."""


@dataclass(frozen=True)
class Request:
    """A run that is about to begin, over the landing days `first`..`last`."""

    first: date
    last: date
    purpose: Purpose
    asks_source: bool
    """Whether the source delivers these days again first."""
    now: datetime


@dataclass(frozen=True)
class BackfillSituation:
    """What the questions are asked of."""

    settings: Settings
    engine: Engine
    request: Request
    built: frozenset[date]
    """Those of its days that have been built before."""
    rehearse: Rehearse | None
    """None where there is no time for a rehearsal: then whatever it might show speaks against the run."""


@dataclass(frozen=True)
class Guard:
    """One question."""

    objects: Callable[[BackfillSituation], str | None]
    """In words; None if there is nothing against the run."""
    stops: frozenset[Purpose] = field(default_factory=lambda: frozenset(Purpose))
    first_runs: bool = False
    """Whether it is asked of first runs too."""
    approvable: bool = True
    """Whether a person may let the run through all the same."""
    error: type[PlatformError] = UsageError


def _listed(things: Sequence[object]) -> str:
    named = ", ".join(str(one) for one in things[:NAMED])
    return named if len(things) <= NAMED else f"{named} and {len(things) - NAMED} more"


def _overlap(seen: BackfillSituation) -> str | None:
    other = BuildJournal(seen.engine, seen.settings.builds).at_work(seen.request.first, seen.request.last)
    if other is None:
        return None
    return (
        f"they overlap the build of {other.first_day} to {other.last_day} that process {other.process} began at "
        f"{clock(other.began_at)}: wait until it has ended"
    )


def _older_models(seen: BackfillSituation) -> str | None:
    if seen.settings.allow_older_models:
        return None
    older = ModelsBuilt(seen.engine).older(models_of(seen.settings.dbt_project))
    return older and older.rstrip(".")


def _frozen(seen: BackfillSituation) -> str | None:
    return frozen_changes(seen.settings, seen.engine, seen.request.now)


def _older_data(seen: BackfillSituation) -> str | None:
    request = seen.request
    older = BuildInputs(seen.engine).older(seen.settings, request.first, request.last, asks_source=request.asks_source)
    if not older:
        return None
    return f"what has landed is older than what they were built from ({_listed(older)}): put the later deliveries back"


def _held(seen: BackfillSituation) -> str | None:
    held = [one for (_, day), one in sorted(Holds(seen.engine).standing().items()) if day in seen.built]
    if not held:
        return None
    return f"somebody holds {_listed([f'{one.source} {one.landing_date} ({one.reason})' for one in held])}"


def bound_by(engine: Engine, days: frozenset[date]) -> list[str]:
    """The open incidents about the data of these landing days, by their ids."""
    if not days:
        return []
    return [
        incident.id
        for incident in IncidentStore(engine).open_around(min(days), max(days))
        if incident.root_dataset not in CURED_BY_BUILDING and days & set(incident.partitions)
    ]


def _bound(seen: BackfillSituation) -> str | None:
    incidents = bound_by(seen.engine, seen.built)
    return f"they are bound by {_listed(incidents)}, which healing takes care of" if incidents else None


def _closed(seen: BackfillSituation) -> str | None:
    first_open = seen.settings.first_open_date(seen.request.now.date())
    if first_open is None:
        return None
    if seen.rehearse is None:
        return f"it is not known whether they change event dates before {first_open}, which are closed"
    changed = {
        f"{table.name} {one.event_date}": one
        for table in seen.rehearse()
        for one in table.dates
        if one.event_date < first_open
    }
    if not changed:
        return None
    rows = sum(one.added + one.removed + one.changed for one in changed.values())
    return (
        f"they would change {counted(rows, 'published row')} of event dates before {first_open}, which are closed: "
        + _listed(list(changed))
    )


GUARDS: dict[str, Guard] = {
    "overlap": Guard(_overlap, first_runs=True, approvable=False, error=HomeBusyError),
    "older models": Guard(_older_models, first_runs=True, approvable=False),
    "frozen changes": Guard(_frozen, first_runs=True),
    "older data": Guard(_older_data),
    "held days": Guard(_held, stops=frozenset({Purpose.BACKFILL})),
    "open incidents": Guard(_bound, stops=frozenset({Purpose.BACKFILL})),
    # The last: it rehearses the run, and nobody needs to wait for that if another has objected already.
    "closed periods": Guard(_closed),
}


def objections(
    settings: Settings, engine: Engine, request: Request, rehearse: Rehearse | None = None
) -> dict[str, str]:
    """What speaks against the run: name of the guard → its words. Empty if it may begin."""
    built = frozenset(BuildJournal(engine, settings.builds).built(request.first, request.last))
    seen = BackfillSituation(settings, engine, request, built, rehearse)
    found: dict[str, str] = {}
    for name, guard in GUARDS.items():
        if request.purpose in guard.stops and (built or guard.first_runs):
            if any(not GUARDS[one].approvable for one in found):
                break  # nobody may overrule it: what else there is does not matter
            words = guard.objects(seen)
            if words is not None:
                found[name] = words
    return found

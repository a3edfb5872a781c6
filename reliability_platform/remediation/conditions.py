"""What must hold before the platform acts by itself. A deterministic failure is not tried again while its cause stands.

Most classes have one or two: what a condition looks with is imported where it is asked.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.causes import DAMAGE, cause_in
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.breaker import Breaker
from reliability_platform.settings import Settings
from reliability_platform.sources.source import is_fetched
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.lease import warehouse_lease

ROOM_BYTES = 50_000_000
"""Less room than this beside the warehouse is no room: a build of one day needs some of it."""


@dataclass(frozen=True)
class Condition:
    """One thing to look at."""

    holds: Callable[[Settings, Engine, Incident, datetime], bool]
    otherwise: str
    """What is wrong while it does not hold, in words."""


def can_be_written(settings: Settings) -> bool:
    """Whether the warehouse has the rights and the room that a build needs."""
    target = settings.warehouse if settings.warehouse.exists() else settings.home
    return os.access(target, os.W_OK) and shutil.disk_usage(settings.home).free >= ROOM_BYTES


def _can_be_written(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    del engine, incident, now
    return can_be_written(settings)


def _is_sound(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    """The whole file is read, but only where an error of the incident says that it is damaged."""
    del engine, now
    if not any(cause_in(signal.message) is DAMAGE for signal in incident.signals) or not settings.warehouse.exists():
        return True
    from reliability_platform.warehouse.snapshots.soundness import read_through

    try:
        with warehouse_lease(settings):
            read_through(settings.warehouse)
    except EnvironmentUnusableError:
        return False
    return True


def _reference_is_outdated(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    del engine, incident, now
    from reliability_platform.remediation.actions.reference import outdated

    return bool(outdated(settings))


def _nobody_builds(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    del now
    first, last = incident.partitions[0], incident.partitions[-1]
    return BuildJournal(engine, settings.builds).at_work(first, last) is None


def _backfill_is_safe(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    from reliability_platform.backfills.guard import Purpose, Request, objections

    request = Request(incident.partitions[0], incident.partitions[-1], Purpose.REMEDIATION, asks_source=False, now=now)
    return not objections(settings, engine, request)


def _source_may_be_asked(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    asked = incident.source in CONTRACTS and is_fetched(settings, incident.source)
    return not asked or Breaker(engine, incident.source).view().passes(now)


def _passes_again(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    del settings, now
    latest = CheckStore(engine).latest(incident.partitions, checks=incident.checks)
    passed = {(one.check, one.partition) for one in latest if one.status is CheckStatus.PASSED}
    return {(one.check, one.partition) for one in incident.signals} <= passed


def _no_other_name(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    del engine, now
    from reliability_platform.remediation.actions.replay import rename_waits

    return not rename_waits(settings, incident)


CONDITIONS: dict[str, Condition] = {
    "what_failed_passes_again": Condition(_passes_again, "a person must mend it: see what to do in its runbook"),
    "warehouse_can_be_written": Condition(
        _can_be_written,
        "the warehouse cannot be written: it lacks rights or room, and building fails until it has them",
    ),
    "warehouse_is_sound": Condition(
        _is_sound, "the warehouse file is damaged: put it back with `reliability restore`, or move it away"
    ),
    "reference_data_are_outdated": Condition(
        _reference_is_outdated,
        "the reference data are those of the source, so rows must be asked for again, which waits for a person's approval",
    ),
    "nobody_builds_these_days": Condition(_nobody_builds, "another build is at work on these days"),
    "backfill_is_safe": Condition(
        _backfill_is_safe, "the backfill guard still objects: see `reliability backfill --dry-run` over its days"
    ),
    "no_column_under_another_name": Condition(
        _no_other_name,
        "a column came under another name and agrees with its past, which a person must see and approve "
        "(`reliability heal --incident ID`), or decline (`--action re_request_batches`)",
    ),
    "source_may_be_asked": Condition(
        _source_may_be_asked,
        "the source is left alone: its breaker is open until the next probe",
    ),
}

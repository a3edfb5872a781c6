"""What must hold before the platform acts by itself. A deterministic failure is not tried again while its cause stands."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.incidents.model import Incident
from reliability_platform.landing.breaker import Breaker
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal

ROOM_BYTES = 50_000_000
"""Less room than this beside the warehouse is no room: a build of one day needs some of it."""


@dataclass(frozen=True)
class Condition:
    """One thing to look at."""

    holds: Callable[[Settings, Engine, Incident, datetime], bool]
    otherwise: str
    """What is wrong while it does not hold, in words."""


def _can_be_written(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    del engine, incident, now
    target = settings.warehouse if settings.warehouse.exists() else settings.home
    return os.access(target, os.W_OK) and shutil.disk_usage(settings.home).free >= ROOM_BYTES


def _nobody_builds(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    del now
    first, last = incident.partitions[0], incident.partitions[-1]
    return BuildJournal(engine, settings.builds).at_work(first, last) is None


def _source_may_be_asked(settings: Settings, engine: Engine, incident: Incident, now: datetime) -> bool:
    return settings.url_of(incident.source) is None or Breaker(engine, incident.source).view().passes(now)


CONDITIONS: dict[str, Condition] = {
    "warehouse_can_be_written": Condition(
        _can_be_written,
        "the warehouse cannot be written: it lacks rights or room, and building fails until it has them",
    ),
    "nobody_builds_these_days": Condition(_nobody_builds, "another build is at work on these days"),
    "source_may_be_asked": Condition(
        _source_may_be_asked, "the breaker of the source is open: it is left alone until its next probe is due"
    ),
}

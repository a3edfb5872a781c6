"""What must hold before the platform acts by itself. A deterministic failure is not tried again while its cause stands."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from reliability_platform.incidents.model import Incident
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal

ROOM_BYTES = 50_000_000
"""Less room than this beside the warehouse is no room: a build of one day needs some of it."""


@dataclass(frozen=True)
class Condition:
    """One thing to look at."""

    holds: Callable[[Settings, Engine, Incident], bool]
    otherwise: str
    """What is wrong while it does not hold, in words."""


def _can_be_written(settings: Settings, engine: Engine, incident: Incident) -> bool:
    del engine, incident
    target = settings.warehouse if settings.warehouse.exists() else settings.home
    return os.access(target, os.W_OK) and shutil.disk_usage(settings.home).free >= ROOM_BYTES


def _nobody_builds(settings: Settings, engine: Engine, incident: Incident) -> bool:
    first, last = incident.partitions[0], incident.partitions[-1]
    return BuildJournal(engine, settings.builds).at_work(first, last) is None


CONDITIONS: dict[str, Condition] = {
    "warehouse_can_be_written": Condition(
        _can_be_written,
        "the warehouse cannot be written: it lacks rights or room, and building fails until it has them",
    ),
    "nobody_builds_these_days": Condition(_nobody_builds, "another build is at work on these days"),
}

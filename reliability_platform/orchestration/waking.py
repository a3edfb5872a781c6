"""Sensors look at once where there is something new, and seldom where there is nothing.

Healing goes from sensor to run to sensor: with a look every 15 s an incident spent minutes in waiting for the next one, and
an idle daemon a twentieth of a core on looking. What is new is a result of a check, an entry on the timeline of an incident,
or the end of a run: five numbers at the ends of indexes, read twice a second without Dagster, 0.3 ms each time.
"""

import time
from collections.abc import Callable
from typing import Protocol

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from reliability_platform.errors import PlatformError
from reliability_platform.operations.tables import check_results, incident_timeline
from reliability_platform.service.queries.dagster_storage import Kept, dagster_rows
from reliability_platform.settings import Settings

WOKEN = frozenset({"incident_sensor", "remediation_sensor", "alert_sensor"})
"""The sensors that act upon what is new. Any other looks at its own interval."""
LOOK_SECONDS = 0.5
_WRITTEN = select(
    select(func.max(check_results.c.id)).scalar_subquery(), select(func.max(incident_timeline.c.id)).scalar_subquery()
)
_ENDED = "select " + ", ".join(
    f"(select max(update_timestamp) from runs where status = '{status}')"
    for status in ("SUCCESS", "FAILURE", "CANCELED")
)
Newest = tuple[object, ...]


class Waiting(Protocol):
    """What the loop of a daemon waits with: an event of `threading`, or one like it."""

    def wait(self, timeout: float) -> bool:
        """Whether it is time to end; after `timeout` seconds at the latest."""

    def is_set(self) -> bool:
        """Whether it is time to end."""


def newest(settings: Settings, engine: Engine) -> Newest | None:
    """What was written last: another answer than before says that there is something new. None if it cannot be told now."""
    try:
        with engine.connect() as connection:
            written = tuple(connection.execute(_WRITTEN).one())
        ended = dagster_rows(settings, Kept.RUNS, _ENDED)
    except (SQLAlchemyError, PlatformError):
        return None  # the sensors tell of it at their own interval
    return (*written, *ended[0]) if ended else None


class Waker:
    """Remembers when something new was last seen."""

    def __init__(self, look: Callable[[], Newest | None]) -> None:
        self._look, self._seen = look, look()
        self.woken_at = 0.0
        """Seconds since 1970, as Dagster has the times of ticks."""

    def something_new(self) -> bool:
        """Whether there is something that was not there at the last look."""
        found = self._look()
        if found is None or found == self._seen:
            return False
        self._seen, self.woken_at = found, time.time()
        return True

    def wakes(self, sensor: str, last_began: float | None) -> bool:
        """Whether a sensor is to look now, whatever its interval: there is something new since its last look began."""
        return sensor in WOKEN and self.woken_at > (last_began or 0.0)


class WokenWait:
    """An event whose wait ends as soon as there is something new."""

    def __init__(self, event: Waiting, waker: Waker) -> None:
        self._event, self._waker = event, waker

    def is_set(self) -> bool:
        """Whether it is time to end."""
        return self._event.is_set()

    def wait(self, timeout: float) -> bool:
        """Whether it is time to end."""
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            if self._event.wait(min(LOOK_SECONDS, left)):
                return True
            if self._waker.something_new():
                break
        return self._event.is_set()

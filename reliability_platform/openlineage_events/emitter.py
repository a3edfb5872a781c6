"""Takes events from the pipeline and gives it back at once: into the file, or into the spool for the endpoint.

Sending happens beside the pipeline, in a thread of its own. An endpoint that is dead or slow is left alone for a
while after its first failure; what did not go out waits in the spool. At the end of the process the thread has one
timeout to finish; it is a daemon thread, so that not even an endpoint that never answers keeps the process alive.
"""

import atexit
import logging
import os
import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from reliability_platform.openlineage_events.event_file import EventFile
from reliability_platform.openlineage_events.spool import EventSpool
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings

PAUSE_SECONDS = 30.0
"""How long an endpoint that failed is left alone."""

_log = logging.getLogger(__name__)


def event_file(settings: Settings) -> EventFile:
    """The file of the installation."""
    return EventFile(settings.lineage_events, settings.openlineage_file_megabytes * 1_000_000)


def emit(settings: Settings, events: Sequence[dict[str, Any]]) -> None:
    """Keep the events; with an endpoint set, have them sent. Returns before anything is sent."""
    if not events:
        return
    if settings.openlineage_url is None:
        event_file(settings).append(events)
        return
    sender = _sender(settings)
    sender.spool.put(events)
    sender.wake()


def finish(settings: Settings) -> None:
    """Wait until what was emitted is sent, at most one timeout; not at all if the endpoint has failed."""
    if settings.openlineage_url is not None:
        _sender(settings).finish()


class Sender:
    """The thread of one process that empties the spool whenever something came into it."""

    def __init__(self, settings: Settings) -> None:
        self.spool = EventSpool(operations_engine(settings))
        self._settings = settings
        self._changed = threading.Condition()
        self._asked = self._done = 0
        self._paused_until = 0.0
        self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something is in the spool."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait until all is sent, the endpoint fails, or one timeout is over."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._done == self._asked or time.monotonic() < self._paused_until,
                timeout=self._settings.openlineage_timeout_seconds,
            )

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked > self._done)
                asked, pause = self._asked, self._paused_until - time.monotonic()
            if pause > 0:
                time.sleep(pause)
                continue
            problem = self._deliver()
            with self._changed:
                self._done = asked
                if problem is not None:
                    self._paused_until = time.monotonic() + PAUSE_SECONDS
                self._changed.notify_all()
            if problem is not None:
                _warn_once(
                    f"OpenLineage events wait in the spool ({problem}); `reliability openlineage send` sends them."
                )

    def _deliver(self) -> str | None:
        from reliability_platform.openlineage_events.delivery import deliver

        try:
            return deliver(self._settings, self.spool).problem
        except Exception as error:  # a thread that dies would leave the rest of the run unsent
            return type(error).__name__


_senders: dict[tuple[int, Path, str | None], Sender] = {}
_making = threading.Lock()


def _sender(settings: Settings) -> Sender:
    """One per process, home and endpoint: a thread does not survive a fork."""
    key = (os.getpid(), settings.home, settings.openlineage_url)
    with _making:
        if key not in _senders:
            _senders[key] = Sender(settings)
            atexit.register(_senders[key].finish)
        return _senders[key]


@lru_cache(maxsize=64)
def _warn_once(message: str) -> None:
    _log.warning(message)

"""Who is at work on an incident: a lock per incident that the kernel lets go of when its holder dies.

The timeline says that an action was begun; only the lock says whether anybody is still at it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reliability_platform.errors import HomeBusyError
from reliability_platform.incidents.model import Incident, State
from reliability_platform.settings import Settings


def _path(settings: Settings, incident: Incident) -> Path:
    return settings.actions / f"{incident.id}.lock"


def _take(path: Path) -> int:
    """The locked file. Raises `BlockingIOError` if somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # the one before us has removed it since we opened it


@contextmanager
def at_work(settings: Settings, incident: Incident) -> Iterator[None]:
    """Be the one who acts on the incident. Raises `HomeBusyError` if another process is."""
    path = _path(settings, incident)
    try:
        descriptor = _take(path)
    except BlockingIOError:
        words = f"{incident.id} is being healed by another process; try again when it has ended."
        raise HomeBusyError(words) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def broken_off(settings: Settings, incident: Incident) -> bool:
    """Whether an action was begun whose process is gone before it could say how it ended."""
    if incident.state is not State.RECOVERING or incident.acting_since is None:
        return False
    try:
        descriptor = os.open(_path(settings, incident), os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        # Shared: two who look at the same time must not take each other for the one who acts.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True

"""Who is at work on an incident: a lock per incident that the kernel lets go of when its holder dies.

The timeline says that an action was begun; only the lock says whether anybody is still at it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from reliability_platform.errors import HomeBusyError
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.locks import claim, unclaimed
from reliability_platform.settings import Settings


def _path(settings: Settings, incident: Incident) -> Path:
    return settings.actions / f"{incident.id}.lock"


@contextmanager
def at_work(settings: Settings, incident: Incident) -> Iterator[None]:
    """Be the one who acts on the incident. Raises `HomeBusyError` if another process is."""
    path = _path(settings, incident)
    try:
        descriptor = claim(path, wait=False)
    except BlockingIOError:
        words = f"{incident.id} is being healed by another process; try again when it has ended."
        raise HomeBusyError(words) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def broken_off(settings: Settings, engine: Engine, incident: Incident) -> bool:
    """Whether an action was begun whose process is gone before it could say how it ended."""
    if incident.state is not State.RECOVERING or incident.acting_since is None:
        return False
    try:
        with unclaimed(_path(settings, incident)) as left:
            if left is None:
                return False
    except FileNotFoundError:
        pass
    # It may have ended between the reading and this look; its end is on the timeline before its lock is gone.
    return IncidentStore(engine).get(incident.id).acting_since == incident.acting_since

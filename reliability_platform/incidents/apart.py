"""Incidents are kept apart: what fails for one is noted on its timeline, and the others go on."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from reliability_platform.causes import cause_of
from reliability_platform.ending import stop_first
from reliability_platform.errors import UsageError
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.masking import error_text

ACTOR = "platform"


@contextmanager
def noted(store: IncidentStore, incident: Incident, now: datetime, what: str) -> Iterator[None]:
    """Note on the incident what its step raised, once for each error, and go on. A wrong setting concerns all: that is
    raised.
    """
    try:
        with stop_first():
            yield
    except UsageError:
        raise
    except Exception as error:
        words, cause = f"{what}: {error_text(error)}", cause_of(error)
        key = f"trouble-{incident.id}-{incident.lives}-{hashlib.sha256(words.encode()).hexdigest()[:16]}"
        data = {"trouble": type(error).__name__, "cause": cause.name if cause else None}
        with suppress(Exception):  # a store that cannot be written keeps nobody from the other incidents
            store.append(incident.id, now, ACTOR, "note", words, data, key=key)

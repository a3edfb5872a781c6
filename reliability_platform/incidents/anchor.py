"""The end of the timeline, noted outside the operations store: a chain shows what was changed in it, not what is missing
at its end.
"""

import json

from sqlalchemy import Engine

from reliability_platform.atomic import write_atomically
from reliability_platform.counted import counted
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.settings import Settings


def note_end(settings: Settings, engine: Engine) -> None:
    """Note where the timeline ends now. An end that is older than the one on record is not noted."""
    store = IncidentStore(engine)
    if lost_end(settings, engine) is not None:
        return
    content = json.dumps({"entries": store.last_position(), "head": store.head()}) + "\n"
    path = settings.timeline_end
    if not path.exists() or path.read_text() != content:
        write_atomically(path, content.encode())


def lost_end(settings: Settings, engine: Engine) -> str | None:
    """What the timeline lacks of the end that was noted last, in words; None if it has it."""
    try:
        noted = json.loads(settings.timeline_end.read_text())
        entries, head = int(noted["entries"]), str(noted["head"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    store = IncidentStore(engine)
    if not entries or store.has_hash(head):
        return None
    return f"lacks the end of the timeline: it had {counted(entries, 'entry')}, and has {store.last_position()}"


def forget_end(settings: Settings) -> None:
    """The store was put back and is older on purpose."""
    settings.timeline_end.unlink(missing_ok=True)

"""The ends of the timeline and of the audit log, noted outside the operations store: a chain shows what was changed in it,
not what is missing at its end.
"""

import json

from sqlalchemy import Engine

from reliability_platform.atomic import write_atomically
from reliability_platform.audit_log import AuditLog
from reliability_platform.counted import counted
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.settings import Settings


def note_end(settings: Settings, engine: Engine) -> None:
    """Note where the two end now. Ends that are older than those on record are not noted."""
    if lost_ends(settings, engine):
        return
    store, (audited, audit_head) = IncidentStore(engine), AuditLog(engine).end()
    ends = {"entries": store.last_position(), "head": store.head(), "audited": audited, "audit_head": audit_head}
    content = json.dumps(ends) + "\n"
    path = settings.timeline_end
    if not path.exists() or path.read_text() != content:
        write_atomically(path, content.encode())


def lost_ends(settings: Settings, engine: Engine) -> list[str]:
    """What the timeline and the audit log lack of the ends that were noted last, in words."""
    try:
        noted = json.loads(settings.timeline_end.read_text())
        entries, head = int(noted["entries"]), str(noted["head"])
        audited, audit_head = int(noted.get("audited", 0)), str(noted.get("audit_head", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    store, log, found = IncidentStore(engine), AuditLog(engine), []
    if entries and not store.has_hash(head):
        found.append(_lacks("timeline", entries, store.last_position()))
    if audit_head and not log.has_hash(audit_head):
        found.append(_lacks("audit log", audited, log.end()[0]))
    return found


def _lacks(what: str, noted: int, there: int) -> str:
    return f"lacks the end of the {what}: it had {counted(noted, 'entry')}, and has {there}"


def forget_end(settings: Settings) -> None:
    """The store was put back and is older on purpose."""
    settings.timeline_end.unlink(missing_ok=True)

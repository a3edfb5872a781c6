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


def record_damage(settings: Settings, engine: Engine, shown: int) -> list[str]:
    """What was edited in the timelines and in the audit log, and what they lack, in words: so many entries of each by name."""
    chains = {"timelines": IncidentStore(engine).broken_links, "an audit log": AuditLog(engine).broken_links}
    found = []
    for what, links in chains.items():
        try:
            broken = links()
        except (ValueError, TypeError):  # a moment that is none
            found.append(f"has {what} of which not every entry can be read")
            continue
        if broken:
            more = f" and {len(broken) - shown} more" if len(broken) > shown else ""
            were = "were" if what == "timelines" else "was"
            found.append(f"has {what} that {were} edited: {', '.join(broken[:shown])}{more}")
    return found + lost_ends(settings, engine)


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
        unlinked = log.unlinked(audited)
        of_links = f"has an audit log of which {counted(unlinked, 'entry')} lost the link to the one before"
        found.append(of_links if unlinked else _lacks("audit log", audited, log.end()[0]))
    return found


def _lacks(what: str, noted: int, there: int) -> str:
    if there >= noted:
        return f"has another end of the {what} than was noted: entry {noted} was rewritten"
    return f"lacks the end of the {what}: it had {counted(noted, 'entry')}, and has {there}"


def forget_end(settings: Settings) -> None:
    """The store was put back and is older on purpose."""
    settings.timeline_end.unlink(missing_ok=True)

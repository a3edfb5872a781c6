"""The ends of the timeline and of the audit log, noted outside the operations store: a chain shows what was changed in it,
not what is missing at its end.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Engine

from reliability_platform.atomic import write_atomically
from reliability_platform.audit_log import Audited, AuditLog, Phase
from reliability_platform.clock import Clock
from reliability_platform.counted import counted
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.settings import Settings


class _Ends(NamedTuple):
    entries: int
    head: str
    audited: int
    audit_head: str


def _noted(settings: Settings) -> _Ends | None:
    """The ends that were noted last; None if none were, or if the note cannot be read."""
    try:
        noted = json.loads(settings.timeline_end.read_text())
        audited, audit_head = int(noted.get("audited", 0)), str(noted.get("audit_head", ""))
        return _Ends(int(noted["entries"]), str(noted["head"]), audited, audit_head)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def note_is_damaged(settings: Settings) -> bool:
    """Whether there is a note of the ends that says nothing: nobody can tell whether anything is missing there."""
    return settings.timeline_end.exists() and _noted(settings) is None


def note_end(settings: Settings, engine: Engine) -> None:
    """Note where the two end now. Ends that are older than those on record are not noted."""
    if lost_ends(settings, engine):
        return
    store = IncidentStore(engine)
    ends = _Ends(store.last_position(), store.head(), *AuditLog(engine).end())
    if _noted(settings) != ends:
        write_atomically(settings.timeline_end, (json.dumps(ends._asdict()) + "\n").encode())


@contextmanager
def recorded(
    settings: Settings, engine: Engine, command: Audited, what: str, who: str, why: str, clock: Clock
) -> Iterator[None]:
    """Write into the audit log before the block what it is about to destroy, and after it how it ended, and note that end."""
    log, ended = AuditLog(engine), Phase.FAILED
    log.append(command, Phase.BEGUN, what, who, why, clock())
    try:
        yield
        ended = Phase.DONE
    finally:
        log.append(command, ended, what, who, why, clock())
        note_end(settings, engine)  # else until the next publication nobody would miss these entries


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
    noted = _noted(settings)
    if noted is None:
        return []
    store, log, found = IncidentStore(engine), AuditLog(engine), []
    if noted.entries and not store.has_hash(noted.head):
        found.append(_lacks("timeline", noted.entries, store.last_position()))
    if noted.audit_head and not log.has_hash(noted.audit_head):
        unlinked = log.unlinked(noted.audited)
        of_links = f"has an audit log of which {counted(unlinked, 'entry')} lost the link to the one before"
        found.append(of_links if unlinked else _lacks("audit log", noted.audited, log.end()[0]))
    return found


def _lacks(what: str, noted: int, there: int) -> str:
    if there >= noted:
        return f"has another end of the {what} than was noted: entry {noted} was rewritten"
    return f"lacks the end of the {what}: it had {counted(noted, 'entry')}, and has {there}"


def forget_end(settings: Settings) -> None:
    """The store was put back and is older on purpose."""
    settings.timeline_end.unlink(missing_ok=True)

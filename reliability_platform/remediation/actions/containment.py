"""Keeps consumers safe while an incident is open: an earlier publication, or its landing days held. People choose these.

They heal nothing, and end nothing: the incident stays open, and each can be taken back.
"""

from datetime import date, datetime

from reliability_platform.checks.holds import Holds
from reliability_platform.errors import UsageError
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions.action import Action, Done, facts_of
from reliability_platform.settings import Settings
from reliability_platform.warehouse.publication import Publication, current_version, point_to, publications


def _partitions(incident: Incident) -> list[tuple[str, date]]:
    return [(source, day) for source in incident.sources for day in incident.partitions]


def _named(partitions: list[tuple[str, date]]) -> str:
    return ", ".join(f"{source} {day}" for source, day in partitions)


def condemned(versions: list[Publication], incident: Incident) -> set[str]:
    """The versions that show what the incident is about: published since it was first written, its days not held.

    A held day keeps the rows of the version before: what was bad there is bad here.
    """
    since = min(moment for moment in (incident.times.first_bad_write, incident.detected_at) if moment is not None)
    bad: set[str] = set()
    for version in versions:
        shown = set(_partitions(incident)) - version.held_partitions.keys()
        fresh = datetime.fromisoformat(version.published_at) >= since and bool(shown)
        if fresh or version.previous in bad:
            bad.add(version.version)
    return bad


def last_good(settings: Settings) -> str:
    """The newest version before the current one that no open incident condemns. Raises `UsageError` if there is none."""
    current, versions = current_version(settings), publications(settings)
    bad: set[str] = set()
    for incident in IncidentStore(operations_engine(settings)).open():
        bad |= condemned(versions, incident)
    good = [
        one.version for one in versions if one.version not in bad and current is not None and one.version <= current
    ]
    if not good:
        raise UsageError("No publication that is still kept is free of every open incident: hold the days instead.")
    return good[-1]


def _fall_back(settings: Settings, incident: Incident, actor: str) -> Done:
    del actor
    before, target = current_version(settings), last_good(settings)
    if target == before:
        return Done(f"No open incident condemns {target}, which consumers read: nothing was changed.", [])
    point_to(settings, target)
    left = facts_of(incident, "fall_back_to_last_good_publication").get("from", before)
    return Done(f"Consumers read {target} instead of {before}.", [], facts={"from": left, "to": target})


def _describe_fall_back(settings: Settings, incident: Incident) -> str:
    del incident
    before, target = current_version(settings), last_good(settings)
    if target == before:
        return f"No open incident condemns {target}, which consumers read: nothing would change."
    return (
        f"Let consumers read {target}, the newest version that no open incident condemns, instead of {before}. The next "
        "publication starts from it, with the days that are not held."
    )


def _come_back(settings: Settings, incident: Incident, actor: str) -> str | None:
    del actor
    facts = facts_of(incident, FALL_BACK.name)
    if not facts or current_version(settings) != facts["to"]:
        return None  # published anew since
    point_to(settings, facts["from"])
    return f"Consumers read {facts['from']} again."


def _hold(settings: Settings, incident: Incident, actor: str) -> Done:
    holds = Holds(operations_engine(settings))
    held = [(source, day) for source, day in _partitions(incident) if _say(holds, incident, source, day, actor, True)]
    words = (
        f"Held: {_named(held)}. It counts from the next publication on." if held else "All its days were held before."
    )
    return Done(words, [], facts={"held": [[source, day.isoformat()] for source, day in held]})


def _say(holds: Holds, incident: Incident, source: str, day: date, actor: str, hold: bool) -> bool:
    now = incident.timeline[-1].at
    return (holds.hold if hold else holds.release)(source, day, actor, incident.id, now)


def _describe_hold(settings: Settings, incident: Incident) -> str:
    standing = Holds(operations_engine(settings)).standing()
    fresh = [one for one in _partitions(incident) if one not in standing]
    return f"Hold {_named(fresh)} whatever the checks say." if fresh else "All its days are held already."


def _release(settings: Settings, incident: Incident, actor: str) -> Done:
    holds = Holds(operations_engine(settings))
    freed = [(source, day) for source, day in _partitions(incident) if _say(holds, incident, source, day, actor, False)]
    words = f"Released: {_named(freed)}. What checks object to stays held." if freed else "Nobody holds its days."
    return Done(words, [], facts={"released": [[source, day.isoformat()] for source, day in freed]})


def _describe_release(settings: Settings, incident: Incident) -> str:
    standing = Holds(operations_engine(settings)).standing()
    held = [one for one in _partitions(incident) if one in standing]
    return f"Release {_named(held)}; what checks object to stays held." if held else "Nobody holds its days."


def _undo_hold(settings: Settings, incident: Incident, actor: str) -> str | None:
    return _turn_back(settings, incident, actor, HOLD.name, "held", hold=False)


def _undo_release(settings: Settings, incident: Incident, actor: str) -> str | None:
    return _turn_back(settings, incident, actor, RELEASE.name, "released", hold=True)


def _turn_back(settings: Settings, incident: Incident, actor: str, action: str, fact: str, *, hold: bool) -> str | None:
    holds = Holds(operations_engine(settings))
    wanted = [(source, date.fromisoformat(day)) for source, day in facts_of(incident, action).get(fact, [])]
    turned = [one for one in wanted if _say(holds, incident, *one, actor, hold)]
    return f"{'Held again' if hold else 'Released'}: {_named(turned)}." if turned else None


FALL_BACK = Action(
    "fall_back_to_last_good_publication",
    "let consumers read the last version that no open incident condemns",
    _fall_back,
    _describe_fall_back,
    leaves="consumers on an earlier version, until the next publication",
    undo=_come_back,
    heals=False,
)
HOLD = Action(
    "hold",
    "hold the landing days",
    _hold,
    _describe_hold,
    leaves="its days held, until they are released",
    undo=_undo_hold,
    heals=False,
)
RELEASE = Action(
    "release",
    "let the landing days go that somebody holds",
    _release,
    _describe_release,
    leaves="its days to the result of the checks",
    undo=_undo_release,
    heals=False,
)

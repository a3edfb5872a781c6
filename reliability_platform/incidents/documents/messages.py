"""Messages to those concerned: to our own people, to each owner of readers, to the owner of the source, the all-clear.

Short, and made of facts alone: what is wrong, who must avoid what, what is being done, when the next word comes.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.formats import joined, landing_days, length, moment, span
from reliability_platform.incidents.breach import clock_words
from reliability_platform.incidents.classes import CLASSES, Origin, Severity
from reliability_platform.incidents.documents.blocks import Block, Bullets, Heading, Paragraph
from reliability_platform.incidents.documents.facts import facts_of
from reliability_platform.incidents.documents.runbook import containment_done, is_over, state, title
from reliability_platform.incidents.documents.situation import Situation
from reliability_platform.incidents.impact import Exposure
from reliability_platform.incidents.model import Incident, State

NEXT_UPDATE = {
    Severity.P0: timedelta(minutes=30),
    Severity.P1: timedelta(hours=1),
    Severity.P2: timedelta(hours=4),
    Severity.P3: timedelta(days=1),
}
"""How long those concerned may be left without a word."""

INTERNAL, READERS, SOURCE, ALL_CLEAR = "internal", "readers", "source", "all-clear"


def promised_for(incident: Incident, hours: float | None, now: datetime) -> datetime:
    """When whoever gives an update now promises the next one: in so many hours, else as the severity asks."""
    return now + (NEXT_UPDATE[incident.severity] if hours is None else timedelta(hours=hours))


@dataclass(frozen=True)
class Message:
    """One message, to be sent by whoever sends."""

    kind: str
    to: str
    """A group or an address, from contracts and exposures."""
    blocks: Sequence[Block]


def is_of_the_source(incident: Incident) -> bool:
    """Whether it came with what a source delivers, or does not deliver, and not out of our own work."""
    return CLASSES[incident.failure_class].origin is Origin.UPSTREAM


def _next(incident: Incident, situation: Situation) -> str:
    if is_over(incident):
        return "This is the last update."
    return f"Next update by {moment(situation.now + NEXT_UPDATE[incident.severity])}, or when something changes."


def _usually(incident: Incident, situation: Situation) -> list[str]:
    """What its past lets one expect of an open incident."""
    return [] if is_over(incident) or situation.usual is None else [situation.usual.in_words]


def _again(incident: Incident) -> list[str]:
    """What those must hear who were told that it was over."""
    back = incident.lives > 1 and not is_over(incident)
    return ["It came back after it had been over: the all-clear no longer holds."] if back else []


def _concerned(incident: Incident) -> str:
    return f"{joined(list(incident.sources or (incident.source,)))}, {landing_days(incident.partitions)}"


def _doing(incident: Incident, situation: Situation) -> str:
    remedy = situation.remedy
    if is_over(incident):
        return f"Nothing is left to recover; it is {state(incident)}."
    if incident.state is State.RECOVERING:
        return f"Under way: {remedy.action}."
    if incident.attempts >= remedy.max_attempts:
        return f"{counted(incident.attempts, 'attempt')} did not heal it; a person is to decide."
    if remedy.obstacle is not None:
        return f"The platform does nothing by itself: {remedy.obstacle}."
    return f"Next, {'by itself' if remedy.automatic else 'after an approval'}, the platform will {remedy.action}."


def internal(incident: Incident, situation: Situation) -> Message:
    """To everybody who works on it."""
    times = incident.times
    told = times.onset if is_of_the_source(incident) else None  # what we broke ourselves did not begin as it landed
    since = f"Since {moment(told)}" if told else f"Detected {moment(times.detected)}"
    items = [
        *_again(incident),
        f"What: {CLASSES[incident.failure_class].what_it_means}",
        f"Where: {_concerned(incident)}; root {incident.root_dataset}.",
        f"{since}. State: {state(incident)}.",
        *(f"Done: {one}" for one in containment_done(incident, situation)[:3]),
        *(clock_words(incident, situation.terms, situation.breach) if situation.breach else []),
        _doing(incident, situation),
        *_usually(incident, situation),
        _next(incident, situation),
    ]
    blocks: list[Block] = [Heading(1, title(incident)), Paragraph(incident.id), Bullets(items)]
    return Message(INTERNAL, "those on call", blocks)


def _dates(situation: Situation) -> str:
    found = situation.numbers.event_dates if situation.numbers else []
    return f" for {span(found)}" if found else ""


def _see_now(incident: Incident, situation: Situation) -> str:
    readers = situation.readers
    if readers is None or not (readers.fresh or readers.held):
        return "What the published tables show of these days could not be established."
    if readers.fresh and CLASSES[incident.failure_class].spoils_numbers:
        return "The published tables show these days, and their numbers may be wrong."
    if readers.held:
        return "The published tables keep their last good rows; these days may be missing or old there, not wrong."
    return "The published tables show these days; their numbers are right as far as they go."


def to_reader(incident: Incident, situation: Situation, exposures: Sequence[Exposure]) -> Message:
    """To the owner of some things downstream."""
    names = joined([one.name for one in exposures])
    tables = sorted({table for one in exposures for table in situation.reads.get(one.name, ())})
    named = [table for table in tables if table in situation.reach.published]
    where = f"{joined(named)}{_dates(situation)}" if named else f"what you read of {_concerned(incident)}"
    critical = any(one.critical for one in exposures)
    wrong = CLASSES[incident.failure_class].spoils_numbers
    avoid = f"Please do not report or act on {where} until the all-clear."
    items = [
        f"You receive this as the owner of {names}{', which is marked critical' if critical else ''}.",
        *_again(incident),
        f"Concerned: {where}.",
        _see_now(incident, situation),
        avoid if wrong else "Nothing needs to be avoided; numbers may be late.",
        _doing(incident, situation),
        *_usually(incident, situation),
        _next(incident, situation),
    ]
    owner = exposures[0]
    blocks: list[Block] = [
        Heading(1, f"Data incident {incident.severity}: {CLASSES[incident.failure_class].title}"),
        Paragraph(f"To {owner.owner}, {owner.email}. {incident.id}."),
        Bullets(items),
    ]
    return Message(READERS, f"{owner.owner}, {owner.email}", blocks)


def to_readers(incident: Incident, situation: Situation) -> list[Message]:
    """One to each owner of something downstream."""
    owned: dict[tuple[str, str], list[Exposure]] = defaultdict(list)
    for one in situation.reach.exposures:
        owned[one.owner, one.email].append(one)
    return [to_reader(incident, situation, exposures) for exposures in owned.values()]


def to_source(incident: Incident, situation: Situation) -> Message:
    """To the owner of the source: what was seen, and what is asked of them; nothing where the cause lies with us."""
    owner = CONTRACTS[incident.source].owner
    asked = (
        "Please tell us what changed, and whether more days are concerned."
        if is_of_the_source(incident)
        else "The cause lies with us: nothing is asked of you."
    )
    own = list(dict.fromkeys(f"{one.check} on {one.partition}: {one.message}" for one in incident.signals))
    blocks: list[Block] = [
        Heading(1, f"{incident.source}: {CLASSES[incident.failure_class].title}"),
        Paragraph(f"To {owner}. {incident.id}, {landing_days(incident.partitions)}."),
        Paragraph("What our checks saw:"),
        Bullets(own[:5]),
        Paragraph(" ".join([*_again(incident), _doing(incident, situation), *_usually(incident, situation), asked])),
        Paragraph(_next(incident, situation)),
    ]
    return Message(SOURCE, owner, blocks)


def all_clear(incident: Incident, situation: Situation) -> Message:
    """To all who had a message; a draft while the incident is not over."""
    facts = facts_of(incident, situation)
    ready = is_over(incident)
    times = facts.times
    if incident.state is State.FALSE_ALARM:
        words = "It was a false alarm: nothing was wrong with the data."
    else:
        words = f"Recovered at {moment(times.recovered)}, {length(times.time_to_recover)} after detection."
    if facts.seen:
        changed = joined([f"{one.table}.{one.measure}" for one in facts.seen])
        numbers = f"Numbers that you may have used have changed: {changed}{_dates(situation)}."
    elif facts.changes and all(one.recovered is not None for one in facts.changes):
        numbers = "No wrong number had been published."
    elif situation.readers is not None and situation.readers.held:
        numbers = f"Still held back, for another incident: {span(sorted(situation.readers.held))}."
    else:
        numbers = f"The published tables may be used again{_dates(situation)}."
    items = [words, numbers, *(["Verified by the checks that had failed."] if times.verified else [])]
    items += [] if incident.watch is None else [incident.watch.words]
    draft: list[Block] = [] if ready else [Paragraph("Not to be sent yet: the incident is not over.")]
    blocks = [
        Heading(1, f"{'All clear' if ready else 'Draft of the all-clear'}: {CLASSES[incident.failure_class].title}"),
        Paragraph(f"{incident.id}, {_concerned(incident)}."),
        *draft,
        Bullets(items if ready else ["To be filled in by the facts of recovery."]),
    ]
    owners = list(dict.fromkeys(f"{one.owner}, {one.email}" for one in situation.reach.exposures))
    source = [CONTRACTS[incident.source].owner] if is_of_the_source(incident) else []
    return Message(ALL_CLEAR, "; ".join(["those on call", *owners, *source]), blocks)


_MADE_BY: dict[str, Callable[[Incident, Situation], list[Message]]] = {
    INTERNAL: lambda incident, situation: [internal(incident, situation)],
    READERS: to_readers,
    SOURCE: lambda incident, situation: [to_source(incident, situation)],
    ALL_CLEAR: lambda incident, situation: [all_clear(incident, situation)],
}
KINDS = tuple(_MADE_BY)


def messages(incident: Incident, situation: Situation, kind: str | None = None) -> list[Message]:
    """Those of one of `KINDS`; or all that fit the state: updates while it is open, the all-clear when it is over.

    The owner of the source has no part in what is of our own making, and is written to only if asked for.
    """
    updates = (INTERNAL, READERS, SOURCE) if is_of_the_source(incident) else (INTERNAL, READERS)
    fitting = (ALL_CLEAR,) if is_over(incident) else updates
    return [made for one in ((kind,) if kind else fitting) for made in _MADE_BY[one](incident, situation)]

"""Asks the source again for the batches that an incident gives reason to ask for, and for no others."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from reliability_platform.atomic import parquet_bytes
from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, SourceUnavailableError
from reliability_platform.incidents.classes import BY_CLOCK, CLASSES, AskFor
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.attempts import ANY_CONTENT, How, Permission, permission_of, permit
from reliability_platform.landing.manifest import Manifest
from reliability_platform.landing.replacement import land_replacement, landed_manifests, next_attempt
from reliability_platform.masking import error_text
from reliability_platform.remediation import evidence
from reliability_platform.remediation.actions.action import Action, Done, in_words
from reliability_platform.remediation.lateness import LATE_SLOTS, Slot, out_of_turn, rows_missing
from reliability_platform.remediation.ledger import REPLACEMENT, Replay
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch, batch_id
from reliability_platform.sources.endpoint import endpoints_of
from reliability_platform.sources.source import can_be_asked, kind_of, source_named

Slots = dict[date, set[int]]
SHOWN = 5
"""So many entries are named that nobody can send again."""


def asked_sources(incident: Incident) -> tuple[str, ...]:
    """The sources that are asked about an incident."""
    return incident.sources if CLASSES[incident.failure_class].between_sources else (incident.source,)


def slots_to_request(settings: Settings, incident: Incident, source: str | None = None) -> Slots:
    """Which slots of a source an incident gives reason to ask for again: those of its own failure, no others."""
    return _slots(settings, incident, source, CLASSES[incident.failure_class].asks_for)


def _slots_by_clock(settings: Settings, incident: Incident, source: str) -> Slots:
    """Those among the slots to request that are asked for because of the times of their rows."""
    return _slots(settings, incident, source, CLASSES[incident.failure_class].asks_for & BY_CLOCK)


def _slots(settings: Settings, incident: Incident, source: str | None, wanted: Collection[AskFor]) -> Slots:
    found: Slots = {}
    for what in sorted(wanted):
        for day, slots in _ASKED[what](settings, source or incident.source, incident.partitions).items():
            found[day] = found.get(day, set()) | slots
    return found


def _on_each(slots: Callable[[Settings, str, date], set[int]]) -> Callable[[Settings, str, Sequence[date]], Slots]:
    return lambda settings, source, days: {day: slots(settings, source, day) for day in days}


def _with_a_wrong_clock(settings: Settings, source: str, days: Sequence[date]) -> Slots:
    """All slots of the days of which rows cannot be late: nothing says which batch is right."""
    return {one.day: evidence.all_slots(settings, source, one.day) for one in out_of_turn(settings, source, days)}


_ALL = _on_each(evidence.all_slots)
_ASKED: dict[AskFor, Callable[[Settings, str, Sequence[date]], Slots]] = {
    AskFor.MISSING: _on_each(evidence.missing_slots),
    AskFor.UNASKED: _on_each(evidence.held_slots),
    AskFor.REFUSED_FOR_COLUMNS: _on_each(partial(evidence.refused_slots, schema=True)),
    AskFor.REFUSED_AS_BROKEN: _on_each(partial(evidence.refused_slots, schema=False)),
    AskFor.REJECTED_ROWS: evidence.rejected_slots,
    AskFor.WRONG_CLOCK: _with_a_wrong_clock,
    AskFor.SHIFTED: _ALL,
    AskFor.EVERYTHING: _ALL,
}


def slots_in_words(source: str, slots: Slots) -> str:
    wanted = [f"{source}-{day:%Y%m%d}-{slot:02d}" for day in sorted(slots) for slot in sorted(slots[day])]
    return ", ".join(wanted)


def _ask(settings: Settings, source: str, day: date, slot: int, attempt: int) -> Batch:
    """One batch from the source, wherever it is. Raises `SourceUnavailableError` if it does not come."""
    from reliability_platform.landing.fetch import fetch_again, query_again
    from reliability_platform.sources.database import DatabaseSource

    endpoints = endpoints_of(settings, source)
    if endpoints:
        return fetch_again(settings, source, day, slot, attempt, endpoints, utc_now)
    if kind_of(settings, source) == "stream":
        from reliability_platform.landing.stream import read_again

        return read_again(settings, source, day, slot, attempt, utc_now)
    found = source_named(settings, source)
    if isinstance(found, DatabaseSource):
        return query_again(settings, found, day, slot, attempt, utc_now)
    return found.deliver_again(day, slot, attempt)


def attempt_to_come(settings: Settings, source: str, day: date, slot: int) -> str:
    """The name of the next attempt of a slot, as its owner must send it."""
    return batch_id(source, day, slot, f"-a{next_attempt(settings, source, day, slot)}")


def expect(settings: Settings, source: str, day: date, name: str) -> None:
    """Let an attempt, whatever it holds, replace its slot when it comes."""
    permit(settings, source, day, Permission(name, ANY_CONTENT, How.REQUESTED, "remediation", "its owner must send it"))


def _is_the_same_delivery(settings: Settings, landed: Manifest, batch: Batch, fingerprint: str) -> bool:
    """Whether bytes and manifest have both landed before: the same bytes with another manifest are another delivery."""
    said = (landed.checksum, landed.expected_rows) == (fingerprint, batch.table.num_rows)
    return said and evidence.landed_fingerprint(settings, landed) == fingerprint


@dataclass
class _Answers:
    """What came of asking one source, batch by batch."""

    landed: list[Replay] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    """Came unasked, and the source stands by them when it is asked."""
    asked_before: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    """Landed by themselves since the last run, and wait to be examined."""
    late: list[Slot] = field(default_factory=list)
    """Have rows that the source's answer lacks: they came late, and what landed stays."""
    awaited: list[str] = field(default_factory=list)
    """Of a source that sends by itself: the next attempts, which its owner must send."""
    failed: dict[str, Exception] = field(default_factory=dict)
    reruns: set[date] = field(default_factory=set)


def request(settings: Settings, source: str, slots: Slots, by_clock: Slots | None = None) -> Done:
    """Ask the source for slots and land what it sends as the next attempt; what has landed already is not asked for.

    For slots asked for because of their clock (`by_clock`) the answer must have every row that landed; else those rows
    came late, and nothing takes their place. One batch that does not come keeps no other from being asked for. Raises what the first request raised if nothing
    came of any.
    """
    answers = _Answers()
    for day, wanted in sorted(slots.items()):
        in_landing = landed_manifests(settings, source, day)
        under_way = evidence.waiting(settings, source, day)
        held = evidence.held_slots(settings, source, day)
        for slot in sorted(wanted):
            before = [manifest for manifest in in_landing if manifest.sequence == slot]
            if slot in under_way:
                name = under_way[slot].batch_id
                unasked = permission_of(settings, source, day, name) is None
                (answers.unasked if unasked else answers.asked_before).append(name)
                answers.reruns.add(day)
                continue
            if not can_be_asked(settings, source):
                name = attempt_to_come(settings, source, day, slot)
                expect(settings, source, day, name)
                answers.awaited.append(name)
                continue
            try:
                batch = _ask(settings, source, day, slot, next_attempt(settings, source, day, slot))
            except SourceUnavailableError as error:
                answers.failed[f"{source}-{day:%Y%m%d}-{slot:02d}"] = error
                continue
            fingerprint = hashlib.sha256(parquet_bytes(batch.table)).hexdigest()
            last = max((manifest.attempt for manifest in before), default=1)
            latest = [manifest for manifest in before if manifest.attempt == last]
            same = [one for one in latest if _is_the_same_delivery(settings, one, batch, fingerprint)]
            if same and slot in held:
                # It came unasked, and the source stands by it when it is asked.
                for one in same:
                    why = "the source sends the same when it is asked"
                    permit(
                        settings, source, day, Permission(one.batch_id, fingerprint, How.REQUESTED, "remediation", why)
                    )
                answers.confirmed += [one.batch_id for one in same]
                answers.reruns.add(day)
                continue
            if same:
                answers.unchanged.append(batch.batch_id)
                continue
            if slot in (by_clock or {}).get(day, ()) and rows_missing(settings, source, day, slot, batch.table):
                answers.late.append((day, slot))
                answers.reruns.add(day)
                continue
            land_replacement(settings, batch)
            answers.landed.append(Replay(batch.batch_id, source, day, REPLACEMENT, fingerprint))
            answers.reruns.add(day)
    if answers.failed and not (answers.reruns or answers.unchanged):
        raise next(iter(answers.failed.values()))
    facts: dict[str, Any] = {"unchanged": answers.unchanged} if answers.unchanged else {}
    if answers.late:
        facts[LATE_SLOTS] = [[day.isoformat(), slot] for day, slot in answers.late]
    return Done(_summary(source, answers), sorted(answers.reruns), tuple(answers.landed), facts)


def _summary(source: str, answers: _Answers) -> str:
    words = []
    if answers.landed:
        words.append(f"Asked {source} again and landed {', '.join(one.batch_id for one in answers.landed)}.")
    if answers.asked_before:
        words.append(f"Asked for before, and examined with the next run: {', '.join(answers.asked_before)}.")
    if answers.unasked:
        words.append(f"Landed since the last run, and examined first: {', '.join(answers.unasked)}.")
    if answers.confirmed:
        named = ", ".join(answers.confirmed)
        words.append(f"The source stands by what it had sent unasked: {named} counts from the next run on.")
    if answers.awaited:
        named = ", ".join(answers.awaited)
        words.append(
            f"{source} sends by itself: ask its owner for {named}. What comes under this name is taken in then."
        )
    if answers.unchanged:
        named = ", ".join(answers.unchanged)
        words.append(f"Asked {source} again: it sends the same content again, so nothing was written for {named}.")
    if answers.late:
        named = slots_in_words(
            source, {day: {slot for one, slot in answers.late if one == day} for day, _ in answers.late}
        )
        words.append(
            f"Asked {source} again: it does not have all rows of {named} in these batches, so they did come late. They stay."
        )
    for slot, error in answers.failed.items():
        words.append(f"Asked {source} again for {slot}, which did not come: {error_text(error)}.")
    return " ".join(words) or "There is no batch to ask for again."


NOTHING = "there is no batch to ask for again"


def _re_request(settings: Settings, incident: Incident, actor: str) -> Done:
    del actor
    asked, failed = list[Done](), list[Exception]()
    for source in asked_sources(incident):
        slots = slots_to_request(settings, incident, source)
        if any(slots.values()):
            try:
                asked.append(request(settings, source, slots, _slots_by_clock(settings, incident, source)))
            except SourceUnavailableError as error:
                failed.append(error)  # the other source is asked all the same
    if failed and not asked:
        raise failed[0]
    rest = nobody_can_send(settings, incident)
    if not asked:  # a person wants it, or something has changed: what is there now is judged anew
        return Done(" ".join([_rerun_words(incident), *rest]), list(incident.partitions))
    facts = {
        name: [one for done in asked for one in done.facts.get(name, ())]
        for name in ("unchanged", LATE_SLOTS)
        if any(name in done.facts for done in asked)
    }
    return Done(
        " ".join([*(done.summary for done in asked), *(error_text(one) for one in failed), *rest]),
        sorted({day for done in asked for day in done.reruns}),
        tuple(replay for done in asked for replay in done.replays),
        facts,
    )


def _rerun_words(incident: Incident) -> str:
    return f"{NOTHING[:1].upper()}{NOTHING[1:]}. Run {in_words(incident.partitions)} again from what has landed."


def _wanted_words(settings: Settings, incident: Incident) -> list[str]:
    found = {one: slots_in_words(one, slots_to_request(settings, incident, one)) for one in asked_sources(incident)}
    return [f"{source} again for {slots}" for source, slots in found.items() if slots]


def _describe_re_request(settings: Settings, incident: Incident) -> str:
    wanted = _wanted_words(settings, incident)
    rest = nobody_can_send(settings, incident)
    if not wanted:
        return " ".join([_rerun_words(incident), *rest])
    words = f"Ask {' and '.join(wanted)}, land the answers as replacements, run the days again."
    return " ".join([words, *rest])


def _nothing_to_ask(settings: Settings, incident: Incident) -> str | None:
    try:
        return None if _wanted_words(settings, incident) else NOTHING
    except (EnvironmentUnusableError, HomeBusyError):
        return None  # nobody can tell before the warehouse can be read


def nobody_can_send(settings: Settings, incident: Incident) -> list[str]:
    """What only a person can end: refused entries that fit no slot, so that no source can send them again."""
    if AskFor.REFUSED_AS_BROKEN not in CLASSES[incident.failure_class].asks_for:
        return []
    found = [
        one for day in incident.partitions for one in evidence.refused_without_slot(settings, incident.source, day)
    ]
    if not found:
        return []
    named = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
    return [
        f"Only a person can end {named}, of no slot: remove it from landing, or `reliability quarantine discard` it."
    ]


RE_REQUEST = Action(
    "re_request_batches",
    "ask the source for the batches again",
    _re_request,
    _describe_re_request,
    leaves="replacements in landing: what the source says now, kept like every delivery; their days stay held",
    idle=_nothing_to_ask,
    only_asks_for=slots_to_request,
)

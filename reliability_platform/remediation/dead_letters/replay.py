"""Replays dead letters that a person chose: as they are under a changed contract, through a shim, or asked for again.

What it changes is idempotent; that it was tried stands in the ledger afterwards. So a replay that was cut off is taken
up by the next one, and what failed again under the same reading is not offered again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.landing.attempts import UNASKED, How, Permission, permit
from reliability_platform.landing.decisions import approve_shim
from reliability_platform.landing.discards import FILE
from reliability_platform.landing.working_copy import bring_in_decisions
from reliability_platform.masking import scrub
from reliability_platform.remediation.actions.re_request import request
from reliability_platform.remediation.contract_change import admissible_now
from reliability_platform.remediation.dead_letters.letters import Letter
from reliability_platform.remediation.ledger import ACCEPTED, CONTRACT, REPLACEMENT, SHIM, Replay, ReplayLedger
from reliability_platform.remediation.readings import JudgedReading, judged_readings
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Offer:
    """How one dead letter can be replayed, or why not."""

    letter: Letter
    how: str
    """As the ledger calls it."""
    fingerprint: str
    """The identity of this replay: the bytes, the reading of today, the shim. Another reading is another replay."""
    judged: JudgedReading | None = None
    """How the file is to be read and what its past says, if through a shim."""
    refusal: str = ""
    """Why it is not offered; empty if it is."""

    @property
    def words(self) -> str:
        """What a replay would change, exactly."""
        letter = self.letter
        if self.refusal:
            return f"{letter.words}: not offered, {self.refusal}."
        match self.how:
            case "shim":
                assert self.judged is not None
                return f"{letter.words}: approve a shim and read the file again. {self.judged.words}."
            case "accepted":
                return f"{letter.words}: take it instead of the good one of its slot, which it contradicts."
            case "contract":
                return f"{letter.words}: read it again as it is; what it is judged by has changed since it failed."
        return (
            f"{letter.words}: ask {letter.source} for slot {letter.slot:02d} of {letter.landing_date} again and land the "
            "answer, if it is another one, as a replacement of the whole batch."
        )


def _offer(letter: Letter, judged: JudgedReading | None) -> Offer:
    reading = judged.file.reading if judged is not None else None
    if letter.reasons == UNASKED:
        how = ACCEPTED
    elif reading is not None:
        how = SHIM
    elif letter.failed_under and letter.failed_under != letter.reading:
        how = CONTRACT
    else:
        how = REPLACEMENT
    shim = [] if reading is None else [sorted(reading.rename.items()), sorted(reading.casts.items())]
    identity = [letter.what, letter.reasons, letter.fingerprint, letter.reading, shim]
    return Offer(letter, how, hashlib.sha256(json.dumps(identity).encode()).hexdigest(), judged)


def _refused(offer: Offer, tried: set[tuple[str, str, str]], *, named: bool) -> str:
    letter = offer.letter
    if offer.how == ACCEPTED:
        decide = f"decide on it by name: --batch {letter.batch_id} takes it, `quarantine discard` refuses it"
        return "" if named else f"for it contradicts the good one of its slot and nobody asked for it: {decide}"
    if (letter.batch_id, offer.how, offer.fingerprint) in tried:
        return (
            "for a replay has been tried and it failed again with the same content under the same contract: change the "
            "contract or what the source sends, or discard it"
        )
    if offer.how == REPLACEMENT and letter.slot is None:
        return "for it fits no slot of the schedule, so that no source can be asked for it: remove it from landing, or discard it"
    return ""


def offers(settings: Settings, engine: Engine, letters: Sequence[Letter], *, named: bool = False) -> list[Offer]:
    """How each dead letter can be replayed today; changes nothing. An attempt that nobody asked for is offered only if
    a person has `named` it: whoever replays a whole day must not replace what is good."""
    tried = {(one.batch_id, one.how, one.fingerprint) for one in ReplayLedger(engine).all()}
    places = {(letter.source, letter.landing_date) for letter in letters if letter.what == FILE}
    fitting = {(source, day, one.batch_id) for source, day in places for one in admissible_now(settings, source, day)}
    readings = {
        (source, day, one.file.batch_id): one
        for source, day in places
        for one in judged_readings(settings, source, day)
        if one.agrees and (source, day, one.file.batch_id) not in fitting  # it needs no shim any more
    }
    found = []
    for letter in letters:
        reading = readings.get((letter.source, letter.landing_date, letter.batch_id)) if letter.what == FILE else None
        offer = _offer(letter, reading)
        if reading is not None and _refused(offer, tried, named=named):
            offer = _offer(letter, None)  # the shim did not help: then the source is asked
        found.append(Offer(letter, offer.how, offer.fingerprint, offer.judged, _refused(offer, tried, named=named)))
    return found


def perform(settings: Settings, chosen: Sequence[Offer], who: str) -> tuple[list[str], list[date]]:
    """Do what the offers say; returns words, and the landing days to run again. Doing it twice is doing it once.

    Raises `SourceUnavailableError` if a source does not answer; what was done before stays, and is met again.
    """
    words: list[str] = []
    reruns: set[date] = set()
    asked: dict[str, dict[date, set[int]]] = {}
    bring_in_decisions(settings, sorted({offer.letter.source for offer in chosen}))
    for offer in chosen:
        letter = offer.letter
        if offer.how == REPLACEMENT:
            assert letter.slot is not None  # else it is not offered
            asked.setdefault(letter.source, {}).setdefault(letter.landing_date, set()).add(letter.slot)
            continue
        if offer.how == ACCEPTED:
            why = "a person has taken it instead of the good one"
            accepted = Permission(letter.batch_id, letter.fingerprint, How.ACCEPTED, scrub(who), why)
            permit(settings, letter.source, letter.landing_date, accepted)
        elif offer.judged is not None:
            why = f"a person replays it: {offer.judged.words}"
            approve_shim(settings, letter.source, letter.batch_id, offer.judged.file.reading, scrub(who), why)
        words.append(offer.words)
        reruns.add(letter.landing_date)
    for source, slots in asked.items():
        done = request(settings, source, slots)
        words.append(done.summary)
        reruns |= set(done.reruns)
    return words, sorted(reruns)


def note_tried(engine: Engine, chosen: Sequence[Offer], now: datetime) -> None:
    """Append to the ledger that these replays have been tried, once their days have run; twice changes nothing."""
    done = [
        Replay(offer.letter.batch_id, offer.letter.source, offer.letter.landing_date, offer.how, offer.fingerprint)
        for offer in chosen
    ]
    ReplayLedger(engine).record(done, "", 0, now)

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

from reliability_platform.landing.discards import FILE
from reliability_platform.landing.shims import approve_rename
from reliability_platform.masking import scrub, shown_name
from reliability_platform.remediation import evidence
from reliability_platform.remediation.actions import renames_of, request
from reliability_platform.remediation.dead_letters.letters import Letter
from reliability_platform.remediation.ledger import CONTRACT, REPLACEMENT, SHIM, Replay, ReplayLedger
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Offer:
    """How one dead letter can be replayed, or why not."""

    letter: Letter
    how: str
    """As the ledger calls it."""
    fingerprint: str
    """The identity of this replay: the bytes, the reading of today, the shim. Another reading is another replay."""
    rename: tuple[tuple[str, str], ...] = ()
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
                pairs = ", ".join(f"{shown_name(found)} read as {expected}" for found, expected in self.rename)
                return f"{letter.words}: approve a shim ({pairs}) and read the file again."
            case "contract":
                return f"{letter.words}: read it again as it is; what it is judged by has changed since it failed."
        return (
            f"{letter.words}: ask {letter.source} for slot {letter.slot:02d} of {letter.landing_date} again and land the "
            "answer, if it is another one, as a replacement of the whole batch."
        )


def _offer(letter: Letter, rename: dict[str, str]) -> Offer:
    if rename:
        how = SHIM
    elif letter.failed_under and letter.failed_under != letter.reading:
        how = CONTRACT
    else:
        how = REPLACEMENT
    pairs = tuple(sorted(rename.items()))
    identity = [letter.what, letter.reasons, letter.fingerprint, letter.reading, pairs]
    return Offer(letter, how, hashlib.sha256(json.dumps(identity).encode()).hexdigest(), pairs)


def _refused(offer: Offer, tried: set[tuple[str, str, str]]) -> str:
    letter = offer.letter
    if (letter.batch_id, offer.how, offer.fingerprint) in tried:
        return (
            "for a replay has been tried and it failed again with the same content under the same contract: change the "
            "contract or what the source sends, or discard it"
        )
    if offer.how == REPLACEMENT and letter.slot is None:
        return "for it fits no slot of the schedule, so that no source can be asked for it: remove it from landing, or discard it"
    return ""


def offers(settings: Settings, engine: Engine, letters: Sequence[Letter]) -> list[Offer]:
    """How each dead letter can be replayed today; changes nothing."""
    tried = {(one.batch_id, one.how, one.fingerprint) for one in ReplayLedger(engine).all()}
    renames = {
        (source, day, one.batch_id): one.rename
        for source, day in {(letter.source, letter.landing_date) for letter in letters if letter.what == FILE}
        for one in renames_of(source, day, evidence.admissions(settings, source, day))
    }
    found = []
    for letter in letters:
        rename = renames.get((letter.source, letter.landing_date, letter.batch_id), {}) if letter.what == FILE else {}
        offer = _offer(letter, rename)
        if rename and _refused(offer, tried):
            offer = _offer(letter, {})  # the shim did not help: then the source is asked
        found.append(Offer(letter, offer.how, offer.fingerprint, offer.rename, _refused(offer, tried)))
    return found


def perform(settings: Settings, chosen: Sequence[Offer], who: str) -> tuple[list[str], list[date]]:
    """Do what the offers say; returns words, and the landing days to run again. Doing it twice is doing it once.

    Raises `SourceUnavailableError` if a source does not answer; what was done before stays, and is met again.
    """
    words: list[str] = []
    reruns: set[date] = set()
    asked: dict[str, dict[date, set[int]]] = {}
    for offer in chosen:
        letter = offer.letter
        if offer.how == REPLACEMENT:
            assert letter.slot is not None  # else it is not offered
            asked.setdefault(letter.source, {}).setdefault(letter.landing_date, set()).add(letter.slot)
            continue
        if offer.how == SHIM:
            why = "a person replays it; the refusal names the likely rename"
            approve_rename(settings, letter.source, letter.batch_id, dict(offer.rename), scrub(who), why)
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

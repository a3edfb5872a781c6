"""How a source behind HTTP misbehaves: kinds as a table, and schedules that say which request meets which kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Misbehaviour:
    """What happens to one answer. Shares are of the body's bytes."""

    name: str
    description: str
    status: int | None = None
    """Refuses with this status instead of answering."""
    retry_after: int | str | None = None
    """Seconds for `Retry-After`; a text is sent as it is, for a source may say anything."""
    retry_after_as_date: bool = False
    """Whether the seconds are sent as a date of HTTP, so long from now."""
    sent_share: float = 1.0
    """Less than 1: the body ends before the length that was announced."""
    reset: bool = False
    """Whether the connection is reset instead of closed where the body ends."""
    body_seconds: float = 0.0
    """The body is trickled over so long."""
    garbled: bool = False
    """A byte of the body is another one, which only a checksum can show."""


BUSY = Misbehaviour("busy", "429, try again in a second", status=429, retry_after=1)
BUSY_UNTIL = Misbehaviour("busy_until", "429, try again at a time", status=429, retry_after=1, retry_after_as_date=True)
FAILING = Misbehaviour("failing", "500", status=500)
UNAVAILABLE = Misbehaviour("unavailable", "503, try again in a second", status=503, retry_after=1)
CUT = Misbehaviour("cut", "the body ends half-way", sent_share=0.5)
RESET = Misbehaviour("reset", "the connection is reset half-way", sent_share=0.5, reset=True)
SLOW = Misbehaviour("slow", "the body is trickled over 40 seconds", body_seconds=40)
GARBLED = Misbehaviour("garbled", "one byte of the body is wrong", garbled=True)

MISBEHAVIOURS = {one.name: one for one in (BUSY, BUSY_UNTIL, FAILING, UNAVAILABLE, CUT, RESET, SLOW, GARBLED)}

Schedule = Mapping[int, Misbehaviour]
"""Number of a request, from 0, → what happens to its answer; the others are answered well."""

WELL_BEHAVED: Schedule = {}


def at_first(requests: int, kind: Misbehaviour = BUSY) -> Schedule:
    """The first requests meet one kind."""
    return dict.fromkeys(range(requests), kind)


def seeded(seed: int, share: float, kinds: Sequence[Misbehaviour], requests: int = 10_000) -> Schedule:
    """A share of so many requests, drawn at random, meets the kinds; the same seed gives the same schedule."""
    rng = np.random.default_rng(seed)
    injected = np.flatnonzero(rng.random(requests) < share)
    drawn = rng.integers(len(kinds), size=injected.size)
    return {number: kinds[kind] for number, kind in zip(injected.tolist(), drawn.tolist(), strict=True)}

"""How work ended, told in a file whose room was taken before the work began.

A full disk keeps the store from being told that it was the full disk that ended a build or a run: its entry stays
"running", and whoever comes next would take it for killed. Overwriting a file in place needs no new room. What was
really killed tells nothing.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from reliability_platform.errors import StoppedError

ROOM = 4096
"""Bytes: one block of the file systems in use. Less would take as much."""
MAX_ERROR = 800
"""Letters of an error; at four bytes each they always fit."""


@dataclass(frozen=True)
class Ending:
    """What whoever did the work says of its end."""

    outcome: str
    error: str


_OPEN: dict[Hashable, Callable[[], None]] = {}
"""By each work of this process that has not ended: what leaves word that somebody stopped it."""
STOPPED_WORDS = "it was stopped"
_STOPS: list[int] = []
"""The signals by which somebody has asked this process to stop."""


def note_stop(number: int) -> None:
    """Somebody has asked the process to stop by this signal."""
    _STOPS.append(number)


def forget_stops() -> None:
    """The command that was asked to stop is over."""
    _STOPS.clear()


def raise_if_stopped() -> None:
    """Raise `StoppedError` if somebody has asked the process to stop.

    dbt, Soda and DuckDB answer an interrupt with a result or an error of their own, so it comes out as a failed model, a
    check that crashed, a warehouse that cannot be read. Whoever takes their answers asks here first.
    """
    if _STOPS:
        raise StoppedError(_STOPS[0])


@contextmanager
def stop_first() -> Iterator[None]:
    """Raise `StoppedError` in the place of any error that comes after somebody has asked the process to stop."""
    try:
        yield
    except Exception:
        raise_if_stopped()
        raise


def finish(work: Callable[[], None]) -> None:
    """Do what must not be left half done: whoever interrupts it is heard afterwards, by a `StoppedError`. A command that is asked to
    stop has 20 s for all that, after which its process is ended.
    """
    if threading.current_thread() is not threading.main_thread():
        work()  # only the main thread is interrupted
        return
    came: list[int] = []
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        work()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
    if came:
        raise StoppedError(came[0])


def begun(work: Hashable, leave_word: Callable[[], None]) -> None:
    """Let `leave_word` say of a work that it was stopped, if the process is stopped before the work has `ended`."""
    _OPEN[work] = leave_word


def ended(work: Hashable) -> None:
    """Whoever did the work has said how it ended."""
    _OPEN.pop(work, None)


def leave_words_of_a_stop() -> None:
    """Say of all that has not ended that it was stopped. A process that is ended in the middle cannot say it itself, and
    what says nothing counts as killed.
    """
    for leave_word in list(_OPEN.values()):
        with suppress(Exception):
            leave_word()


def reserve(descriptor: int) -> None:
    """Take the room of one ending. Raises `OSError` if there is none: then the work had better not begin."""
    _overwrite(descriptor, b"")


def tell(descriptor: int, ending: Ending) -> None:
    """Say how the work ended, in the room that was taken."""
    content = {"outcome": ending.outcome, "error": ending.error[:MAX_ERROR]}
    _overwrite(descriptor, json.dumps(content, ensure_ascii=False).encode(errors="replace"))


def told(descriptor: int) -> Ending | None:
    """What was said; None if nothing was, or only half of it."""
    try:
        found = json.loads(os.pread(descriptor, ROOM, 0))
        return Ending(str(found["outcome"]), str(found["error"]))
    except (ValueError, KeyError, TypeError):
        return None


def _overwrite(descriptor: int, content: bytes) -> None:
    os.pwrite(descriptor, content.ljust(ROOM), 0)
    os.fsync(descriptor)

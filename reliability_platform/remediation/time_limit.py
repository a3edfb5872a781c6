"""The time limit of an action, wherever it runs."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from reliability_platform.errors import PlatformError


class ActionTimedOutError(PlatformError):
    """An action took longer than its policy allows, and was stopped."""


@contextmanager
def within(limit: timedelta, what: str) -> Iterator[None]:
    """Stop the block after a while. Raises `ActionTimedOutError`.

    By a timer of the process, which only its main thread may set. Elsewhere the orchestrator ends the run, and an
    attempt that has said nothing for so long is taken for dead.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        seconds = limit.total_seconds()
        raise ActionTimedOutError(f"{what} had not ended after {seconds:g} s and was stopped; it may be done again.")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit.total_seconds())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

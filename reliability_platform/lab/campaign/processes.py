"""The processes in which trials run."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Start processes that no Ctrl-C reaches: a terminal sends it to all at once, and each would answer with a traceback.

    What is blocked here stays blocked in what is started. The command itself gets its Ctrl-C afterwards, and ends them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

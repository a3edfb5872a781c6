"""The processes in which trials run."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LEAKED = "ignore:resource_tracker:UserWarning"


def expect_to_be_ended() -> None:
    """Let Python's own account of semaphores not warn of those that trials leave which are ended in the middle.

    The process that keeps it is started once, with the options for warnings of that moment.
    """
    if LEAKED not in sys.warnoptions:
        sys.warnoptions.append(LEAKED)


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

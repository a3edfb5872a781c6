"""The processes of the lab: trials, and those that are forked from one that has imported the platform and does nothing else.

Started from nothing, a build imports dbt and the platform for 5 s of CPU before it writes its first row, and those that
the lab starts are killed right after. The process from which they are forked is started once, from nothing, and ends with
the one that started it (`multiprocessing`'s fork server): forked from a process at work, they would have its locks and none
of its threads.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

PRELOADED = "reliability_platform.lab.preloaded"
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


def get_ready() -> None:
    """Start importing what the processes need, beside what goes on here."""
    forkserver.set_forkserver_preload([PRELOADED])
    with deaf_to_ctrl_c():
        forkserver.ensure_running()


def begin(
    module: str,
    *arguments: Any,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
) -> BaseProcess:
    """A process that does what `python -m module` does, its `main` with some arguments, after `before`. It prints nothing,
    and ends when this one does.

    What it is given must be possible to pickle.
    """
    get_ready()
    said = dict(os.environ if environment is None else environment)
    process = multiprocessing.get_context("forkserver").Process(
        target=_become, args=(said, before, module, arguments), daemon=True
    )
    process.start()
    return process


def end_of(process: BaseProcess, seconds: float) -> int:
    """The exit code of a process, below zero for the signal that ended it. Raises `TimeoutError`."""
    process.join(seconds)
    if process.exitcode is None:
        raise TimeoutError(f"process {process.pid} has not ended within {seconds:g} s")
    return process.exitcode


def _become(
    environment: Mapping[str, str],
    before: Callable[[], None] | None,
    module: str,
    arguments: tuple[Any, ...],
) -> None:
    """In the new process: all that a program finds as it starts."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    # Its semaphores are kept account of beside it: with those of whoever began it, a warning would tell of them when it is killed.
    tracker: Any = resource_tracker._resource_tracker  # type: ignore[attr-defined]
    tracker._fd = tracker._pid = None
    if before is not None:
        before()
    sys.exit(import_module(module).main(*arguments))


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)

"""Ctrl-C and SIGTERM end any command with one line, no traceback, its children ended, and the exit code of the signal.

Libraries have handlers of their own: Dagster puts its own in place while it runs a step, dbt makes a failed result of an
interrupt. So that a signal came is read from the interpreter itself (`signal.set_wakeup_fd`), whoever handles it, and
whatever error comes out of the command afterwards is taken for what it is. Nothing is imported here that takes time:
a signal may come while the rest is loaded.
"""

import atexit
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from reliability_platform.ending import forget_stops, leave_words_of_a_stop, note_stop
from reliability_platform.errors import StoppedError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 20.0
"""How long a command may take to put its things away. dbt lets statements that run come to their end first."""
AGAIN_SECONDS = 4.0
"""After which a command that still goes on is interrupted once more."""
CHILDREN_SECONDS = 5.0
"""How long its children may; then they are killed, which every stage survives."""
LOOK, LOOK_SECONDS = b"\0", 5.0
"""What is written into the pipe of signals to learn that all before it have been noted, and how long that may take."""
ENDED = "reliability: stopped.\n"
GOES_ON = "reliability: stopped; what was finished is kept, run the command again to go on.\n"
BEGINS_ANEW = "reliability: stopped; run again, the command begins from the start.\n"
LINES = {
    **dict.fromkeys(
        ("run", "backfill", "inject", "plan", "heal", "publish", "withdraw", "snapshot", "restore", "quarantine"),
        GOES_ON,
    ),
    **dict.fromkeys(("demo", "verify", "drill", "rehearse", "scorecard", "campaign"), BEGINS_ANEW),
}
"""What is true of each command that is stopped. Of those that look or serve, and of what takes one step, no more than
that it was: there is nothing to go on with.
"""


class _Stop:
    """What is known of signals while a command runs."""

    def __init__(self, line: str, writer: int | None = None) -> None:
        self.received: int | None = None
        self._children_before = _children()
        self.done = threading.Event()
        self._line = line
        self._writer, self._looked = writer, threading.Event()
        self._said = False
        self._said_again = False
        self.leaving = False
        """Whether the command is over, and only what ends it is left."""

    @property
    def came(self) -> bool:
        """Whether a signal has come by now, though the thread that notes them may not have had its turn since."""
        if self._writer is not None:
            self._looked.clear()
            os.write(self._writer, LOOK)
            self._looked.wait(LOOK_SECONDS)
        return self.received is not None

    def watch(self, pipe: int) -> None:
        """Note each signal; end the process if it takes too long, or is asked twice."""
        while byte := os.read(pipe, 1):
            if byte == LOOK:
                self._looked.set()
            if byte[0] not in SIGNALS:
                continue
            if self.received is not None and self._said_again:
                self._said_again = False
                continue
            if self.received is not None:
                self.end_now()
            self.received = byte[0]
            note_stop(byte[0])
            threading.Thread(target=self._end_late, daemon=True).start()

    def _end_late(self) -> None:
        if not self.done.wait(AGAIN_SECONDS) and not self.leaving:
            # Python drops an interrupt that comes in a destructor, and a library may lose a connection by it and wait.
            # `_thread.interrupt_main` would not wake a thread that sleeps or reads.
            self._said_again = True
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if not self.done.wait(GRACE_SECONDS - AGAIN_SECONDS):
            self.end_now()

    def end_now(self) -> NoReturn:
        """Without putting anything away: the kernel lets go of all locks, and the next command removes what is left."""
        leave_words_of_a_stop()
        end_children(self.children())
        self.say()
        os._exit(128 + (self.received or signal.SIGINT))

    def children(self) -> list[int]:
        """The processes that the command has started: whoever runs it within a process of their own has others."""
        return [child for child in _children() if child not in self._children_before]

    def say(self) -> None:
        """The one line, once; on a terminal below its echo of Ctrl-C."""
        if not self._said:
            self._said = True
            with suppress(OSError):
                os.write(2, (b"\n" if os.isatty(2) else b"") + self._line.encode())


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise StoppedError(number)


@contextmanager
def stoppable(words: Sequence[str] = ()) -> Iterator[_Stop]:
    """End the process in one line if a signal comes within the block, whatever becomes of it there.

    `words` are those of the command: what is said depends on it.

    What it yields knows whether one has come: what goes wrong afterwards is not told.
    """
    if threading.current_thread() is not threading.main_thread():
        yield _Stop(ENDED)  # only the main thread gets signals
        return
    reader, writer = os.pipe()
    stop = _Stop(LINES.get(next((word for word in words if not word.startswith("-")), ""), ENDED), writer)
    os.set_blocking(writer, False)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    pipe_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    watcher = threading.Thread(target=stop.watch, args=(reader,), daemon=True)
    watcher.start()
    for number in SIGNALS:
        # The same one for both: Dagster restores that of SIGINT in the place of both.
        signal.signal(number, _raise)
    hook, last_resort = sys.unraisablehook, logging.lastResort

    def unless_stopped(found: "sys.UnraisableHookArgs") -> None:
        if not stop.came:
            hook(found)

    def is_told(_: logging.LogRecord) -> bool:
        return not stop.came

    # An interrupt that ends in a destructor is a traceback, in a pool of connections a logged one.
    sys.unraisablehook = unless_stopped
    if last_resort is not None:
        last_resort.addFilter(is_told)
    try:
        try:
            yield stop
        finally:
            stop.leaving = True
            sys.unraisablehook = hook
            if last_resort is not None:
                last_resort.removeFilter(is_told)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN if stop.received else before[number])
            signal.set_wakeup_fd(pipe_before)
            os.close(writer)
            watcher.join()
            os.close(reader)
            forget_stops()
    except BaseException as error:
        received: int = stop.received or (error.args[0] if isinstance(error, StoppedError) else signal.SIGINT)
        if stop.received is None and not isinstance(error, KeyboardInterrupt):
            raise
        end_children([child for child in stop.children() if child != _trackers_number()])
        stop.say()
        sys.exit(128 + received)
    finally:
        if not stop.received:
            stop.done.set()  # else it goes on: a thread of a library may keep the interpreter from ending
        else:
            for number in SIGNALS:
                signal.signal(number, before[number])


def end_at_once(code: int) -> NoReturn:
    """End the process of a command that was stopped without the interpreter's own end: a thread of a library that was
    interrupted aborts it there, with another exit code.
    """
    with suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)


def leave_the_end_alone() -> None:
    """Let the interpreter put its things away, which takes a second: the command is over, and its exit code is known.

    A signal in between was a traceback out of some library's last call.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end_children(children: list[int]) -> None:
    """End processes that this one has started, and wait for them."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            with suppress(OSError):
                os.kill(child, number)
        deadline = time.monotonic() + CHILDREN_SECONDS
        while children and time.monotonic() < deadline:
            for child in children:
                with suppress(OSError):
                    os.waitpid(child, os.WNOHANG)
            children = [child for child in children if Path(f"/proc/{child}").exists()]
            time.sleep(0.05)
        if not children:
            return


def _children() -> list[int]:
    """The processes whose parent is this one; none where the system does not say."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path("/proc/self/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _trackers_number() -> int | None:
    """The process in which Python keeps account of semaphores. It ends after us; ended before, it is started anew at the
    very end, and prints a traceback of what it never knew.
    """
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    return None if tracker is None else tracker._resource_tracker._pid

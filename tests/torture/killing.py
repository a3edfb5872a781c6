"""Processes that are killed: forked from one that has imported everything, by a seeded choice of the moment.

Two kinds of moments: after a share of the time that the work takes (which strikes inside a write, a commit, a C
function), and at the n-th thing that it does to the world, counted in the child itself: a file opened for writing,
renamed, removed, a folder made, a statement or a commit in either database.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import duckdb
from sqlalchemy import Engine, event

AUDITED = frozenset(
    {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.truncate", "sqlite3.connect"}
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
HARD_LIMIT_SECONDS = 180.0


@dataclass(frozen=True)
class Moment:
    """When to die: at the n-th point, or after some seconds."""

    point: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        return f"point {self.point}" if self.point is not None else f"{self.seconds:.3f} s"


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    killed: bool
    seconds: float
    points: int
    answer: Any
    """What the work returned, if it ended by itself."""
    error: str | None
    """The last lines of its traceback, if it failed."""


NEVER = Moment()


def nothing() -> None:
    """What most processes need before they begin."""


def choose(rng: Random, points: int, seconds: float) -> Moment:
    """A moment of a work that passes so many points in so many seconds."""
    if rng.random() < 0.5:
        return Moment(point=rng.randint(1, max(1, points)))
    return Moment(seconds=rng.uniform(0, seconds))


class _Points:
    """Counts what this process does to the world; kills it at the n-th."""

    def __init__(self, last: int | None) -> None:
        self.count, self._last, self._lock = 0, last, threading.Lock()

    def passed(self, *_: Any) -> None:
        with self._lock:
            self.count += 1
            if self.count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)

    def _audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITING and not str(path).startswith("/dev/"):
                self.passed()
        elif name in AUDITED:
            self.passed()

    def listen(self) -> None:
        sys.addaudithook(self._audit)
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, name, self.passed)
        for name in ("execute", "executemany", "commit"):
            setattr(duckdb.DuckDBPyConnection, name, self._counted(getattr(duckdb.DuckDBPyConnection, name)))

    def _counted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(connection: Any, *arguments: Any, **named: Any) -> Any:
            self.passed()
            result = original(connection, *arguments, **named)
            self.passed()
            return result

        return call


def _work(work: Callable[[], Any], moment: Moment, answers: int, log: Path, prepare: Callable[[], None]) -> None:
    """The child's life; it never returns."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    points = _Points(moment.point)
    answer: dict[str, Any] = {"answer": None, "error": None}
    try:
        prepare()
        points.listen()
        answer["answer"] = work()
    except BaseException as error:
        if not isinstance(error, SystemExit) or error.code:
            answer["error"] = f"{traceback.format_exc()[-1500:]}\n{log.read_text()[-500:]}"
    answer["points"] = points.count
    with os.fdopen(answers, "w") as pipe:
        json.dump(answer, pipe, default=str)
    os._exit(0)


def start(
    work: Callable[[], Any],
    log: Path,
    moment: Moment = NEVER,
    prepare: Callable[[], None] = nothing,
    patience: float = HARD_LIMIT_SECONDS,
) -> "Process":
    """Fork a process that does `work`, after `prepare`, which is not counted; it hangs if it takes `patience` seconds."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(work, moment, writing, log, prepare)
    os.close(writing)
    return Process(pid, reading, patience if moment.seconds is None else moment.seconds)


class Process:
    """A forked process, to be waited for once."""

    def __init__(self, pid: int, answers: int, seconds: float) -> None:
        self.pid, self._answers, self._began = pid, answers, time.monotonic()
        self._timer = threading.Timer(seconds, self.kill)
        self._timer.daemon = True
        self._timer.start()

    def kill(self) -> None:
        """SIGKILL, as the kernel does it when memory runs out."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> Ended:
        """How it ended."""
        with os.fdopen(self._answers) as pipe:
            text = pipe.read()
        # The process is a zombie until it is waited for: the timer cannot strike another one of the same number.
        self._timer.cancel()
        self._timer.join()
        _, status = os.waitpid(self.pid, 0)
        seconds = time.monotonic() - self._began
        if os.WIFSIGNALED(status):
            return Ended(True, seconds, 0, None, None)
        answer = json.loads(text)
        return Ended(False, seconds, answer["points"], answer["answer"], answer["error"])

"""Locks of files, which the kernel lets go of when their holder dies: a crash never blocks whoever comes next.

Two kinds. `locked` lets one of several through at a time. `claim` is a sign of life: a file that is locked for as long as
the one who made it lives, so that others can ask (`unclaimed`) whether it is one that a dead process has left. The lock
of the operations store's schema is the database's own (`operations/schema.py`).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError

FOREVER = -1.0
LOOK_AGAIN_SECONDS = 0.05
LOOK_SECONDS = 0.001


class Held(Protocol):
    """A lock that this process has."""

    def release(self, force: bool = False) -> None:
        """Let go of it, once as often as it was taken; with `force` for good."""


def _reentrant(path: Path) -> FileLock:
    # A singleton per path that is not bound to a thread: the same process may take the lock again inside itself.
    return FileLock(path, is_singleton=True, thread_local=False)


def is_ours(path: Path) -> bool:
    """Whether this process holds the re-entrant lock already."""
    return _reentrant(path).is_locked


def _prepare(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise EnvironmentUnusableError(f"{path} is a folder where the file of a lock should be: remove it.")


def take(
    path: Path,
    busy: str = "",
    *,
    wait_seconds: float = FOREVER,
    look_again_seconds: float = LOOK_AGAIN_SECONDS,
    reentrant: bool = False,
) -> FileLock:
    """Wait for the lock and hold it until it is released or the process ends; its folder is made where it is missing.

    Raises `HomeBusyError` with `busy`, which says who has it and what to do, if nobody lets go of it in time.
    """
    _prepare(path)
    lock = _reentrant(path) if reentrant else FileLock(path)
    try:
        lock.acquire(timeout=wait_seconds, poll_interval=look_again_seconds)
    except Timeout:
        raise HomeBusyError(busy) from None
    return lock


@contextmanager
def locked(
    path: Path,
    busy: str = "",
    *,
    wait_seconds: float = FOREVER,
    look_again_seconds: float = LOOK_AGAIN_SECONDS,
    reentrant: bool = False,
) -> Iterator[None]:
    """Hold the lock for the length of the block; the rest as in `take`."""
    lock = take(path, busy, wait_seconds=wait_seconds, look_again_seconds=look_again_seconds, reentrant=reentrant)
    try:
        yield
    finally:
        lock.release()


def claim(path: Path, *, wait: bool) -> int:
    """The descriptor of a file that is made where it is missing, and locked until the descriptor is closed.

    Without `wait`, raises `BlockingIOError` if another process has it.
    """
    _prepare(path)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if wait:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            else:
                _claim_now(descriptor)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(
            descriptor
        )  # somebody has removed it since it was opened: the lock would be on a file that nobody finds


def _claim_now(descriptor: int) -> None:
    """Raise `BlockingIOError` if a holder has the file: one who looks (`unclaimed`) lets go of it at once, and is none."""
    while True:
        with suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        time.sleep(LOOK_SECONDS)


@contextmanager
def unclaimed(path: Path) -> Iterator[int | None]:
    """The descriptor of a file that nobody has claimed; None while somebody has. Raises `FileNotFoundError` without one."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            # Shared: two who look at the same time must not take each other for its holder.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)

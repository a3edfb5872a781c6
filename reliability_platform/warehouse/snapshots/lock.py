"""Whoever takes, forgets or puts back snapshots of a home takes turns, or one would remove what the other needs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from reliability_platform.errors import HomeBusyError
from reliability_platform.settings import Settings

STAGING = ".snapshot-staging"


@contextmanager
def snapshot_lock(settings: Settings) -> Iterator[Path]:
    """Hold the turn; gives a folder for drafts in the home, emptied before and after."""
    settings.home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.home / ".snapshots.lock", is_singleton=True, thread_local=False)
    try:
        lock.acquire(timeout=settings.lease_timeout_seconds)
    except Timeout:
        raise HomeBusyError(
            f"Another process has been at work on the snapshots for {settings.lease_timeout_seconds:.0f} s: wait for it."
        ) from None
    staging = settings.home / STAGING
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        lock.release()

"""Whoever takes, forgets or puts back snapshots of a home takes turns, or one would remove what the other needs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reliability_platform.locks import locked
from reliability_platform.settings import Settings

STAGING = ".snapshot-staging"


@contextmanager
def snapshot_lock(settings: Settings) -> Iterator[Path]:
    """Hold the lock; gives a folder for drafts in the home, emptied before and after."""
    seconds, staging = settings.lease_timeout_seconds, settings.home / STAGING
    busy = f"Another process has been at work on the snapshots for {seconds:.0f} s: wait for it."
    with locked(settings.home / ".snapshots.lock", busy, wait_seconds=seconds, reentrant=True):
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

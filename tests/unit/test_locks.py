"""Locks: one at a time, given up in time with a sentence, and never kept by the dead."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError
from reliability_platform.locks import claim, is_ours, locked, take, unclaimed

FORK = get_context("fork")
BUSY = "Another process has the thing: wait for it."


def hold(path: Path, how: str, ready: Connection) -> None:
    """In a process of its own, until it is killed."""
    held = take(path) if how == "locked" else claim(path, wait=False)
    ready.send(str(held))
    signal.pause()


@pytest.mark.parametrize("how", ["locked", "claimed"])
def test_a_lock_keeps_others_out_until_its_holder_dies(tmp_path: Path, how: str) -> None:
    """A run that was killed must not block the next one."""
    path = tmp_path / "folder" / "one.lock"
    ours, theirs = FORK.Pipe()
    holder = FORK.Process(target=hold, args=(path, how, theirs))
    holder.start()
    assert ours.poll(60)
    with pytest.raises(HomeBusyError, match=BUSY), locked(path, BUSY, wait_seconds=0):
        pass
    with pytest.raises(BlockingIOError):
        claim(path, wait=False)
    with unclaimed(path) as left:
        assert left is None
    holder.kill()
    holder.join(60)
    with unclaimed(path) as left:
        assert left is not None
    with locked(path, BUSY, wait_seconds=0):
        pass
    os.close(claim(path, wait=False))


def test_two_may_look_at_once_at_what_a_dead_process_has_left(tmp_path: Path) -> None:
    """Each would take the other for its holder, and nobody would clean up."""
    path = tmp_path / "one.lock"
    os.close(claim(path, wait=False))
    with unclaimed(path) as left, unclaimed(path) as other:
        assert left is not None
        assert other is not None


def test_somebody_who_looks_does_not_keep_the_next_holder_out(tmp_path: Path) -> None:
    """A sensor that asked whether an action was broken off, just then, made the action "healed by another process"."""
    path = tmp_path / "one.lock"
    path.touch()
    looking = ExitStack()
    assert looking.enter_context(unclaimed(path)) is not None
    over = threading.Timer(0.3, looking.close)
    over.start()
    os.close(claim(path, wait=False))
    over.join()


def test_a_claim_is_on_the_file_that_others_find(tmp_path: Path) -> None:
    """The one before it removes its file while the next one waits for the lock."""
    path = tmp_path / "one.lock"
    first = claim(path, wait=False)
    path.unlink()
    second = claim(path, wait=False)
    os.close(first)
    assert os.fstat(second).st_ino == path.stat().st_ino
    os.close(second)


def test_a_re_entrant_lock_may_be_taken_again_by_its_process_and_another_may_not(tmp_path: Path) -> None:
    """dbt opens the warehouse inside a build that holds it already."""
    path = tmp_path / "one.lock"
    with locked(path, BUSY, wait_seconds=0, reentrant=True):
        with locked(path, BUSY, wait_seconds=0, reentrant=True):
            assert is_ours(path)
        assert is_ours(path)
        with pytest.raises(HomeBusyError), locked(path, BUSY, wait_seconds=0):
            pass
    assert not is_ours(path)


@pytest.mark.parametrize("wants", [take, partial(claim, wait=False)])
def test_a_folder_in_the_place_of_a_lock_is_named(tmp_path: Path, wants: Callable[[Path], object]) -> None:
    """`Is a directory: choose another with --home` sent people away from a home of which one folder was in the way."""
    (tmp_path / ".session.lock").mkdir()
    with pytest.raises(EnvironmentUnusableError, match=r"\.session\.lock is a folder .*: remove it"):
        wants(tmp_path / ".session.lock")

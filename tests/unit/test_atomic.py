"""Files that are there whole or not at all, and nothing left of those whose writers died."""

import fcntl
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reliability_platform.atomic import write_atomically
from reliability_platform.landing.bronze import swap_folder


def test_the_draft_of_a_killed_writer_is_removed_by_the_next_one(tmp_path: Path) -> None:
    """Else each crash leaves a file for ever."""
    target = tmp_path / "batch.parquet"
    program = (
        "import os, signal, sys; from pathlib import Path; from reliability_platform import atomic\n"
        "sys.addaudithook(lambda name, _: name == 'os.rename' and os.kill(os.getpid(), signal.SIGKILL))\n"
        "atomic.write_atomically(Path(sys.argv[1]), b'half')"
    )
    done = subprocess.run([sys.executable, "-c", program, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"half"]
    write_atomically(target, b"whole")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"batch.parquet": b"whole"}


def test_the_draft_of_a_writer_at_work_is_left_alone(tmp_path: Path) -> None:
    """It is locked as long as its writer lives; another target's draft is nobody's business."""
    at_work, other = tmp_path / ".batch.parquet.123", tmp_path / ".batch.parquet.gz.123"
    other.write_bytes(b"")
    with at_work.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_atomically(tmp_path / "batch.parquet", b"whole")
        assert at_work.exists()
    write_atomically(tmp_path / "batch.parquet", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".batch.parquet.gz.123", "batch.parquet"]


def test_a_write_without_room_leaves_the_old_content_and_no_draft(tmp_path: Path) -> None:
    """A draft that stays would only take more of the room that there is not."""
    target = tmp_path / "batch.parquet"
    write_atomically(target, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_atomically(target, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"batch.parquet": b"old"}


def test_a_swap_that_was_broken_off_leaves_nothing_after_the_next_one(tmp_path: Path) -> None:
    """Killed between the two renames: the old folder is aside, and nothing is in its place."""
    target, draft, old = tmp_path / "day", tmp_path / ".day.draft", tmp_path / ".day.old"
    for folder in (draft, old):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    swap_folder(draft, target)
    assert [path.name for path in tmp_path.iterdir()] == ["day"]
    assert (target / "file").read_text() == ".day.draft"

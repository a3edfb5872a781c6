"""A location on another disk: a move there is a copy, and may be broken off."""

import resource
from pathlib import Path

import pytest

from reliability_platform.damage import sha256_of
from reliability_platform.warehouse.snapshots.location import SnapshotLocation

OTHER_DISK = Path("/dev/shm")  # noqa: S108 (the one other disk that most machines have)


def test_a_copy_that_was_broken_off_is_no_content(tmp_path: Path) -> None:
    """Under its final name it would be taken for whole, and every later snapshot would rely on it."""
    if not OTHER_DISK.exists() or OTHER_DISK.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second disk to try it on")
    source = OTHER_DISK / f"adopted-{tmp_path.name}-{id(tmp_path)}"
    source.write_bytes(b"x" * 1_000_000)
    location = SnapshotLocation(str(tmp_path / "location"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
        with pytest.raises(OSError, match="too large"):
            location.adopt(source, sha256_of(source))
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert location.objects() == {}
        location.adopt(source, sha256_of(source))
        assert location.objects() == {sha256_of(source): 1_000_000}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        source.unlink(missing_ok=True)

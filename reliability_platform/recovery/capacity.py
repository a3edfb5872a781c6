"""How much room and memory is left: of the machine, or of the container whose limit is the tighter one."""

import re
import shutil
from pathlib import Path

MEGABYTE = 1_000_000
MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def free_room(folder: Path) -> int:
    """Megabytes that are free on the disk of a folder, or of the nearest one above it that exists."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // MEGABYTE


def available_memory(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """Megabytes of memory that a new process could have; None where the system does not say."""
    found = [one for one in (_of_the_machine(meminfo), _of_the_container(cgroup)) if one is not None]
    return min(found, default=None)


def _of_the_machine(meminfo: Path) -> int | None:
    try:
        told = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(told[1]) * 1024 // MEGABYTE if told else None


def _of_the_container(cgroup: Path) -> int | None:
    """What its limit leaves. Pages of files count as used there, and are given back before anything is killed."""
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
        files = re.search(r"^inactive_file (\d+)$", (cgroup / "memory.stat").read_text(), re.MULTILINE)
    except OSError:
        return None
    if not limit.isdigit():
        return None
    return (int(limit) - int(used) + (int(files[1]) if files else 0)) // MEGABYTE

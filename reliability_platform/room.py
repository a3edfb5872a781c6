"""What room is left where: which place is full, and whether of bytes or of files."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FEW_FILES = 16
"""A file system with fewer inodes left is out of them: SQLite makes two files beside each of its databases, of which a
command has several open, and when it has failed they are gone again."""
LITTLE_BYTES = 2**30
NO_BYTES = 2**20


@dataclass(frozen=True)
class Room:
    """What is left on the file system of a place."""

    place: Path
    bytes: int
    files: int | None
    """None where files are not counted."""

    @property
    def is_little(self) -> bool:
        """Whether it can have been too little. What was being written is often gone again when somebody looks."""
        return self.bytes < LITTLE_BYTES or self.is_out_of_files

    @property
    def is_none(self) -> bool:
        """Whether next to nothing is left."""
        return self.bytes < NO_BYTES or self.is_out_of_files

    @property
    def is_out_of_files(self) -> bool:
        """Whether there are no inodes, whatever bytes are left."""
        return self.files is not None and self.files < FEW_FILES

    @property
    def words(self) -> str:
        """As whoever must make room reads it."""
        if self.is_out_of_files:
            return f"out of inodes: {self.place} can hold no more files until some are removed"
        return f"{self.place} has {self.bytes / 2**20:,.1f} MiB left"


def room_at(place: Path) -> Room:
    """The room at a place, which need not exist yet."""
    there = next(one for one in (place, *place.parents) if one.exists())
    found = os.statvfs(there)
    return Room(place, found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def least_room(places: Iterable[Path]) -> Room | None:
    """Where a file system is out of inodes, or else has the fewest bytes; None without any place."""
    rooms = [room_at(place) for place in places]
    return min(rooms, key=lambda one: (not one.is_out_of_files, one.bytes), default=None)

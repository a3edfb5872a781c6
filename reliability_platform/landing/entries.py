"""What lies in a folder of landing, and how it is read: nothing is followed out of landing, opened or waited for but files.

Anybody may put anything there. A pipe would block whoever opens it, a device may do anything, a link may lead to a file
that is no delivery at all; each of them is an entry, and every entry ends in a record.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class EntryKind(StrEnum):
    """What an entry is. Only a file can be a delivery; of all others the value says what was found in its place."""

    FILE = "a file"
    FOLDER = "a folder"
    LINK = "a link to nothing that is a file in landing"
    PIPE = "a pipe"
    SOCKET = "a socket"
    DEVICE = "a device"
    UNKNOWN = "nothing that can be looked at"


_KINDS = (
    (stat.S_ISREG, EntryKind.FILE),
    (stat.S_ISDIR, EntryKind.FOLDER),
    (stat.S_ISFIFO, EntryKind.PIPE),
    (stat.S_ISSOCK, EntryKind.SOCKET),
    (stat.S_ISCHR, EntryKind.DEVICE),
    (stat.S_ISBLK, EntryKind.DEVICE),
)

_WORDS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "it vanished while it was read",
    errno.EIO: "input/output error",
    errno.ESTALE: "input/output error",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ELOOP: "its links go round in a circle",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "its folder is none",
    errno.ENXIO: "it is no file",
    errno.EINVAL: "it is no file",
}
"""What an error of the operating system says about an entry, without the path that its own text holds."""


@dataclass(frozen=True)
class Entry:
    """One name in a folder."""

    path: Path
    kind: EntryKind
    size: int = 0
    """Bytes of a file."""


def os_error_text(error: OSError) -> str:
    """Why an entry could not be read."""
    return _WORDS.get(error.errno or 0, errno.errorcode.get(error.errno or 0, "input/output error"))


def kind_of(mode: int) -> EntryKind:
    """What the mode of an inode says; a link is none of these."""
    return next((kind for is_one, kind in _KINDS if is_one(mode)), EntryKind.UNKNOWN)


def look(path: Path, landing: Path) -> Entry:
    """What one path is. A link counts as the file that it leads to as long as that lies in landing itself: whoever may
    write there must not make the platform read, and keep a copy of, what lies elsewhere on the machine.
    """
    what = EntryKind.UNKNOWN
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            what = EntryKind.LINK
        else:
            kind = kind_of(found.st_mode)
            return Entry(path, kind, found.st_size if kind is EntryKind.FILE else 0)
        target = path.resolve(strict=True)
        inside = any(target.is_relative_to(root) for root in (landing.resolve(), path.parent.resolve()))
        found = target.stat()
    except (OSError, RuntimeError):  # dangling, in a circle, or gone
        return Entry(path, what)
    is_file = inside and kind_of(found.st_mode) is EntryKind.FILE
    return Entry(path, EntryKind.FILE, found.st_size) if is_file else Entry(path, EntryKind.LINK)


def entries(folder: Path, landing: Path) -> list[Entry]:
    """Every name in a folder, in the order of the bytes of the names; nothing if there is no folder.

    Raises `OSError` if something is there whose names cannot be listed.
    """
    try:
        paths = sorted(folder.iterdir(), key=os.fsencode)
    except FileNotFoundError:
        return []
    return [look(path, landing) for path in paths]


def is_in_the_way(path: Path, landing: Path) -> bool:
    """Whether something that is no file has the place of one."""
    return os.path.lexists(path) and look(path, landing).kind is not EntryKind.FILE


def read_file(path: Path, limit: int | None = None) -> bytes:
    """The bytes of a file, `limit` of them at most. Raises `OSError`; whatever is no file is not opened."""
    if kind_of(path.stat().st_mode) is not EntryKind.FILE:
        raise OSError(errno.EINVAL, "no file")
    # Between the look and the opening it may have become a pipe: that must not block either.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if kind_of(os.fstat(handle).st_mode) is not EntryKind.FILE:
            raise OSError(errno.EINVAL, "no file")
        return file.read() if limit is None else file.read(limit)


def files_below(folder: Path, most: int) -> Iterator[Path]:
    """Files in a folder and below it, `most` of them at most, links not followed; what cannot be listed has none."""
    seen = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if seen >= most:
                return
            seen += 1
            try:
                if kind_of(path.lstat().st_mode) is EntryKind.FILE:
                    yield path
            except OSError:
                continue

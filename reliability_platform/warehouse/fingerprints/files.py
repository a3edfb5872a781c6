"""Digests of files, read again only where a file is not as it was: a build has a hundred files, of which none changed."""

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reliability_platform.warehouse.dbt_manifest import NOT_WRITTEN_BY_PEOPLE, SETTLED_NANOSECONDS

SHOWN_DIGITS = 16
"""64 bits of SHA-256: of a million different contents no two are taken for one."""
_ASKED = re.compile(rb"""env_var\(\s*['"](\w+)""")


@dataclass(frozen=True)
class FileContent:
    """What was in a file."""

    digest: str
    asks: frozenset[str]
    """The environment variables that its Jinja asks for."""


_KNOWN: dict[str, tuple[tuple[int, int, int, int], FileContent]] = {}


NOTHING = FileContent("", frozenset())
"""Of what is no file, or cannot be read: whether that matters dbt says, and no build fails for its fingerprint."""


def content_of(path: str | Path) -> FileContent:
    """The content of a file as it is now."""
    try:
        return _content(os.fspath(path))
    except OSError:
        return NOTHING


def _content(name: str) -> FileContent:
    status = os.stat(name)  # noqa: PTH116 (a hundred a build: pathlib takes three times as long)
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
        return NOTHING
    state = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    known = _KNOWN.get(name)
    if known is not None and known[0] == state:
        return known[1]
    read = Path(name).read_bytes()
    asked = frozenset(found.decode() for found in _ASKED.findall(read))
    content = FileContent(hashlib.sha256(read).hexdigest()[:SHOWN_DIGITS], asked)
    if max(state[2:]) < time.time_ns() - SETTLED_NANOSECONDS:  # else it may be written to again within the same tick
        _KNOWN[name] = (state, content)
    return content


def files_below(folder: Path) -> Iterator[tuple[str, str]]:
    """The files that people have written below a folder: place in it, and path."""
    root = os.fspath(folder)
    for here, folders, files in os.walk(root):
        is_root = here == root
        folders[:] = [one for one in folders if one[0] != "." and not (is_root and one in NOT_WRITTEN_BY_PEOPLE)]
        inside = "" if is_root else f"{os.path.relpath(here, root)}/".replace(os.sep, "/")
        yield from ((f"{inside}{one}", f"{here}/{one}") for one in files if one[0] != ".")

"""The commit that touched a file last, asked of git without letting the repository run anything.

A checkout may be anybody's: its configuration names programs (a pager, a file system monitor, hooks, a program for
signatures, one that fetches objects that are missing). None of these is run, nothing is asked of a person or of the
network, and what git says is somebody else's text: whoever shows it escapes it.
"""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reliability_platform.formats import printable
from reliability_platform.masking import scrub

SECONDS = 2.0
"""For all files of one question together; a repository that takes longer is on a disk that hangs."""
MAX_SUBJECT = 100
_HARMLESS = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "log.showSignature=false"),
    *("-c", "protocol.allow=never"),
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PAGER": "cat",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "LC_ALL": "C",
}


@dataclass(frozen=True)
class Commit:
    """The last commit that touched a file."""

    hash: str
    """Its beginning."""
    author: str
    """The name, without addresses and numbers of a person in it."""
    date: str
    """As 2026-01-31."""
    subject: str
    """The first line of its message, likewise."""
    is_whole: bool
    """Whether the file is as it was committed; else somebody has changed it since, and not committed that."""


def last_commits(files: Iterable[Path]) -> Mapping[Path, Commit]:
    """File → the last commit that touched it; without those of which git knows nothing, or of no checkout."""
    program, ends_at = shutil.which("git"), time.monotonic() + SECONDS
    found: dict[Path, Commit] = {}
    for path in files:
        if program is None or not path.parent.is_dir():
            continue
        commit = _last_commit(program, path, ends_at)
        if commit is not None:
            found[path] = commit
    return found


def _last_commit(program: str, path: Path, ends_at: float) -> Commit | None:
    asked = ("log", "-1", "--no-show-signature", "--format=%h%x00%an%x00%as%x00%s", "--", path.name)
    said = _ask(program, path.parent, ends_at, *asked)
    parts = said.rstrip("\n").split("\0")
    if len(parts) != 4:
        return None
    blob = _ask(program, path.parent, ends_at, "rev-parse", "--verify", "--quiet", f"HEAD:./{path.name}").strip()
    short, author, day, subject = (printable(scrub(one), MAX_SUBJECT) for one in parts)
    return Commit(short, author, day, subject, is_whole=blob == _blob(path, len(blob)))


def _ask(program: str, folder: Path, ends_at: float, *words: str) -> str:
    """What git answers; nothing where it refuses, is too slow, or there is no repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _ENVIRONMENT
    try:
        done = subprocess.run(
            [program, "--no-pager", "--literal-pathspecs", *_HARMLESS, *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=max(0.0, ends_at - time.monotonic()),
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def _blob(path: Path, digits: int) -> str:
    """The name that git gives to a file's content, in a repository whose names have so many digits."""
    try:
        content = path.read_bytes()
    except OSError:
        return "there is none"
    digest = hashlib.sha256() if digits == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content))
    digest.update(content)
    return digest.hexdigest()

"""A private copy of what a project builds in: its DuckDB file, its profile, and a folder for all that dbt writes.

The project's files are read in place and never opened for writing; `Untouched` proves it afterwards.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reliability_platform.errors import HomeBusyError
from reliability_platform.locks import claim, unclaimed
from reliability_platform.mutation.errors import ProjectUnusableError

PREFIX, CLAIM = "reliability-mutate-", ".claim"
NEWBORN_SECONDS = 60
NOT_OURS = frozenset({".git", ".venv", "venv", "node_modules", "target", "logs", "dbt_packages", "__pycache__"})
"""Folders of a project that are not looked through: what they hold is not its own, or is made anew by every dbt."""


@dataclass(frozen=True)
class PrivateFolder:
    """A folder that is gone afterwards. Nobody else may read it: a profile in it can hold secrets."""

    path: Path

    @property
    def claim(self) -> Path:
        """What is claimed for as long as the run lives."""
        return self.path / CLAIM

    @property
    def profiles(self) -> Path:
        """Where the private profile is."""
        return self.path / "profiles"

    @property
    def target(self) -> Path:
        """What dbt writes about the project."""
        return self.path / "target"

    @property
    def databases(self) -> Path:
        """The copies of databases."""
        return self.path / "databases"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder that nobody else may read, removed afterwards; what killed processes have left of theirs is removed first."""
    _sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as made:
        folder = Path(made).resolve()
        descriptor = claim(folder / CLAIM, wait=True)
        try:
            yield folder
        finally:
            os.close(descriptor)


def _sweep() -> None:
    """A copy of somebody's warehouse must not outlive its run. A folder younger than a minute may not have its claim yet."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < NEWBORN_SECONDS:
                continue
            with unclaimed(left / CLAIM) as descriptor:
                if descriptor is not None:
                    shutil.rmtree(left, ignore_errors=True)


@contextmanager
def private_folder() -> Iterator[PrivateFolder]:
    """A new private folder, removed afterwards."""
    with temporary_folder() as made:
        folder = PrivateFolder(made)
        for each in (folder.profiles, folder.target, folder.databases):
            each.mkdir(mode=0o700)
        yield folder


def copy_database(source: Path, folder: PrivateFolder) -> Path:
    """Copy a DuckDB file, with what its journal holds; without one, name where it would be. Its name stays: it is that of
    its catalog.

    Raises `HomeBusyError` while somebody writes it, `ProjectUnusableError` if it cannot be read.
    """
    target = folder.databases / source.name
    if not source.exists():
        return target
    import duckdb

    try:
        # Held while it is copied: DuckDB lets nobody write a file that is open for reading.
        held = duckdb.connect(str(source), read_only=True)
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise HomeBusyError(f"{source} is open for writing in another process: end it, then try again.") from None
        raise ProjectUnusableError(f"{source} cannot be read as a DuckDB file: {_first_line(error)}") from None
    with held:
        for file in (source, source.with_name(f"{source.name}.wal")):
            if file.exists():
                copy_file(file, target.with_name(file.name))
    return target


def copy_file(source: Path, target: Path) -> None:
    """By reference where the file system can; `cp` of other systems does not know how, and copies the bytes."""
    done = subprocess.run(["cp", "--reflink=auto", "--", source, target], capture_output=True, check=False)
    if done.returncode:
        shutil.copyfile(source, target)
    target.chmod(0o600)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


@dataclass(frozen=True)
class Untouched:
    """What the files of a project and its databases were like, to be compared afterwards."""

    roots: tuple[Path, ...]
    before: dict[Path, tuple[int, int, str]]

    @classmethod
    def seen(cls, *roots: Path) -> "Untouched":
        """Look at these files, and at all files in these folders."""
        return cls(roots, _look(roots))

    def changed(self) -> list[Path]:
        """The files that came, went or are others now."""
        now = _look(self.roots)
        return sorted(path for path in now.keys() | self.before.keys() if now.get(path) != self.before.get(path))


HASHED_BYTES = 64 * 2**20
"""Of a larger file its size and time of change are compared, not its content: a hash of 10 GiB takes half a minute."""


def _look(roots: tuple[Path, ...]) -> dict[Path, tuple[int, int, str]]:
    found = {}
    for root in roots:
        for path in _files(root):
            about = path.stat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if about.st_size <= HASHED_BYTES else ""
            found[path] = (about.st_size, about.st_mtime_ns, content)
    return found


LEFT_BY_SPARK = frozenset({"metastore_db", "spark-warehouse", "derby.log"})
"""What a session of Spark without another place keeps in the folder that it is called in, and so whoever calls dbt there."""


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    for folder, inner, names in os.walk(root):
        inner[:] = [one for one in inner if one not in NOT_OURS | LEFT_BY_SPARK]
        paths = (Path(folder, name) for name in names if name not in LEFT_BY_SPARK)
        yield from (path for path in paths if path.is_file())

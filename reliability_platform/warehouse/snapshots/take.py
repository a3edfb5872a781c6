"""Takes a snapshot while others work.

Under the lease, which is short: the warehouse and the operations store are copied within the home, the published
pointer is read. Everything after that, checksums and the way to the location, disturbs nobody. Files are read last, so
they are never older than the warehouse; landing days that changed meanwhile are noted.
"""

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC
from importlib.metadata import version
from pathlib import Path

import duckdb

from reliability_platform.clock import Clock
from reliability_platform.damage import sha256_of
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine, store_url
from reliability_platform.operations.portable import copy_to_file
from reliability_platform.settings import RESTORING, Settings
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.lease import open_when_free, warehouse_lease
from reliability_platform.warehouse.snapshots.inventory import FoundFile, days_that_differ, shown_path, walk
from reliability_platform.warehouse.snapshots.location import FileChangedError, SnapshotLocation
from reliability_platform.warehouse.snapshots.lock import snapshot_lock
from reliability_platform.warehouse.snapshots.manifest import (
    OPERATIONS,
    WAREHOUSE,
    Snapshot,
    StoredFile,
    encode,
    read_own_snapshots,
    snapshot_id,
)
from reliability_platform.warehouse.snapshots.soundness import read_through
from reliability_platform.warehouse.versions import models_of

ROUNDS = 5
"""How often files that change under our eyes are looked at anew. After that they are left out, and their days noted."""


def operations_file(settings: Settings) -> Path | None:
    """The file of the operations store; None if it is in a database server."""
    url = store_url(settings)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def copy_warehouse(settings: Settings, target: Path) -> None:
    """Copy the warehouse file, whole, to `target`. Call under the lease. Raises if the file is no database."""
    if settings.warehouse.with_suffix(".duckdb.wal").exists():  # left by a crash: bring it into the file
        open_when_free(settings, read_only=False).close()
    with closing(open_when_free(settings, read_only=True)):  # strangers may read along, but not write
        shutil.copyfile(settings.warehouse, target)


def copy_operations(settings: Settings, target: Path) -> None:
    """Copy the operations store as it stands between two transactions; others may write meanwhile."""
    source = operations_file(settings)
    if source is None:
        copy_to_file(operations_engine(settings), target)
        return
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        copy.execute("pragma journal_mode = delete")  # one file, without a log beside it


def take_snapshot(settings: Settings, clock: Clock) -> Snapshot:
    """Take one and return it. Raises `UsageError` if there is nothing to take, `EnvironmentUnusableError` if it is not whole.

    A warehouse with blocks that cannot be read is not taken: in time it would push the good snapshots out.
    """
    if not settings.warehouse.exists():
        raise UsageError(f"There is no warehouse in {settings.home} yet: `reliability run` makes one.")
    if (settings.home / RESTORING).exists():
        raise EnvironmentUnusableError(
            "A restore of this home was cut off: finish it before you take a snapshot of it."
        )
    location = SnapshotLocation.of(settings)
    with snapshot_lock(settings) as staging:
        snapshots, _ = read_own_snapshots(settings, location)
        location.remove_drafts()
        stored = _Stored(settings, location, snapshots)
        with warehouse_lease(settings):
            taken_at = clock().astimezone(UTC)
            settled = BuildJournal(operations_engine(settings), settings.builds).settled()
            copy_warehouse(settings, staging / WAREHOUSE)
            copy_operations(settings, staging / OPERATIONS)
            before, links, unfit = walk(settings, location.folder)
        read_through(staging / WAREHOUSE)
        databases = [stored.database(staging / name) for name in (WAREHOUSE, OPERATIONS) if (staging / name).exists()]
        files, unread = stored.files()
        then = {file.path: (file.size, file.modified_ns) for file in before}
        now = {file.path: (file.size, file.modified_ns) for file in files}
        snapshot = Snapshot(
            id=snapshot_id(taken_at),
            taken_at=taken_at,
            platform_version=version("reliability-platform"),
            models_version=str(models_of(settings.dbt_project)),
            duckdb_version=duckdb.__version__,
            builds_settled=settled,
            unsettled_days=tuple(sorted(days_that_differ(then, now) | days_that_differ(dict.fromkeys(unread, 0), {}))),
            landing_days=tuple(sorted({day for _, day in landed_partitions(settings)})),
            left_out=_left_out(unread, unfit),
            links=links,
            files=(*databases, *files),
        )
        location.write_manifest(snapshot.id, encode(snapshot))
    return snapshot


def _left_out(unread: Sequence[str], unfit: Mapping[str, str]) -> dict[str, str]:
    found = {shown_path(path): "it would not hold still, or cannot be read" for path in unread}
    return found | {shown_path(path): why for path, why in unfit.items()}


class _Stored:
    """Brings files to the location, each content once; what the snapshot before had is not even read again."""

    def __init__(self, settings: Settings, location: SnapshotLocation, snapshots: Sequence[Snapshot]) -> None:
        self._settings, self._location = settings, location
        sizes = {file.sha256: file.size for one in snapshots for file in one.files}
        # One that was cut short would be taken for whole, and every snapshot from now on would lack it.
        self._contents = {sha for sha, size in location.objects().items() if sizes.get(sha, size) == size}
        self._known = {
            FoundFile(file.path, file.size, file.modified_ns): file.sha256
            for file in (snapshots[-1].files if snapshots else ())
            if file.sha256 in self._contents
        }

    def database(self, copy: Path) -> StoredFile:
        """Store the copy of a database, which is not needed afterwards."""
        about, sha = copy.stat(), sha256_of(copy)
        if sha not in self._contents:
            self._location.adopt(copy, sha)
            self._contents.add(sha)
        return StoredFile(copy.name, about.st_size, about.st_mtime_ns, sha)

    def files(self) -> tuple[list[StoredFile], list[str]]:
        """Store the plain files of the home; returns them, and the paths that would not hold still."""
        stored: dict[FoundFile, StoredFile] = {}
        found: list[FoundFile] = []
        for _ in range(ROUNDS):
            found, _links, _unfit = walk(self._settings, self._location.folder)
            missing = [file for file in found if file not in stored]
            stored = {file: stored[file] for file in found if file in stored}
            for file in missing:
                taken = self._take(file)
                if taken is not None:
                    stored[file] = taken
            if len(stored) == len(found):
                break
        return list(stored.values()), [file.path for file in found if file not in stored]

    def _take(self, file: FoundFile) -> StoredFile | None:
        path = self._settings.home / file.path
        try:
            sha = self._known.get(file) or sha256_of(path)
        except OSError:  # gone, without rights, or on a damaged disk: it costs itself alone, and is named
            return None
        try:
            if sha not in self._contents:
                self._location.put(path, sha)
                self._contents.add(sha)
            about = path.stat()
        except (FileNotFoundError, FileChangedError):
            return None
        if (about.st_size, about.st_mtime_ns) != (file.size, file.modified_ns):
            return None
        return StoredFile(file.path, file.size, file.modified_ns, sha)

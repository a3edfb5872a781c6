"""A clone of a home to work on: drills and rehearsals never touch the home itself, so one that is killed leaves it as it
was.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reliability_platform.atomic import link
from reliability_platform.locks import locked
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_lease
from reliability_platform.warehouse.snapshots.inventory import walk
from reliability_platform.warehouse.snapshots.location import MANIFESTS, OBJECTS, SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import OPERATIONS
from reliability_platform.warehouse.snapshots.take import copy_operations, copy_warehouse

WORKSPACE = ".drill"
REPLACED_WHOLE = ("landing", "bronze", "published", "quarantine", "reference", "recording")
"""Folders whose files are replaced by new ones and never written into: a clone may share them by hard links."""


@dataclass(frozen=True)
class Clone:
    """The clone, what consumers of the home read when it was made, and a folder for evidence."""

    settings: Settings
    published: Path
    evidence: Path
    snapshots_in_home: bool
    """Whether the snapshots lie in the home, and would be lost together with it."""


@contextmanager
def clone_of(settings: Settings, name: str = WORKSPACE) -> Iterator[Clone]:
    """A clone for the length of the block, in a hidden folder of the home; what a killed process left is removed first."""
    workspace = settings.home / name
    busy = f"Another {name[1:]} is at work in {settings.home}: wait until it has ended."
    with locked(settings.home / f"{name}.lock", busy, wait_seconds=0):
        shutil.rmtree(workspace, ignore_errors=True)
        try:
            yield _made(settings, workspace)
        finally:
            shutil.rmtree(workspace, ignore_errors=True)


def _made(settings: Settings, workspace: Path) -> Clone:
    location = SnapshotLocation.of(settings)
    home, snapshots = workspace / "home", workspace / "snapshots"
    inside = location.lies_in(settings.home)
    places = {
        "snapshot_url": str(snapshots) if inside else settings.snapshots,
        "snapshot_replica_url": settings.snapshot_replica_url,
        "snapshot_key": settings.snapshot_key,
    }
    clone = settings.apart(home).model_copy(update=places)
    (workspace / "evidence").mkdir(parents=True)
    home.mkdir()
    with warehouse_lease(settings):
        if settings.warehouse.exists():
            copy_warehouse(settings, clone.warehouse)
        copy_operations(settings, home / OPERATIONS)
        files, links, _unfit = walk(settings, location.folder)
        for file in files:
            bring = link if file.path.split("/")[0] in REPLACED_WHOLE else _copy
            bring(settings.home / file.path, home / file.path)
        for path, target in links.items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).symlink_to(target)
    if settings.recording.is_symlink():  # of a trial: it leads out of the home, and no snapshot holds that
        clone.recording.symlink_to(settings.recording.resolve())
    if inside and location.folder is not None:
        for folder in (OBJECTS, MANIFESTS):
            for content in (location.folder / folder).rglob("*"):
                if content.is_file():
                    link(content, snapshots / content.relative_to(location.folder))
    current = settings.published / links.get("published/current", "")
    return Clone(clone, current, workspace / "evidence", inside)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)

"""Which snapshots are kept, and how the others are forgotten."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.lock import snapshot_lock
from reliability_platform.warehouse.snapshots.manifest import Snapshot, read_own_snapshots
from reliability_platform.warehouse.snapshots.restore import damages


def kept(moments: Sequence[datetime], last: int, weekly: int) -> set[datetime]:
    """Of moments, the `last` newest, and of those before, the newest of each of `weekly` weeks (ISO, Monday to Sunday)."""
    newest_first = sorted(moments, reverse=True)
    keep = set(newest_first[:last])
    weeks: dict[tuple[int, int], datetime] = {}
    for moment in newest_first[last:]:
        week = moment.isocalendar()
        weeks.setdefault((week.year, week.week), moment)
    return keep | set(sorted(weeks.values(), reverse=True)[:weekly])


@dataclass(frozen=True)
class Pruned:
    """What was forgotten."""

    snapshots: list[str]
    contents: int
    bytes: int
    drafts: int
    """What killed processes had left half-written."""
    damaged: list[str]
    """Manifests that cannot be read. While there are any, no content is removed: they might need it."""
    kept_for: list[str] = field(default_factory=list)
    """Incidents of loss or damage that are open. While there are any, no snapshot is forgotten."""


def _last_whole(location: SnapshotLocation, newest_first: Sequence[Snapshot]) -> Snapshot | None:
    """The newest snapshot of which every content is whole; they are read until one is found."""
    return next((one for one in newest_first if not damages(location, [one])[one.id]), None)


def prune(
    settings: Settings, kept_for: Sequence[str] = (), before: Callable[[Sequence[str]], None] = lambda _: None
) -> Pruned:
    """Forget what the rule does not keep: manifests first, so that no snapshot ever lacks a content.

    The newest snapshot that is whole is always kept. `kept_for` names what speaks against forgetting any now; `before` is told of
    those that go, before anything is removed.
    """
    location = SnapshotLocation.of(settings)
    with snapshot_lock(settings):
        drafts = location.remove_drafts()
        snapshots, damaged = read_own_snapshots(settings, location)
        keep = kept(
            [snapshot.taken_at for snapshot in snapshots], settings.snapshot_keep_last, settings.snapshot_keep_weekly
        )
        gone = [snapshot for snapshot in snapshots if snapshot.taken_at not in keep and not kept_for]
        whole = _last_whole(location, snapshots[::-1]) if gone else None
        gone = [snapshot for snapshot in gone if snapshot != whole]
        if gone:
            before([snapshot.id for snapshot in gone])
        for snapshot in gone:
            location.remove_manifest(snapshot.id)
        needed = {file.sha256 for snapshot in snapshots if snapshot not in gone for file in snapshot.files}
        unused = {} if damaged else {sha: size for sha, size in location.objects().items() if sha not in needed}
        for sha in unused:
            location.remove_object(sha)
    return Pruned(
        [snapshot.id for snapshot in gone], len(unused), sum(unused.values()), drafts, damaged, list(kept_for)
    )

"""The second place of the snapshots: what is left when a home is lost together with the place of its snapshots, as with a region.

Every content is read from the first place, compared with its checksum, and stored once; a snapshot counts there when its manifest
does, which comes last. The second place forgets by the rule, and not because the first one has lost something.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reliability_platform.clock import Clock
from reliability_platform.errors import UsageError
from reliability_platform.formats import moment
from reliability_platform.masking import error_text
from reliability_platform.recovery.retention import forget_snapshots
from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.lock import snapshot_lock
from reliability_platform.warehouse.snapshots.manifest import read_own_snapshots, read_snapshots

PATIENCE = timedelta(hours=1)
"""For the way to the second place; a snapshot that is older and not there is an incident."""


@dataclass(frozen=True)
class Replicated:
    """What was copied to the second place."""

    snapshots: list[str]
    contents: int
    bytes: int


def at_second_place(settings: Settings) -> Settings | None:
    """The home with the second place as that of its snapshots; None without one. Raises `UsageError` where the two are one."""
    if settings.snapshot_replica_url is None:
        return None
    second = settings.model_copy(update={"snapshot_url": settings.snapshot_replica_url, "snapshot_replica_url": None})
    place = SnapshotLocation.of(second)
    if place.shown == SnapshotLocation.of(settings).shown or place.lies_in(settings.home):
        raise UsageError(
            "RELIABILITY_SNAPSHOT_REPLICA_URL names the place of the snapshots themselves, or one in the home: both would be "
            "lost together. Name one that is elsewhere."
        )
    return second


def replicate(settings: Settings, who: str, clock: Clock) -> Replicated | None:
    """Bring the second place in line with the first; None if there is none. What a killed process has copied counts."""
    second = at_second_place(settings)
    if second is None:
        return None
    source, target = SnapshotLocation.of(settings), SnapshotLocation.of(second)
    with snapshot_lock(settings) as staging:
        snapshots, _ = read_own_snapshots(settings, source)
        read_own_snapshots(second, target)  # another home's place is refused
        target.remove_drafts()
        there, stored, size, contents = set(target.manifests()), set(target.objects()), 0, 0
        copied = [one for one in snapshots if one.id not in there]
        for snapshot in copied:
            for file in snapshot.files:
                if file.sha256 not in stored:
                    draft = staging / file.sha256
                    source.fetch(file.sha256, draft)
                    target.adopt(draft, file.sha256)
                    draft.unlink(missing_ok=True)
                    stored.add(file.sha256)
                    contents, size = contents + 1, size + file.size
            target.write_manifest(snapshot.id, source.read_manifest(snapshot.id))
    forget_snapshots(second, who, clock)
    return Replicated([one.id for one in copied], contents, size)


def replica_behind(settings: Settings, now: datetime) -> str | None:
    """What is wrong with the second place: it has not the newest snapshot, though there was time. None if it has, or is not wanted."""
    try:
        second = at_second_place(settings)
        if second is None:
            return None
        first, _ = read_snapshots(SnapshotLocation.of(settings))
        there = SnapshotLocation.of(second).manifests()
    except Exception as error:  # whatever either place answers with
        return f"the second place of the snapshots cannot be compared: {error_text(error)}"
    late = [one for one in first if one.id not in there and now - one.taken_at > PATIENCE]
    if not late or first[-1].id in there:
        return None
    return f"the second place lacks the snapshot of {moment(late[-1].taken_at)}; {len(late)} are not there"

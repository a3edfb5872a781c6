"""Puts back whatever in a home is not what was written, store by store, and brings the home to the present.

The order is that of trust: the operations store first, for it knows what the others should be; then what was delivered
and decided, bronze from it, the warehouse, what is published. What is nowhere to be had stays named.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from reliability_platform.checks.holds import Holds
from reliability_platform.clock import Clock
from reliability_platform.counted import counted
from reliability_platform.damage import Damage, Written, sha256_of
from reliability_platform.formats import moment
from reliability_platform.incidents.anchor import forget_end, note_end
from reliability_platform.landing.admission import admit, landed_partitions
from reliability_platform.landing.sealed import BRONZE, LANDING, examine_day
from reliability_platform.landing.sound_reference import load_damaged_again
from reliability_platform.landing.working_copy import bring_in_every_day, put_back
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import home_id, identify, known_homes
from reliability_platform.operations.postgresql import LostStoreError
from reliability_platform.pipeline.run import reprocess
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.recovery.stores import SNAPSHOTS, WAREHOUSE, examine_home, examine_landing, store_damage
from reliability_platform.recovery.unjudged import invalidate_days, unjudged_days
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_lease
from reliability_platform.warehouse.ledger import Ledger
from reliability_platform.warehouse.publication import put_back_published
from reliability_platform.warehouse.published import Publication, record_of
from reliability_platform.warehouse.published_integrity import OPERATIONS, adopt, fetch_content
from reliability_platform.warehouse.snapshots.inventory import PARTITION_FOLDER
from reliability_platform.warehouse.snapshots.location import SnapshotDamagedError, SnapshotLocation
from reliability_platform.warehouse.snapshots.lock import snapshot_lock
from reliability_platform.warehouse.snapshots.manifest import OPERATIONS as OPERATIONS_FILE
from reliability_platform.warehouse.snapshots.manifest import WAREHOUSE as WAREHOUSE_FILE
from reliability_platform.warehouse.snapshots.manifest import Snapshot, read_snapshots
from reliability_platform.warehouse.snapshots.restore import (
    gap,
    restore_operations,
    restore_warehouse,
    set_aside,
)
from reliability_platform.warehouse.snapshots.take import operations_file

Partition = tuple[str, date]


@dataclass(frozen=True)
class Mended:
    """What was damaged, what was done about it, and what still is."""

    found: list[Damage]
    steps: list[str]
    left: list[Damage]
    landing_days: list[date]
    """Those that were built and judged again."""
    publication: Publication | None

    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "found": [one.document() for one in self.found],
            "done": self.steps,
            "left": [one.document() for one in self.left],
            "landing_days_built_again": [day.isoformat() for day in self.landing_days],
            "published": self.publication.version if self.publication else None,
            "held": asdict(self.publication)["held"] if self.publication else {},
        }


def mend(settings: Settings, clock: Clock, *, dry_run: bool = False) -> Mended:
    """Put back what is damaged. With `dry_run`, only what is found.

    Killed anywhere it can be run again: days to build lose their results before anything of them is touched.
    """
    found = examine_home(settings)
    if dry_run or (not found and not unjudged_days(settings, operations_engine(settings))):
        return Mended(found, [], found, [], None)
    steps: list[str] = []
    days: set[date] = set()
    if any(one.store == OPERATIONS for one in found):
        days |= _mend_operations(settings, clock, steps)
    days |= _mend_landed(settings, steps)
    if any(one.store == WAREHOUSE for one in found):
        days |= _mend_warehouse(settings, steps)
    if any(one.store == SNAPSHOTS for one in found):
        _mend_snapshots(settings, steps)
    with warehouse_lease(settings):
        before, left = put_back_published(settings)
    if len(left) < len(before):
        steps.append(f"put back {counted(len(before) - len(left), 'file')} of what is published, or the pointer to it")
    engine = operations_engine(settings)
    days |= unjudged_days(settings, engine)
    landed = {day for _, day in landed_partitions(settings)}
    wanted = sorted(days & landed)
    if not found:  # an earlier restore was cut off when it had put back all files
        steps.append(f"built and judged {counted(len(wanted), 'landing day')} again, of which results were missing")
    publication = reprocess(RunContext(settings, engine, clock, "restore-damaged"), wanted) if landed else None
    note_end(settings, engine)
    return Mended(found, steps, examine_home(settings), wanted, publication)


def _newest_first(settings: Settings) -> Iterable[Snapshot]:
    return reversed(read_snapshots(SnapshotLocation.of(settings))[0])


# The operations store


def _mend_operations(settings: Settings, clock: Clock, steps: list[str]) -> set[date]:
    """Put back the newest store of this home that a snapshot has; without one, begin a new one. The days to run again."""
    home, days = home_id(settings), None
    is_kept = operations_file(settings) is None and not _begun_in_server(settings)
    for snapshot in _newest_first(settings):
        try:
            aside = restore_operations(settings, snapshot, lambda file: _is_ours(file, home))
        except SnapshotDamagedError:
            continue
        engine = _taken_up(settings, clock)
        days = set(gap(settings, engine, snapshot))
        kept = f"; the damaged one is {aside.name}" if aside is not None else ""
        steps.append(f"put back the operations store of {moment(snapshot.taken_at)}{kept}")
        break
    if days is None and is_kept:
        steps.append("left the operations store alone: no snapshot has it, and the server has backups of its own")
    elif days is None:
        days = _begin_anew(settings, clock, steps)
    invalidate_days(operations_engine(settings), sorted(days or ()))
    return days or set()


def _begun_in_server(settings: Settings) -> bool:
    """Whether the server had no tables of this home; now it has empty ones, in which the lease is."""
    try:
        operations_engine(settings)
    except LostStoreError:
        operations_engine(settings, begin=True)
        return True
    return False


def _begin_anew(settings: Settings, clock: Clock, steps: list[str]) -> set[date]:
    file = operations_file(settings)
    with warehouse_lease(settings):
        if file is not None:
            set_aside(file)
        _taken_up(settings, clock)
    steps.append("began a new operations store: no snapshot has one; incidents and results of before are lost")
    return {day for _, day in landed_partitions(settings)}


def _is_ours(file: Path, home: str | None) -> bool:
    """Whether a store is whole and of this home; one of before there were identities may be."""
    if store_damage(file) is not None:
        return False
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    try:
        return home is None or home in (known_homes(engine) or {home})
    except SQLAlchemyError:  # it has no table of homes yet
        return True


def _taken_up(settings: Settings, clock: Clock) -> Engine:
    """Let a store that was put back know what is published, and hold what people held when that was published."""
    engine = operations_engine(settings, begin=True)
    forget_end(settings)
    ledger = Ledger(engine, identify(settings, engine))
    adopt(settings, ledger)
    current = ledger.current()
    holds = Holds(engine)
    people = record_of(ledger.record(current)).held_by_people if current is not None else {}
    for (source, day), one in people.items():
        holds.hold(source, day, one["actor"], one["why"], clock())
    return engine


# What was delivered and decided, and bronze


def _mend_landed(settings: Settings, steps: list[str]) -> set[date]:
    """Fetch what a snapshot has by its checksum, then make bronze anew where it is not what it was."""
    lost = [settings.home / name for name in bring_in_every_day(settings)]
    if lost:
        put_back(settings, lost)
        steps.append(f"put back {counted(len(lost), 'file')} that a bucket had lost")
    found = examine_landing(settings)
    _fetch_lost_days(settings, found, steps)
    fetched = [one for one in found if one.store != BRONZE and _fetched(settings, one)]
    if fetched:
        steps.append(
            f"put back {counted(len(fetched), 'file')} of landing, quarantine, decisions and reference data from snapshots"
        )
    loaded = load_damaged_again(settings)
    if loaded:
        steps.append(f"loaded {counted(len(loaded), 'file')} of the reference data again from the source")
    days = {partition for one in fetched if (partition := _partition(one)) is not None and one.store == LANDING}
    bad = {partition for one in found if one.store == BRONZE and (partition := _partition(one)) is not None}
    changed: set[date] = set()
    for source, day in sorted(bad | days):
        changed |= _admitted_anew(settings, source, day, steps)
    return changed


def _fetched(settings: Settings, damage: Damage) -> bool:
    return damage.written is not None and _fetched_as(settings, damage.written, damage.path)


def _partition(damage: Damage) -> Partition | None:
    parts = damage.path.split("/")
    match = next((found for part in parts if (found := PARTITION_FOLDER.fullmatch(part))), None)
    if match is None:
        return None
    return parts[2] if parts[1] == "admissions" else parts[1], date.fromisoformat(match[1])


def _admitted_anew(settings: Settings, source: str, day: date, steps: list[str]) -> set[date]:
    """Make the bronze of a day anew from landing; the days to run again."""
    if examine_day(settings, source, day, [LANDING]):
        # Landing would not give it any more: the file itself may be in a snapshot.
        for one in examine_day(settings, source, day, [BRONZE]):
            _fetched(settings, one)
        return set()
    # Its results are about a bronze that may have been built from while it was damaged.
    invalidate_days(operations_engine(settings), [day])
    admit(settings, source, day)
    steps.append(f"made the bronze of {source} of {day} anew from landing")
    return {day}


def _fetch_lost_days(settings: Settings, found: list[Damage], steps: list[str]) -> None:
    """A day of which neither landing nor bronze has anything: its files as the newest snapshot has them."""
    for one in found:
        partition = _partition(one)
        if one.store != BRONZE or one.written is not None or partition is None:
            continue
        source, day = partition
        folder = settings.landing / source / f"landing_date={day}"
        if any(folder.glob("*")):
            continue
        prefix = f"landing/{source}/landing_date={day}/"
        for snapshot in _newest_first(settings):
            files = [file for file in snapshot.files if file.path.startswith(prefix)]
            if files and all(_fetch_file(settings, file.path, file.sha256) for file in files):
                steps.append(f"put back the deliveries of {source} of {day} from snapshot {snapshot.id}")
                break


def _fetch_file(settings: Settings, path: str, sha256: str) -> bool:
    return _fetched_as(settings, Written(sha256), path)


def _fetched_as(settings: Settings, content: Written, path: str) -> bool:
    """Put a content of a snapshot into the home, and into the bucket that its folder is a copy of."""
    target = settings.home / path
    found = fetch_content(settings, content, target)
    if found:
        put_back(settings, [target])
    return found


# The warehouse


def _mend_warehouse(settings: Settings, steps: list[str]) -> set[date]:
    """Put back the newest warehouse that is whole; without one, every landed day is built again from bronze."""
    engine = operations_engine(settings)

    def void(days: list[date]) -> None:
        invalidate_days(engine, days)

    for snapshot in _newest_first(settings):
        try:
            days = restore_warehouse(settings, engine, snapshot, void)
        except SnapshotDamagedError:
            continue
        steps.append(f"put back the warehouse of {moment(snapshot.taken_at)}")
        return set(days)
    landed = sorted({day for _, day in landed_partitions(settings)})
    invalidate_days(engine, landed)
    with warehouse_lease(settings):
        for suffix in ("", ".wal"):
            file = settings.warehouse.with_name(settings.warehouse.name + suffix)
            if file.exists():
                file.replace(file.with_name(f".{file.name}.damaged"))
    steps.append("built the warehouse anew from bronze: no snapshot has one that is whole")
    return set(landed)


# Snapshots


def _mend_snapshots(settings: Settings, steps: list[str]) -> None:
    """Store damaged contents anew where the home still has them; the others are removed, so that the next snapshot does
    not take them for whole.
    """
    location = SnapshotLocation.of(settings)
    snapshots, _ = read_snapshots(location)
    files = {file.sha256: file for one in snapshots for file in one.files}
    stored, removed = 0, 0
    with snapshot_lock(settings):
        for sha, file in files.items():
            words, path = location.damage(sha), settings.home / file.path
            if words is None:
                continue
            if path.is_file() and file.path not in (OPERATIONS_FILE, WAREHOUSE_FILE) and sha256_of(path) == sha:
                location.put(path, sha)
                stored += 1
            elif words == "damaged":
                location.remove_object(sha)
                removed += 1
    if stored or removed:
        steps.append(
            f"stored {counted(stored, 'damaged content')} of snapshots anew, and removed {removed} that nobody has whole"
        )

"""Everything that a home stores, examined: which file of which store is not what was written, and what to do about it.

All checksums that are written anywhere are compared here. An examination that cannot be made because another store is
damaged says nothing; that store is named.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool

from reliability_platform.checks.store import CheckStore
from reliability_platform.counted import counted
from reliability_platform.damage import Damage
from reliability_platform.errors import EnvironmentUnusableError, PlatformError
from reliability_platform.home_path import rename_former_folders
from reliability_platform.incidents.anchor import note_is_damaged, record_damage
from reliability_platform.landing.sealed import examine_landed
from reliability_platform.landing.sound_reference import examine_reference
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import home_id, identify, identity_trouble
from reliability_platform.operations.postgresql import LostStoreError
from reliability_platform.operations.schema import DamagedStoreError, ensure_schema, lost_tables
from reliability_platform.settings import Settings
from reliability_platform.warehouse.built import is_anothers
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.lease import warehouse_lease, warehouse_reader
from reliability_platform.warehouse.ledger import Ledger
from reliability_platform.warehouse.published import current_version, record_of, versions
from reliability_platform.warehouse.published_integrity import (
    OPERATIONS,
    adopt,
    examine_published,
    examine_version,
    unknown_current,
)
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import read_snapshots
from reliability_platform.warehouse.snapshots.restore import damages as damages_of_snapshots
from reliability_platform.warehouse.snapshots.soundness import read_through
from reliability_platform.warehouse.snapshots.take import operations_file

WAREHOUSE, SNAPSHOTS, NOTE = "warehouse", "snapshots", "note of ends"
SHOWN = 5
MEND = "`reliability restore --damaged` puts it back from a snapshot"
NOTE_MEND = "look into `reliability incidents audit`; `reliability publish` notes the ends of now"
SQLITE_HEADER = b"SQLite format 3\x00"


def file_damage(file: Path) -> str | None:
    """What is wrong with the file of an operations store, in words, without opening it for writing."""
    try:
        if not file.is_file():
            return "is no file" if file.exists() else "is missing"
        if file.stat().st_size == 0:
            return "is empty"
        with file.open("rb") as content:
            if content.read(len(SQLITE_HEADER)) != SQLITE_HEADER:
                return "is no database of SQLite"
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as store:
            (found, *more) = [str(row[0]) for row in store.execute("pragma integrity_check(3)")]
            return None if found == "ok" and not more else "does not hold together: its pages contradict each other"
    except sqlite3.DatabaseError:
        return "cannot be read: it is cut short, or its pages are damaged"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def store_damage(file: Path) -> str | None:
    """What is wrong with an operations store: its file, its version, or the tables that it should have."""
    words = file_damage(file)
    if words is not None:
        return words
    engine = create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)
    try:
        ensure_schema(engine)
    except DamagedStoreError as error:
        return error.words
    lost = lost_tables(engine)
    return f"lacks its {'table' if len(lost) == 1 else 'tables'} {', '.join(lost)}" if lost else None


def has_lived(settings: Settings) -> bool:
    """Whether a home has anything that an operations store would know of."""
    return home_id(settings) is not None or bool(versions(settings))


def examine_operations(settings: Settings) -> list[Damage]:
    """The operations store: its file, whose it is, its chains, their ends."""
    file = operations_file(settings)
    if file is not None:
        if not has_lived(settings) and not file.exists():
            return []
        words = store_damage(file)
        if words is not None:
            return [_operations(file.name, words)]
    name = file.name if file is not None else OPERATIONS
    try:
        engine = operations_engine(settings)
    except LostStoreError:
        return [_operations(name, "has no tables of this home")]
    trouble = identity_trouble(settings, engine)
    if trouble is not None:
        return [_operations(name, trouble)]
    ledger, found = _ledger(settings, engine), []
    unknown = unknown_current(settings, ledger)
    if unknown is not None:
        found.append(f"is older than what is published: it does not know {unknown}")
    gone = CheckStore(engine).gone()
    if gone:
        found.append(f"lacks {counted(gone, 'check result')} of those that it had")
    found += record_damage(settings, engine, SHOWN)
    note = settings.timeline_end.name
    unsaid = [Damage(NOTE, note, "cannot be read: nobody can tell whether the records lack their ends", NOTE_MEND)]
    return [_operations(name, words) for words in found] + (unsaid if note_is_damaged(settings) else [])


def _operations(name: str, words: str) -> Damage:
    return Damage(OPERATIONS, name, words, MEND)


def _ledger(settings: Settings, engine: Engine) -> Ledger:
    ledger = Ledger(engine, identify(settings, engine))
    if not ledger.versions():
        adopt(settings, ledger)
    return ledger


def examine_warehouse(settings: Settings) -> list[Damage]:
    """The warehouse, block by block."""
    name = settings.warehouse.name
    if not settings.warehouse.exists():
        return [Damage(WAREHOUSE, name, "is missing", MEND)] if _was_built(settings) else []
    try:
        if settings.warehouse.stat().st_size == 0:
            return [Damage(WAREHOUSE, name, "is empty", MEND)]
        with warehouse_lease(settings):
            tables = read_through(settings.warehouse)
    except EnvironmentUnusableError:
        return [Damage(WAREHOUSE, name, "has blocks that cannot be read, or is no warehouse", MEND)]
    if not tables and _was_built(settings):
        return [Damage(WAREHOUSE, name, "has no table", MEND)]
    words = _origin(settings)
    return [Damage(WAREHOUSE, name, words, MEND)] if words is not None else []


def _origin(settings: Settings) -> str | None:
    """Whether the warehouse is another's, as far as the operations store can tell."""
    file = operations_file(settings)
    if file is not None and store_damage(file) is not None:
        return None
    last = BuildJournal(operations_engine(settings), settings.builds).last_success()
    with warehouse_reader(settings) as connection:
        return is_anothers(connection, home_id(settings), last)


def _was_built(settings: Settings) -> bool:
    file = operations_file(settings)
    if file is not None and store_damage(file) is not None:
        return bool(versions(settings))
    return bool(BuildJournal(operations_engine(settings), settings.builds).first_began_at())


def examine_landing(settings: Settings) -> list[Damage]:
    """Landing with its manifests, bronze, quarantine, decisions, and the reference data."""
    file = operations_file(settings)
    sound = file is None or store_damage(file) is None
    engine = operations_engine(settings) if sound and has_lived(settings) else None
    return [*examine_landed(settings, engine), *examine_reference(settings)]


def examine_versions(settings: Settings) -> list[Damage]:
    """What is published, by the ledger; by the records beside the tables where the operations store is damaged."""
    if examine_operations(settings):
        return list(_by_their_own_records(settings))
    return examine_published(settings, _ledger(settings, operations_engine(settings))) if has_lived(settings) else []


def _by_their_own_records(settings: Settings) -> Iterator[Damage]:
    shown = current_version(settings)
    for version in versions(settings):
        try:
            text = (settings.published / version / "publication.json").read_text()
            yield from examine_version(settings, record_of(text), text, is_current=version == shown)
        except (OSError, ValueError):
            yield Damage("published", f"published/{version}/publication.json", "cannot be read", MEND)
    if shown not in versions(settings) and versions(settings):
        yield Damage("published", "published/current", "leads to no version", "`reliability publish` points it back")


def examine_snapshots(settings: Settings) -> list[Damage]:
    """Every manifest; every content by its size, and those of the newest snapshot by their checksum."""
    location = SnapshotLocation.of(settings)
    good, damaged = read_snapshots(location)
    again = "remove it, then take a new one with `reliability snapshot create`"
    found = [Damage(SNAPSHOTS, "manifests", words, again) for words in damaged]
    sizes = location.objects()
    for one in good:
        wrong = {file.path: sizes.get(file.sha256) for file in one.files if sizes.get(file.sha256) != file.size}
        read = damages_of_snapshots(location, [one])[one.id] if one is good[-1] and not wrong else {}
        if wrong or read:
            count, first = len(wrong) or len(read), next(iter(wrong or read))
            words = f"cannot be restored from: {count} of its contents are missing or damaged, as that of {first}"
            found.append(Damage(SNAPSHOTS, one.id, words, "restore from another one, and take a new one"))
    return found


EXAMINATIONS: dict[str, Callable[[Settings], list[Damage]]] = {
    "operations": examine_operations,
    "warehouse": examine_warehouse,
    "landing": examine_landing,
    "published": examine_versions,
    "snapshots": examine_snapshots,
}


def examine_home(settings: Settings, *, without: Collection[str] = ()) -> list[Damage]:
    """Every store. What keeps one from being examined is named, and costs only that one."""
    with suppress(OSError, PlatformError):  # of a store that cannot be opened this says nothing
        rename_former_folders(settings.home)
    found: list[Damage] = []
    for name, examine in EXAMINATIONS.items():
        if name in without:
            continue
        try:
            found += examine(settings)
        except PlatformError as error:
            found.append(Damage(name, name, f"cannot be examined: {error}", "see there"))
    return found

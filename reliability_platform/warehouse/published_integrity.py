"""Whether what is published is what was audited: the tables, the records, the pointer; and what can be put back.

The operations store has the record of every version, the records are a chain, and each names the checksum of its
tables. What is wrong is named; what a snapshot or the store still has as it was is put back before anybody builds on it.
"""

import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import NoResultFound

from reliability_platform.atomic import make_way, write_atomically
from reliability_platform.damage import Damage, Written, in_one_line, what_is_wrong
from reliability_platform.errors import EnvironmentUnusableError, PlatformError
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import identify, identity_trouble
from reliability_platform.settings import Settings
from reliability_platform.warehouse.ledger import Ledger, digest_of
from reliability_platform.warehouse.provisional import file_name
from reliability_platform.warehouse.published import CURRENT, RECORD, Publication, current_version, record_of, versions
from reliability_platform.warehouse.snapshots.location import SnapshotDamagedError, SnapshotLocation
from reliability_platform.warehouse.withdrawn import remains, take_in_withdrawals

STORE = "published"
PUT_BACK = "`reliability restore --damaged` puts it back"
LOST = "no snapshot has it as it was"
OPERATIONS = "operations store"


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of this home; what an earlier release has published is taken in as it is.

    Raises `EnvironmentUnusableError` if the store is not the one of this home, or does not know what is published.
    """
    engine = operations_engine(settings)
    trouble = identity_trouble(settings, engine)
    if trouble is not None:
        raise EnvironmentUnusableError(
            f"The operations store {trouble}: put it back with `reliability restore --damaged`."
        )
    ledger = Ledger(engine, identify(settings, engine))
    if not ledger.versions():
        adopt(settings, ledger)
    unknown = unknown_current(settings, ledger)
    if unknown is not None:
        raise EnvironmentUnusableError(
            f"The operations store does not know {unknown}, which consumers read: it is older than what is published. "
            "Put it back with `reliability restore --damaged`."
        )
    return ledger


def unknown_current(settings: Settings, ledger: Ledger) -> str | None:
    """The version that consumers read, if the store does not know it although it lies there."""
    shown = current_version(settings)
    return shown if shown is not None and shown in versions(settings) and shown not in ledger.versions() else None


def adopt(settings: Settings, ledger: Ledger) -> list[str]:
    """Take in the versions that lie there and follow from what the store knows; returns their names.

    For homes of earlier releases, and for a store that was put back and is older than what is published.
    """
    taken, of_an_earlier_release = [], not ledger.versions()
    take_in_withdrawals(settings, ledger)
    for version in versions(settings):
        known = ledger.records()
        try:
            text = (settings.published / version / RECORD).read_text()
            record = record_of(text)
        except (OSError, ValueError):
            continue
        follows = record.previous in known and digest_of(known[str(record.previous)]) == record.previous_record
        if version not in known and (follows or of_an_earlier_release):
            ledger.write(version, text)
            ledger.keep(version)
            taken.append(version)
    current = current_version(settings)
    if current is not None and (current in taken or (current in ledger.versions() and ledger.current() is None)):
        ledger.point_to(current)
    return taken


def files_of(record: Publication) -> dict[str, Written]:
    """The files of a version beside its record: those of its tables, and what stands in for what they lack."""
    files = {name: one for table in record.tables for name, one in table.files.items()}
    beside = {file_name(table.name): table.provisional for table in record.tables}
    return files | {name: Written(one.checksum, one.bytes) for name, one in beside.items() if one is not None}


def examine_version(settings: Settings, record: Publication, text: str, *, is_current: bool) -> list[Damage]:
    """What is wrong with one version: every file is read and compared, and nothing else may lie beside them."""
    folder = settings.published / record.version
    names = files_of(record)
    found = []
    others = {one.sha256: name for name, one in names.items()}
    for name, expected in names.items():
        words = what_is_wrong(folder / name, expected, others)
        if words is not None:
            mend = _mend(settings, record.version, expected, is_current=is_current)
            found.append(Damage(STORE, f"published/{record.version}/{name}", words, mend, expected))
    there = folder / RECORD
    if not there.is_file() or there.read_bytes() != text.encode():
        words = "is not what was published" if there.exists() else "is missing"
        found.append(Damage(STORE, f"published/{record.version}/{RECORD}", words, PUT_BACK))
    strays = _strays(folder, {*names, RECORD})
    found += [
        Damage(STORE, f"published/{record.version}/{name}", "was not published", "move it away") for name in strays
    ]
    return found


def _strays(folder: Path, names: Collection[str]) -> list[str]:
    """What lies in the folder of a version and is none of its files nor a folder of theirs."""
    folders = {Path(name).parent for name in names} - {Path()}
    there = [path for one in (Path(), *sorted(folders)) for path in (folder / one).glob("*")]
    found = {path.relative_to(folder) for path in there} - folders
    return sorted(path.as_posix() for path in found if path.as_posix() not in names)


def is_lost(settings: Settings, damage: Damage) -> bool:
    """Whether nothing has a damaged table as it was any more: it is stored as a content of snapshots alone."""
    return damage.written is not None and not _in_a_snapshot(settings, damage.written)


def _in_a_snapshot(settings: Settings, content: Written) -> bool:
    return SnapshotLocation.of(settings).damage(content.sha256) is None


def _mend(settings: Settings, version: str, expected: Written, *, is_current: bool) -> str:
    try:
        if _in_a_snapshot(settings, expected):
            return PUT_BACK
    except PlatformError:
        return PUT_BACK + ", if the snapshots, which cannot be read now, have it"
    if is_current:
        return f"{LOST}, and consumers must not read it: `reliability publish` replaces the version"
    return f"{LOST}: `reliability withdraw {version}` takes the version away for good"


def examine_pointer(settings: Settings, ledger: Ledger) -> list[Damage]:
    """What is wrong with the link that consumers follow, and what else lies beside the versions."""
    wanted, link = ledger.current(), settings.published / CURRENT
    found = []
    if wanted is not None and current_version(settings) != wanted:
        target = current_version(settings)
        words = "is missing" if not link.exists() and target is None else "is no link"
        words = f"points to {target} instead of {wanted}" if target is not None else words
        found.append(Damage(STORE, f"published/{CURRENT}", words, "`reliability publish` points it back"))
    withdrawn = ledger.withdrawn()
    known = {*ledger.versions(), *ledger.drafts(), *withdrawn, CURRENT}
    for path in sorted(settings.published.glob("*")):
        if path.name not in known and not path.name.startswith("."):
            found.append(Damage(STORE, f"published/{path.name}", "was never published", "move it away"))
    return [*found, *(one for version in withdrawn for one in remains(settings, version))]


def examine_chain(ledger: Ledger) -> list[Damage]:
    """Records in the store that do not follow from the one before: they were changed there."""
    records = ledger.records()
    return [one for version in records for one in _unfit(version, records)]


def _unfit(version: str, records: Mapping[str, str]) -> list[Damage]:
    """What is wrong with one record, by itself and beside the one before it."""
    try:
        one = record_of(records[version])
        follows = one.version == version and (
            one.previous_record is None
            or (before := records.get(str(one.previous))) is None
            or digest_of(before) == one.previous_record
        )
    except ValueError:
        follows = False
    if follows:
        return []
    words = f"has a record of {version} that is not the one that was written, or the one before it is not"
    return [Damage(OPERATIONS, "operations store", words, "put the store back: `reliability restore --damaged`")]


def _with_the_one_before(ledger: Ledger, version: str) -> dict[str, str]:
    """The record of a version, and that of the one that it names as the one before it, if the store has that."""
    records = {version: ledger.record(version)}
    with suppress(ValueError, NoResultFound):
        previous = record_of(records[version]).previous
        return records if previous is None else records | {previous: ledger.record(previous)}
    return records


def examine_published(settings: Settings, ledger: Ledger) -> list[Damage]:
    """Everything that is wrong with what is published, and was: all versions that the store knows."""
    found = [*examine_pointer(settings, ledger), *examine_chain(ledger)]
    records, current = ledger.records(), ledger.current()
    for version in ledger.versions():
        try:
            record = record_of(records[version])
        except ValueError:
            continue  # named above
        found += examine_version(settings, record, records[version], is_current=version == current)
    return found


def examine_current(settings: Settings, ledger: Ledger) -> list[Damage]:
    """What is wrong with what consumers read: the pointer, and the version that it is to lead to."""
    current = ledger.current()
    if current is None:
        return []
    text = ledger.record(current)
    return [*examine_pointer(settings, ledger), *examine_version(settings, record_of(text), text, is_current=True)]


def put_back(settings: Settings, ledger: Ledger, damages: Sequence[Damage]) -> list[Damage]:
    """Put back what the operations store or a snapshot has as it was; returns what is still damaged."""
    records = ledger.records()
    left = []
    for one in damages:
        path = settings.home / one.path
        _, version, name = one.path.split("/") if one.path.count("/") == 2 else ("", "", "")
        if name == RECORD and version in records:
            write_atomically(path, records[version].encode())
        elif one.written is None or not fetch_content(settings, one.written, path):
            left.append(one)
    return left


def fetch_content(settings: Settings, content: Written, target: Path) -> bool:
    """Put a file back in one step from the contents of the snapshots; whether they have it, whole."""
    try:
        location = SnapshotLocation.of(settings)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".restore-") as draft:
            location.fetch(content.sha256, Path(draft) / "content")
            make_way(target)
            (Path(draft) / "content").replace(target)
    except (SnapshotDamagedError, OSError):
        return False
    return True


def mended(
    settings: Settings, ledger: Ledger, on_damage: Callable[[Sequence[Damage]], None]
) -> tuple[str | None, set[str]]:
    """The version that the next one follows upon, and the names of those of its files that are damaged for good.

    What is damaged is told before it is put back. Raises `EnvironmentUnusableError` if the store's own record is none.
    """
    for version in ledger.drafts():  # of a publication that was killed; the lease says that it is not at work
        shutil.rmtree(settings.published / version, ignore_errors=True)
        ledger.forget(version)
    current = ledger.current()
    if current is None:
        return None, set()
    # What the next one follows upon; to look at all of them, as doctor does, would take longer with each version.
    broken = _unfit(current, _with_the_one_before(ledger, current))
    if broken:
        on_damage(broken)
        raise EnvironmentUnusableError(f"Nothing is published: the {in_one_line(broken)}.")
    found = examine_current(settings, ledger)
    if not found:
        return current, set()
    on_damage(found)
    place, files = f"published/{current}/", files_of(record_of(ledger.record(current)))
    left = [one.path for one in put_back(settings, ledger, found)]
    names = {path.removeprefix(place) for path in left if path.startswith(place)}
    # What lies in the folder of a table without being of it is read with it.
    return current, {name for name in names if name in files or "/" in name}

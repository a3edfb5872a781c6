"""Purge of personal data: what a leak left in landing, bronze and file quarantine is masked, once it is not needed.

Needed it is while a row of it still waits for a clean one, or for somebody who gives it up. The steps are in an order
that may be broken off anywhere and begun again: journal, record, file, and last bronze and the journal's end.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.rejections import Rule
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES, Harm
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.admission import admit, fingerprint_of, known_as
from reliability_platform.landing.batch_files import batch_of, suffix_of
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.decisions import read_shim
from reliability_platform.landing.entries import EntryKind, look
from reliability_platform.landing.file_quarantine import quarantine_folder
from reliability_platform.landing.purged import Purged, purged_content, read_purged, sha256_of, write_purged
from reliability_platform.landing.working_copy import bring_in, remove, write
from reliability_platform.landing.writer import landing_folder
from reliability_platform.masking import scrub
from reliability_platform.operations.tables import MAX_REASON, purges
from reliability_platform.remediation import evidence
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.pages import compact_warehouse
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import read_snapshots

BEGUN, DONE = "begun", "done"


@dataclass(frozen=True)
class Betraying:
    """A file that holds personal data in so many rows."""

    layer: str
    """`landing`, `quarantine` or `bronze`."""
    batch_id: str
    path: Path
    rows: int


@dataclass(frozen=True)
class Survey:
    """What a landing day of a source holds of personal data, and where. Nothing has been changed for it."""

    source: str
    day: date
    files: tuple[Betraying, ...]
    unreadable: tuple[str, ...]
    """Batches whose file is no Parquet: nobody can tell what is in it."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Batch → why it may not be purged yet."""
    snapshots: tuple[str, ...] = ()
    """Snapshots that hold one of these files; they are not rewritten."""
    unfinished: bool = False
    """Whether a purge was begun whose end is not in the journal."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left to do."""
        return not self.files and not self.unfinished

    def rows(self, batch_id: str) -> int:
        """Rows of a batch that hold personal data."""
        return max(one.rows for one in self.files if one.batch_id == batch_id)


def survey(settings: Settings, engine: Engine, source: str, day: date, batch: str | None = None) -> Survey:
    """Search the files of one source and landing day, or those of one batch. Changes nothing."""
    found, unreadable = [], []
    bring_in(settings, source, [day])
    folders = {
        "landing": landing_folder(settings, source, day),
        "quarantine": quarantine_folder(settings, source, day),
        "bronze": bronze_folder(settings, source, day),
    }
    for layer, folder in folders.items():
        for path in sorted(folder.glob("*")):
            suffix = suffix_of(source, path.name)
            batch_id = known_as(path.name.removesuffix(suffix or ""))
            if suffix is None or path.name.startswith(".") or batch not in (None, batch_id):
                continue
            if look(path, settings.landing).kind is not EntryKind.FILE:  # a pipe would be waited for
                unreadable.append(batch_id)
                continue
            masked = purged_content(CONTRACTS[source], path, _numbers(settings, source, batch_id))
            if masked is None:
                unreadable.append(batch_id)
            elif masked[1]:
                found.append(Betraying(layer, batch_id, path, masked[1]))
    batches = list(dict.fromkeys(one.batch_id for one in found))
    return Survey(
        source,
        day,
        tuple(found),
        tuple(sorted(set(unreadable))),
        _waiting(settings, source, day, batches) if batches else {},
        _snapshots(settings, [one.path for one in found]) if found else (),
        bool(_unfinished(settings, engine, source, day)),
    )


def _numbers(settings: Settings, source: str, batch_id: str) -> set[str]:
    """Columns of a file that are read as numbers or times, by the names under which they came."""
    columns = [column for column in CONTRACTS[source].columns if column.type != "VARCHAR"]
    numbers = {name for column in columns for name in (column.name, *column.aliases)}
    personal = {column.name for column in CONTRACTS[source].columns if column.pii}
    if set(CONTRACTS[source].key) <= numbers | personal:
        numbers.add("record_key")  # of the dead letters: long numbers, and digests, look like the numbers of cards
    shim = read_shim(settings, source, batch_id)
    return numbers | {found for found, name in (shim.reading.rename if shim else {}).items() if name in numbers}


def _waiting(settings: Settings, source: str, day: date, batches: Sequence[str]) -> dict[str, str]:
    """The batches of which something may still be wanted: a row that waits, a file that waits, or nobody has looked."""
    states = {one["batch_id"]: one["state"] for one in evidence.admissions(settings, source, day)}
    with warehouse_reader(settings) as connection:
        letters = connection.execute(
            "select batch_id, count(*) filter (where state = 'quarantined' and contains(reject_reasons, ?)) as waiting "
            "from qtn_rows where source = ? and landing_date = ? group by batch_id",
            [Rule.PERSONAL_DATA, source, day],
        ).fetchall()
    rows = dict(letters)
    found = {}
    for batch in batches:
        if batch not in states:
            found[batch] = "it has not been admitted or refused yet"
        elif states[batch] == "quarantined":
            found[batch] = "the file was refused, and nothing has come in its place"
        elif states[batch] in ("admitted", "replayed") and batch not in rows:
            found[batch] = "its rows have not been judged yet, or none was rejected for it"
        elif rows.get(batch):
            found[batch] = f"{rows[batch]} of its rows wait for clean ones"
    return found


def _snapshots(settings: Settings, paths: Iterable[Path]) -> tuple[str, ...]:
    names = {str(path.relative_to(settings.home)) for path in paths}
    taken, _ = read_snapshots(SnapshotLocation.of(settings))
    return tuple(one.id for one in taken if any(file.path in names for file in one.files))


def refuse_if_needed(found: Survey) -> None:
    """Raises `UsageError` while clean rows have not come, or nobody has given the rows up."""
    if found.waiting:
        batch, why = next(iter(found.waiting.items()))
        more = f" (and {len(found.waiting) - 1} more)" if len(found.waiting) > 1 else ""
        raise UsageError(
            f"{batch} cannot be purged yet: {why}{more}. Ask for clean rows with `reliability quarantine replay "
            f"--source {found.source} --date {found.day}`, or give them up with `reliability quarantine discard`."
        )


def purge(settings: Settings, engine: Engine, found: Survey, why: str, who: str, now: datetime) -> list[Purged]:
    """Mask what a survey has found; returns the files in landing. Doing it twice is doing it once.

    The landing day must be run again then, as after every change of it: nothing else in its tables changes.
    Raises `UsageError` while clean rows have not come.
    """
    refuse_if_needed(found)
    done = []
    for one in found.files:
        if one.layer == "bronze":  # made anew from landing
            continue
        masked = purged_content(CONTRACTS[found.source], one.path, _numbers(settings, found.source, one.batch_id))
        assert masked is not None  # it could be read a moment ago
        content, rows = masked
        landed = fingerprint_of(settings, found.source, one.path)
        if one.layer == "landing":
            entry = Purged(one.batch_id, landed, sha256_of(content), rows, scrub(who), scrub(why)[:MAX_REASON])
            _journal(engine, found.source, found.day, entry, BEGUN, now)
            write_purged(settings, found.source, found.day, entry)
            done.append(entry)
        # Rows of CSV and JSON lines go on as texts in Parquet: that needs no dialect, and keeps their order.
        purged = one.path.with_name(f"{batch_of(found.source, one.path.name)}.parquet")
        write(settings, purged, content)
        if purged != one.path:
            remove(settings, one.path)
    admit(settings, found.source, found.day)
    return done


def finish(settings: Settings, engine: Engine, source: str, day: date, now: datetime) -> None:
    """Drop the pages that old rows have left in the warehouse, and say in the journal and on incidents that all is done."""
    compact_warehouse(settings)
    ended = _unfinished(settings, engine, source, day)
    for entry in ended:
        _journal(engine, source, day, entry, DONE, now)
    if not ended:
        return
    store, rows = IncidentStore(engine), sum(entry.rows for entry in ended)
    names = sorted(entry.batch_id for entry in ended)
    for incident in store.all():
        if (
            CLASSES[incident.failure_class].harm is Harm.EXPOSURE
            and incident.source == source
            and day in incident.partitions
        ):
            words = f"Personal data of {counted(rows, 'row')} were purged from {', '.join(names)}: {ended[0].why}"
            key = f"purge-{incident.id}-{sha256_of(str(sorted(entry.now for entry in ended)).encode())}"
            store.append(incident.id, now, ended[0].purged_by, "note", words, {"purged": names}, key=key)


def _journal(engine: Engine, source: str, day: date, entry: Purged, phase: str, now: datetime) -> None:
    with suppress(IntegrityError), engine.begin() as connection:
        connection.execute(
            insert(purges).values(
                source=source,
                landing_date=day,
                batch_id=entry.batch_id,
                landed=entry.landed,
                now=entry.now,
                rows=entry.rows,
                phase=phase,
                why=entry.why,
                who=entry.purged_by,
                at=now,
            )
        )


def _unfinished(settings: Settings, engine: Engine, source: str, day: date) -> list[Purged]:
    """Purges that were begun, are on record, and have not ended by the journal."""
    query = select(purges).where(purges.c.source == source, purges.c.landing_date == day).order_by(purges.c.id)
    with engine.connect() as connection:
        entries = connection.execute(query).all()
    phases = {(row.batch_id, row.landed, row.now, row.phase) for row in entries}
    records = [
        read_purged(settings, source, day, batch_id) for batch_id in dict.fromkeys(row.batch_id for row in entries)
    ]
    return [
        one
        for one in records
        if one is not None
        and (one.batch_id, one.landed, one.now, BEGUN) in phases
        and (one.batch_id, one.landed, one.now, DONE) not in phases
    ]

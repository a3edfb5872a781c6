"""When we first saw each delivered entry of landing, beside what its producer says of it.

A manifest is the producer's word, and the time of a file is what the last copy tool made of it. So each look into the
folder of a landing day is written down: what was there for the first time, and when the look before had been that did
not find it. An entry came between the two. A batch has come when its file and its manifest are both there.

A look proves only that something was not there: nobody can tell when a delivery came into a folder that was looked into
for the first time long after. So our own time speaks where somebody watched from the beginning: where the first look was
within two days of the landing day's end. For a backfill the producer's word stands.

Deliveries of the simulated source are written by ourselves: they came when the simulation says.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from sqlalchemy import (
    Connection,
    Engine,
    delete,
    func,
    insert,
    select,
)

from reliability_platform.clock import day_end
from reliability_platform.landing.admission import known_as
from reliability_platform.landing.batch_files import batch_file, batch_of
from reliability_platform.landing.entries import Entry, EntryKind, entries, read_file
from reliability_platform.landing.entries import look as one_entry
from reliability_platform.landing.manifest import MANIFEST_SUFFIX
from reliability_platform.landing.writer import landing_folder
from reliability_platform.operations.tables import arrivals, landing_looks
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch

WATCHED_WITHIN = timedelta(days=2)
"""Whoever looks for the first time later than this after a landing day's end has not watched it."""

SCHEMA = pa.schema(
    [
        ("landing_date", pa.date32()),
        ("batch_id", pa.string()),
        ("seen_at", pa.timestamp("us")),
        ("absent_at", pa.timestamp("us")),
    ]
)
Part = tuple[str, str]
"""A batch, by the name that admission gives it, and which part of it: its file or its manifest."""


def _part(source: str, path: Path) -> Part:
    part = "manifest" if path.name.endswith(MANIFEST_SUFFIX) else "file"
    return known_as(batch_of(source, path.name) or path.name), part


def _there(settings: Settings, source: str, day: date) -> dict[Part, Entry]:
    """What lies in the folder of a landing day, whatever it is; drafts of writers begin with a dot."""
    try:
        found = entries(landing_folder(settings, source, day), settings.landing)
    except OSError:  # admission says that it cannot be looked into
        return {}
    return {_part(source, one.path): one for one in found if not one.path.name.startswith(".")}


def look(
    settings: Settings,
    engine: Engine,
    source: str,
    landing_days: Iterable[date],
    now: datetime,
    watched_since: datetime | None = None,
    watched_until: datetime | None = None,
) -> dict[date, list[Part]]:
    """Look into the folders of these landing days; what is there for the first time, by day.

    Somebody who looks all the time, at all folders, says since when, and when last before now.
    """
    found: dict[date, list[Part]] = {}
    for day in landing_days:
        there = _there(settings, source, day)
        here = (arrivals.c.source == source) & (arrivals.c.landing_date == day)
        of_day = (landing_looks.c.source == source) & (landing_looks.c.landing_date == day)
        with engine.begin() as connection:
            rows = connection.execute(select(arrivals).where(here)).mappings()
            known = {(row["batch_id"], row["part"]): dict(row) for row in rows}
            last = connection.execute(select(landing_looks).where(of_day)).first()
            begun = [one for one in (last and last.first_looked_at, watched_since) if one]
            before = [one for one in (last and last.looked_at, watched_until) if one]
            watched = bool(begun) and min(begun) <= day_end(day) + WATCHED_WITHIN
            absent_at = max(before, default=None) if watched else None
            fresh = [
                row
                for part, entry in there.items()
                if (row := _row(source, day, part, entry, known.get(part), now, absent_at)) is not None
            ]
            _replace(connection, fresh)
            connection.execute(delete(landing_looks).where(of_day))
            first = min([*begun, now])
            connection.execute(
                insert(landing_looks).values(source=source, landing_date=day, first_looked_at=first, looked_at=now)
            )
        new = [(str(row["batch_id"]), str(row["part"])) for row in fresh if row["seen_at"] == now]
        if new:
            found[day] = new
    return found


def _row(
    source: str,
    day: date,
    part: Part,
    entry: Entry,
    known: Mapping[str, object] | None,
    moment: datetime,
    absent_at: datetime | None,
) -> dict[str, object] | None:
    """What to write down of an entry; None if nothing is new about it. The same bytes copied once more came before."""
    try:
        modified_ns = entry.path.stat().st_mtime_ns if entry.kind is EntryKind.FILE else 0
        if known is not None and (known["size"], known["modified_ns"]) == (entry.size, modified_ns):
            return None
        checksum = hashlib.sha256(read_file(entry.path) if entry.kind is EntryKind.FILE else b"").hexdigest()
    except OSError:  # gone again, or not ours to read: admission says so
        return None
    same = known is not None and known["checksum"] == checksum
    return {
        "source": source,
        "landing_date": day,
        "batch_id": part[0],
        "part": part[1],
        "checksum": checksum,
        "size": entry.size,
        "modified_ns": modified_ns,
        "seen_at": known["seen_at"] if same and known else moment,
        "absent_at": known["absent_at"] if same and known else absent_at,
    }


def _replace(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    for row in rows:
        same = [arrivals.c[key.name] == row[key.name] for key in arrivals.primary_key]
        connection.execute(delete(arrivals).where(*same))
        connection.execute(insert(arrivals), [dict(row)])


def came_from_us(settings: Settings, engine: Engine, batches: Iterable[Batch]) -> None:
    """Our own writer has landed these batches of the simulated source: they came when the simulation says."""
    rows = []
    for batch in batches:
        folder = landing_folder(settings, batch.source, batch.landing_date)
        for path in (batch_file(batch.source, folder, batch.batch_id), folder / f"{batch.batch_id}{MANIFEST_SUFFIX}"):
            entry = one_entry(path, settings.landing)
            row = _row(
                batch.source,
                batch.landing_date,
                _part(batch.source, entry.path),
                entry,
                None,
                batch.landed_at.replace(tzinfo=UTC),
                None,
            )
            rows += [] if row is None else [row]
    with engine.begin() as connection:
        _replace(connection, rows)


def last_seen(engine: Engine, source: str, day: date) -> datetime | None:
    """When something of a landing day was seen for the first time, the last such moment."""
    query = select(func.max(arrivals.c.seen_at)).where(arrivals.c.source == source, arrivals.c.landing_date == day)
    with engine.connect() as connection:
        return connection.execute(query).scalar()


def arrivals_of(engine: Engine, source: str, first: date, last: date) -> pa.Table:
    """By batch, when it was first seen whole, and when it was not there yet; null where nobody watched."""
    wanted = (arrivals.c.source == source) & arrivals.c.landing_date.between(first, last)
    found: dict[tuple[date, str], dict[str, object]] = {}
    with engine.connect() as connection:
        for row in connection.execute(select(arrivals).where(wanted)):
            one = found.setdefault(
                (row.landing_date, row.batch_id),
                {"landing_date": row.landing_date, "batch_id": row.batch_id, "seen_at": row.seen_at, "absent_at": None},
            )
            one["seen_at"] = max(one["seen_at"], row.seen_at)  # type: ignore[type-var]
            absent = [moment for moment in (one["absent_at"], row.absent_at) if moment is not None]
            one["absent_at"] = max(absent, default=None)  # type: ignore[type-var]
    return pa.Table.from_pylist(list(found.values()), schema=SCHEMA)

"""Write, audit, publish: the versions of the marts, and the pointer to the one that consumers read.

A version is a folder of Parquet files, never changed after it appears; those that it shares with the version before are the
same files under one more name. `current` is a link that is swapped in one
step, so a reader sees the old version or the new one, whole. Event dates that a held partition touches keep the rows
of the version before, out of files whose checksum is right and no others. Of a table without event dates nobody knows
which rows a held partition touches: it keeps all of them.
"""

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import duckdb

from reliability_platform.atomic import link
from reliability_platform.clock import spans
from reliability_platform.damage import Damage, Written, in_one_line
from reliability_platform.errors import UsageError
from reliability_platform.parquet import day_list, identifier, scan
from reliability_platform.pauses import Pause, PauseState
from reliability_platform.settings import Settings
from reliability_platform.warehouse.corrected import corrected
from reliability_platform.warehouse.lacking import Lacking, lacking
from reliability_platform.warehouse.last_good import files_to_keep, rows_to_keep, version_folder
from reliability_platform.warehouse.lease import warehouse_lease, warehouse_reader
from reliability_platform.warehouse.ledger import Ledger, digest_of
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.provisional import dates_of, file_name, stand_ins, write_provisional
from reliability_platform.warehouse.published import (
    CURRENT,
    RECORD,
    HeldBy,
    Partition,
    Publication,
    PublishedDate,
    PublishedTable,
    current_version,
    encoded,
    key_of,
    publications,
    read_publication,
    record_of,
    versions,
)
from reliability_platform.warehouse.published_copy import copy_published
from reliability_platform.warehouse.published_integrity import (
    examine_published,
    examine_version,
    is_lost,
    mended,
    open_ledger,
    put_back,
)
from reliability_platform.warehouse.version_files import Before, StoredRows, as_kept, parts_of, write_files
from reliability_platform.warehouse.withdrawn import WITHDRAWAL, Withdrawal, remains, take_away, write_withdrawal

__all__ = [
    "CURRENT",
    "RECORD",
    "Partition",
    "Publication",
    "PublishedDate",
    "PublishedTable",
    "current_version",
    "publications",
    "read_publication",
]

DUE = ".due"


def announce(settings: Settings) -> None:
    """Say that results are about to be given which a publication must follow; whoever dies in between leaves word."""
    settings.published.mkdir(parents=True, exist_ok=True)
    (settings.published / DUE).touch()


def is_due(settings: Settings) -> bool:
    """Whether days were judged, or are being judged, that no publication has followed yet."""
    return (settings.published / DUE).exists()


def _link(settings: Settings, version: str) -> None:
    """Let consumers read a version, here and where it is copied to."""
    _swap_link(settings, version)
    copy_published(settings)


def _swap_link(settings: Settings, version: str) -> None:
    for left in settings.published.glob(f".{CURRENT}.*"):
        left.unlink()  # by a process that was killed; the lease says that it is not at work
    current = settings.published / CURRENT
    if current.is_symlink() and current.readlink() == Path(version):
        return
    if current.exists() and not current.is_symlink():
        # A folder or a file in the place of the link, as a copy tool leaves that follows links.
        current.rename(settings.published / f"{CURRENT}.replaced-{os.getpid()}")
    link = settings.published / f".{CURRENT}.{os.getpid()}"
    link.symlink_to(version)
    link.replace(current)


def _point_to(settings: Settings, ledger: Ledger, version: str) -> None:
    """First the operations store, then the link: the next publication finishes what was killed in between."""
    ledger.point_to(version)
    _link(settings, version)


def _fresh_dates(connection: duckdb.DuckDBPyConnection, mart: Mart, released: Sequence[Partition]) -> list[date]:
    """Event dates of `mart` to which only released partitions contribute, and all of its sources did."""
    for source in mart.sources:  # one pass over a source for all of its tables
        connection.execute(
            f"create temp table if not exists contributions_of_{source} as "
            f"select distinct '{source}' as source, landing_date, event_date from stg_{source} where disposition = 'valid'"
        )
    contributions = " union all ".join(f"from contributions_of_{source}" for source in mart.sources)
    rows = connection.execute(
        f"""
        with released as (select unnest($sources::varchar[]) as source, unnest($days::date[]) as landing_date),
        contributions as ({contributions}),
        spoiled as (
            select distinct event_date from contributions
            where not exists (
                select 1 from released
                where released.source = contributions.source and released.landing_date = contributions.landing_date
            )
        ),
        complete as (
            select landing_date as event_date from released
            where source in (select unnest($made_of::varchar[]))
            group by landing_date having count(distinct source) = {len(mart.sources)}
        )
        select event_date from complete where event_date not in (select event_date from spoiled) order by event_date
        """,
        {
            "sources": [source for source, _ in released],
            "days": [day for _, day in released],
            "made_of": list(mart.sources),
        },
    ).fetchall()
    return [row[0] for row in rows]


def _of_dates(rows: str, mart: Mart, dates: Iterable[date]) -> str:
    """SQL: the rows of some event dates."""
    return f"select * from {rows} where {mart.day} in (select unnest({day_list(dates)}))"


def _columns(connection: duckdb.DuckDBPyConnection, mart: Mart) -> str:
    return ", ".join(identifier(row[0]) for row in connection.execute(f"describe {mart.relation}").fetchall())


def _dates(
    connection: duckdb.DuckDBPyConnection, day: str, rows: str, version: str, before: Mapping[str, PublishedDate]
) -> dict[str, PublishedDate]:
    """What the rows of a query hold by `day`, and since which version these very rows are published."""
    counted = connection.execute(
        f"select {day}::varchar, count(*), coalesce(sum(hash(one)::hugeint), 0)::varchar "
        f"from ({rows}) as one group by 1 order by 1"
    ).fetchall()
    found = {}
    for day, count, digest in counted:
        old = before.get(day)
        same = old is not None and (old.rows, old.digest) == (count, digest)
        found[day] = PublishedDate(count, digest, old.since if same and old is not None else version)
    return found


@dataclass(frozen=True)
class _Written:
    """What a new version holds of a table."""

    files: dict[str, Written] = field(default_factory=dict)
    dates: dict[str, PublishedDate] = field(default_factory=dict)
    whole: PublishedDate | None = None
    fresh: Sequence[date] = ()
    kept: Sequence[date] = ()
    is_kept: bool = False
    is_absent: bool = False


@dataclass(frozen=True)
class _Draft:
    """A version that is being written: from which connection and version before, what of that is damaged, and where to."""

    settings: Settings
    connection: duckdb.DuckDBPyConnection
    ledger: Ledger
    version: str
    last: Publication | None
    damaged: Collection[str]
    folder: Path

    def by_days(self, mart: Mart, released: Sequence[Partition], held: Collection[Partition]) -> _Written:
        """A table whose rows belong to event dates; whole as long as some belong to none."""
        if mart.place is not None and (
            not _exists(self.connection, mart) or _has_rows_without_day(self.connection, mart)
        ):
            return self.whole(mart, held)
        fresh = _fresh_dates(self.connection, mart, released)
        kept = (
            [] if self.last is None else rows_to_keep(self.settings, self.ledger, self.last, self.damaged, mart, fresh)
        )
        sides = [_of_dates(mart.relation, mart, fresh), *(_of_dates(scan(one.file), mart, one.dates) for one in kept)]
        rows = self._rows(f"select {_columns(self.connection, mart)} from ({' union all by name '.join(sides)})")
        old = self.before(mart)
        dates = _dates(self.connection, mart.day, rows.query, self.version, old.dates if old is not None else {})
        days = sorted({day for one in kept for day in one.dates if day.isoformat() in dates})
        return _Written(self._files(mart, rows, dates, None), dates, None, fresh, days)

    def whole(self, mart: Mart, held: Collection[Partition]) -> _Written:
        """A table that no column parts by days: all of it, unless something that it is made of is held."""
        is_held = any(source in mart.sources for source, _ in held)
        there, old = _exists(self.connection, mart), self.before(mart)
        before = {"whole": old.whole} if old is not None and old.whole is not None else {}
        if (is_held or not there) and old is not None and (old.whole or old.dates):
            files = self._kept(old)
            shown = scan(*(self.folder / name for name in files))
            counted = _dates(self.connection, "'whole'", f"from {shown}", self.version, before)
            return _Written(files, {}, counted.get("whole", PublishedDate(0, "0", self.version)), is_kept=True)
        if not there:
            return _Written(is_absent=True)
        rows = self._rows(f"select * from {mart.relation} {'limit 0' if is_held else ''}")
        if is_held:
            return _Written(self._files(mart, rows, {}, None))
        counted = _dates(self.connection, "'whole'", rows.query, self.version, before)
        whole = counted.get("whole", PublishedDate(0, "0", self.version))
        return _Written(self._files(mart, rows, {}, whole), {}, whole)

    def left_alone(self, mart: Mart) -> list[PublishedTable]:
        """A table that somebody has paused: the very files of the version before, which are sound; nothing if it had none."""
        old = self.before(mart)
        if old is None or self.last is None:
            return []
        same = replace(old, files=self._kept(old))
        beside = version_folder(self.settings, self.last.version) / file_name(mart.name)
        if old.provisional is None:
            return [same]
        if beside.name in self.damaged or not beside.exists():  # what stood in for missing days is no row of the table
            return [replace(same, provisional=None)]
        link(beside, self.folder / beside.name)
        return [same]

    def _rows(self, query: str) -> StoredRows:
        return as_kept(self.connection, query, self.folder / ".columns.parquet")

    def _files(
        self, mart: Mart, rows: StoredRows, dates: Mapping[str, PublishedDate], whole: PublishedDate | None
    ) -> dict[str, Written]:
        old, before = self.before(mart), None
        if old is not None and self.last is not None:
            before = Before(old, version_folder(self.settings, self.last.version), self.damaged)
        return write_files(self.connection, rows, mart.day, parts_of(dates, whole), before, self.folder, mart.name)

    def _kept(self, old: PublishedTable) -> dict[str, Written]:
        """The files of a table of the version before, in this one."""
        assert self.last is not None
        files = files_to_keep(self.settings, self.ledger, self.last, self.damaged, old)
        for name, file in files.items():
            link(file, self.folder / name)
        return dict(zip(files, old.files.values(), strict=True))

    def before(self, mart: Mart) -> PublishedTable | None:
        """The table as the version before has it, if there is one."""
        return self.last.table(mart.name) if self.last is not None else None

    def lacks(self, mart: Mart, one: _Written) -> Lacking:
        """Which rows were delivered for its event dates and are not in it. A date that keeps the rows of an earlier version
        lacks what that one lacked, whatever came since; so does a whole table that is kept."""
        old = self.before(mart)
        if one.is_kept:
            return old.lacks if old is not None else {}
        if one.whole is not None:
            return lacking(self.connection, mart, None)
        kept = {day.isoformat() for day in one.kept}
        before = {day: told for day, told in (old.lacks if old is not None else {}).items() if day in kept}
        return dict(sorted({**lacking(self.connection, mart, one.dates.keys() - kept), **before}.items()))

    def corrected(self, mart: Mart, one: _Written) -> Lacking:
        """Which of the rows that it counts people have corrected."""
        old = self.before(mart)
        before = old.corrected if old is not None else {}
        if one.is_kept:
            return before
        fresh = None if one.whole is not None else one.fresh
        return corrected(self.connection, mart, fresh, before, one.kept)


def _has_rows_without_day(connection: duckdb.DuckDBPyConnection, mart: Mart) -> bool:
    row = connection.execute(f"select count(*) from {mart.relation} where {mart.day} is null").fetchone()
    return row is not None and bool(row[0])


def _exists(connection: duckdb.DuckDBPyConnection, mart: Mart) -> bool:
    """Whether a build has made the table yet: what follows on a test that failed is not built."""
    try:
        connection.execute(f"describe {mart.relation}")
    except duckdb.CatalogException:
        return False
    return True


def _contracts(admitted: Mapping[Partition, str], released: Sequence[Partition]) -> dict[str, list[str]]:
    """The versions by which what is released was read, by source."""
    found: dict[str, set[str]] = {}
    for partition in released:
        if partition in admitted:
            found.setdefault(partition[0], set()).add(admitted[partition])
    return {source: sorted(versions) for source, versions in sorted(found.items())}


def _in_rows(released: Sequence[Partition]) -> dict[str, list[str]]:
    """What is released by source, each unbroken row of landing days by its first and last."""
    found: dict[str, set[date]] = {}
    for source, day in released:
        found.setdefault(source, set()).add(day)
    return {source: [f"{first}/{last}" for first, last in spans(there)] for source, there in sorted(found.items())}


def publish(
    settings: Settings,
    marts: Sequence[Mart],
    partitions: Sequence[Partition],
    held: Mapping[Partition, Sequence[str]],
    now: datetime,
    run_id: str,
    on_damage: Callable[[Sequence[Damage]], None] = lambda _: None,
    held_by: Mapping[Partition, HeldBy] | None = None,
    admitted: Mapping[Partition, str] | None = None,
    fallbacks: Mapping[Partition, Sequence[str]] | None = None,
    paused: Mapping[str, Pause] | None = None,
) -> Publication:
    """Publish all event dates whose partitions are released; the others keep their last good rows.

    `partitions` are all landed partitions, `held` those of them that the gate holds, with the reasons, and
    `held_by` the people who hold some of them; `admitted` says by which version of its contract each was read, and
    `fallbacks` from which servers some came that are not the first of their source. Of the tables in `paused`, by name, one that
    is withdrawn is not in the version, any other is as the version before has it. Publishing
    the same content again makes no new version. What consumers read is compared with its checksums first; `on_damage`
    hears of what differs. Raises `EnvironmentUnusableError` if there is no warehouse, if the operations store is not
    the one of this home, or if rows to be kept are nowhere to be had as they were.
    """
    released = [partition for partition in partitions if partition not in held]
    settings.published.mkdir(parents=True, exist_ok=True)
    with warehouse_reader(settings) as connection:
        ledger = open_ledger(settings)
        previous, damaged = mended(settings, ledger, on_damage)
        record = ledger.record(previous) if previous is not None else None
        last = record_of(record) if record is not None else None
        newest = max([*versions(settings), *ledger.versions(), *ledger.withdrawn()], default="v000000")
        version = f"v{int(newest[1:]) + 1:06d}"
        draft = settings.published / f".{version}.draft"
        shutil.rmtree(draft, ignore_errors=True)  # left by a process that was killed; the lease says it is not at work
        draft.mkdir()
        writing = _Draft(settings, connection, ledger, version, last, damaged, draft)
        tables, instead = [], stand_ins(settings, held, now)
        for mart in marts:
            pause = (paused or {}).get(mart.name)
            if pause is not None:
                tables += writing.left_alone(mart) if pause.state is not PauseState.WITHDRAWN else []
                continue
            one = writing.whole(mart, held) if mart.event_date is None else writing.by_days(mart, released, held)
            if one.is_absent:
                continue
            absent = {day for source, day in held if source in mart.sources} - set(one.fresh) - set(one.kept)
            tables.append(
                PublishedTable(
                    name=mart.name,
                    rows=sum(day.rows for day in one.dates.values()) + (one.whole.rows if one.whole else 0),
                    files=one.files,
                    fresh_dates=len(one.fresh),
                    kept_dates=[day.isoformat() for day in one.kept],
                    absent_dates=[] if one.is_kept else [day.isoformat() for day in sorted(absent)],
                    dates=one.dates,
                    whole=one.whole,
                    is_kept=one.is_kept,
                    lacks=writing.lacks(mart, one),
                    provisional=write_provisional(
                        connection, mart, draft, dates_of(mart, held, instead, one.dates) if one.dates else {}
                    ),
                    corrected=writing.corrected(mart, one),
                )
            )
        publication = Publication(
            version=version,
            previous=previous,
            published_at=now.isoformat(),
            run_id=run_id,
            tables=tables,
            held={key_of(one): list(reasons) for one, reasons in sorted(held.items())},
            held_by={key_of(one): person for one, person in sorted((held_by or {}).items())},
            contracts=_contracts(admitted or {}, released),
            released=_in_rows(released),
            from_fallback={
                key_of(one): list(names) for one, names in sorted((fallbacks or {}).items()) if one in released
            },
            previous_record=digest_of(record) if record is not None else None,
            paused={name: pause.words for name, pause in sorted((paused or {}).items())},
        )
        if last is not None and not damaged and _same(last, publication):
            shutil.rmtree(draft)
            _link(settings, last.version)
            (settings.published / DUE).unlink(missing_ok=True)
            return last
        (draft / RECORD).write_text(encoded(publication))
        _sync(draft)
        ledger.write(version, encoded(publication))
        draft.rename(settings.published / version)
        _point_to(settings, ledger, version)
        (settings.published / DUE).unlink(missing_ok=True)
        return publication


def _same(one: Publication, other: Publication) -> bool:
    def seen(version: Publication) -> tuple[object, ...]:
        return version.tables, version.held, version.from_fallback, version.paused

    return seen(one) == seen(other)


def _sync(folder: Path) -> None:
    """Bring a finished draft to the disk before it gets its name."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def point_to(settings: Settings, version: str) -> None:
    """Let consumers read a version that is still kept. Raises `UsageError` if it is not, or is not what was published."""
    with warehouse_lease(settings):
        ledger = open_ledger(settings)
        if version in ledger.withdrawn():
            raise UsageError(f"{version} was withdrawn: see {settings.published / version / WITHDRAWAL}.")
        record = ledger.records().get(version)
        if record is None or version not in versions(settings):
            raise UsageError(f"There is no version {version!r} in {settings.published} any more.")
        damages = examine_version(settings, record_of(record), record, is_current=version == ledger.current())
        if damages:
            raise UsageError(f"{version} is not what was published, and consumers must not read it: {damages[0]}")
        _point_to(settings, ledger, version)


def put_back_published(settings: Settings) -> tuple[list[Damage], list[Damage]]:
    """Put back what is to be had as it was published, of all versions, and the pointer; what was wrong, and what still is.

    Call it under the lease.
    """
    ledger = open_ledger(settings)
    before = examine_published(settings, ledger)
    if before:
        put_back(settings, ledger, before)
        current = ledger.current()
        if current is not None:
            _link(settings, current)
    return before, examine_published(settings, ledger) if before else []


def rollback(settings: Settings) -> Publication:
    """Point `current` back to the version before that is still kept. The version left stays on disk."""
    with warehouse_lease(settings):
        ledger = open_ledger(settings)
        current = ledger.current()
        if current is None:
            raise UsageError("Nothing is published yet, so there is nothing to go back to.")
        records, withdrawn = ledger.records(), ledger.withdrawn()
        before = record_of(records[current]).previous
        while before in withdrawn:
            before = record_of(records[before]).previous
        if before is None or before not in records:
            raise UsageError(f"{current} is the first version kept; there is no version before it.")
        point_to(settings, before)
        return record_of(records[before])


def withdraw(
    settings: Settings, version: str, who: str, why: str, now: datetime, *, dry_run: bool = False
) -> list[Damage]:
    """Take a version away for good, with word of who did so and why; returns what was damaged of it.

    Only one that consumers do not read, and of which something is nowhere to be had as it was. Killed anywhere it can be
    run again. With `dry_run`, only what is damaged. Raises `UsageError` for any other version.
    """
    with warehouse_lease(settings):
        ledger = open_ledger(settings)
        if version in ledger.withdrawn():
            left = remains(settings, version)
            if not left:
                raise UsageError(f"{version} was withdrawn before: see {settings.published / version / WITHDRAWAL}.")
            if not dry_run:
                take_away(settings, version)
            return left
        if version not in ledger.versions():
            raise UsageError(f"There is no version {version!r} among those that were published.")
        if version == ledger.current():
            raise UsageError(f"Consumers read {version}: let them read another one first, with `reliability publish`.")
        text = ledger.record(version)
        damages = examine_version(settings, record_of(text), text, is_current=False)
        lost = [one for one in damages if is_lost(settings, one)]
        if damages and not lost:
            raise UsageError(f"{version} can be had as it was published: {in_one_line(damages, 1)}.")
        if not lost:
            raise UsageError(f"{version} is what was published, so there is no reason to withdraw it.")
        if not dry_run:
            write_withdrawal(settings, Withdrawal(version, now.isoformat(), who, why, [str(one) for one in lost], text))
            ledger.withdraw(version)
            take_away(settings, version)
        return lost

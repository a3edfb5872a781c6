"""Puts back what a snapshot holds: the warehouse, one table, or a whole home; into place or aside.

Contents are fetched and verified before anything is touched. What a restored warehouse lacks is found from the files
of the home and the journal of builds (`gap`); building these days again is the caller's work.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
from sqlalchemy import Engine

from reliability_platform.atomic import link
from reliability_platform.damage import sha256_of
from reliability_platform.errors import UsageError
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.operations.portable import put_back_from_file
from reliability_platform.operations.postgresql import Installation
from reliability_platform.parquet import identifier, literal
from reliability_platform.settings import RESTORING, Settings
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.lease import confirm_lease, open_when_free, warehouse_lease
from reliability_platform.warehouse.snapshots.inventory import days_that_differ, landing_day_of, shown_path, walk
from reliability_platform.warehouse.snapshots.location import SnapshotDamagedError, SnapshotLocation
from reliability_platform.warehouse.snapshots.lock import snapshot_lock
from reliability_platform.warehouse.snapshots.manifest import OPERATIONS, WAREHOUSE, Snapshot, read_snapshots
from reliability_platform.warehouse.snapshots.take import operations_file
from reliability_platform.warehouse.versions import models_of

LIVING = ("landing", "bronze", "published", WAREHOUSE, OPERATIONS)


def damages(location: SnapshotLocation, snapshots: Sequence[Snapshot]) -> dict[str, dict[str, str]]:
    """What is wrong with the contents of each snapshot: path → `missing` or `damaged`. Each content is read once."""
    wrong = {sha: location.damage(sha) for sha in {file.sha256: None for one in snapshots for file in one.files}}
    return {
        one.id: {shown_path(file.path): words for file in one.files if (words := wrong[file.sha256]) is not None}
        for one in snapshots
    }


def gap(settings: Settings, engine: Engine, snapshot: Snapshot) -> list[date]:
    """The landing days that a warehouse put back from the snapshot lacks or has otherwise than the home.

    Days whose files are other now than then, or changed while the snapshot was taken, and days of builds that had not
    ended then. Other reference data concern every day. The newest landed day is always among them: its build makes the
    views, which name the home, and shows that the models can go on from here.
    """
    landed = {day for _, day in landed_partitions(settings)}
    then = {file.path: file for file in snapshot.files}
    now: dict[str, str] = {}
    for file in walk(settings, SnapshotLocation.of(settings).folder)[0]:
        if landing_day_of(file.path) is None and not file.path.startswith("reference/"):
            continue
        old = then.get(file.path)
        same = old is not None and (old.size, old.modified_ns) == (file.size, file.modified_ns)
        now[file.path] = old.sha256 if same and old is not None else sha256_of(settings.home / file.path)
    before = {path: file.sha256 for path, file in then.items() if path in now or landing_day_of(path) is not None}
    if any(path.startswith("reference/") and before.get(path) != sha for path, sha in now.items()):
        return sorted(landed)
    days = days_that_differ(before, now) | set(snapshot.unsettled_days)
    days |= BuildJournal(engine, settings.builds).days_after(snapshot.builds_settled)
    days |= {max(landed)} if landed else set()
    return sorted(days & landed)


def _check_models(settings: Settings, snapshot: Snapshot) -> None:
    deployed = str(models_of(settings.dbt_project))
    if deployed != snapshot.models_version and not settings.allow_older_models:
        raise UsageError(
            f"Snapshot {snapshot.id} was built by models {snapshot.models_version}, deployed are {deployed}: deploy "
            "those, or build the warehouse anew with `reliability run`, or look at it with --aside DIR."
        )


def _fetch(location: SnapshotLocation, snapshot: Snapshot, path: str, target: Path) -> None:
    file = snapshot.file(path)
    if file is None:
        raise SnapshotDamagedError(f"Snapshot {snapshot.id} holds no {path}.")
    try:
        location.fetch(file.sha256, target)
    except SnapshotDamagedError as error:
        raise SnapshotDamagedError(f"{error} {_older(location, snapshot, path)}") from None
    os.utime(target, ns=(file.modified_ns, file.modified_ns))


def _older(location: SnapshotLocation, damaged: Snapshot, path: str) -> str:
    """Which older snapshot has a file whole, in words."""
    for one in reversed(read_snapshots(location)[0]):
        file = one.file(path)
        if one.taken_at < damaged.taken_at and file is not None and location.damage(file.sha256) is None:
            return f"Snapshot {one.id} is older and has it whole: `--as-of {one.taken_at.isoformat()}`."
    return "No older snapshot has it whole."


def restore_warehouse(
    settings: Settings, engine: Engine, snapshot: Snapshot, before: Callable[[list[date]], None] = lambda _: None
) -> list[date]:
    """Put the warehouse back in one step; returns the landing days to build again.

    `before` hears of these days before anything is touched: results about them are void from now on.
    """
    _check_models(settings, snapshot)
    with snapshot_lock(settings) as staging, warehouse_lease(settings):
        fetched = staging / WAREHOUSE
        _fetch(SnapshotLocation.of(settings), snapshot, WAREHOUSE, fetched)
        duckdb.connect(str(fetched), read_only=True).close()
        days = gap(settings, engine, snapshot)
        before(days)
        confirm_lease(settings)
        # The log of another file beside the warehouse would be applied to it.
        settings.warehouse.with_suffix(".duckdb.wal").unlink(missing_ok=True)
        fetched.replace(settings.warehouse)
        _sync(settings.home)
    return days


def restore_operations(settings: Settings, snapshot: Snapshot, fits: Callable[[Path], bool]) -> Path | None:
    """Put the operations store back in one step; what was there is kept beside it. `fits` looks at the fetched file first.

    Returns where the old file is now, if there was one. Raises `SnapshotDamagedError` if the snapshot has no store that
    is whole and fits.
    """
    target = operations_file(settings)
    with snapshot_lock(settings) as staging, warehouse_lease(settings):
        fetched = staging / OPERATIONS
        _fetch(SnapshotLocation.of(settings), snapshot, OPERATIONS, fetched)
        if not fits(fetched):
            raise SnapshotDamagedError(
                f"The operations store in snapshot {snapshot.id} is of another home, or not whole."
            )
        if target is None:
            return Path(_into_server(settings, fetched))
        aside = set_aside(target)
        fetched.replace(target)
        _sync(target.parent)
    return aside


def _into_server(settings: Settings, file: Path) -> str:
    """Put a store into the server; returns the name of the schema that has the one before."""
    engine = operations_engine(settings, begin=True)
    return put_back_from_file(engine, Installation.of(settings).schema, file)


def set_aside(store: Path) -> Path | None:
    """Move a damaged database away, with its logs, which must not be applied to another one."""
    aside = None
    for suffix in ("", "-wal", "-shm"):
        path = store.with_name(store.name + suffix)
        if path.exists():
            moved = path.with_name(f".{store.name}.damaged{suffix}")
            path.replace(moved)
            aside = aside or moved
    return aside


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tables_of(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[tuple[str, str]]]:
    """The columns of each table (not views) of a database, in their order."""
    rows = connection.execute(
        """
        select table_name, column_name, data_type from duckdb_columns()
        join duckdb_tables() using (database_name, schema_name, table_name)
        where database_name = ? and schema_name = 'main' order by table_name, column_index
        """,
        [database],
    ).fetchall()
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        found.setdefault(table, []).append((column, kind))
    return found


def attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Make the fetched warehouse of a snapshot known as `snapshot`."""
    connection.execute(f"attach {literal(file)} as snapshot (read_only)")


def _known_table(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: str) -> list[tuple[str, str]]:
    tables = tables_of(connection, "snapshot")
    if table not in tables:
        raise UsageError(f"Snapshot {snapshot.id} has no table {table[:80]!r}: choose one of {', '.join(tables)}.")
    return tables[table]


def refuse_unfit(settings: Settings, snapshot: Snapshot, table: str | None) -> None:
    """Refuse what could not be put into place, before anybody is asked: other models, a table that it has not."""
    _check_models(settings, snapshot)
    if table is not None:
        with snapshot_lock(settings) as staging, closing(duckdb.connect()) as connection:
            _fetch(SnapshotLocation.of(settings), snapshot, WAREHOUSE, staging / WAREHOUSE)
            attach(connection, staging / WAREHOUSE)
            _known_table(connection, snapshot, table)


def restore_tables(
    settings: Settings,
    engine: Engine,
    snapshot: Snapshot,
    tables: Sequence[str],
    before: Callable[[list[date]], None] = lambda _: None,
) -> list[date]:
    """Put tables back in one transaction; returns the landing days to build again. `before` as above."""
    _check_models(settings, snapshot)
    with snapshot_lock(settings) as staging, warehouse_lease(settings):
        _fetch(SnapshotLocation.of(settings), snapshot, WAREHOUSE, staging / WAREHOUSE)
        days = gap(settings, engine, snapshot)
        with closing(open_when_free(settings, read_only=False)) as connection:
            attach(connection, staging / WAREHOUSE)
            row = connection.execute("select current_database()").fetchone()
            assert row is not None
            present = tables_of(connection, row[0])
            for table in tables:
                if present.get(table) not in (None, _known_table(connection, snapshot, table)):
                    raise UsageError(
                        f"{table} has other columns now than in snapshot {snapshot.id}: look at the old one with "
                        "--aside DIR."
                    )
            before(days)
            connection.execute("begin")
            for table in tables:
                name = identifier(table)
                connection.execute(f"create or replace table {name} as from snapshot.main.{name}")
            connection.execute("commit")
            connection.execute("detach snapshot")
    return days


def warehouse_aside(settings: Settings, snapshot: Snapshot, table: str | None, folder: Path) -> Path:
    """Write the snapshot's warehouse, or one table as Parquet, into a folder; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (f"{table}.parquet" if table is not None else WAREHOUSE)
    with snapshot_lock(settings) as staging:
        fetched = staging / WAREHOUSE
        _fetch(SnapshotLocation.of(settings), snapshot, WAREHOUSE, fetched)
        if table is not None:
            with duckdb.connect() as connection:
                connection.execute("set enable_progress_bar = false")
                attach(connection, fetched)
                _known_table(connection, snapshot, table)
                _refuse_existing(target)
                draft = staging / "table.parquet"
                connection.execute(f"copy snapshot.main.{identifier(table)} to {literal(draft)}")
                shutil.move(draft, target)
        else:
            _refuse_existing(target)
            shutil.move(fetched, target)
    return target


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise UsageError(f"{target} is there already: choose another folder for --aside.")


def restore_home(
    settings: Settings, snapshot: Snapshot, target: Path, settle: Callable[[], None] = lambda: None
) -> None:
    """Write the whole home of a snapshot into a folder that has none. `settle` is called while the mark still stands.

    Fetched beside it and verified, then moved in part by part under a mark; a restore that was killed is begun anew.
    Raises `UsageError` if the folder holds data.
    """
    mark = target / RESTORING
    living = [name for name in LIVING if (target / name).exists()]
    if living and not mark.exists():
        raise UsageError(
            f"{target} still holds {', '.join(living)}, which would be overwritten: move that away, restore the "
            "warehouse alone, or choose a folder with --aside."
        )
    draft = target.with_name(f".{target.name}.restoring")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        location = SnapshotLocation.of(settings)
        shared: dict[str, Path] = {}
        for file in snapshot.files:
            first = shared.get(file.sha256)
            if first is not None:
                link(first, draft / file.path)
                continue
            _fetch(location, snapshot, file.path, draft / file.path)
            if file.path.startswith("published/"):  # versions share files, which never change
                shared[file.sha256] = draft / file.path
        for path, leads_to in snapshot.links.items():
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).symlink_to(leads_to)
        target.mkdir(parents=True, exist_ok=True)
        mark.write_text(snapshot.id)
        for part in sorted(draft.iterdir()):
            place = target / part.name
            if part.name == OPERATIONS and target == settings.home:
                own = operations_file(settings)
                if own is None:  # the home's identity, which names the schema, is in place: parts come by their names
                    _into_server(settings, part)
                    continue
                place = own
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            for suffix in ("-wal", "-shm", ".wal"):
                place.with_name(place.name + suffix).unlink(missing_ok=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(part, place)
        _sync(target)
        settle()
        mark.unlink()
    finally:
        shutil.rmtree(draft, ignore_errors=True)

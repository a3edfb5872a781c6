"""Write, audit, publish: the versions of the marts, and the pointer to the one that consumers read.

A version is a folder of Parquet files, never changed after it appears. `current` is a link that is swapped in one
step, so a reader sees the old version or the new one, whole. Event dates that a held partition touches keep the rows
of the version before.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb

from reliability_platform.errors import UsageError
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_lease, warehouse_reader
from reliability_platform.warehouse.marts import Mart

Partition = tuple[str, date]
"""A source and a landing day."""

RECORD = "publication.json"
CURRENT = "current"
DUE = ".due"


@dataclass(frozen=True)
class PublishedTable:
    """One table of a version: its rows, how many event dates are fresh, which keep their last good rows."""

    name: str
    rows: int
    checksum: str
    fresh_dates: int
    kept_dates: list[str]
    """Held event dates that show the rows of an earlier version."""
    absent_dates: list[str]
    """Held event dates of which no good rows were ever published."""


@dataclass(frozen=True)
class Publication:
    """One version, as its `publication.json` says."""

    version: str
    previous: str | None
    published_at: str
    run_id: str
    tables: list[PublishedTable]
    held: dict[str, list[str]]
    """`source/landing day` → why it is held."""


def _versions(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.published.glob("v[0-9]*") if (path / RECORD).exists())


def read_publication(settings: Settings, version: str) -> Publication:
    """The record of one version."""
    record = json.loads((settings.published / version / RECORD).read_text())
    record["tables"] = [PublishedTable(**table) for table in record["tables"]]
    return Publication(**record)


def publications(settings: Settings) -> list[Publication]:
    """Every version still kept, oldest first."""
    return [read_publication(settings, version) for version in _versions(settings)]


def current_version(settings: Settings) -> str | None:
    """The version that consumers read now; None before the first publication."""
    link = settings.published / CURRENT
    return link.readlink().name if link.is_symlink() else None


def announce(settings: Settings) -> None:
    """Say that verdicts are about to be given which a publication must follow; whoever dies in between leaves word."""
    settings.published.mkdir(parents=True, exist_ok=True)
    (settings.published / DUE).touch()


def is_due(settings: Settings) -> bool:
    """Whether days were judged, or are being judged, that no publication has followed yet."""
    return (settings.published / DUE).exists()


def _point_to(settings: Settings, version: str) -> None:
    for left in settings.published.glob(f".{CURRENT}.*"):
        left.unlink()  # by a process that was killed; the lease says that it is not at work
    link = settings.published / f".{CURRENT}.{os.getpid()}"
    link.symlink_to(version)
    link.replace(settings.published / CURRENT)


def _fresh_dates(connection: duckdb.DuckDBPyConnection, mart: Mart, released: Sequence[Partition]) -> list[date]:
    """Event dates of `mart` to which only released partitions contribute, and all of its sources did."""
    connection.execute("create or replace temp table released (source varchar, landing_date date)")
    if released:
        connection.executemany("insert into released values (?, ?)", [list(pair) for pair in released])
    contributions = " union all ".join(
        f"select distinct '{source}' as source, landing_date, event_date from stg_{source} where disposition = 'valid'"
        for source in mart.sources
    )
    rows = connection.execute(
        f"""
        with contributions as ({contributions}),
        spoiled as (
            select distinct event_date from contributions
            where not exists (
                select 1 from released
                where released.source = contributions.source and released.landing_date = contributions.landing_date
            )
        ),
        complete as (
            select landing_date as event_date from released
            where source in ({", ".join("?" for _ in mart.sources)})
            group by landing_date having count(distinct source) = {len(mart.sources)}
        )
        select event_date from complete where event_date not in (select event_date from spoiled) order by event_date
        """,
        list(mart.sources),
    ).fetchall()
    return [row[0] for row in rows]


def _write_table(
    connection: duckdb.DuckDBPyConnection, mart: Mart, fresh: Sequence[date], previous: Path | None, target: Path
) -> tuple[int, list[date]]:
    """Write one table of the new version; returns its rows and the event dates taken over from the version before."""
    connection.execute("create or replace temp table fresh (event_date date)")
    if fresh:
        connection.executemany("insert into fresh values (?)", [[day] for day in fresh])
    parts = [f"select * from {mart.name} where event_date in (select event_date from fresh)"]
    kept: list[date] = []
    old = previous / f"{mart.name}.parquet" if previous else None
    if old is not None and old.exists():
        connection.execute(
            f"create or replace temp view last_good as select * from read_parquet('{_quoted(old)}') "
            "where event_date not in (select event_date from fresh)"
        )
        parts.append("select * from last_good")
        kept = [
            row[0]
            for row in connection.execute("select distinct event_date from last_good order by event_date").fetchall()
        ]
    columns = ", ".join(f'"{row[0]}"' for row in connection.execute(f"describe {mart.name}").fetchall())
    connection.execute(
        f"copy (select {columns} from ({' union all by name '.join(parts)}) order by all) "
        f"to '{_quoted(target)}' (format parquet, compression zstd)"
    )
    counted = connection.execute(f"select count(*) from read_parquet('{_quoted(target)}')").fetchone()
    assert counted is not None
    return counted[0], kept


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def publish(
    settings: Settings,
    marts: Sequence[Mart],
    partitions: Sequence[Partition],
    held: Mapping[Partition, Sequence[str]],
    now: datetime,
    run_id: str,
) -> Publication:
    """Publish all event dates whose partitions are released; the others keep their last good rows.

    `partitions` are all landed partitions, `held` those of them that the gate holds, with the reasons. Publishing the
    same content again makes no new version. Raises `EnvironmentUnusableError` if there is no warehouse.
    """
    released = [partition for partition in partitions if partition not in held]
    settings.published.mkdir(parents=True, exist_ok=True)
    with warehouse_reader(settings) as connection:
        previous = current_version(settings)
        kept_versions = _versions(settings)
        version = f"v{int(kept_versions[-1][1:]) + 1 if kept_versions else 1:06d}"
        draft = settings.published / f".{version}.draft"
        shutil.rmtree(draft, ignore_errors=True)  # left by a process that was killed; the lease says it is not at work
        draft.mkdir()
        tables = []
        for mart in marts:
            fresh = _fresh_dates(connection, mart, released)
            target = draft / f"{mart.name}.parquet"
            rows, kept = _write_table(
                connection, mart, fresh, settings.published / previous if previous else None, target
            )
            unpublished = sorted({day for source, day in held if source in mart.sources} - set(fresh) - set(kept))
            tables.append(
                PublishedTable(
                    name=mart.name,
                    rows=rows,
                    checksum=hashlib.sha256(target.read_bytes()).hexdigest(),
                    fresh_dates=len(fresh),
                    kept_dates=[day.isoformat() for day in kept],
                    absent_dates=[day.isoformat() for day in unpublished],
                )
            )
        publication = Publication(
            version=version,
            previous=previous,
            published_at=now.isoformat(),
            run_id=run_id,
            tables=tables,
            held={f"{source}/{day.isoformat()}": list(reasons) for (source, day), reasons in sorted(held.items())},
        )
        if previous is not None:
            last = read_publication(settings, previous)
            if last.tables == publication.tables and last.held == publication.held:
                shutil.rmtree(draft)
                (settings.published / DUE).unlink(missing_ok=True)
                return last
        (draft / RECORD).write_text(json.dumps(asdict(publication), indent=2) + "\n")
        _sync(draft)
        draft.rename(settings.published / version)
        _point_to(settings, version)
        (settings.published / DUE).unlink(missing_ok=True)
        return publication


def _sync(folder: Path) -> None:
    """Bring a finished draft to the disk before it gets its name."""
    for path in [*folder.iterdir(), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def point_to(settings: Settings, version: str) -> None:
    """Let consumers read a version that is still kept. Raises `UsageError` if it is not."""
    with warehouse_lease(settings):
        if version not in _versions(settings):
            raise UsageError(f"There is no version {version!r} in {settings.published} any more.")
        _point_to(settings, version)


def rollback(settings: Settings) -> Publication:
    """Point `current` back to the version before. The version left stays on disk."""
    with warehouse_lease(settings):
        current = current_version(settings)
        if current is None:
            raise UsageError("Nothing is published yet, so there is nothing to go back to.")
        before = read_publication(settings, current).previous
        if before is None or before not in _versions(settings):
            raise UsageError(f"{current} is the first version kept; there is no version before it.")
        _point_to(settings, before)
        return read_publication(settings, before)

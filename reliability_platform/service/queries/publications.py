"""Publications: which versions there are, which one consumers read, what it holds and what it lacks."""

from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, page
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lacking import total
from reliability_platform.warehouse.published import (
    RECORD,
    Publication,
    PublishedTable,
    current_version,
    read_record,
    versions,
)


class TableOfVersion(QueryAnswer):
    """One table of a version."""

    name: str
    """The table."""
    rows: int
    """How many rows it has."""
    fresh_dates: int
    """Event dates that this version took out of gold."""
    kept_dates: list[date]
    """Held event dates that show the rows of an earlier version."""
    absent_dates: list[date]
    """Held event dates of which no good rows were ever published."""
    kept_since: str | None
    """Of a table that is published whole, and of which something is held: the version whose rows it goes on showing."""
    lacks: dict[str, int]
    """What became of delivered rows that count nowhere → how many, over all event dates."""
    corrected: dict[str, int]
    """Correction by a person → rows that count with a value that it changed."""
    provisional_dates: list[date]
    """Event dates for which rows of another day stand in, in a file beside the table."""


class HeldPartition(QueryAnswer):
    """A landing day that is kept out of publication."""

    source: str
    """The source."""
    landing_date: date
    """The landing day."""
    reasons: list[str]
    """What the gate or a person objects to."""
    held_by: str | None
    """The person who holds it, where one does."""


class PublishedVersion(QueryAnswer):
    """One version of what consumers read."""

    version: str
    """As `v000007`."""
    is_current: bool
    """Whether consumers read it now."""
    previous: str | None
    """The version before it."""
    published_at: datetime
    """When it was published."""
    run_id: str
    """The run that published it."""
    rows: int
    """Rows of all its tables."""
    held: list[HeldPartition]
    """The landing days that it leaves out."""
    contracts: dict[str, list[str]]
    """Source → the versions of its contract by which its days were read."""
    from_fallback: dict[str, list[str]]
    """`source/landing day` → the servers it came from, where those are not the first of the source."""
    tables: list[TableOfVersion]
    """Its tables."""
    paused: dict[str, str]
    """Table → who has paused or withdrawn it, since when and why: it is as in the version before, or not in this one."""


def publication_page(settings: Settings, window: Window = EVERYTHING) -> Page[PublishedVersion]:
    """Versions that are still kept, the newest first. One whose record cannot be read costs only itself."""
    names = versions(settings)[::-1]
    current, found = current_version(settings), []
    for name in window.cut(names):
        try:
            found.append(_read(settings, name, is_current=name == current))
        except EnvironmentUnusableError:
            continue  # `reliability doctor` names it
    return page(found, len(names), window)


def publication(settings: Settings, version: str) -> PublishedVersion:
    """One version; `current` is the one that consumers read. Raises `UsageError` if there is none of the name."""
    current = current_version(settings)
    name = current if version == "current" else version
    if name is None or name not in versions(settings):
        raise UsageError(f"There is no version {version!r}: see `reliability publish` for the one that consumers read.")
    return _read(settings, name, is_current=name == current)


def _read(settings: Settings, version: str, *, is_current: bool) -> PublishedVersion:
    path = settings.published / version / RECORD
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return _kept(path, stamp).model_copy(update={"is_current": is_current})


@lru_cache(maxsize=256)  # a record of 1,000 event dates takes 15 ms to read, and is never changed
def _kept(path: Path, _stamp: int) -> PublishedVersion:
    return _version(read_record(path))


def _version(record: Publication) -> PublishedVersion:
    people = record.held_by_people
    return PublishedVersion(
        version=record.version,
        is_current=False,
        previous=record.previous,
        published_at=datetime.fromisoformat(record.published_at),
        run_id=record.run_id,
        rows=sum(one.rows for one in record.tables),
        held=[
            HeldPartition(
                source=one[0],
                landing_date=one[1],
                reasons=reasons,
                held_by=people[one]["actor"] if one in people else None,
            )
            for one, reasons in record.held_partitions.items()
        ],
        contracts=record.contracts,
        from_fallback=record.from_fallback,
        tables=[_table(one) for one in record.tables],
        paused=record.paused,
    )


def _table(one: PublishedTable) -> TableOfVersion:
    return TableOfVersion(
        name=one.name,
        rows=one.rows,
        fresh_dates=one.fresh_dates,
        kept_dates=[date.fromisoformat(day) for day in one.kept_dates],
        absent_dates=[date.fromisoformat(day) for day in one.absent_dates],
        kept_since=one.whole.since if one.is_kept and one.whole is not None else None,
        lacks=total(one.lacks),
        corrected=total(one.corrected),
        provisional_dates=[] if one.provisional is None else [date.fromisoformat(day) for day in one.provisional.dates],
    )

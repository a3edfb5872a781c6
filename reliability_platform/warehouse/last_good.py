"""Where the rows of kept event dates come from: files whose checksum is right, with the very rows that are published.

The table of the version before is one; where it is damaged and no snapshot has it, an older version that holds the same
rows of a date. Older rows are never taken instead: the tables of a version would be of two times.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from reliability_platform.damage import Written, what_is_wrong
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.in_memory import in_memory
from reliability_platform.parquet import scan
from reliability_platform.settings import Settings
from reliability_platform.warehouse.ledger import Ledger
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.published import Publication, PublishedTable, record_of


class PublishedDamagedError(EnvironmentUnusableError):
    """Rows that consumers are to go on seeing are nowhere to be had as they were published."""


@dataclass(frozen=True)
class LastGoodRows:
    """Event dates of one table out of one file."""

    file: Path
    dates: list[date]


def table_file(settings: Settings, version: str, table: str) -> Path:
    """Where a published table is."""
    return settings.published / version / f"{table}.parquet"


def rows_to_keep(
    settings: Settings, ledger: Ledger, last: Publication, damaged: Collection[str], mart: Mart, fresh: Sequence[date]
) -> list[LastGoodRows]:
    """The event dates of the last version that are not fresh, each with a sound file that has their rows.

    `damaged` are the names of tables of the last version. Raises `PublishedDamagedError` if a date is in none.
    """
    table = mart.name
    published = last.table(table)
    if published is None:
        return []
    file = table_file(settings, last.version, table)
    if not published.dates and table not in damaged:
        # The record is of an earlier release and does not say, or the table was published whole.
        wanted = _dates_in(file, mart.day) - set(fresh) - {None}
    elif not published.dates:
        raise PublishedDamagedError(_nowhere(last.version, table, None))
    else:
        wanted = {date.fromisoformat(day) for day in published.dates} - set(fresh)
    if not wanted:
        return []
    if table not in damaged:
        return [LastGoodRows(file, sorted(wanted))]
    return _from_older(settings, ledger, last, published, sorted(wanted))


def whole_to_keep(
    settings: Settings, ledger: Ledger, last: Publication, damaged: Collection[str], table: str
) -> Path | None:
    """A sound file with the rows of a table that is published whole; None if it has never been published.

    Raises `PublishedDamagedError` if they are nowhere to be had.
    """
    published = last.table(table)
    if published is None or not (published.whole or published.dates):
        return None
    if table not in damaged:
        return table_file(settings, last.version, table)
    for version, record in reversed(ledger.records().items()):
        old = record_of(record).table(table)
        if version == last.version or old is None or old.whole != published.whole:
            continue
        file = table_file(settings, version, table)
        if what_is_wrong(file, Written(old.checksum, old.bytes)) is None:
            return file
    raise PublishedDamagedError(_nowhere(last.version, table, None))


def file_to_keep(
    settings: Settings, ledger: Ledger, last: Publication, damaged: Collection[str], published: PublishedTable
) -> Path:
    """The very file of a table of the last version, there or in an older one. Raises `PublishedDamagedError` if it is nowhere."""
    if published.name not in damaged:
        return table_file(settings, last.version, published.name)
    expected = Written(published.checksum, published.bytes)
    for version in reversed(ledger.records()):
        file = table_file(settings, version, published.name)
        if what_is_wrong(file, expected) is None:
            return file
    raise PublishedDamagedError(_nowhere(last.version, published.name, None))


def _from_older(
    settings: Settings, ledger: Ledger, last: Publication, published: PublishedTable, wanted: Sequence[date]
) -> list[LastGoodRows]:
    found: list[LastGoodRows] = []
    missing = list(wanted)
    for version, record in reversed(ledger.records().items()):
        old = record_of(record).table(published.name)
        if version == last.version or old is None or not missing:
            continue
        same = [day for day in missing if old.dates.get(day.isoformat()) == published.dates[day.isoformat()]]
        file = table_file(settings, version, published.name)
        if same and what_is_wrong(file, Written(old.checksum, old.bytes)) is None:
            found.append(LastGoodRows(file, same))
            missing = [day for day in missing if day not in same]
    if missing:
        raise PublishedDamagedError(_nowhere(last.version, published.name, missing[0]))
    return found


def _dates_in(file: Path, day: str) -> set[date]:
    with in_memory() as connection:
        return {row[0] for row in connection.execute(f"select distinct {day} from {scan(file)}").fetchall()}


def _nowhere(version: str, table: str, day: date | None) -> str:
    which = f"the rows of {day}" if day is not None else "rows"
    return (
        f"Nothing is published: {table} of {version} is not what was published, and {which} that it is to go on showing "
        "are in no other version and no snapshot; put the file back, or run the held days again once they are good."
    )

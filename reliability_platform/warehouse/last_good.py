"""Where the rows of kept event dates come from: files whose checksum is right, with the very rows that are published.

That of the version before is one; where it is damaged and no snapshot has it, an older version that holds the same
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
from reliability_platform.warehouse.published import ALL, Publication, PublishedTable, record_of


class PublishedDamagedError(EnvironmentUnusableError):
    """Rows that consumers are to go on seeing are nowhere to be had as they were published."""


@dataclass(frozen=True)
class LastGoodRows:
    """Event dates of one table out of one file."""

    file: Path
    dates: list[date]


def version_folder(settings: Settings, version: str) -> Path:
    """Where the files of a version are."""
    return settings.published / version


def rows_to_keep(
    settings: Settings, ledger: Ledger, last: Publication, damaged: Collection[str], mart: Mart, fresh: Sequence[date]
) -> list[LastGoodRows]:
    """The event dates of the last version that are not fresh, each with a sound file that has their rows.

    `damaged` are the names of files of the last version. Raises `PublishedDamagedError` if a date is in none.
    """
    published, folder = last.table(mart.name), version_folder(settings, last.version)
    if published is None:
        return []
    if not published.dates:
        # The record is of an earlier release and does not say, or the table was published whole.
        [name] = published.files
        if name in damaged:
            raise PublishedDamagedError(_nowhere(last.version, mart.name, None))
        unknown = _dates_in(folder / name, mart.day) - set(fresh) - {None}
        return [LastGoodRows(folder / name, sorted(unknown))] if unknown else []
    wanted: dict[str, list[date]] = {}
    for day in sorted({date.fromisoformat(day) for day in published.dates} - set(fresh)):
        wanted.setdefault(published.file_of(day.isoformat()), []).append(day)
    found = [LastGoodRows(folder / name, days) for name, days in wanted.items() if name not in damaged]
    missing = [day for name, days in wanted.items() if name in damaged for day in days]
    return [*found, *_from_older(settings, ledger, last, published, missing)] if missing else found


def files_to_keep(
    settings: Settings, ledger: Ledger, last: Publication, damaged: Collection[str], published: PublishedTable
) -> dict[str, Path]:
    """The very files of a table of the last version, by what they are called now: there, or in an older version that has the same.
    Raises `PublishedDamagedError` if one is nowhere.
    """
    return {
        _name_now(published.name, name): _sound(settings, ledger, last, damaged, name, expected)
        for name, expected in published.files.items()
    }


def _name_now(table: str, name: str) -> str:
    return f"{table}/{ALL}.parquet" if name == f"{table}.parquet" else name


def _sound(
    settings: Settings, ledger: Ledger, last: Publication, damaged: Collection[str], name: str, expected: Written
) -> Path:
    if name not in damaged:
        return version_folder(settings, last.version) / name
    for version, record in reversed(ledger.records().items()):
        for table in record_of(record).tables:
            for other, one in table.files.items():
                file = version_folder(settings, version) / other
                if one.sha256 == expected.sha256 and what_is_wrong(file, expected) is None:
                    return file
    raise PublishedDamagedError(_nowhere(last.version, name.split("/")[0].removesuffix(".parquet"), None))


def _from_older(
    settings: Settings, ledger: Ledger, last: Publication, published: PublishedTable, wanted: Sequence[date]
) -> list[LastGoodRows]:
    found: list[LastGoodRows] = []
    missing = list(wanted)
    for version, record in reversed(ledger.records().items()):
        old = record_of(record).table(published.name)
        if version == last.version or old is None or not missing:
            continue
        same: dict[str, list[date]] = {}
        for day in missing:
            if old.dates.get(day.isoformat()) == published.dates[day.isoformat()]:
                same.setdefault(old.file_of(day.isoformat()), []).append(day)
        for name, days in same.items():
            file = version_folder(settings, version) / name
            if what_is_wrong(file, old.files[name]) is None:
                found.append(LastGoodRows(file, days))
                missing = [day for day in missing if day not in days]
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

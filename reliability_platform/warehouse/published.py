"""The published versions as they lie in the home: their records, and the pointer that consumers follow."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypedDict

from reliability_platform.clock import spans
from reliability_platform.damage import Written
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.formats import moment, span
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lacking import Lacking
from reliability_platform.warehouse.provisional_rows import ProvisionalRows

RECORD = "publication.json"
CURRENT = "current"
ALL = "all"
"""The one file of a table that is not kept by months."""
Partition = tuple[str, date]
"""A source and a landing day."""
_HELD_BY = re.compile(r"held by (?P<actor>.+?): (?P<why>.*)", re.DOTALL)


class HeldBy(TypedDict):
    """The person who holds a landing day, and why."""

    actor: str
    why: str


@dataclass(frozen=True)
class PublishedDate:
    """One event date of a table."""

    rows: int
    digest: str
    """Says whether two versions hold the same rows of the date: a sum of hashes of the rows, as DuckDB makes them."""
    since: str
    """The version that brought these rows; every one since has held the same."""


@dataclass(frozen=True)
class PublishedTable:
    """One table of a version: its rows, how many event dates are fresh, which keep their last good rows."""

    name: str
    rows: int
    files: dict[str, Written]
    """Its files by their names in the folder of the version: one for each month, `<table>/2026-01.parquet`, or `<table>/all.parquet`.
    Before 0.4 a table was one file, `<table>.parquet`."""
    fresh_dates: int
    kept_dates: list[str]
    """Held event dates that show the rows of an earlier version."""
    absent_dates: list[str]
    """Held event dates of which no good rows were ever published."""
    dates: dict[str, PublishedDate] = field(default_factory=dict)
    """Every event date that the table holds. Versions before 0.4 do not say."""
    whole: PublishedDate | None = None
    """All rows of a table that has no event dates: it is published whole, or goes on showing what it did."""
    is_kept: bool = False
    """Whether such a table shows the rows of an earlier version, because something that it is made of is held."""
    lacks: Lacking = field(default_factory=dict)
    """Event date → what became of rows that were delivered for it and count nowhere → how many. Versions before 0.4 do not
    say."""
    provisional: ProvisionalRows | None = None
    """What stands in, in a file beside the table, for event dates whose deliveries are missing; None where nothing does."""
    corrected: Lacking = field(default_factory=dict)
    """Event date → correction by a person → rows that count with a value that it changed. Versions before 0.4 do not say."""

    @property
    def checksum(self) -> str:
        """SHA-256 of what `sha256sum <table>/*.parquet` prints in the folder of the version: the same for the same files."""
        lines = (f"{one.sha256}  {name}\n" for name, one in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def file_of(self, day: str) -> str:
        """The name of the file that has the rows of an event date."""
        month = f"{self.name}/{day[:7]}.parquet"
        return month if month in self.files else next(iter(self.files))


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
    previous_record: str | None = None
    """SHA-256 of the record of the version before: the records are a chain."""
    held_by: dict[str, HeldBy] = field(default_factory=dict)
    """`source/landing day` → the person who holds it, where one does."""
    contracts: dict[str, list[str]] = field(default_factory=dict)
    """Source → the versions of its contract by which its released days were read. Versions before 0.4 do not say."""

    from_fallback: dict[str, list[str]] = field(default_factory=dict)
    """`source/landing day` → the servers from which it came, where those are not the first of its source: a replica or a last
    good copy, by what the contract calls it. Versions before 0.4 do not say."""
    released: dict[str, list[str]] = field(default_factory=dict)
    """Source → the landing days that nothing holds, as first and last of each unbroken row of them: of these what is fresh is
    made. Versions before 0.4 do not say."""

    paused: dict[str, str] = field(default_factory=dict)
    """Table → who has paused or withdrawn it, since when and why. Versions before 0.4 do not say."""

    @property
    def held_partitions(self) -> dict[Partition, list[str]]:
        """What is held, and why."""
        return {_partition(key): reasons for key, reasons in self.held.items()}

    @property
    def held_by_people(self) -> dict[Partition, HeldBy]:
        """Those of them that a person holds."""
        return {_partition(key): person for key, person in self.held_by.items()}

    def table(self, name: str) -> PublishedTable | None:
        """One table by its name."""
        return next((one for one in self.tables if one.name == name), None)


def key_of(partition: Partition) -> str:
    """How a record names a partition."""
    source, day = partition
    return f"{source}/{day.isoformat()}"


def shown_key(key: str) -> str:
    """The partition of a record's key as people read it everywhere: `orders 2026-01-15`."""
    return key.replace("/", " ")


def held_lines(held: Mapping[str, Sequence[str]]) -> list[str]:
    """What a record holds, for people: days in a row of one source that are held for the same reason are one line."""
    found: dict[tuple[str, str], list[date]] = {}
    for key, reasons in held.items():
        source, day = _partition(key)
        found.setdefault((source, reasons[0]), []).append(day)
    return [f"{source} {span(days)}: {why}" for (source, why), some in found.items() for days in spans(some)]


def _partition(key: str) -> Partition:
    source, day = key.split("/")
    return source, date.fromisoformat(day)


def encoded(publication: Publication) -> str:
    """The text of a record."""
    return json.dumps(asdict(publication), separators=(",", ":")) + "\n"


def record_of(text: str) -> Publication:
    """A record from its text. Raises `ValueError` if it is none."""
    try:
        raw: dict[str, Any] = json.loads(text)
        tables = [
            PublishedTable(
                **{
                    **{name: value for name, value in table.items() if name not in ("checksum", "bytes")},
                    "files": _files(table),
                    "dates": {day: PublishedDate(**one) for day, one in table.get("dates", {}).items()},
                    "whole": PublishedDate(**table["whole"]) if table.get("whole") else None,
                    "provisional": ProvisionalRows(**table["provisional"]) if table.get("provisional") else None,
                }
            )
            for table in raw["tables"]
        ]
        return Publication(**{"held_by": _held_by(raw["held"]), **raw, "tables": tables})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks or garbles something: {type(error).__name__}") from None


def _files(table: dict[str, Any]) -> dict[str, Written]:
    """The files of a table; of one that is a single file, as before 0.4, by that."""
    if "files" in table:
        return {name: Written(**one) for name, one in table["files"].items()}
    return {f"{table['name']}.parquet": Written(table["checksum"], table.get("bytes") or None)}


def _held_by(held: dict[str, list[str]]) -> dict[str, HeldBy]:
    """The people who hold something by a record of 0.3.0, which has them in the reasons alone."""
    told = {key: _HELD_BY.fullmatch(reason) for key, reasons in held.items() for reason in reasons[:1]}
    return {key: {"actor": found["actor"], "why": found["why"]} for key, found in told.items() if found}


def versions(settings: Settings) -> list[str]:
    """The versions that lie in the home, oldest first."""
    return sorted(path.name for path in settings.published.glob("v[0-9]*") if (path / RECORD).exists())


def read_publication(settings: Settings, version: str) -> Publication:
    """The record of one version. Raises `EnvironmentUnusableError` if it cannot be read."""
    return read_record(settings.published / version / RECORD)


def read_record(path: Path) -> Publication:
    """The record of the version in whose folder the file lies. Raises `EnvironmentUnusableError` if it cannot be read."""
    try:
        return record_of(path.read_text())
    except (OSError, ValueError):
        raise EnvironmentUnusableError(
            f"The record of the published {path.parent.name} cannot be read: `reliability restore --damaged` puts it back."
        ) from None


@dataclass(frozen=True)
class KeptTable:
    """A table of which nothing shows what was built last, for something that it is made of is held: it is published whole, or
    no day of it was ever good.
    """

    name: str
    version: str | None
    """The version that brought the rows that it shows; None if none were ever good, and it shows none."""
    since: datetime | None
    """When that was published; None if that version is no longer there."""

    def __str__(self) -> str:
        if self.version is None:
            return f"{self.name} shows no rows yet: something that it is made of is held"
        when = f" of {moment(self.since)}" if self.since is not None else ""
        return f"{self.name} shows what it did in {self.version}{when}: something that it is made of is held"


def kept_tables(settings: Settings, publication: Publication) -> list[KeptTable]:
    """The tables of a version that show nothing of what was built last, and since when they show what they do."""
    kept = [
        (one.name, one.whole.since if one.whole is not None else None)
        for one in publication.tables
        if one.is_kept or (one.whole is None and not one.dates and not one.kept_dates and one.absent_dates)
    ]
    there = versions(settings)
    return [
        KeptTable(
            name,
            since,
            datetime.fromisoformat(read_publication(settings, since).published_at) if since in there else None,
        )
        for name, since in kept
    ]


def publications(settings: Settings) -> list[Publication]:
    """Every version still kept, oldest first."""
    return [read_publication(settings, version) for version in versions(settings)]


def table_files(folder: Path, table: str) -> list[Path]:
    """The files of a table that lie in the folder of a version; none if it has no such table."""
    alone = folder / f"{table}.parquet"  # before 0.4
    return sorted((folder / table).glob("*.parquet")) or ([alone] if alone.exists() else [])


def table_names(folder: Path) -> list[str]:
    """The tables that lie in the folder of a version."""
    return sorted(
        {path.name for path in folder.iterdir() if path.is_dir()}
        | {path.stem for path in folder.glob("*.parquet") if "." not in path.stem}
    )


def current_version(settings: Settings) -> str | None:
    """The version that consumers read now; None before the first publication, or where the pointer is none."""
    link = settings.published / CURRENT
    return link.readlink().name if link.is_symlink() else None

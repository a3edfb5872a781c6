"""The published versions as they lie in the home: their records, and the pointer that consumers follow."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import Settings

RECORD = "publication.json"
CURRENT = "current"


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
    checksum: str
    """SHA-256 of the file."""
    fresh_dates: int
    kept_dates: list[str]
    """Held event dates that show the rows of an earlier version."""
    absent_dates: list[str]
    """Held event dates of which no good rows were ever published."""
    bytes: int = 0
    dates: dict[str, PublishedDate] = field(default_factory=dict)
    """Every event date that the table holds. Versions before 0.4 do not say."""


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

    def table(self, name: str) -> PublishedTable | None:
        """One table by its name."""
        return next((one for one in self.tables if one.name == name), None)


def encoded(publication: Publication) -> str:
    """The text of a record."""
    return json.dumps(asdict(publication), indent=2) + "\n"


def record_of(text: str) -> Publication:
    """A record from its text. Raises `ValueError` if it is none."""
    try:
        raw: dict[str, Any] = json.loads(text)
        tables = [
            PublishedTable(
                **{**table, "dates": {day: PublishedDate(**one) for day, one in table.get("dates", {}).items()}}
            )
            for table in raw["tables"]
        ]
        return Publication(**{**raw, "tables": tables})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it lacks or garbles something: {type(error).__name__}") from None


def versions(settings: Settings) -> list[str]:
    """The versions that lie in the home, oldest first."""
    return sorted(path.name for path in settings.published.glob("v[0-9]*") if (path / RECORD).exists())


def read_publication(settings: Settings, version: str) -> Publication:
    """The record of one version. Raises `EnvironmentUnusableError` if it cannot be read."""
    try:
        return record_of((settings.published / version / RECORD).read_text())
    except (OSError, ValueError):
        raise EnvironmentUnusableError(
            f"The record of the published {version} cannot be read: `reliability restore --damaged` puts it back."
        ) from None


def publications(settings: Settings) -> list[Publication]:
    """Every version still kept, oldest first."""
    return [read_publication(settings, version) for version in versions(settings)]


def current_version(settings: Settings) -> str | None:
    """The version that consumers read now; None before the first publication, or where the pointer is none."""
    link = settings.published / CURRENT
    return link.readlink().name if link.is_symlink() else None

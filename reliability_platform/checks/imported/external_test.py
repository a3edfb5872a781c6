"""One result of a test of another tool, whichever that is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from reliability_platform.checks.results import CheckStatus
from reliability_platform.errors import UsageError
from reliability_platform.formats import plain
from reliability_platform.masking import scrub

MAX_BYTES = 50_000_000
"""A validation of 2,000 expectations with twenty values of each has 4 MB."""
MAX_NAME = 120


@dataclass(frozen=True)
class ExternalTest:
    """What a test said of a dataset."""

    tool: str
    key: str
    """The same test has the same, whenever it runs."""
    name: str
    """As people know it, without personal data."""
    dataset: str | None
    """As the tool calls it; None where the file does not say."""
    day: date | None
    """None where it judged the whole table."""
    at: datetime | None
    """When it ran, with its zone."""
    status: CheckStatus
    failures: int | None
    """Failing rows; None where the tool does not say."""
    column: str | None = None


@dataclass(frozen=True)
class ExternalRun:
    """What one file holds."""

    tool: str
    tests: list[ExternalTest]
    left_out: dict[str, int] = field(default_factory=dict)
    """Why some of it is no test, and how many of those."""


def shown(name: object) -> str:
    """A name that another tool made, on one line, without personal data, and not endless."""
    return scrub(plain(str(name)))[:MAX_NAME]


def key_of(*parts: object) -> str:
    """A short name of what makes a test the same one."""
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def moment_of(said: object) -> datetime | None:
    """A moment as the tools write it: ISO with or without punctuation; UTC where no zone is given."""
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def whole_number(said: object) -> int | None:
    """A count; None for anything else."""
    return said if isinstance(said, int) and not isinstance(said, bool) and said >= 0 else None


def mapping(said: object) -> Mapping[str, Any]:
    """An object of JSON; an empty one for anything else, for foreign files lack what they like."""
    return said if isinstance(said, dict) else {}


def listed(said: object) -> list[Any]:
    """A list of JSON; an empty one for anything else."""
    return said if isinstance(said, list) else []


def read_json(path: Path) -> tuple[Any, bytes]:
    """What a file holds, and its bytes. Raises `UsageError`."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path} is longer than {MAX_BYTES:,} bytes: hand in a file of one run.")
    try:
        return json.loads(content), content
    except (ValueError, RecursionError) as error:
        what = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "its text or its depth"
        raise UsageError(f"{path} is no JSON ({what}).") from None

"""Why a build could not write, by what its error says. Read by the run monitor and, some day, by retries."""

import re
from enum import StrEnum

from reliability_platform.errors import EnvironmentUnusableError


class FailureKind(StrEnum):
    """Whether waiting can help."""

    TRANSIENT = "transient"
    """The cause goes away by itself: try again later."""
    PERMANENT = "permanent"
    """Somebody must make room, give rights or move a damaged file away first."""
    UNKNOWN = "unknown"


DAMAGE = "corrupt database|computed checksum|not a valid duckdb database|warehouse file cannot be read"

_SIGNS: tuple[tuple[str, FailureKind], ...] = (
    (r"could not set lock|has had .* open|has held the warehouse|database is locked", FailureKind.TRANSIENT),
    (r"no space left|file too large|disk (is )?full|disk quota|out of disk", FailureKind.PERMANENT),
    (DAMAGE, FailureKind.PERMANENT),
    (r"read-only|permission denied|operation not permitted", FailureKind.PERMANENT),
)


def is_damage(error: str) -> bool:
    """Whether the file itself is damaged. DuckDB finds that out when it reads the block, which may be long after opening."""
    return re.search(DAMAGE, error, re.IGNORECASE) is not None


def damaged(error: str) -> EnvironmentUnusableError:
    """What to do about a damaged file: nothing in it is needed, for bronze has every row."""
    return EnvironmentUnusableError(
        "The warehouse file cannot be read; put it back with `reliability restore`, or move it away and rebuild it from "
        f"bronze with `reliability run` over all its days: {' '.join(error.split())[:200]}"
    )


def kind_of(error: str) -> FailureKind:
    """The kind of a failed write by its message; `UNKNOWN` for what is no failure to write."""
    return next((kind for sign, kind in _SIGNS if re.search(sign, error, re.IGNORECASE)), FailureKind.UNKNOWN)

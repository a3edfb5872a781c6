"""Why a build could not write, by what its error says. Read by the run monitor and, some day, by retries."""

import re
from enum import StrEnum


class FailureKind(StrEnum):
    """Whether waiting can help."""

    TRANSIENT = "transient"
    """The cause goes away by itself: try again later."""
    PERMANENT = "permanent"
    """Somebody must make room or give rights first."""
    UNKNOWN = "unknown"


_SIGNS: tuple[tuple[str, FailureKind], ...] = (
    (r"could not set lock|has had .* open|has held the warehouse|database is locked", FailureKind.TRANSIENT),
    (r"no space left|file too large|disk (is )?full|disk quota|out of disk", FailureKind.PERMANENT),
    (r"read-only|permission denied|operation not permitted", FailureKind.PERMANENT),
)


def kind_of(error: str) -> FailureKind:
    """The kind of a failed write by its message; `UNKNOWN` for what is no failure to write."""
    return next((kind for sign, kind in _SIGNS if re.search(sign, error, re.IGNORECASE)), FailureKind.UNKNOWN)

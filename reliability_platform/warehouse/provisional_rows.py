"""What a version says of the provisional rows beside a table, for whoever reads versions without reading rows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProvisionalRows:
    """The file beside a table."""

    rows: int
    checksum: str
    bytes: int
    dates: dict[str, str]
    """Event date → the one whose rows stand in for it."""

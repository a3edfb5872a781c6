"""A batch: one delivery of a source, before it becomes a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Batch:
    """Rows with what their manifest will say.

    A slot is (source, landing day, sequence). A higher `attempt` replaces the lower ones of its slot as a whole; a
    re-sent batch has another id and the same attempt.
    """

    batch_id: str
    source: str
    landing_date: date
    sequence: int
    attempt: int
    kind: str
    """`scheduled`, `resend` or `replacement`."""
    table: "pa.Table"
    produced_at: datetime
    landed_at: datetime
    declared_rows: int | None = None
    """What the manifest will say; by default the rows that are there."""
    vouched_for: bool = True
    """Whether its producer has said how many rows there are."""
    fallback: str = ""
    """The name of the server that it came from, where that is not the first one."""
    offsets: Mapping[str, Any] | None = None
    """Of a stream which part of the topic it is, as `landing.stream_positions` reads it."""
    written: bytes | None = None
    """The rows as their producer writes them, where that is not as we do; the manifest speaks of these bytes."""
    file: bytes | None = None
    """The file as it arrived, where that is not the rows as Parquet: a transfer may break off. The manifest speaks of the
    rows."""


def batch_id(source: str, landing_date: date, sequence: int, suffix: str = "") -> str:
    """`orders-20260105-02`, with `-r1` for a re-send and `-a2` for a second attempt."""
    return f"{source}-{landing_date:%Y%m%d}-{sequence:02d}{suffix}"

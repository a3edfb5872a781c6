"""What a source behind HTTP says that it has: the batches of a landing day, with the checksum of each page."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from reliability_platform.sources.batch import batch_id


def _data_time(moment: datetime) -> datetime:
    """UTC, without its zone."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


_Checksum = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_DataTime = Annotated[datetime, AfterValidator(_data_time)]


class Listed(BaseModel):
    """One batch on offer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    batch_id: str
    sequence: int = Field(ge=1)
    rows: int = Field(ge=0)
    pages: list[_Checksum] = Field(min_length=1, max_length=100_000)
    produced_at: _DataTime
    landed_at: _DataTime


_LISTING = TypeAdapter(list[Listed])


def read_listing(body: bytes, source: str, day: date, slots: int, suffix: str = "") -> list[Listed]:
    """The batches of a listing, each slot once. Raises `ValueError` if it is none of this source and day.

    The name of a batch becomes the name of a file: only the one that the schedule gives it, with the suffix that was
    asked for, is taken.
    """
    try:
        listed = _LISTING.validate_json(body)
    except ValidationError as error:
        raise ValueError(f"the listing is none: {error.errors()[0]['msg']}") from None
    sequences = [one.sequence for one in listed]
    if len(set(sequences)) < len(sequences) or max(sequences, default=1) > slots:
        raise ValueError("the listing has a batch twice, or more than the schedule")
    if any(one.batch_id != batch_id(source, day, one.sequence, suffix) for one in listed):
        raise ValueError("the listing names a batch of another source or day")
    return sorted(listed, key=lambda one: one.sequence)

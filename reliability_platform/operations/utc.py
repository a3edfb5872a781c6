"""Moments in the operations store: with their zone on the way in and out, in UTC without it in the column."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. One without a zone is refused: of local time nobody could tell afterwards which hour it was."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """UTC without its zone, which sorts and compares alike on every database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no zone: the store takes moments of which it is certain")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """With its zone again."""
        return None if value is None else value.replace(tzinfo=UTC)

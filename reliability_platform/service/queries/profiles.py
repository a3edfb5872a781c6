"""Profiles: how a metric of a column went over the landing days, as the last audits have measured it."""

from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import and_

from sqlalchemy import Engine, func, select

from reliability_platform.contracts import check_source
from reliability_platform.operations.tables import row_counts
from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, page
from reliability_platform.settings import Settings


class ProfilePoint(QueryAnswer):
    """One metric of one landing day."""

    landing_date: date
    """The landing day."""
    kind: str
    """What is measured, as `empty`, `mean` or `label`."""
    subject: str
    """The column, or what else it is about."""
    part: str
    """The label, the hour, the slot or the reason that it is about; empty for all of the column."""
    within: str
    """The segment in which it is measured, as `column=label`; empty for all rows."""
    n: int
    """The rows behind it."""
    value: float | None
    """The value."""


@dataclass(frozen=True)
class ProfileFilter:
    """Which metrics of a source are asked for."""

    source: str
    kind: str | None = None
    subject: str | None = None
    first: date | None = None
    last: date | None = None


def profile_page(settings: Settings, asked: ProfileFilter, window: Window = EVERYTHING) -> Page[ProfilePoint]:
    """Points, the newest landing day first. Raises `UsageError` for a source that does not exist."""
    check_source(asked.source)
    import pyarrow as pa
    import pyarrow.compute as pc

    from reliability_platform.profiles.store import kept_profiles

    found = kept_profiles(settings, asked.source)
    conditions = [
        condition
        for value, condition in (
            (asked.first, pc.field("landing_date") >= pa.scalar(asked.first, pa.date32())),
            (asked.last, pc.field("landing_date") <= pa.scalar(asked.last, pa.date32())),
            (asked.kind, pc.field("kind") == pa.scalar(asked.kind, pa.string())),
            (asked.subject, pc.field("subject") == pa.scalar(asked.subject, pa.string())),
        )
        if value is not None
    ]
    if conditions:
        found = found.filter(reduce(and_, conditions))
    names = ["kind", "subject", "part", "within"]
    found = found.sort_by([("landing_date", "descending"), *((name, "ascending") for name in names)])
    some = found.slice(window.offset, window.limit).select(list(ProfilePoint.model_fields))
    return page([ProfilePoint(**row) for row in some.to_pylist()], found.num_rows, window)


def accepted_rows(engine: Engine, source: str) -> dict[date, int]:
    """Landing day → rows that staging accepted, as of the last audit of the day: what is known of a source that is too young
    to be measured. Raises `UsageError` for a source that does not exist.
    """
    check_source(source)
    table = row_counts.c
    accepted = func.sum(table.rows).filter(table.disposition == "accepted")
    query = select(table.landing_date, accepted).where(table.source == source).group_by(table.landing_date)
    with engine.connect() as connection:
        return {row[0]: int(row[1] or 0) for row in connection.execute(query)}

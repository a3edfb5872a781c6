"""What is in quarantine: whole files that were refused, and how many rows were rejected, by batch and reason."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, select

from reliability_platform.landing.breach import refusal_words
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.masking import MASK
from reliability_platform.operations.tables import quarantine_copies, quarantine_counts
from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, count_of, page
from reliability_platform.settings import Settings


class RejectedRows(QueryAnswer):
    """Rows of one batch that were rejected for one reason."""

    source: str
    """The source that delivered them."""
    landing_date: date
    """The landing day."""
    batch_id: str
    """The batch in which they came."""
    reason: str
    """Why they were rejected; several reasons are parted by `;`."""
    state: str
    """`quarantined`: they wait; `replayed`, `superseded` or `discarded`: how they ended."""
    rows: int
    """How many rows, as of the last audit of the day."""


class RefusedFile(QueryAnswer):
    """A file that was refused as a whole."""

    source: str
    """The source that delivered it."""
    landing_date: date
    """The landing day."""
    batch_id: str
    """The batch that it is."""
    file: str
    """Where it lies below the home; its name is masked where it may be somebody's."""
    reason: str | None
    """Why it was refused."""
    detail: str | None
    """The same in more words; as JSON where it is about columns or the number of rows."""
    words: str | None
    """The same for people."""
    state: str
    """`quarantined`: it waits; `replayed`, `superseded` or `discarded`: how it ended."""
    delivered_rows: int | None
    """How many rows it holds, as far as could be read."""


class QuarantineTotals(QueryAnswer):
    """How much waits, and as of when."""

    waiting_rows: int
    """Rows that were rejected and have no end yet."""
    waiting_files: int
    """Refused files that have no end yet."""
    by_source: dict[str, int]
    """Source → waiting rows."""
    copied_at: datetime | None
    """When the newest audit wrote down how many rows there are; null before the first one."""


@dataclass(frozen=True)
class QuarantineFilter:
    """What is asked for."""

    source: str | None = None
    first: date | None = None
    last: date | None = None
    state: str | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The same, of the counts."""
        table, found = quarantine_counts.c, []
        if self.first is not None:
            found.append(table.landing_date >= self.first)
        if self.last is not None:
            found.append(table.landing_date <= self.last)
        names = {"source": self.source, "state": self.state}
        return found + [table[name] == value for name, value in names.items() if value is not None]

    def takes(self, record: dict[str, Any]) -> bool:
        """Whether a refused file is among what is asked for."""
        day = date.fromisoformat(record["landing_date"])
        return (
            self.source in (None, record["source"])
            and self.state in (None, record["state"])
            and (self.first or date.min) <= day <= (self.last or date.max)
        )


def shown_file(record: dict[str, Any]) -> dict[str, Any]:
    """A refused file as it may be shown: a file that is known by a digest may bear somebody's name."""
    path = str(record["file"])
    words = {"words": refusal_words(record.get("reason"), record.get("detail"))}
    return (
        record | words if record["batch_id"] in path else record | words | {"file": f"{path.rpartition('/')[0]}/{MASK}"}
    )


def file_records(settings: Settings, asked: QuarantineFilter = QuarantineFilter()) -> list[dict[str, Any]]:
    """Refused files with everything that is written down of each, oldest landing day first."""
    return [shown_file(record) for record in quarantined_files(settings) if asked.takes(record)]


def file_page(
    settings: Settings, asked: QuarantineFilter = QuarantineFilter(), window: Window = EVERYTHING
) -> Page[RefusedFile]:
    """Refused files, the newest landing day first."""
    found = file_records(settings, asked)[::-1]
    names = RefusedFile.model_fields
    files = [RefusedFile(**{name: record.get(name) for name in names}) for record in window.cut(found)]
    return page(files, len(found), window)


def row_page(
    engine: Engine, asked: QuarantineFilter = QuarantineFilter(), window: Window = EVERYTHING
) -> Page[RejectedRows]:
    """Rejected rows by batch, reason and state; the newest landing day first for a page, by source for all of them."""
    table = quarantine_counts.c
    query = select(quarantine_counts).where(*asked.conditions)
    names = [table.batch_id, table.reason, table.state]
    by_source: list[ColumnElement[Any]] = [table.source, table.landing_date]
    order = by_source if window == EVERYTHING else [table.landing_date.desc(), table.source]
    with engine.connect() as connection:
        rows = connection.execute(window.of(query.order_by(*order, *names)))
        items = [RejectedRows(**{name: row[name] for name in RejectedRows.model_fields}) for row in rows.mappings()]
    return page(items, count_of(engine, query), window)


def quarantine_totals(settings: Settings, engine: Engine) -> QuarantineTotals:
    """How much waits now."""
    table = quarantine_counts.c
    waiting = select(table.source, func.sum(table.rows)).where(table.state == "quarantined").group_by(table.source)
    with engine.connect() as connection:
        by_source = {row[0]: int(row[1]) for row in connection.execute(waiting.order_by(table.source))}
        copied_at = connection.execute(select(func.max(quarantine_copies.c.copied_at))).scalar()
    return QuarantineTotals(
        waiting_rows=sum(by_source.values()),
        waiting_files=len(file_records(settings, QuarantineFilter(state="quarantined"))),
        by_source=by_source,
        copied_at=copied_at,
    )

"""The form of every answer: a frozen record of typed fields, each of which says what it means; and a page of many of them."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine, Select, func, select

T = TypeVar("T")
MAX_LIMIT = 500
"""Items of one page. More is another page: an answer of all of them would take seconds."""


class QueryAnswer(BaseModel):
    """Base of all answers. `model_dump` gives what `--json` prints."""

    # What the docstrings say is read for the schema alone (`service/api/meanings.py`): pydantic would read the source of
    # each answer when it is declared, a fifth of what `reliability sources` takes.
    model_config = ConfigDict(frozen=True)


@dataclass(frozen=True)
class Window:
    """Which part of a list is asked for; without a limit all of it."""

    limit: int | None = None
    offset: int = 0

    def of(self, query: Select[Any]) -> Select[Any]:
        """The query, for this part alone."""
        query = query.offset(self.offset) if self.offset else query
        return query if self.limit is None else query.limit(self.limit)

    def cut(self, items: list[T]) -> list[T]:
        """This part of a list that is there already."""
        end = None if self.limit is None else self.offset + self.limit
        return items[self.offset : end]


EVERYTHING = Window()


class Page(QueryAnswer, Generic[T]):
    """One part of a list."""

    items: list[T]
    """The items of this page."""
    total: int
    """How many there are on all pages."""
    limit: int | None
    """How many were asked for at most."""
    offset: int
    """How many come before the first of this page."""
    next_offset: int | None
    """The `offset` of the next page; null on the last one."""


def page(items: list[T], total: int, window: Window) -> Page[T]:
    """The part `items` of a list of `total` items."""
    end = window.offset + len(items)
    more = end if items and end < total else None
    return Page(items=items, total=total, limit=window.limit, offset=window.offset, next_offset=more)


def count_of(engine: Engine, query: Select[Any]) -> int:
    """How many rows a query has."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(query.subquery())).scalar_one())

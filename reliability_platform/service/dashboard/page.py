"""What a page is: a question, the function that answers it, and a template that shows the answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Engine

from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.service.access.roles import Act
from reliability_platform.service.queries.answer import Page, Window
from reliability_platform.settings import Settings

ROWS = 50
"""Rows of a table on one page."""
MAX_OFFSET = 10_000_000
"""Of eight digits: a number of 5,000 would take Python longer to read than it allows itself."""


class PageGroup(StrEnum):
    """Where a page stands in the navigation."""

    NOW = "Now"
    DATA = "Data"
    CHANGES = "Changes"
    LESSONS = "Lessons"


class Tone(StrEnum):
    """How the answer is coloured; the sentence says the same in words."""

    GOOD = "good"
    BAD = "bad"
    PLAIN = "plain"


@dataclass(frozen=True)
class KeyNumber:
    """One number in a box of its own."""

    name: str
    value: str
    note: str = ""
    tone: Tone = Tone.PLAIN
    link: str | None = None
    """The page below `/ui` that says more."""


@dataclass(frozen=True)
class PageRequest:
    """What a page is asked for, and of which home."""

    settings: Settings
    engine: Engine
    now: datetime
    query: Mapping[str, str]
    """What stands behind the `?` of the address."""
    path: Mapping[str, str]
    """What the address names, as the id of an incident."""

    @property
    def window(self) -> Window:
        """The part of a long list that is asked for. Raises `UsageError` where `offset` is no number."""
        text = self.query.get("offset", "0")
        if not (text.isascii() and text.isdecimal()) or len(text) > 8 or int(text) > MAX_OFFSET:
            raise UsageError(f"`offset` is {text[:40]!r}: write a whole number from 0 to {MAX_OFFSET:,}.")
        return Window(ROWS, int(text))

    def choice(self, name: str, known: Mapping[str, object] | tuple[str, ...] | list[str]) -> str | None:
        """One of the values that a filter may have; None for all. Raises `UsageError` for any other."""
        value = self.query.get(name) or None
        if value is not None and value not in known:
            raise UsageError(f"There is no {name} {value[:100]!r}: choose one of {', '.join(known)}.")
        return value


@dataclass(frozen=True, kw_only=True)
class PageView:
    """What every page shows first."""

    sentence: str
    """The answer to the question of the page."""
    tone: Tone = Tone.PLAIN
    about: tuple[str, list[date]] | None = None
    """The one dataset that it is about, and its days, where there is one: a report of something wrong begins with it."""

    def refuse_beyond_the_end(self) -> None:
        """Raise `UsageError` where no list of the page reaches as far as was asked: it would look as if there was nothing."""
        lists = [one for field in fields(self) if isinstance(one := getattr(self, field.name), Page)]
        longest = max((one.total for one in lists), default=0)
        if longest and not any(one.items for one in lists) and any(one.offset >= longest for one in lists):
            raise UsageError(
                f"The list ends before that: {counted(longest, 'entry is', 'entries are')} in it. Leave out `offset`."
            )


@dataclass(frozen=True)
class DashboardPage:
    """One page."""

    path: str
    """Below `/ui`; empty for the first page. May hold `{name}`, a part of the address."""
    title: str
    question: str
    """What it answers."""
    group: PageGroup
    view: Callable[[PageRequest], PageView]
    template: str
    """Its file in `templates/`, without the ending."""
    in_navigation: bool = True
    act: Act = Act.LOOK
    """What somebody must be allowed to do to see it."""

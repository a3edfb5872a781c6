"""The form on every page by which somebody says that something looks wrong: filled in with what the page shows."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from reliability_platform.incidents.reports import MAX_WORDS, REPORTABLE
from reliability_platform.service.dashboard.page import PageRequest, PageView
from reliability_platform.service.queries.checks import newest_judged_day

NAMES_A_DATASET = ("dataset", "table", "source")
NAMES_DAYS = ("from", "to", "day", "date")
"""Parameters of pages that say what they show."""


@dataclass(frozen=True)
class ReportForm:
    """What the form is filled in with."""

    dataset: str | None
    """None where the page shows more than one."""
    first: date | None
    last: date | None
    key: str
    """Sent twice from one page, it is one report."""
    datasets: tuple[str, ...] = tuple(sorted(REPORTABLE))
    max_words: int = MAX_WORDS


def offered(asked: PageRequest, view: PageView) -> ReportForm:
    """The form for a page as it was asked for: what it is about, else what its address names, else the newest judged day."""
    dataset, days = view.about or (None, [])
    if dataset is None:
        named = (asked.query.get(name) for name in NAMES_A_DATASET)
        dataset = next((one for one in named if one in REPORTABLE), None)
        days = sorted(_days(asked.query.get(name, "") for name in NAMES_DAYS))
    if not days:
        newest = newest_judged_day(asked.engine)
        days = [newest] if newest is not None else []
    first, last = (days[0], days[-1]) if days else (None, None)
    return ReportForm(dataset, first, last, secrets.token_hex(8))


def _days(texts: Iterable[str]) -> list[date]:
    found = []
    for text in texts:
        try:
            found.append(date.fromisoformat(text[:10]))
        except ValueError:
            continue  # a page says itself what is wrong with its parameters
    return found

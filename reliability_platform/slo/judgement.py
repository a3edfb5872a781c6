"""How each check judged each landing day, at first and ever: read from all results of the store, the stale ones too.

A result becomes stale once the data of its day change, as they do in healing. For a budget it stays true.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, case, func, select

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import UNTOLD, CheckStatus
from reliability_platform.operations.tables import check_results

# Bytes, not numpy: importing that took more CPU than all of this arithmetic on 200 checks and a year.
Marks = bytes | bytearray
"""One mark per landing day."""
NOT_ASKED, GOOD, UNKNOWN, BAD = range(4)
"""What is known of a check on a day; of several the greatest counts. `NOT_ASKED`: nobody could expect a result."""
Spans = Mapping[str, tuple[date, date]]
"""The first and last landing day of which there is any result, by check."""


@dataclass(frozen=True)
class Judgements:
    """How each declared check judged the landing days from `start` on."""

    start: date
    first: Mapping[str, Marks]
    """By the earliest evaluated result."""
    ever: Mapping[str, Marks]
    """Bad if any evaluated result was a failure."""
    failure: Mapping[tuple[str, int], int]
    """The id of the first failed result of a check on a day, counted from `start`."""


def spans(engine: Engine) -> Spans:
    """Of which landing days the store has results, by declared check: the store may remember older ones."""
    # In the order of the index by name: nothing is sorted.
    day = check_results.c.partition_date
    name = check_results.c.check_name
    query = select(name, func.min(day).label("first"), func.max(day).label("last")).group_by(name)
    with engine.connect() as connection:
        found = connection.execute(query).all()
    return {row.check_name: (row.first, row.last) for row in found if row.check_name in CHECKS}


def _firsts(engine: Engine, start: date, last: date) -> list[tuple[str, date, int | None, int | None, int]]:
    """Per check and day: its first evaluated and its first failed result, and whether it ever lacked a past."""
    results = check_results.c
    evaluated = results.status.in_([CheckStatus.PASSED.value, CheckStatus.FAILED.value])
    query = (
        select(
            results.check_name,
            results.partition_date,
            func.min(case((evaluated, results.id))),
            func.min(case((results.status == CheckStatus.FAILED.value, results.id))),
            func.max(case((results.reason.in_(UNTOLD), 1), else_=0)),
        )
        .where(results.partition_date.between(start, last))
        .group_by(results.partition_date, results.check_name)
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query).all()]  # type: ignore[misc]


def judgements(engine: Engine, known: Spans, start: date, last: date) -> Judgements:
    """The marks of all checks on the landing days `start` to `last`.

    A check is asked for from the first day of which it has a result, so that one declared today does not make the past
    unknown; one that has never given any is asked for always. Monitors of runs report only when there is news.
    """
    days = (last - start).days + 1

    def before_any_result(name: str) -> bytearray:
        silent = days if CHECKS[name].engine == "run" else (known[name][0] - start).days if name in known else 0
        silent = min(max(silent, 0), days)
        return bytearray([NOT_ASKED] * silent + [UNKNOWN] * (days - silent))

    first = {name: before_any_result(name) for name in CHECKS}
    ever = {name: bytearray(marks) for name, marks in first.items()}
    failure = {}
    for name, day, evaluated, failed, young in _firsts(engine, start, last):
        if name in CHECKS:
            place = (day - start).days
            silent = NOT_ASKED if young else UNKNOWN
            first[name][place] = silent if evaluated is None else BAD if evaluated == failed else GOOD
            ever[name][place] = first[name][place] if failed is None else BAD
            if failed is not None:
                failure[name, place] = failed
    return Judgements(start, first, ever, failure)

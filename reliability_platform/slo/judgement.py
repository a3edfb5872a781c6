"""How each check judged each landing day, at first and ever: read from all results of the store, the stale ones too.

A result becomes stale once the data of its day change, as they do in healing. For a budget it stays true.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, case, func, select

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import UNTOLD, CheckStatus
from reliability_platform.operations.tables import check_results

Marks = npt.NDArray[np.int8]
GOOD, BAD, UNKNOWN, NOT_ASKED = (np.int8(code) for code in range(4))
"""What is known of a check on a day. `NOT_ASKED`: nobody could expect a result."""
NAMES = np.array(sorted(CHECKS))


@dataclass(frozen=True)
class Spans:
    """Per check (in the order of `NAMES`) the first and last landing day of which there is any result, or NaT."""

    first: npt.NDArray[np.datetime64]
    last: npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Judgements:
    """One row per check (in the order of `NAMES`), one column per landing day from `start` on."""

    start: date
    first: Marks
    """By the earliest evaluated result."""
    ever: Marks
    """Bad if any evaluated result was a failure."""
    failure: npt.NDArray[np.int64]
    """The id of the first failed result; 0 where there is none."""


def days_of(start: date, last: date) -> npt.NDArray[np.datetime64]:
    """The landing days `start` to `last`."""
    return np.arange(np.datetime64(start), np.datetime64(last + timedelta(days=1)))


def _places(names: list[str]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """The row of each name, and whether it is a declared check: the store may remember older ones."""
    asked = np.array(names, dtype=str)
    places = np.minimum(np.searchsorted(NAMES, asked), len(NAMES) - 1)
    return places, NAMES[places] == asked


def spans(engine: Engine) -> Spans:
    """Of which landing days the store has results, by check."""
    # In the order of the index by name: nothing is sorted.
    day = check_results.c.partition_date
    query = select(check_results.c.check_name, func.min(day), func.max(day)).group_by(check_results.c.check_name)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    found = Spans(*(np.full(len(NAMES), np.datetime64("NaT"), dtype="datetime64[D]") for _ in range(2)))
    if rows:
        names, first, last = zip(*rows, strict=True)
        places, known = _places(list(names))
        found.first[places[known]] = np.array(first, dtype="datetime64[D]")[known]
        found.last[places[known]] = np.array(last, dtype="datetime64[D]")[known]
    return found


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
        return [tuple(row) for row in connection.execute(query)]  # type: ignore[misc]


def judgements(engine: Engine, known: Spans, start: date, last: date) -> Judgements:
    """The marks of all checks on the landing days `start` to `last`.

    A check is asked for from the first day of which it has a result, so that one declared today does not make the past
    unknown; one that has never given any is asked for always. Monitors of runs report only when there is news.
    """
    days = days_of(start, last)
    reporters = np.array([CHECKS[name].engine == "run" for name in NAMES])
    not_yet = (days[None, :] < known.first[:, None]) | reporters[:, None]  # no comparison with NaT is true
    first = np.where(not_yet, NOT_ASKED, UNKNOWN)
    ever, failure = first.copy(), np.zeros(first.shape, dtype=np.int64)
    rows = _firsts(engine, start, last)
    if rows:
        names, partitions, evaluated, failed, young = zip(*rows, strict=True)
        places, declared = _places(list(names))
        columns = (np.array(partitions, dtype="datetime64[D]") - days[0]).astype(np.intp)
        first_id, failed_id = (np.array(ids, dtype=float) for ids in (evaluated, failed))  # None becomes NaN
        silent = np.where(np.array(young, dtype=bool), NOT_ASKED, UNKNOWN)
        at_first = np.where(np.isnan(first_id), silent, np.where(first_id == failed_id, BAD, GOOD))
        at_all = np.where(np.isnan(failed_id), at_first, BAD)
        here = (places[declared], columns[declared])
        first[here], ever[here] = at_first[declared], at_all[declared]
        failure[here] = np.nan_to_num(failed_id)[declared].astype(np.int64)
    return Judgements(start, first, ever, failure)

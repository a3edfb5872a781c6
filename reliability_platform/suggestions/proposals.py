"""Proposals for a source of a home: from the landing days that no check objected to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.profiles.store import built_days
from reliability_platform.settings import Settings
from reliability_platform.suggestions.evidence import LEAST_DAYS, RuleProposal
from reliability_platform.suggestions.redundancy import few_and_strong
from reliability_platform.suggestions.search import search
from reliability_platform.warehouse.lease import warehouse_reader


@dataclass(frozen=True)
class Suggestions:
    """What is proposed for a source, and what it rests on."""

    source: str
    first: date
    last: date
    days: int
    left_out: int
    """Days on which a check failed that holds a day, or that compares it with the past."""
    rows: int
    candidates: int
    proposals: tuple[RuleProposal, ...]
    notes: tuple[str, ...]


def suggestions(settings: Settings, source: str, days: int) -> Suggestions:
    """What has held on the last `days` landing days of a source. Raises `UsageError` where there are too few good ones."""
    contract = CONTRACTS[source]
    store = CheckStore(operations_engine(settings))
    with warehouse_reader(settings) as connection:
        built = built_days(connection, source)
        built = [one for one in built if one > built[-1] - timedelta(days=days)]
        bad = _failed(store, source, built)
        good = [one for one in built if one not in bad]
        if len(good) < LEAST_DAYS:
            raise UsageError(
                f"{source} has {len(good)} good landing days among its last {days}, and a rule that has always held takes {LEAST_DAYS}: "
                "run more days, or look further back with --days."
            )
        listed = ", ".join(f"date '{one}'" for one in good)
        found = search(connection, contract, f"landing_date in ({listed})")
    shown = tuple(few_and_strong(found.proposals, contract))
    return Suggestions(
        source,
        good[0],
        good[-1],
        len(good),
        len(built) - len(good),
        found.rows,
        found.candidates,
        shown,
        tuple(found.notes),
    )


def _failed(store: CheckStore, source: str, built: Iterable[date]) -> set[date]:
    known = sorted(built)
    if not known:
        return set()
    failing = ((one.partition, CHECKS.get(one.check)) for one in store.failing(known[0], known[-1]))
    return {
        day
        for day, spec in failing
        if spec is not None and source in spec.sources and (spec.blocking or spec.requires_history)
    }


def chosen(found: Suggestions, numbers: Iterable[int]) -> list[RuleProposal]:
    """The proposals of some numbers, from 1. Raises `UsageError` for one that there is not."""
    wanted = sorted({*numbers})
    wrong = [one for one in wanted if not 1 <= one <= len(found.proposals)]
    if wrong:
        there = f"1 to {len(found.proposals)}" if found.proposals else "none"
        raise UsageError(f"There is no proposal {wrong[0]}: there are {there}.")
    return [found.proposals[one - 1] for one in wanted]

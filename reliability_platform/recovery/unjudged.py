"""Landing days whose check results are missing, or are about to be."""

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import Engine

from reliability_platform.checks import gate
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.settings import Settings

SHOWN_CHECKS = 5


def unjudged_days(settings: Settings, engine: Engine) -> set[date]:
    """Landing days whose run was cut off: a blocking check has no result on them."""
    return gate.unjudged_days(CheckStore(engine), landed_partitions(settings))


def unjudged_words(settings: Settings, engine: Engine, among: Iterable[tuple[str, date]] | None = None) -> str | None:
    """How many landing partitions are held because a check has no result, and what gives them one; None if none is.

    A run was cut off, results were lost, or a check is newer than the days: no incident tells of that.
    """
    store = CheckStore(engine)
    lacking = gate.unjudged_checks(store, landed_partitions(settings) if among is None else list(among))
    if not lacking:
        return None
    days = sorted({day for _, day in lacking})
    checks = sorted({check for found in lacking.values() for check in found})
    more = f" and {len(checks) - SHOWN_CHECKS} more" if len(checks) > SHOWN_CHECKS else ""
    why = "the operations store has lost" if store.gone() else "no run has evaluated since they changed or it was added"
    return (
        f"{counted(len(lacking), 'landing partition')} {'is' if len(lacking) == 1 else 'are'} held for want of a result of "
        f"{'; '.join(checks[:SHOWN_CHECKS])}{more}, which {why}: `reliability run --from {days[0]} --to {days[-1]}`"
    )


def invalidate_days(engine: Engine, landing_days: Sequence[date]) -> None:
    """Forget the results on days whose tables are about to change: nothing of before may release them."""
    CheckStore(engine).invalidate(SOURCES, landing_days)

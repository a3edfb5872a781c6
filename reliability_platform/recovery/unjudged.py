"""Landing days whose check results are missing, or are about to be."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date

from sqlalchemy import Engine

from reliability_platform.checks import gate
from reliability_platform.checks.as_built import admitted_versions, outdated_partitions
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
    """How many landing partitions are held though no check has failed, and what gives them free; None if none is.

    A run was cut off, results were lost, a check is newer than the days, or the contract is: no incident tells of that.
    """
    partitions = landed_partitions(settings) if among is None else list(among)
    said = [_lacking_words(CheckStore(engine), partitions), _outdated_words(settings, partitions)]
    return ". ".join(one for one in said if one) or None


def _outdated_words(settings: Settings, partitions: Collection[tuple[str, date]]) -> str | None:
    outdated = sorted(
        {day for source, day in outdated_partitions(admitted_versions(settings)) if (source, day) in partitions}
    )
    if not outdated:
        return None
    return (
        f"{counted(len(outdated), 'landing day is', 'landing days are')} held for an incompatible change of a contract, by "
        f"which nothing of {'it' if len(outdated) == 1 else 'them'} has been read yet: "
        f"`reliability backfill --from {outdated[0]} --to {outdated[-1]}`"
    )


def _lacking_words(store: CheckStore, partitions: Sequence[tuple[str, date]]) -> str | None:
    lacking = gate.unjudged_checks(store, partitions)
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

"""Puts tables that have lost rows back from the newest usable snapshot; what came since is built again from landing.

Where no snapshot has the rows, or where that did not help, the days are built again from bronze.
"""

from datetime import date

from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.gate import unjudged_days
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.formats import moment
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions.action import Action, Done, in_words
from reliability_platform.remediation.actions.run_again import INERT, REBUILD
from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.loss import Loss, find_loss
from reliability_platform.warehouse.snapshots.restore import restore_tables

LOST = "int_{source}__deduplicated__no_rows_lost"


def _tables(loss: Loss) -> str:
    return ", ".join(f"{table} ({counted(rows, 'row')})" for table, rows in sorted(loss.rows.items()))


def _restore(settings: Settings, incident: Incident, actor: str) -> Done:
    if incident.attempts > 1:  # what the snapshot had did not do
        return REBUILD.perform(settings, incident, actor)
    engine = operations_engine(settings)
    loss = find_loss(settings, engine)
    since: list[date] = []
    if loss is not None:

        def void(days: list[date]) -> None:
            CheckStore(engine).invalidate(SOURCES, days)

        since = restore_tables(settings, engine, loss.snapshot, sorted(loss.rows), void)
    # A restore that was killed has left days without a result, too: they are run again, and judged then.
    pending = {*since, *unjudged_days(CheckStore(engine), landed_partitions(settings))}
    bad = _still_lost(settings, incident, [day for day in incident.partitions if day not in pending])
    if loss is None and bad:
        words = f"No usable snapshot has the rows. {REBUILD.describe(settings, incident)}"
        return Done(words, list(incident.partitions), facts={"snapshot": None})
    reruns = sorted({*pending, *bad})
    if loss is None:
        return Done("The rows are there again.", reruns)
    taken = loss.snapshot.taken_at
    words = (
        f"Put back from snapshot {loss.snapshot.id}: {_tables(loss)}. Run {in_words(reruns)} again for what came since."
    )
    facts = {
        "snapshot": loss.snapshot.id,
        "snapshot_taken_at": taken.isoformat(),
        "snapshot_age_seconds": (incident.detected_at - taken).total_seconds(),
        "rows_put_back": loss.rows,
        "landing_days_built_again": [day.isoformat() for day in reruns],
    }
    return Done(words, reruns, facts=facts)


def _still_lost(settings: Settings, incident: Incident, days: list[date]) -> list[date]:
    """Judge days anew that nobody need build again; those on which rows are still missing."""
    if not days:
        return []
    now = incident.begun_at or incident.detected_at
    results = evaluate(settings, days, now, f"restore-{incident.id}")
    CheckStore(operations_engine(settings)).record(results)
    lost = {LOST.format(source=source) for source in incident.sources}
    return sorted({one.partition for one in results if one.check in lost and one.status is not CheckStatus.PASSED})


def _describe(settings: Settings, incident: Incident) -> str:
    if incident.attempts > 0:
        return REBUILD.describe(settings, incident)
    loss = find_loss(settings, operations_engine(settings))
    if loss is None:
        return f"No usable snapshot has rows that are missing now. {REBUILD.describe(settings, incident)}"
    return (
        f"Put back from snapshot {loss.snapshot.id} of {moment(loss.snapshot.taken_at)}: {_tables(loss)}. Run "
        f"{in_words(loss.landing_days)} again for what came since, and judge the other days anew."
    )


RESTORE = Action(
    "restore_from_snapshot",
    "put lost rows back from a snapshot, or build them again from bronze",
    _restore,
    _describe,
    leaves=INERT,
    ways=2,
)

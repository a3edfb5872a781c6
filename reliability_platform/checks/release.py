"""From results to a publication: what is relied upon is asked once more, then the gate decides, then it is published.

A result on a delivery stays true, for a delivery never changes. A result on a table does not: between the audit of a
day and a later publication somebody may have changed the rows behind the pipeline's back, and the run of another day
would publish them. So the checks that compare layers with each other judge anew, under the same lease, every day that may
have changed.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.actor import whoami
from reliability_platform.audit_log import Changes, note_act
from reliability_platform.checks.added import judge_added
from reliability_platform.checks.as_built import (
    admitted_versions,
    changed_partitions,
    fallbacks_used,
    outdated_partitions,
    record_changed,
)
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.gate import held
from reliability_platform.checks.holds import Holds
from reliability_platform.checks.native import digest_of_checks
from reliability_platform.checks.published import judge_published, record_damage
from reliability_platform.checks.relations import relation_check
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import Clock
from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.damage import Damage
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.pauses import Pauses
from reliability_platform.settings import Settings
from reliability_platform.warehouse.confirmed import Layers, unconfirmed
from reliability_platform.warehouse.first_published import note_first_published
from reliability_platform.warehouse.journal import BuildJournal
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.marts import Mart
from reliability_platform.warehouse.publication import Publication, publish
from reliability_platform.warehouse.published import HeldBy, Partition

TABLE_CHECKS = frozenset(spec.name for spec in CHECKS.values() if spec.compares_tables)
MENDED_BY_OTHERS = frozenset(
    relation_check(source, one)
    for source, contract in CONTRACTS.items()
    for one in contract.references_to_sources.values()
)
"""Checks of what rows of another source refer to: that may come days later, and then they pass, or can be judged at all."""
OF_ONE_SOURCE = frozenset(name for name in TABLE_CHECKS - MENDED_BY_OTHERS if len(CHECKS[name].sources) == 1)
"""Those whose answer follows from days that share event dates; others look at another source, whose rows may be of any day."""


def confirm(settings: Settings, store: CheckStore, now: datetime, run_id: str) -> list[CheckResult]:
    """Judge the layers anew on every day that had passed and may be other now, and on those that wait for another source;
    record and return the results that are other now."""
    journal = BuildJournal(store.engine, settings.builds)
    with warehouse_reader(settings) as connection:
        layers = Layers.now(connection, journal, digest_of_checks(settings, TABLE_CHECKS))
    days = unconfirmed(settings, layers, journal)
    changed: list[CheckResult] = []
    if days is None or days:
        changed += _judged_anew(settings, store, OF_ONE_SOURCE, days, now, run_id)
        changed += _judged_anew(settings, store, TABLE_CHECKS - OF_ONE_SOURCE, None, now, run_id)
    store.record(changed)
    layers.keep(settings)
    return changed


def _judged_anew(
    settings: Settings, store: CheckStore, checks: frozenset[str], days: set[date] | None, now: datetime, run_id: str
) -> list[CheckResult]:
    """The results of some checks that are other now, on some days or on all."""
    before = {
        (result.check, result.partition): result.status
        for result in store.latest(None if days is None else sorted(days), checks)
        if result.status is CheckStatus.PASSED or result.check in MENDED_BY_OTHERS
    }
    if not before:
        return []
    return [
        result
        for result in evaluate(settings, sorted({day for _, day in before}), now, run_id, only=set(checks))
        if result.status is not before.get((result.check, result.partition), result.status)
    ]


def release(
    settings: Settings,
    marts: Sequence[Mart],
    now: datetime,
    run_id: str,
    on_change: Callable[[list[CheckResult]], None] = lambda _: None,
    clock: Clock | None = None,
) -> Publication:
    """Publish whatever the gate releases over all landed partitions. `on_change` hears of results that have turned.

    `clock` tells when the version became current; without one it is `now`, as if nothing took any time.
    """
    engine = operations_engine(settings)
    store = CheckStore(engine)
    # Nobody of ours writes between the last look and the publication; who opens the open file anew pays 1 ms, not 30.
    with warehouse_reader(settings):
        partitions = landed_partitions(settings)
        changed = confirm(settings, store, now, run_id)
        on_change([*changed, *judge_added(settings, store, partitions, now, run_id)])
        withheld, holds = _withheld(store, engine, partitions)
        for partition, reason in record_changed(engine, changed_partitions(settings, engine), now, run_id).items():
            if partition in partitions:
                withheld.setdefault(partition, []).append(reason)
        admitted = admitted_versions(settings)
        for partition, reason in outdated_partitions(admitted).items():
            withheld.setdefault(partition, []).append(reason)
        changed_from_outside: list[Damage] = []

        def tell(damages: Sequence[Damage]) -> None:
            changed_from_outside.extend(damages)
            record_damage(settings, engine, damages, now, run_id)

        publication = publish(
            settings,
            marts,
            partitions,
            withheld,
            now,
            run_id,
            tell,
            holds,
            admitted,
            fallbacks_used(settings),
            Pauses(engine).tables(now),
        )
        if changed_from_outside:
            judge_published(settings, engine, now, run_id)  # put back, or replaced by the new version
        if publication.published_at == now.isoformat():  # else the same content was there, and nothing was published
            what = f"{publication.version}, {counted(len(publication.held), 'landing partition')} held"
            note_act(engine, Changes.PUBLISH, what, whoami(), "", clock() if clock else now)
        note_first_published(settings, engine, marts, publication, run_id, clock() if clock else now)
        return publication


def _withheld(
    store: CheckStore, engine: Engine, partitions: Sequence[Partition]
) -> tuple[dict[Partition, list[str]], dict[Partition, HeldBy]]:
    """What checks object to and what people hold, in words; and who holds what of it."""
    found = {partition: [str(one) for one in objections] for partition, objections in held(store, partitions).items()}
    holds = {partition: hold for partition, hold in Holds(engine).standing().items() if partition in partitions}
    for partition, hold in holds.items():
        found[partition] = [hold.reason, *found.get(partition, [])]
    return found, {partition: {"actor": hold.actor, "why": hold.why} for partition, hold in holds.items()}

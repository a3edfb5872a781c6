"""The steps of a run over landing days: land, admit, build, audit, publish. `run.py` says in which order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS, MODEL_TESTS
from reliability_platform.checks.dbt_tests import ends_the_run, results_of_dbt
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.release import release
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import Clock, utc_now
from reliability_platform.incidents.anchor import note_end
from reliability_platform.landing.admission import Admission, landed_partitions
from reliability_platform.landing.admission import admit as admit_day
from reliability_platform.landing.arrivals import look
from reliability_platform.landing.corrections import write_corrections
from reliability_platform.landing.deliveries import Landed, deliver, fetch
from reliability_platform.landing.discards import write_discards
from reliability_platform.landing.pickup import pick_up
from reliability_platform.landing.replacement import landed_manifests
from reliability_platform.landing.working_copy import bring_in
from reliability_platform.landing.writer import landing_folder
from reliability_platform.lineage.personal import ensure_personal_data_declared
from reliability_platform.log_lines import log_event
from reliability_platform.operations import operations_engine
from reliability_platform.pauses import Pauses
from reliability_platform.pipeline.stage_log import RunStage, timed
from reliability_platform.remediation.contract_change import fit_since_the_contract_changed
from reliability_platform.remediation.ledger import NO_INCIDENT, ReplayLedger
from reliability_platform.settings import Settings
from reliability_platform.sources.source import is_fetched, is_picked_up, source_named
from reliability_platform.warehouse import dbt_runner
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import NodeResult
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import Partition, Publication, announce
from reliability_platform.warehouse.quarantine_copy import copy_quarantine


@dataclass(frozen=True)
class RunContext:
    """The home of a run, its clock, and the name under which it stands on record."""

    settings: Settings
    engine: Engine
    clock: Clock
    run_id: str

    @classmethod
    def of(cls, settings: Settings, run_id: str, clock: Clock = utc_now) -> "RunContext":
        """With the operations store of the home."""
        return cls(settings, operations_engine(settings), clock, run_id)


def land(context: RunContext, source: str, days: Sequence[date]) -> Landed:
    """Let a source deliver some days, fetch them where it must be asked, or pick up what has appeared where it delivers.

    A source that somebody has paused is not asked: what has landed of it stays.
    """
    settings, engine = context.settings, context.engine
    bring_in(settings, source, days)  # what other hosts have landed is not asked for again
    paused = Pauses(engine).sources(context.clock()).get(source)
    if paused is not None:
        manifests = [manifest for day in days for manifest in landed_manifests(settings, source, day)]
        rows = sum(manifest.expected_rows for manifest in manifests)
        return Landed(len(manifests), rows, None, f"{source} {paused.words}.")
    with timed(engine, context.clock, RunStage.LAND, source):
        if is_fetched(settings, source):
            return fetch(settings, engine, source, days, context.clock)
        if is_picked_up(settings, source):
            return pick_up(settings, source, days)
        return deliver(settings, engine, source_named(settings, source), days)


def _has_landed(settings: Settings, source: str, day: date) -> bool:
    folder = landing_folder(settings, source, day)
    return folder.is_dir() and any(folder.iterdir())


def admit(context: RunContext, source: str, days: Sequence[date]) -> dict[date, list[Admission]]:
    """Admit what has landed of one source, or refuse it; by landing day.

    A day of which nothing has landed because somebody has paused the source is not examined: it is as if it had not come yet.
    """
    settings, engine, now = context.settings, context.engine, context.clock
    bring_in(settings, source, days)
    if source in Pauses(engine).sources(now()):
        days = [day for day in days if _has_landed(settings, source, day)]
    # The data of these partitions change now: no result of before may release them.
    CheckStore(engine).invalidate([source], days)
    look(settings, engine, source, days, now())
    write_discards(settings, engine, source, days)
    write_corrections(settings, engine, source, days)
    with timed(engine, context.clock, RunStage.ADMIT, source):
        by_day = {day: admit_day(settings, source, day) for day in days}
    fitting = [one for day, records in by_day.items() for one in fit_since_the_contract_changed(settings, records, day)]
    ReplayLedger(engine).record(fitting, NO_INCIDENT, 0, now())
    return by_day


@dataclass(frozen=True)
class Built:
    """What a build did, and what dbt's own tests say of its days."""

    nodes: list[NodeResult]
    results: list[CheckResult]

    @property
    def failed(self) -> list[NodeResult]:
        """What keeps a run from going on to the audit: its days stay without results, and so out of publication."""
        return [node for node in self.nodes if ends_the_run(vars(node))]


def build(
    context: RunContext,
    days: Sequence[date],
    *,
    select: Sequence[str] = (),
    on_model_start: Callable[[str], None] | None = None,
) -> Built:
    """Build the tables of an unbroken row of days, and record what dbt's own tests say. What failed is a result."""
    with timed(context.engine, context.clock, RunStage.BUILD):
        nodes = dbt_runner.build(
            context.settings,
            days[0],
            days[-1],
            select=select,
            run=context.run_id,
            on_model_start=on_model_start,
        )
    store = CheckStore(context.engine)
    waiting = _waiting(store, landed_partitions(context.settings))
    results = results_of_dbt([vars(node) for node in nodes], days, context.run_id, context.clock(), waiting)
    store.record(results)
    return Built(nodes, results)


def _waiting(store: CheckStore, landed: Sequence[Partition]) -> dict[str, set[date]]:
    """The landed days on which tests of an own dbt project have not passed, or have not been asked yet."""
    names = [test.check for test in MODEL_TESTS.values()]
    if not names:
        return {}
    passed = {(one.check, one.partition) for one in store.latest(checks=names) if one.status is CheckStatus.PASSED}
    return {
        name: {day for source, day in landed if source in CHECKS[name].sources and (name, day) not in passed}
        for name in names
    }


def record_results(context: RunContext, days: Sequence[date], results: Sequence[CheckResult]) -> None:
    """Keep what an audit of these days found; a publication must follow, and whoever dies in between leaves word of that."""
    announce(context.settings)
    CheckStore(context.engine).record(results)
    copy_quarantine(context.settings, context.engine, days, context.clock())


def audit(context: RunContext, days: Sequence[date]) -> list[CheckResult]:
    """Evaluate every check on some days, and record the results."""
    with timed(context.engine, context.clock, RunStage.AUDIT):
        results = evaluate(context.settings, days, context.clock(), context.run_id)
    record_results(context, days, results)
    return results


def publish(context: RunContext, on_change: Callable[[list[CheckResult]], None] = lambda _: None) -> Publication:
    """Publish whatever the gate releases now, over all landed partitions. `on_change` hears of results that turned.

    Raises `PersonalDataPublishedError` if a mart shows personal data and does not say so: then nothing is published.
    """
    settings, clock = context.settings, context.clock
    manifest = ensure_manifest(settings.dbt_project)
    ensure_personal_data_declared(manifest)
    with timed(context.engine, clock, RunStage.PUBLISH):
        publication = release(settings, marts(manifest), clock(), context.run_id, on_change, clock)
    note_end(settings, context.engine)
    log_event("published", version=publication.version, held=sorted(publication.held), run=context.run_id)
    return publication

"""The way of landing days, from what has landed to the publication, one function for each step."""

from collections.abc import Callable, Sequence
from datetime import date

from sqlalchemy import Engine

from reliability_platform.checks.dbt_tests import results_of_dbt
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.release import release
from reliability_platform.checks.results import CheckResult
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import Clock
from reliability_platform.incidents.anchor import note_end
from reliability_platform.landing.admission import Admission, admit
from reliability_platform.landing.arrivals import look
from reliability_platform.landing.deliveries import Landed, fetch, land
from reliability_platform.landing.discards import write_discards
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.contract_change import fit_since_the_contract_changed
from reliability_platform.remediation.ledger import NO_INCIDENT, ReplayLedger
from reliability_platform.settings import Settings
from reliability_platform.sources.source import source_named
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.dbt_runner import NodeResult, build
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import Publication, announce


def land_days(settings: Settings, engine: Engine, source: str, days: Sequence[date], clock: Clock) -> Landed:
    """Let a source deliver some days, or fetch them where it is behind HTTP."""
    url = settings.url_of(source)
    if url is None:
        return land(settings, engine, source_named(settings, source), days)
    return fetch(settings, engine, source, days, url, clock)


def admit_days(
    settings: Settings, engine: Engine, source: str, days: Sequence[date], clock: Clock
) -> dict[date, list[Admission]]:
    """Admit what has landed of one source, or refuse it; by landing day."""
    # The data of these partitions change now: no verdict of before may release them.
    CheckStore(engine).invalidate([source], days)
    look(settings, engine, source, days, clock())
    write_discards(settings, engine, source, days)
    by_day = {day: admit(settings, source, day) for day in days}
    fitting = [one for day, records in by_day.items() for one in fit_since_the_contract_changed(settings, records, day)]
    ReplayLedger(engine).record(fitting, NO_INCIDENT, 0, clock())
    return by_day


def build_days(
    settings: Settings,
    engine: Engine,
    days: Sequence[date],
    clock: Clock,
    run_id: str,
    *,
    select: Sequence[str] = (),
    on_node: Callable[[str], None] | None = None,
    on_model_start: Callable[[str], None] | None = None,
) -> list[NodeResult]:
    """Build the tables of an unbroken row of days, and record what dbt's own tests say. What failed is a result."""
    nodes = build(settings, days[0], days[-1], select=select, on_node=on_node, on_model_start=on_model_start)
    CheckStore(engine).record(results_of_dbt([vars(node) for node in nodes], days, run_id, clock()))
    return nodes


def failed(nodes: Sequence[NodeResult]) -> list[NodeResult]:
    """What keeps a run from going on to the audit: its days stay without verdicts, and so out of publication."""
    return [node for node in nodes if node.status in ("error", "fail")]


def record_verdicts(settings: Settings, engine: Engine, results: Sequence[CheckResult]) -> None:
    """Keep what an audit found; a publication must follow, and whoever dies in between leaves word of that."""
    announce(settings)
    CheckStore(engine).record(results)


def audit_days(
    settings: Settings, engine: Engine, days: Sequence[date], clock: Clock, run_id: str
) -> list[CheckResult]:
    """Evaluate every check on some days, and record the verdicts."""
    results = evaluate(settings, days, clock(), run_id)
    record_verdicts(settings, engine, results)
    return results


def publish_audited(
    settings: Settings, clock: Clock, run_id: str, on_change: Callable[[list[CheckResult]], None] = lambda _: None
) -> Publication:
    """Publish whatever the gate releases now, over all landed partitions. `on_change` hears of verdicts that turned."""
    publication = release(settings, marts(ensure_manifest(settings.dbt_project)), clock(), run_id, on_change, clock)
    note_end(settings, operations_engine(settings))
    return publication

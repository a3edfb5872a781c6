"""One run of the platform as the reports read it: the stores, the truth, the score, and SQL over the warehouse."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import duckdb
from sqlalchemy import Engine

from reliability_platform.checks.results import CheckResult
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.truth import Truth, load_truths
from reliability_platform.lab.scorecard.score import FaultScore, Scorecard
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.parquet import identifier, literal, scan_days
from reliability_platform.remediation.ledger import Replay, ReplayLedger
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import warehouse_lease, warehouse_reader
from reliability_platform.warehouse.marts import Mart, marts
from reliability_platform.warehouse.publication import Publication, publications


@dataclass(frozen=True)
class StageTiming:
    """How long one step of a run took, as the orchestrator measured it."""

    stage: str
    """One of `STAGES` in `sla.py`."""
    seconds: float


@dataclass
class GradedRun:
    """What there is to report on. Every property is read once."""

    settings: Settings
    engine: Engine
    card: Scorecard
    stage_seconds: Sequence[StageTiming]
    connection: duckdb.DuckDBPyConnection
    """Read-only on the warehouse, with the views of `_views` and the tables of `_tables`."""
    has_oracle: bool
    """Whether the oracle's warehouse is attached as `oracle`."""
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """The reports that are made already, by name."""

    def query(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """The rows of one statement by column name."""
        cursor = self.connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @cached_property
    def incidents(self) -> list[Incident]:
        """Every incident, oldest first."""
        return IncidentStore(self.engine).all()

    @cached_property
    def edited_incidents(self) -> set[str]:
        """Incidents whose timeline does not follow from itself."""
        return {link.split(" ")[0] for link in IncidentStore(self.engine).broken_links()}

    @cached_property
    def truths(self) -> list[Truth]:
        """The truth of every injection and control that landed."""
        return load_truths(self.settings)

    @cached_property
    def latest_checks(self) -> list[CheckResult]:
        """The last result of each check on each landing day."""
        return CheckStore(self.engine).latest()

    @cached_property
    def replays(self) -> list[Replay]:
        """Every batch that came again on request, oldest first."""
        return ReplayLedger(self.engine).all()

    @cached_property
    def refused_files(self) -> list[dict[str, Any]]:
        """Every file that was ever refused."""
        return quarantined_files(self.settings)

    @cached_property
    def publications(self) -> list[Publication]:
        """Every version that is kept, oldest first."""
        return publications(self.settings)

    @cached_property
    def marts(self) -> list[Mart]:
        """The published tables of the platform's models: those of an own dbt project have days of their own, or none."""
        return [mart for mart in marts(ensure_manifest()) if mart.place is None]

    @cached_property
    def injection_of(self) -> dict[str, FaultScore]:
        """Incident → the injection behind it; the first one, where an incident covers several."""
        return {score.incident: score for score in reversed(self.card.faults) if score.incident is not None}

    def incidents_on(self, pairs: Iterable[tuple[str, date]]) -> list[str]:
        """The incidents that cover one of these sources and landing days; those merged into another left out."""
        wanted = set(pairs)
        return [
            incident.id
            for incident in self.incidents
            if not is_merged(incident)
            and wanted & {(source, day) for source in incident.sources for day in incident.partitions}
        ]


def is_merged(incident: Incident) -> bool:
    """Whether it turned out to be a symptom of another incident."""
    return incident.state is State.FALSE_ALARM and incident.linked_to is not None


def _union(select: str, database: str = "") -> str:
    return " union all ".join(
        select.format(source=source, key=CONTRACTS[source].record_key, database=database) for source in SOURCES
    )


_STAGED = (
    "select '{source}' as source, {key} as record_key, landing_date, event_date, batch_id, batch_sequence, "
    "batch_attempt, row_number, reject_reasons, is_superseded, disposition from stg_{source}"
)
_SILVER = (
    "select '{source}' as source, {key} as record_key, landing_date, event_date, batch_id "
    "from {database}int_{source}__deduplicated"
)


def _views(settings: Settings, *, oracle: bool) -> dict[str, str]:
    """The views over all sources that the reports share."""
    pairs = ", ".join(f"('{source}', date '{day}')" for source, day in landed_partitions(settings))
    return {
        # Every source and landing day that was examined: on a day of silence there is no file that names it.
        "landed": f"select * from (values {pairs or '(null, null)'}) as pairs (source, landing_date) "
        "where source is not null",
        "staged": _union(_STAGED),
        "silver": _union(_SILVER),
        # Without an oracle the view is empty; `has_oracle` says that its counts mean nothing then.
        "oracle_silver": _union(_SILVER, "oracle.main.") if oracle else f"({_union(_SILVER)}) limit 0",
    }


def _tables(settings: Settings) -> dict[str, str]:
    """What a dozen questions read, and what takes 0.1 to 0.2 s each time: made once for all of them. The second one stands
    before the view of the warehouse that it is a copy of, wherever somebody asks for that name.
    """
    return {
        "admissions": " union all by name ".join(
            f"from {scan_days(settings.admissions / source)}" for source in SOURCES
        ),
        "rec_batches__conserved": f"from {identifier(settings.warehouse.stem)}.main.rec_batches__conserved",
    }


@contextmanager
def opened(
    settings: Settings, engine: Engine, card: Scorecard, stage_seconds: Sequence[StageTiming]
) -> Iterator[GradedRun]:
    """Hold the warehouse, and the oracle's if there is one, for the length of the block."""
    ensure_manifest()
    oracle = settings.apart(settings.oracle)
    with ExitStack() as stack:
        connection = stack.enter_context(warehouse_reader(settings))
        has_oracle = oracle.warehouse.exists()
        if has_oracle:
            stack.enter_context(warehouse_lease(oracle))
            connection.execute(f"attach {literal(oracle.warehouse)} as oracle (read_only)")
        for name, sql in _views(settings, oracle=has_oracle).items():
            connection.execute(f"create temp view {name} as {sql}")
        for name, sql in _tables(settings).items():
            connection.execute(f"create temp table {name} as {sql}")
        yield GradedRun(settings, engine, card, stage_seconds, connection, has_oracle)

"""Drills: lose something for real, on a clone of the home; recover with the commands of an emergency; measure; prove.

What was lost is compared row for row with what was there before, so that a recovery that only looks well fails.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from reliability_platform.clock import Clock, days
from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.formats import seconds
from reliability_platform.lab.clean import clean_sources
from reliability_platform.lab.drills.baseline import missing_rows, published_tables, write_tables
from reliability_platform.lab.oracle import verify
from reliability_platform.lab.simulation.misbehaviour import at_first
from reliability_platform.lab.simulation.server import serving
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.landing.breaker import Breaker
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.landing.fetch import fetch_day
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.parquet import identifier, read_table
from reliability_platform.pipeline.run import reprocess
from reliability_platform.pipeline.steps import RunContext
from reliability_platform.recovery.clone import Clone, clone_of
from reliability_platform.recovery.drill_log import Drill
from reliability_platform.recovery.replication import at_second_place
from reliability_platform.recovery.restore import recover_home, recover_warehouse
from reliability_platform.settings import Settings
from reliability_platform.sources.endpoint import SourceEndpoint
from reliability_platform.sources.source import Source
from reliability_platform.warehouse.comparison import compare_tables
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lease import open_when_free, warehouse_lease, warehouse_reader
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import CURRENT, Partition, current_version, read_publication
from reliability_platform.warehouse.snapshots.location import SnapshotLocation
from reliability_platform.warehouse.snapshots.manifest import newest_until

OUTAGE_REQUESTS = 1_000
"""So many requests the source turns away in an outage: more than anybody asks."""
LONGEST_PAUSE_DAYS = 62
"""A source that is due once a month is silent for no longer."""


@dataclass
class DrillReport:
    """What happened, measured and compared."""

    drill: Drill
    began_at: datetime
    lost: str = ""
    snapshot: str | None = None
    snapshot_age_seconds: float | None = None
    landing_days_built_again: list[date] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    """Seconds by step; those of the recovery make up `recovery_seconds`."""
    recovery_seconds: float = 0.0
    objective_seconds: float = 0.0
    rows_lost: int = 0
    """Rows that were there before the loss and are not after the recovery (in an outage: that never landed)."""
    objective_rows: int = 0
    partitions_lost: list[str] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    """Each compared table: its rows, and whether they are those of before."""
    equal_to_before: bool = False
    oracle_equal: bool | None = None
    """Whether the published tables equal a run without failures; None where sources are real: nobody knows."""
    held_before: int = 0
    """Landing partitions that the gate held before the drill: with any, nobody equals the oracle."""
    remarks: list[str] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        """Whether what came back is right."""
        return (self.equal_to_before or self.oracle_equal is True) and (
            self.oracle_equal is not False or self.held_before > 0
        )

    @property
    def missed(self) -> list[str]:
        """What keeps the drill from having met its objectives, in words; empty if it has."""
        found = [*self.remarks, *(f"{one} is gone" for one in self.partitions_lost)]
        if not self.verified:
            found.append("what came back is not what was there before")
        if self.rows_lost > self.objective_rows:
            found.append(f"{counted(self.rows_lost, 'row')} lost, {self.objective_rows:,} allowed")
        if self.recovery_seconds > self.objective_seconds:
            found.append(f"{seconds(self.recovery_seconds)} to recover, {seconds(self.objective_seconds)} allowed")
        return found

    @property
    def met(self) -> bool:
        """Whether it is right, and within the objectives."""
        return not self.missed

    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "verified": self.verified, "met": self.met}

    @contextmanager
    def timed(self, step: str, *, recovering: bool = False) -> Iterator[None]:
        """Time one step; those of the recovery count."""
        start = time.perf_counter()
        yield
        self.steps[step] = round(time.perf_counter() - start, 3)
        if recovering:
            self.recovery_seconds = round(self.recovery_seconds + self.steps[step], 3)


def run_drill(settings: Settings, drill: Drill, clock: Clock, table: str | None = None) -> DrillReport:
    """Do one drill. The home stays as it is; the caller keeps the report. Raises `UsageError` if it cannot be done."""
    if table is not None and drill is not Drill.TABLE_LOSS:
        raise UsageError(f"--table says which table is lost; {drill} loses more than one.")
    can_be_lost(settings, drill, clock)
    with clone_of(settings) as clone:
        return drill_on(clone, drill, clock, table)


def can_be_lost(settings: Settings, drill: Drill, clock: Clock) -> None:
    """Raises `UsageError` where there is nothing to lose, or no snapshot: asked where the message names the home's own place."""
    if current_version(settings) is None or not settings.warehouse.exists():
        raise UsageError(f"There is nothing to lose in {settings.home} yet: `reliability run` makes something.")
    if drill is not Drill.SOURCE_OUTAGE:
        newest_until(SnapshotLocation.of(_recovered_from(settings, drill)), clock())


def drill_on(clone: Clone, drill: Drill, clock: Clock, table: str | None = None) -> DrillReport:
    """Do one drill on a clone that is there."""
    settings = clone.settings
    report = DrillReport(
        drill, clock(), objective_seconds=settings.drill_rto_seconds, objective_rows=settings.drill_rpo_rows
    )
    report.held_before = len(read_publication(settings, clone.published.name).held)
    DRILLS[drill](clone, report, clock, table)
    if clean_sources(settings):
        with report.timed("oracle"):
            compared = verify(settings, landed_partitions(settings))
        report.oracle_equal = all(one.equal for one in compared)
    return report


def compare(report: DrillReport, layer: str, names: Sequence[str], before: Path, after: Path) -> None:
    """Add the comparison of some tables to the report, and the rows that are missing."""
    for one in compare_tables(names, after, before):
        lost = 0 if one.equal else missing_rows(before, after, one.name)
        report.tables.append(
            {"layer": layer, "table": one.name, "rows": one.rows, "equal_to_before": one.equal, "rows_lost": lost}
        )
    worst: dict[str, int] = {}
    for table in report.tables:  # a row that is lost in the warehouse and in what is published is one row
        worst[table["table"]] = max(worst.get(table["table"], 0), table["rows_lost"])
    report.rows_lost = sum(worst.values())
    report.equal_to_before = all(one["equal_to_before"] for one in report.tables)


def _recovered_from(settings: Settings, drill: Drill) -> Settings:
    """The home with the place of the snapshots that is left. Raises `UsageError` if no second one is set."""
    if drill is not Drill.REGION_LOSS:
        return settings
    second = at_second_place(settings)
    if second is None:
        raise UsageError(
            "Without a second place for snapshots nothing is left of a region: set RELIABILITY_SNAPSHOT_REPLICA_URL."
        )
    return second


def _lose_and_recover(
    clone: Clone, report: DrillReport, clock: Clock, tables: Sequence[str], lose: Callable[[], None], table: str | None
) -> None:
    """The common way: look, lose, recover, look again."""
    settings = _recovered_from(clone.settings, report.drill)
    snapshot = newest_until(SnapshotLocation.of(settings), clock())
    report.snapshot = snapshot.id
    report.snapshot_age_seconds = round((report.began_at - snapshot.taken_at).total_seconds(), 1)
    partitions = landed_partitions(settings)
    witnesses = clone.evidence / "before", clone.evidence / "after"
    write_tables(settings, tables, witnesses[0])
    recording = settings.recording.resolve() if settings.recording.is_symlink() else None
    lose()
    if report.drill in (Drill.HOME_LOSS, Drill.REGION_LOSS):
        with report.timed("restore of the home", recovering=True):
            restored = recover_home(settings, snapshot, clock)
        if recording is not None and not settings.recording.exists():  # sources are not lost together with a home
            settings.recording.symlink_to(recording)
        with report.timed("what the snapshot had not, from the source", recovering=True):
            again = _ask_again(settings, partitions, clock)
        report.landing_days_built_again = sorted({*restored.landing_days, *again})
    else:
        with report.timed("restore, build and publication", recovering=True):
            restored = recover_warehouse(settings, snapshot, clock, table)
        report.landing_days_built_again = restored.landing_days
    write_tables(settings, tables, witnesses[1])
    compare(report, "warehouse", tables, *witnesses)
    compare(report, "published", published_tables(settings), clone.published, settings.published / CURRENT)
    gone = sorted(set(partitions) - set(landed_partitions(settings)))
    report.partitions_lost = [f"{source} {day}" for source, day in gone]


def _ask_again(settings: Settings, wanted: Sequence[Partition], clock: Clock) -> list[date]:
    """Land what is missing from the system of record, if it is one that can be asked; returns the landing days."""
    clean = clean_sources(settings)
    missing = sorted(one for one in set(wanted) - set(landed_partitions(settings)) if one[0] in clean)
    if not missing:
        return []
    for source, day in missing:
        for batch in clean[source].deliver(day):
            write_batch(settings, batch)
    again = sorted({day for _, day in missing})
    reprocess(RunContext.of(settings, "drill", clock), again)
    return again


def _table_loss(clone: Clone, report: DrillReport, clock: Clock, table: str | None) -> None:
    settings = clone.settings
    with warehouse_reader(settings) as connection:
        rows = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'main' order by estimated_size desc, table_name"
        ).fetchall()
    known = [str(row[0]) for row in rows]
    if table is not None and table not in known:
        raise UsageError(f"The warehouse has no table {table[:80]!r}: choose one of {', '.join(sorted(known))}.")
    lost = table or known[0]
    report.lost = f"table {lost}"

    def lose() -> None:
        with warehouse_lease(settings), closing(open_when_free(settings, read_only=False)) as writer:
            writer.execute(f"drop table {identifier(lost)}")

    _lose_and_recover(clone, report, clock, sorted({lost, *published_tables(settings)}), lose, lost)


def _warehouse_loss(clone: Clone, report: DrillReport, clock: Clock, _: str | None) -> None:
    report.lost = "the warehouse file"
    _lose_and_recover(clone, report, clock, published_tables(clone.settings), clone.settings.warehouse.unlink, None)


def _home_loss(clone: Clone, report: DrillReport, clock: Clock, _: str | None) -> None:
    report.lost = "the home"
    if clone.snapshots_in_home:
        report.remarks.append(
            "The snapshots lie in the home and would have been lost with it; the drill went on with a copy of them. "
            "Set RELIABILITY_SNAPSHOT_URL to a place on another disk or machine."
        )

    def lose() -> None:
        shutil.rmtree(clone.settings.home)

    _lose_and_recover(clone, report, clock, published_tables(clone.settings), lose, None)


def _region_loss(clone: Clone, report: DrillReport, clock: Clock, _: str | None) -> None:
    """The first place is not touched: it may be the home's own. It is not asked either."""
    report.lost = "the home and the place of its snapshots"
    home = clone.settings.home
    _lose_and_recover(clone, report, clock, published_tables(clone.settings), lambda: shutil.rmtree(home), None)


def _when_it_may_be_asked(engine: Engine, source: str, clock: Clock) -> Clock:
    """The clock, ahead by what is left of the breaker's cool-down: a drill does not sit it out."""
    probe, now = Breaker(engine, source).view().next_probe_at, clock()
    ahead = timedelta() if probe is None else max(timedelta(), probe - now)
    return lambda: clock() + ahead


def _to_come(settings: Settings, clean: Mapping[str, Source]) -> tuple[str, date]:
    """The source that is away, and the landing day that it owes: the first one after the last that has landed.

    In a home in which all of its recording has landed it is the last day that has: of its source that day has not come yet.
    """
    last = max(day for _, day in landed_partitions(settings))
    for day in days(last + timedelta(days=1), last + timedelta(days=LONGEST_PAUSE_DAYS)):
        try:
            due = [name for name in clean if _delivers(clean[name], day)]
        except UsageError:  # the recording is over
            break
        if due:
            return due[0], day
    source = next(name for name, day in landed_partitions(settings) if day == last and _delivers(clean[name], day))
    for root in (settings.landing, settings.quarantine, settings.spool):
        shutil.rmtree(root / source / f"landing_date={last.isoformat()}", ignore_errors=True)
    return source, last


def _delivers(source: Source, day: date) -> bool:
    return any(batch.table.num_rows for batch in source.deliver(day))


def _source_outage(clone: Clone, report: DrillReport, clock: Clock, _: str | None) -> None:
    """The landing day after the last one: one source turns everybody away, then answers again."""
    settings = clone.settings
    clean, engine = clean_sources(settings), operations_engine(settings)
    if not clean:
        raise UsageError("An outage can be rehearsed in a home of the lab only: the sources of this one are real.")
    source, day = _to_come(settings, clean)
    report.lost = f"the source {source} on {day}"
    delivered = clean[source].deliver(day)
    promised = max(CONTRACTS[source].cadence.due_on(day), *(batch.sequence for batch in delivered))
    for other in set(clean) - {source} - {name for name, landed in landed_partitions(settings) if landed == day}:
        for batch in clean[other].deliver(day):
            write_batch(settings, batch)
    with report.timed("outage"), serving(clean, at_first(OUTAGE_REQUESTS)) as server:
        landing_folder(settings, source, day).mkdir(parents=True, exist_ok=True)
        fetch_day(settings, source, day, [SourceEndpoint(server.url)], promised, clock)
        during = reprocess(RunContext(settings, engine, clock, "drill"), [day])
    if f"{source}/{day}" not in during.held:
        report.remarks.append("The day was published although its source had sent nothing.")
    alone = [mart.name for mart in marts(ensure_manifest(settings.dbt_project)) if mart.sources == (source,)]
    compare(report, "published", alone, clone.published, settings.published / CURRENT)
    with report.timed("fetch, build and publication", recovering=True), serving(clean) as server:
        fetch_day(
            settings, source, day, [SourceEndpoint(server.url)], promised, _when_it_may_be_asked(engine, source, clock)
        )
        after = reprocess(RunContext(settings, engine, clock, "drill"), [day])
    report.landing_days_built_again = [day]
    if f"{source}/{day}" in after.held:
        report.partitions_lost = [f"{source} {day}"]
    sent = sum(batch.table.num_rows for batch in delivered)
    landed = read_table(admissions_file(settings, source, day), columns=["admitted_rows"])["admitted_rows"]
    report.rows_lost += max(0, sent - sum(landed.to_pylist()))


DRILLS: dict[Drill, Callable[[Clone, DrillReport, Clock, str | None], None]] = {
    Drill.TABLE_LOSS: _table_loss,
    Drill.WAREHOUSE_LOSS: _warehouse_loss,
    Drill.HOME_LOSS: _home_loss,
    Drill.REGION_LOSS: _region_loss,
    Drill.SOURCE_OUTAGE: _source_outage,
}

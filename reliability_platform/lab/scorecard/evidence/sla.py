"""Deadlines: which batches missed theirs, and how each stage of the way did."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import func, select

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import ERROR, CheckStatus
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.incidents.model import ENDED
from reliability_platform.lab.scorecard.evidence.report import Folder, Report, ReportColumn, Row
from reliability_platform.lab.scorecard.evidence.run import GradedRun, is_merged
from reliability_platform.lab.scorecard.headline import share
from reliability_platform.operations.tables import check_results
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import read_manifest

Pair = tuple[str, date]
"""A source and a landing day."""

_BREACHES = """
with promises (source, slots, deadline_minutes) as (values {promises}),
slots as (
    select source, landing_date, unnest(range(1, slots + 1)) as batch_sequence,
        landing_date + interval 1 day + deadline_minutes * interval 1 minute as deadline_at
    from landed join promises using (source)
),
usable as (
    select source, landing_date, batch_sequence, min(landed_at) as usable_at,
        arg_min(batch_id, (landed_at, batch_id)) as batch_id, arg_min(kind, (landed_at, batch_id)) as kind
    from admissions where status = 'admitted' group by all
)
select source, landing_date, batch_sequence, batch_id, deadline_at, usable_at,
    (epoch_us(usable_at) - epoch_us(deadline_at)) / 60e6 as minutes_late,
    case
        when usable_at is null then 'never came'
        when kind = 'replacement' then 'replaced after the deadline'
        else 'came after the deadline'
    end as outcome
from slots left join usable using (source, landing_date, batch_sequence)
where usable_at is null or usable_at > deadline_at
order by landing_date, source, batch_sequence
"""


def _late_batches(run: GradedRun) -> list[dict[str, Any]]:
    promises = ", ".join(
        f"('{source}', {CONTRACTS[source].cadence.batches}, {CONTRACTS[source].deadline_minutes})" for source in SOURCES
    )
    return run.query(_BREACHES.format(promises=promises))


def _breaches(run: GradedRun) -> list[Row]:
    return [
        {**row, "incidents": run.incidents_on([(row["source"], row["landing_date"])])} for row in _late_batches(run)
    ]


BREACHES = Report(
    name="sla_breach_report",
    folder=Folder.SCORECARDS,
    about="Which promised batches were not usable by their deadline?",
    grain="One row per promised slot that missed it, by landing day, source and slot. All times are data times.",
    columns=(
        ReportColumn("source", "Source that promised the batch"),
        ReportColumn("landing_date", "Landing day", "date"),
        ReportColumn("batch_sequence", "Slot of the day's schedule, from 1", "number"),
        ReportColumn("batch_id", "First batch of the slot that was admitted; null if none was"),
        ReportColumn("deadline_at", "When the contract promises the day to be complete", "timestamp, data time"),
        ReportColumn("usable_at", "When that batch landed", "timestamp, data time"),
        ReportColumn("minutes_late", "How much later than the deadline", "minutes"),
        ReportColumn("outcome", "never came, came after the deadline, or replaced after the deadline"),
        ReportColumn("incidents", "Incidents of the source that cover the landing day", "list"),
    ),
    rows=_breaches,
)


@dataclass
class _Stage:
    """What is known of one stage without an orchestrator."""

    name: str
    tables: list[str]
    units: int
    unit: str
    breaches: int
    breach: str
    pairs: set[Pair] = field(default_factory=set)
    """Sources and landing days of the breaches."""
    incidents: list[str] | None = None
    """Where they are known without the pairs."""
    runs: int | None = None
    seconds: list[float] = field(default_factory=list)


def _landing(run: GradedRun) -> _Stage:
    late = _late_batches(run)
    counts = run.query("select source, count(*) as days from landed group by source")
    promised = sum(row["days"] * CONTRACTS[row["source"]].cadence.batches for row in counts)
    return _Stage(
        name="landing",
        tables=[f"landing/{source}" for source in SOURCES],
        units=promised,
        unit="promised batches",
        breaches=len(late),
        breach="not usable by the deadline",
        pairs={(row["source"], row["landing_date"]) for row in late},
    )


def _admission(run: GradedRun) -> _Stage:
    [counts] = run.query("select count(*) as files from admissions")
    # A refused file that was replayed later is admitted now; it was a breach all the same.
    refused = run.refused_files
    return _Stage(
        name="admission",
        tables=[f"bronze_{source}" for source in SOURCES],
        units=counts["files"],
        unit="delivered files",
        breaches=len(refused),
        breach="refused whole, then or now",
        pairs={(record["source"], date.fromisoformat(record["landing_date"])) for record in refused},
    )


def _judged(run: GradedRun, names: Iterable[str], bad: Any) -> tuple[int, int, set[Pair], int]:
    """Evaluations of some checks, those of them that are `bad`, where these were, and the runs that made them."""
    wanted = check_results.c.check_name.in_(list(names))
    columns = (check_results.c.source, check_results.c.partition_date)
    with run.engine.connect() as connection:
        total = connection.execute(select(func.count()).where(wanted)).scalar_one()
        runs = connection.execute(select(func.count(check_results.c.run_id.distinct())).where(wanted)).scalar_one()
        rows = connection.execute(select(*columns, func.count()).where(wanted, bad).group_by(*columns)).all()
    return int(total), sum(row[2] for row in rows), {(row[0], row[1]) for row in rows}, int(runs)


def _dbt(run: GradedRun) -> _Stage:
    names = [name for name, spec in CHECKS.items() if spec.engine == "dbt"]
    units, breaches, pairs, runs = _judged(run, names, check_results.c.status != CheckStatus.PASSED.value)
    nodes = read_manifest(ensure_manifest())["nodes"].values()
    return _Stage(
        name="dbt",
        tables=sorted(node["name"] for node in nodes if node["resource_type"] == "model"),
        units=units,
        unit="builds by source and landing day",
        breaches=breaches,
        breach="a model or a data test did not pass",
        pairs=pairs,
        runs=runs,
    )


def _checks(run: GradedRun) -> _Stage:
    names = [name for name, spec in CHECKS.items() if spec.engine != "dbt"]
    units, breaches, pairs, runs = _judged(run, names, check_results.c.reason == ERROR)
    return _Stage(
        name="checks",
        tables=sorted({CHECKS[name].dataset for name in names}),
        units=units,
        unit="evaluations",
        breaches=breaches,
        breach="crashed instead of judging",
        pairs=pairs,
        runs=runs,
    )


def _publication(run: GradedRun) -> _Stage:
    [landed] = run.query("select count(*) as pairs from landed")
    last = run.publications[-1] if run.publications else None
    held = set(last.held_partitions) if last else set()
    return _Stage(
        name="publication",
        tables=[table.name for table in last.tables] if last else [],
        units=landed["pairs"],
        unit="landing partitions",
        breaches=len(held),
        breach="held in the current version",
        pairs=held,
        runs=len(run.publications),
    )


def _incidents(run: GradedRun) -> _Stage:
    known = [incident for incident in run.incidents if not is_merged(incident)]
    still_open = [incident for incident in known if incident.state not in ENDED]
    begun: dict[str, datetime] = {}
    seconds = []
    for incident in known:
        for entry in incident.timeline:
            match entry.data.get("phase"):
                case "begun":
                    begun[incident.id] = entry.at
                case "done" | "failed" if incident.id in begun:
                    seconds.append((entry.at - begun.pop(incident.id)).total_seconds())
    return _Stage(
        name="incidents",
        tables=sorted({incident.root_dataset for incident in known}),
        units=len(known),
        unit="incidents",
        breaches=len(still_open),
        breach="not ended",
        incidents=[incident.id for incident in still_open],
        runs=len(seconds),
        seconds=seconds,
    )


_STAGES = (_landing, _admission, _dbt, _checks, _publication, _incidents)
STAGES = ("landing", "admission", "dbt", "checks", "publication", "incidents")
"""The stages of a `StageTiming`, in the order of the data's way."""


def _summary(run: GradedRun) -> list[Row]:
    found: list[Row] = []
    for describe in _STAGES:
        stage = describe(run)
        measured = [timing.seconds for timing in run.stage_seconds if timing.stage == stage.name]
        seconds = measured or stage.seconds
        middle, high = np.percentile(seconds, [50, 95]) if seconds else (None, None)
        found.append(
            {
                "stage": stage.name,
                "runs": len(measured) if measured else stage.runs,
                "units": stage.units,
                "unit": stage.unit,
                "breaches": stage.breaches,
                "breach_rate": share(stage.breaches, stage.units),
                "what_is_a_breach": stage.breach,
                "tables": stage.tables,
                "incidents": stage.incidents if stage.incidents is not None else run.incidents_on(stage.pairs),
                "seconds_p50_wall_clock": None if middle is None else float(middle),
                "seconds_p95_wall_clock": None if high is None else float(high),
                "seconds_max_wall_clock": max(seconds) if seconds else None,
            }
        )
    return found


SUMMARY = Report(
    name="sla_stage_summary",
    folder=Folder.SCORECARDS,
    about="How did each stage of the way do: how long, how often not as it should?",
    grain="One row per stage, in the order of the data's way. A duration that nobody measured is null.",
    columns=(
        ReportColumn("stage", "landing, admission, dbt, checks, publication or incidents"),
        ReportColumn("runs", "Measured steps; where none was, what the stores tell: runs, versions, actions", "count"),
        ReportColumn("units", "What the stage has dealt with", "count"),
        ReportColumn("unit", "What is counted"),
        ReportColumn("breaches", "Units that did not do as they should", "count"),
        ReportColumn("breach_rate", "Breaches of all units", "share 0 to 1"),
        ReportColumn("what_is_a_breach", "What is counted as one"),
        ReportColumn("tables", "Tables that the stage reads or writes", "list"),
        ReportColumn("incidents", "Incidents on the sources and landing days of the breaches", "list"),
        ReportColumn("seconds_p50_wall_clock", "Median duration of a step; for incidents, of an action", "seconds"),
        ReportColumn("seconds_p95_wall_clock", "95th percentile of the same", "seconds"),
        ReportColumn("seconds_max_wall_clock", "Longest", "seconds"),
    ),
    rows=_summary,
)

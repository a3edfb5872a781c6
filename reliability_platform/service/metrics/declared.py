"""The table of all metrics. Exposition, alert rules, dashboard and documentation speak of these alone.

Names and units follow https://prometheus.io/docs/practices/naming/: base units, `_total` for what only grows, and moments as
seconds since 1970, so that whoever asks subtracts them from his own clock. What the home cannot answer is left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version
from itertools import chain

from reliability_platform.clock import day_end
from reliability_platform.day_clock import Service
from reliability_platform.landing.breaker import BreakerState
from reliability_platform.openlineage_events.spool import EventSpool
from reliability_platform.recovery.capacity import MEGABYTE, available_memory
from reliability_platform.service.metrics.reading import MetricReading
from reliability_platform.service.queries import backlogs, durations, incidents
from reliability_platform.service.queries.pauses import standing_pauses
from reliability_platform.slo.runs import PIPELINE, RUNS, RunsStatus

PREFIX = "reliability_"


class MetricType(StrEnum):
    """As OpenMetrics has them."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True)
class MetricSample:
    """One value, and the values of the metric's labels in their order."""

    value: float
    labels: tuple[str, ...] = ()


Read = Callable[[MetricReading], Iterable[MetricSample]]


@dataclass(frozen=True)
class DeclaredMetric:
    """One metric."""

    name: str
    """Without the suffix of a counter."""
    type: MetricType
    help: str
    read: Read
    labels: tuple[str, ...] = ()
    unit: str = ""
    """The last word of the name, where it is one of OpenMetrics' base units."""

    @property
    def series(self) -> str:
        """What it is called in a query."""
        return f"{self.name}_total" if self.type is MetricType.COUNTER else self.name


def _moment(at: datetime | None, *labels: str) -> Iterable[MetricSample]:
    if at is not None:
        yield MetricSample(at.astimezone(UTC).timestamp(), labels)


def _number(value: float | None, *labels: str) -> Iterable[MetricSample]:
    if value is not None:
        yield MetricSample(float(value), labels)


def _lacking(reading: MetricReading) -> Iterable[MetricSample]:
    for table in reading.publication.tables if reading.publication else ():
        for state, rows in table.lacks.items():
            yield MetricSample(rows, (table.name, state))


def _held(reading: MetricReading) -> Iterable[MetricSample]:
    if reading.publication is None:
        return
    for one in reading.sources:
        yield MetricSample(sum(held.source == one.source for held in reading.publication.held), (one.source,))


def _newest_dates(reading: MetricReading) -> Iterable[MetricSample]:
    for mart, day in durations.newest_event_dates(reading.engine).items():
        yield from _moment(day_end(day), mart)


def _burns(reading: MetricReading) -> Iterable[MetricSample]:
    standing = reading.objectives
    every = [((one.objective.dataset, one.objective.name), one.burns) for one in standing.objectives]
    for name, burns in [*every, *([(OF_RUNS, standing.runs.burns)] if standing.runs else [])]:
        for days, burn in burns.items():
            yield from _number(burn.burn_rate, *name, str(days))


def _of_objectives(value: Callable[..., float | None]) -> Read:
    def read(reading: MetricReading) -> Iterable[MetricSample]:
        for one in reading.objectives.objectives:
            yield from _number(value(one), one.objective.dataset, one.objective.name)

    return read


def _of_runs(value: Callable[[RunsStatus], float | None]) -> Read:
    def read(reading: MetricReading) -> Iterable[MetricSample]:
        if reading.objectives.runs is not None:
            yield from _number(value(reading.objectives.runs), *OF_RUNS)

    return read


def _each(*reads: Read) -> Read:
    return lambda reading: chain.from_iterable(read(reading) for read in reads)


def _of_incidents(measure: str) -> Read:
    def read(reading: MetricReading) -> Iterable[MetricSample]:
        for group in reading.incident_durations:
            mean = group.spreads[measure].mean
            if mean is not None:
                yield MetricSample(mean.total_seconds(), (group.name,))

    return read


def _breakers(reading: MetricReading) -> Iterable[MetricSample]:
    for one in reading.sources:
        for state in BreakerState:
            yield MetricSample(one.breaker == state.value, (one.source, state.value))


def _oldest_dead_letters(reading: MetricReading) -> Iterable[MetricSample]:
    for one in reading.dead_letters:
        yield from _moment(None if one.oldest is None else day_end(one.oldest), one.source)


def _memory(reading: MetricReading) -> Iterable[MetricSample]:
    del reading
    left = available_memory()
    yield from _number(None if left is None else left * MEGABYTE)


G, C = MetricType.GAUGE, MetricType.COUNTER
OF_RUNS = (PIPELINE, RUNS)
"""The labels of the objective over runs."""
DATASET, OBJECTIVE, SOURCE, SEVERITY = ("dataset",), ("dataset", "objective"), ("source",), ("severity",)


def _declared() -> Iterable[DeclaredMetric]:
    def one(name: str, type_: MetricType, labels: tuple[str, ...], unit: str, help_: str, read: Read) -> DeclaredMetric:
        return DeclaredMetric(f"{PREFIX}{name}", type_, help_, read, labels, unit)

    # fmt: off
    yield one("build_info", G, ("version",), "", "The release of the platform; always 1.",
              lambda _: [MetricSample(1, (version("reliability-platform"),))])
    yield one("in_service", G, (), "", "Whether the schedules of the home are on, 1 or 0.",
              lambda r: [MetricSample(Service(r.engine).since() is not None)])

    # What consumers read
    yield one("published_timestamp_seconds", G, (), "seconds", "When the version that consumers read was published.",
              lambda r: _moment(r.publication.published_at if r.publication else None))
    yield one("dataset_newest_event_date_timestamp_seconds", G, DATASET, "seconds",
              "End of the newest event date that consumers were shown.", _newest_dates)
    yield one("dataset_rows", G, DATASET, "", "Rows of a published table.",
              lambda r: [MetricSample(t.rows, (t.name,)) for t in (r.publication.tables if r.publication else ())])
    yield one("dataset_lacking_rows", G, ("dataset", "state"), "",
              "Delivered rows of the event dates of a published table that count nowhere, by what became of them.",
              _lacking)
    yield one("held_partitions", G, SOURCE, "", "Landing days that are kept out of publication.", _held)
    yield one("event_to_published_p95_seconds", G, DATASET, "seconds",
              "From the end of an event date to its first publication; 95th percentile of the newest 30 event dates.",
              lambda r: [MetricSample(e.p95_seconds, (e.dataset,)) for e in durations.event_to_published(r.engine)])

    # Objectives: freshness, completeness and correctness by dataset; runs of the pipeline
    yield one("objective_target_ratio", G, OBJECTIVE, "ratio", "Share of landing days that must be good, or of runs.",
              _each(_of_objectives(lambda o: float(o.objective.target)), _of_runs(lambda r: float(r.target))))
    yield one("objective_attained_ratio", G, OBJECTIVE, "ratio",
              "Share of the judged landing days of the window, or of its runs, that were good.",
              _each(_of_objectives(lambda o: o.budget.attained), _of_runs(lambda r: r.budget.attained)))
    yield one("error_budget_partitions", G, OBJECTIVE, "", "Landing days of the window that may be bad.",
              _of_objectives(lambda o: float(o.budget.allowed)))
    yield one("error_budget_left_partitions", G, OBJECTIVE, "", "Landing days that may still be bad; negative once missed.",
              _of_objectives(lambda o: float(o.budget.remaining)))
    yield one("error_budget_runs", G, OBJECTIVE, "", "Runs of the window that may fail.",
              _of_runs(lambda r: float(r.budget.allowed)))
    yield one("error_budget_left_runs", G, OBJECTIVE, "", "Runs that may still fail; negative once missed.",
              _of_runs(lambda r: float(r.budget.remaining)))
    yield one("error_budget_burn_rate", G, ("dataset", "objective", "window_days"), "",
              "Bad landing days or runs by those that the target allows in a window; at 1 the budget lasts its whole window.",
              _burns)

    # Incidents
    yield one("open_incidents", G, ("class", "severity"), "", "Incidents that are not over.",
              lambda r: [MetricSample(i.incidents, (i.failure_class, i.severity)) for i in incidents.open_by_class(r.engine)])
    yield one("incidents", C, ("class",), "", "Incidents ever opened.",
              lambda r: [MetricSample(n, (name,)) for name, n in incidents.ever_by_class(r.engine).items()])
    for measure, words in {
        "time_to_detect": "first bad write to detection (MTTD)",
        "time_to_acknowledge": "detection to first answer (MTTA)",
        "time_to_recover": "detection to data that are right again (MTTR)",
        "time_to_resolve": "detection to the end of the incident",
    }.items():
        yield one(f"incident_mean_{measure}_seconds", G, SEVERITY, "seconds",
                  f"Mean from {words}, of at most 100 incidents detected within 30 days.", _of_incidents(measure))

    # Rows
    yield one("rows", G, ("source", "disposition"), "",
              "Delivered rows by what became of them, over all landing days as of their last audits.",
              lambda r: [MetricSample(d.rows, (d.source, d.disposition)) for d in backlogs.dispositions(r.engine)])
    yield one("dead_letter_rows", G, SOURCE, "", "Rejected rows that wait in quarantine.",
              lambda r: [MetricSample(d.rows, (d.source,)) for d in r.dead_letters])
    yield one("dead_letter_files", G, SOURCE, "", "Refused files that wait in quarantine.",
              lambda r: [MetricSample(d.files, (d.source,)) for d in r.dead_letters])
    yield one("oldest_dead_letter_timestamp_seconds", G, SOURCE, "seconds",
              "End of the oldest landing day of which something waits in quarantine.", _oldest_dead_letters)

    # Runs
    yield one("builds", C, ("outcome",), "", "Builds that have ended.",
              lambda r: [MetricSample(n, (name,)) for name, n in durations.build_outcomes(r.settings, r.engine).items()])
    yield one("last_successful_build_timestamp_seconds", G, (), "seconds", "When the last build that ended well did.",
              lambda r: _moment(durations.last_success(r.engine)))
    yield one("build_rows_per_second", G, (), "", "Delivered rows of the newest build by its seconds, once audited.",
              lambda r: _number(durations.rows_per_second(r.settings, r.engine)))
    yield one("stage_seconds", C, ("stage", "source"), "seconds", "Seconds of stages that ended well.",
              lambda r: [MetricSample(s.seconds, (s.stage, s.source)) for s in r.stages])
    yield one("stage_runs", C, ("stage", "source"), "", "Stages that ended well.",
              lambda r: [MetricSample(s.times, (s.stage, s.source)) for s in r.stages])
    yield one("stage_last_duration_seconds", G, ("stage", "source"), "seconds", "Seconds of the last one that ended well.",
              lambda r: [MetricSample(s.last_seconds, (s.stage, s.source)) for s in r.stages])
    yield one("steps", C, (), "", "Steps of Dagster's runs that were begun, other tries of one among them.",
              lambda r: _number(None if r.steps is None else r.steps.started))
    yield one("step_retries", C, (), "", "Steps of Dagster's runs that were begun once more.",
              lambda r: _number(None if r.steps is None else r.steps.tried_again))
    yield one("failed_steps", C, ("cause",), "", "Steps of Dagster's runs that failed, by cause.",
              lambda r: [MetricSample(f.times, (f.cause,)) for f in durations.failed_steps(r.engine)])

    # Sources
    yield one("fetches", C, SOURCE, "", "Landing days that a source was asked for.",
              lambda r: [MetricSample(f.fetches, (f.source,)) for f in r.fetches])
    yield one("fetch_refusals", C, SOURCE, "", "Requests to a source that failed; most were tried again.",
              lambda r: [MetricSample(f.refusals, (f.source,)) for f in r.fetches])
    yield one("breaker_state", G, ("source", "state"), "",
              "The state of a source's circuit breaker, 1 for the present one.", _breakers)
    yield one("stream_lag_records", G, SOURCE, "",
              "Records that a topic had when it was read last, and that have not landed.",
              lambda r: [MetricSample(lag.records, (name,)) for name, lag in r.stream_lags.items()])
    yield one("stream_lag_seconds", G, SOURCE, "seconds",
              "How old the newest record of a topic was that has landed, where others waited.",
              lambda r: [MetricSample(lag.seconds, (name,)) for name, lag in r.stream_lags.items()])
    yield one("deadline_at_risk", G, SOURCE, "",
              "Whether the next deadline of a source will be missed as things stand, 1 or 0.",
              lambda r: [MetricSample(s.at_risk, (s.source,)) for s in r.sources])

    yield one("partitions_missed_while_paused", G, SOURCE, "",
              "Landing days that were built without a source while it was paused, and that still lack it.",
              lambda r: [MetricSample(len(s.missed_while_paused), (s.source,)) for s in r.sources])
    yield one("paused_since_timestamp_seconds", G, ("kind", "name", "state"), "seconds",
              "Since when a source or a published table is paused, or a table withdrawn, by somebody.",
              lambda r: [s for p in standing_pauses(r.engine, r.now) for s in _moment(p.at, p.kind, p.name, p.state)])

    # What waits to be told
    yield one("alerts_waiting", G, ("channel",), "", "Alerts that are still to be sent.",
              lambda r: [MetricSample(a.waiting, (a.name,)) for a in r.alerts])
    yield one("alerts_undelivered", G, ("channel",), "", "Alerts that were given up.",
              lambda r: [MetricSample(a.undelivered, (a.name,)) for a in r.alerts])
    yield one("lineage_events_waiting", G, (), "", "Lineage events that are still to be sent.",
              lambda r: [MetricSample(EventSpool(r.engine).waiting())])
    yield one("lineage_events_dead", G, (), "", "Lineage events that the endpoint refused.",
              lambda r: [MetricSample(sum(EventSpool(r.engine).dead_letters().values()))])

    # The home
    yield one("newest_snapshot_timestamp_seconds", G, (), "seconds", "When the newest snapshot was taken.",
              lambda r: _moment(backlogs.newest_snapshot(r.settings)))
    yield one("last_drill_timestamp_seconds", G, ("drill",), "seconds", "When a drill or an experiment was last done with success.",
              lambda r: [s for name, at in backlogs.last_drills(r.engine).items() for s in _moment(at, name)])
    yield one("free_room_bytes", G, ("place",), "bytes", "What is free on the disk of the home, or of its snapshots.",
              lambda r: [MetricSample(n, (place,)) for place, n in backlogs.free_bytes(r.settings).items()])
    yield one("available_memory_bytes", G, (), "bytes", "Memory that a new process could have.", _memory)

    # Who is at home
    yield one("daemon_heartbeat_timestamp_seconds", G, ("daemon",), "seconds", "When a daemon last said that it runs.",
              lambda r: [s for d in r.at_home.daemons for s in _moment(d.last_heartbeat, d.daemon)])
    yield one("sensor_tick_timestamp_seconds", G, ("sensor",), "seconds", "When a sensor last looked and came to an end.",
              lambda r: [s for t in r.at_home.sensors for s in _moment(t.last_tick, t.sensor)])
    yield one("sensor_late", G, ("sensor",), "", "Whether a sensor that is on has not ticked when it should have, 1 or 0.",
              lambda r: [MetricSample(not t.ticks, (t.sensor,)) for t in r.at_home.sensors])
    yield one("schedule_missed", G, ("schedule",), "",
              "Whether a schedule that is on did not fire at its last turn, 1 or 0.",
              lambda r: [MetricSample(not t.fired, (t.schedule,)) for t in r.at_home.schedules])
    # fmt: on


METRICS: dict[str, DeclaredMetric] = {metric.name: metric for metric in _declared()}
"""By name, in the order in which they are written."""

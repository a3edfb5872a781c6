"""`reliability demo`: the whole loop in one command, through the very assets, sensors and jobs of `make dev`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from reliability_platform.cli.demo_home import begin, end, may_be_emptied
from reliability_platform.cli.options import (
    hint,
    home_option,
    home_served,
    home_session,
    json_option,
    people,
    print_json,
    progress,
)
from reliability_platform.cli.parameters import SEED, Whole
from reliability_platform.cli.tables import Table
from reliability_platform.clock import FIRST_DAY, utc_now
from reliability_platform.clock import days as day_range
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.formats import NOTHING, seconds
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from reliability_platform.lab.faults.fault import Fault
    from reliability_platform.lab.faults.plan import ActivePlan
    from reliability_platform.lab.recordings.recording import Recording
    from reliability_platform.lab.simulation.simulation import Simulation
    from reliability_platform.orchestration.local import LocalDaemon

DAYS, EVENTS = 30, 250_000
STAGES = 9
RECORDED_STAGES = STAGES + 1
SCRIPT = "the demo's script"
APPROVAL = f"{SCRIPT}, in the place of a person who has asked the owner of the source"


class Stages:
    """Wall-clock seconds of each stage; a bar on a terminal, a line per finished stage everywhere."""

    def __init__(self, count: int) -> None:
        self.seconds: dict[str, float] = {}
        columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=progress, transient=True, disable=not progress.is_terminal)
        self._task = self._bar.add_task("", total=count)

    def __enter__(self) -> "Stages":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @contextmanager
    def stage(self, name: str, words: str) -> Iterator[None]:
        """Time one stage and say on stderr what is going on."""
        start = time.perf_counter()
        self._bar.update(self._task, description=words)
        yield
        self.seconds[name] = round(time.perf_counter() - start, 2)
        self._bar.advance(self._task)
        progress.print(f"[green]✓[/green] {words} [dim]{seconds(self.seconds[name])}[/dim]")


@dataclass(frozen=True)
class Subject:
    """What a demo breaks: simulated sources, or those of a recording."""

    first: date
    last: date
    active: "ActivePlan"
    simulation: "Simulation | None"
    """None on a recording."""
    left_out: Mapping[str, str]
    """Why faults are not injected, by fault."""


def run_demo(settings: Settings, subject: Subject, stages: Stages) -> dict[str, Any]:
    """The loop itself; returns the document that `--json` prints."""
    active, first, last = subject.active, subject.first, subject.last
    with stages.stage("start", "Starting"):
        # What is wrong with the request is said before what takes seconds to load.
        from reliability_platform.lab.clean import clean_sources
        from reliability_platform.lab.faults.catalogue import fault_named
        from reliability_platform.lab.faults.fault import Stage
        from reliability_platform.lab.faults.injection import rehearse
        from reliability_platform.lab.processes import get_ready
        from reliability_platform.lab.simulation.system import simulated_sources

        simulation = subject.simulation
        rehearse(simulated_sources(simulation) if simulation is not None else clean_sources(settings), active)
        get_ready()  # it imports the same as this process does now
        live = [injection for injection in active.injections if fault_named(injection.fault).stage is not Stage.LANDING]
        landing = [fault_named(injection.fault) for injection in active.injections if injection not in live]
        begin(settings)
        if simulation is not None:
            simulation.save(settings)
            active.save(settings)

        from reliability_platform.cli.live import inject_and_respond
        from reliability_platform.day_clock import simulate
        from reliability_platform.lab.faults.landed_again import follow
        from reliability_platform.lab.oracle import OracleBeside, verify
        from reliability_platform.lab.scorecard.run import leave_evidence
        from reliability_platform.lab.scorecard.score import score
        from reliability_platform.landing.admission import landed_partitions
        from reliability_platform.operations import operations_engine
        from reliability_platform.orchestration.definitions import defs
        from reliability_platform.orchestration.home import platform_instance
        from reliability_platform.orchestration.local import LocalDaemon
        from reliability_platform.orchestration.scorecard_asset import show_scorecard, stage_timings
        from reliability_platform.orchestration.sensors import incident_sensor, remediation_sensor
        from reliability_platform.warehouse.dbt_manifest import ensure_manifest
        from reliability_platform.warehouse.marts import marts
        from reliability_platform.warehouse.snapshots.take import take_snapshot

    with platform_instance(settings) as instance:
        daemon = LocalDaemon(instance, defs, [incident_sensor, remediation_sensor])
        injected = f", with {faults_and_controls(landing)}" if landing else ""
        span = counted((last - first).days + 1, "day")
        simulate(operations_engine(settings), day_range(first, last), utc_now())
        recorded: list[str] = []
        if simulation is None:
            with stages.stage("recorded", f"Landing, building, checking and publishing {span} as they were recorded"):
                daemon.run("pipeline", first=first, last=last)
                daemon.settle()
                recorded = take_for_the_truth(settings, daemon)
            follow(settings, active)
        with stages.stage("pipeline", f"Landing, building, checking and publishing {span}{injected}"):
            daemon.run("pipeline", first=first, last=last)
        oracle = OracleBeside(settings)
        with stages.stage("incidents", "Turning failed checks into incidents, and healing them"):
            daemon.settle()
        with stages.stage("approvals", "Approving what the policy leaves to a person, and healing it"):
            approved = _approve(settings, daemon)
        with stages.stage("snapshot", "Taking a snapshot, as every night"):
            take_snapshot(settings, utc_now)
        injecting = f"Injecting {counted(len(live), 'fault')} into the running platform, each healed before the next"
        with stages.stage("live", injecting) if live else nullcontext():
            for injection in live:
                progress.print(f"[dim]  {injection.fault} on {injection.source}[/dim]")
                inject_and_respond(settings, daemon, active.seed, injection)
                approved += _approve(settings, daemon)
        if recorded:
            dismiss(settings, recorded)
        timings = stage_timings(instance)
    partitions = landed_partitions(settings)
    same = "month" if simulation is not None else "days"
    with stages.stage("oracle", f"Comparing, row for row, with the same {same} built without any failure"):
        comparisons = verify(settings, partitions, beside=oracle)
    engine = operations_engine(settings)
    with stages.stage("score", "Grading against the truth"):
        card = score(settings, engine, marts(ensure_manifest()), comparisons)
    with stages.stage("evidence", "Writing the evidence, the runbooks and the report"):
        evidence = leave_evidence(settings, engine, card, utc_now(), timings)
        with platform_instance(settings) as instance:
            show_scorecard(instance, evidence)
    return {
        "seed": active.seed,
        "window": {"from": first, "to": last},
        "events": card.conservation.delivered,
        "faults": [asdict(fault) for fault in card.faults],
        "incidents": card.incidents,
        "recorded": None if simulation is not None else {"false_alarms": recorded},
        "left_out": dict(subject.left_out),
        "approved": approved,
        "report": str(evidence.report),
        "conservation": asdict(card.conservation),
        "oracle": {
            "equal": all(table.equal for table in comparisons),
            "tables": {
                table.name: {"rows": table.rows, "equal": table.equal, "first_differences": table.first_differences}
                for table in comparisons
            },
        },
        "seconds": stages.seconds,
        "proved": not card.failures,
        "failures": card.failures,
    }


def _approve(settings: Settings, daemon: "LocalDaemon") -> list[dict[str, str]]:
    """Say yes to every action that waits for a person, as the person on call would after asking the source's owner; also to
    those of incidents that healing shows: once a day is healed, those beside it are judged by a better past.
    """
    from reliability_platform.operations import operations_engine
    from reliability_platform.pipeline.ticks import waiting_for_a_person
    from reliability_platform.remediation.actions import ACTIONS
    from reliability_platform.remediation.heal import act, describe
    from reliability_platform.remediation.policy import POLICIES

    engine = operations_engine(settings)
    approved: list[dict[str, str]] = []
    while True:
        asked = {one["incident"] for one in approved}
        waiting = [one for one in waiting_for_a_person(settings, engine, utc_now()) if one.id not in asked]
        for incident in waiting:
            summary = ACTIONS[POLICIES[incident.failure_class].action].purpose
            approved.append(
                {"incident": incident.id, "summary": summary, "action": describe(settings, incident), "why": APPROVAL}
            )
            act(settings, engine, incident.id, utc_now(), APPROVAL)
        daemon.settle()
        if not waiting:
            return approved


def take_for_the_truth(settings: Settings, daemon: "LocalDaemon") -> list[str]:
    """Call what the recorded days raise as they are a false alarm, and run those days again; returns the incidents.

    Raises `UsageError` if a day is held for all that: nothing could be proved on it.
    """
    from reliability_platform.checks.gate import held
    from reliability_platform.checks.store import CheckStore
    from reliability_platform.incidents.store import IncidentStore
    from reliability_platform.landing.admission import landed_partitions
    from reliability_platform.operations import operations_engine

    engine = operations_engine(settings)
    raised = [one for one in IncidentStore(engine).open() if one.partitions]
    dismiss(settings, [one.id for one in raised])
    for first, last in sorted({(min(one.partitions), max(one.partitions)) for one in raised}):
        daemon.run("reprocess", first=first, last=last)
    daemon.settle()
    for (source, day), objections in held(CheckStore(engine), landed_partitions(settings)).items():
        raise UsageError(
            f"{source} of {day} is held as it was recorded: {objections[0]}. Record other days, or break those before it with --days."
        )
    return [one.id for one in raised]


def dismiss(settings: Settings, incidents: Sequence[str]) -> None:
    """Call those of some incidents that are open false alarms, as the person did who took their days for the truth."""
    from reliability_platform.incidents.decisions import Decision, decide
    from reliability_platform.incidents.store import IncidentStore
    from reliability_platform.operations import operations_engine

    store = IncidentStore(operations_engine(settings))
    for incident in incidents:
        if store.get(incident).is_open:
            decide(store, incident, Decision.FALSE_ALARM, utc_now(), SCRIPT, "So it was recorded, as the truth.")


def _first_of(checks: list[str]) -> str:
    """One check and how many more: the incident's page has them all."""
    return checks[0] + (f" +{len(checks) - 1}" if len(checks) > 1 else "") if checks else ""


def _number(incident: str) -> str:
    """`INC-0007`, by which every command knows it."""
    return "-".join(incident.split("-")[:2])


def approvals(approved: list[dict[str, str]]) -> str:
    """What was approved for which incidents. What each of these actions would do stands in its incident and in --json."""
    by_action: dict[str, list[str]] = {}
    for one in approved:
        by_action.setdefault(one["summary"], []).append(_number(one["incident"]))
    return "; ".join(f"{action} ({', '.join(sorted(ids))})" for action, ids in by_action.items())


def faults_and_controls(injected: Sequence["Fault"]) -> str:
    """How many there are of each, as the report counts them: a control is no fault, and must raise no alarm."""
    controls = sum(one.is_control for one in injected)
    faults = counted(len(injected) - controls, "fault")
    return f"{faults} and {counted(controls, 'control')}" if controls else faults


def show(document: dict[str, Any]) -> None:
    """The summary for a person."""
    yes, no = "[green]yes[/green]", "[bold red]NO[/bold red]"
    faults = Table(title="What was broken, and what became of it", spare=("healed after", "incident"))
    for column in (
        "fault",
        "source",
        "landing day",
        "caught by",
        "incident",
        "severity",
        "contained",
        "healed",
        "healed after",
    ):
        faults.add_column(column)
    for fault in document["faults"]:
        silent = fault["expected_severity"] is None
        faults.add_row(
            fault["fault"],
            fault["source"],
            fault["partition"],
            _first_of(fault["detected_by"]) or ("nothing to notice" if silent else no),
            _number(fault["incident"]) if fault["incident"] else NOTHING if silent else no,
            fault["severity"] or NOTHING,
            yes if fault["contained"] else "[yellow]told[/yellow]" if fault["told"] else no,
            yes if fault["healed"] else no,
            seconds(fault["time_to_recover_seconds"]),
        )
    people.print(faults if document["faults"] else "Nothing was broken: the plan has no fault.")
    rows = document["conservation"]
    people.print(
        f"Rows: {rows['delivered']:,} delivered = {rows['accepted']:,} accepted + {rows['duplicate']:,} duplicate "
        f"+ {rows['quarantined']:,} quarantined + {rows['held_late']:,} held late, {rows['unaccounted']:,} unaccounted."
    )
    recorded = document["recorded"]
    tables = Table(
        title=f"Published, against {'a month' if recorded is None else 'the same days'} in which nothing failed"
    )
    for column in ("table", "rows", "equal"):
        tables.add_column(column, justify="right" if column == "rows" else "left")
    for name, table in document["oracle"]["tables"].items():
        tables.add_row(name, f"{table['rows']:,}", yes if table["equal"] else no)
    people.print(tables)
    if document["approved"]:
        people.print(f"[yellow]Approved[/yellow] by {APPROVAL}: {approvals(document['approved'])}.")
    counts = document["incidents"]
    people.print(
        f"Incidents: {counts['opened']} opened, {counts['resolved']} resolved, "
        f"{counts['without_a_fault']} without a fault behind them."
    )
    if recorded is not None:
        show_recorded(recorded)
    show_left_out(document["left_out"])
    for failure in document["failures"]:
        people.print(f"[bold red]✗[/bold red] {escape(failure)}")
    total = sum(document["seconds"].values())
    people.print(f"The report: {document['report']}", markup=False, soft_wrap=True)
    if document["proved"]:
        see = escape(hint("dev"))
        people.print(f"[bold green]Healed and proved[/bold green] in {total:.0f} s. See it all in the UI: {see}")


def show_recorded(recorded: dict[str, Any]) -> None:
    """What a recording raised by itself."""
    if recorded["false_alarms"]:
        numbers = ", ".join(map(_number, recorded["false_alarms"]))
        people.print(f"Of these the recorded days raised {numbers} as they are: called false alarms by {SCRIPT}.")


def show_left_out(left_out: Mapping[str, str]) -> None:
    """Which faults are not injected, and why."""
    by_reason: dict[str, list[str]] = {}
    for fault, why in left_out.items():
        by_reason.setdefault(why, []).append(fault)
    for why, faults in by_reason.items():
        people.print(f"Not injected: {', '.join(faults)} ({why}).", markup=False)


def simulated_demo(days: int | None, events: int | None, seed: int, plan: str | None) -> Subject:
    """The demo of the shop. Raises `UsageError`, in a project of one's own too."""
    from reliability_platform.lab.faults.plan import ActivePlan, load_plan
    from reliability_platform.lab.simulation.simulation import Simulation
    from reliability_platform.lab.simulation.system import SIMULATED

    if not SIMULATED:
        raise UsageError(
            "No source of this project is simulated: `reliability lab record --from DAY --to DAY --into FOLDER` makes a home of "
            "the lab out of landed days, and `reliability demo --home FOLDER` breaks those."
        )
    days = days or DAYS
    last: date = FIRST_DAY + timedelta(days=days - 1)
    if last >= utc_now().date():
        raise UsageError(f"--days {days} reaches into the future ({last}); give fewer days.")
    active = ActivePlan.resolve(load_plan(plan or "showcase"), seed=seed, first=FIRST_DAY, last=last)
    return Subject(FIRST_DAY, last, active, Simulation(seed, ceil((events or EVENTS) / days)), {})


def recorded_demo(recording: "Recording", days: int | None, events: int | None, seed: int, plan: str | None) -> Subject:
    """The demo of a recording: by default with the plan that follows from its contracts. Raises `UsageError`."""
    from reliability_platform.lab.campaign.derived_plan import derived_plan
    from reliability_platform.lab.faults.plan import ActivePlan, load_plan

    if events is not None:
        raise UsageError("A recording has the events that were recorded: leave out --events.")
    there = len(recording.days)
    if days is not None and days > there:
        raise UsageError(f"The recording has {counted(there, 'day')}: give --days {there} or fewer.")
    last = recording.first + timedelta(days=(days or there) - 1)
    if plan is not None:
        active = ActivePlan.resolve(load_plan(plan), seed=seed, first=recording.first, last=last)
        return Subject(recording.first, last, active, None, {})
    derived = derived_plan(recording, seed, days or there)
    return Subject(recording.first, last, ActivePlan(seed, derived.injections), None, derived.left_out)


def possible(settings: Settings, subject: Subject, *, is_asked: bool) -> Subject:
    """Without the faults that the engine of the home leaves no place for. Raises `UsageError` where somebody asks for one."""
    from reliability_platform.lab.faults.catalogue import fault_named
    from reliability_platform.lab.faults.injection import refuse_impossible
    from reliability_platform.lab.faults.warehouse import not_on_spark

    if is_asked:
        refuse_impossible(settings, subject.active.injections)
    reasons = {one.fault: not_on_spark(settings, fault_named(one.fault)) for one in subject.active.injections}
    possible = tuple(one for one in subject.active.injections if not reasons[one.fault])
    impossible = {fault: why for fault, why in reasons.items() if why}
    return replace(
        subject,
        active=replace(subject.active, injections=possible),
        left_out={**subject.left_out, **impossible},
    )


@click.command()
@click.option("--days", type=Whole(1, 3660), default=None, help=f"Landing days. [default: {DAYS}; of a recording, all]")
@click.option("--events", type=Whole(1, 1_000_000_000), default=None, help=f"Events, at least. [default: {EVENTS:,}]")
@click.option("--seed", type=SEED, default=7, show_default=True, help="The same seed gives the same bytes.")
@click.option(
    "--plan",
    default=None,
    help="A plan's name, or a YAML file of your own. [default: showcase; on a recording, what its contracts give to hit]",
)
@click.option("--yes", is_flag=True, help="Replace an earlier demo with all that was done in its home since.")
@home_option
@json_option
def demo(
    days: int | None,
    events: int | None,
    seed: int,
    plan: str | None,
    yes: bool,
    settings: Settings,
    as_json: bool,
) -> int:
    """Break a month of data on purpose, heal it, and prove it.

    In a home of the lab (`reliability lab record`) the recorded days are broken, else the simulated shop. A demo in the same
    home is replaced; if anything has been done there since, it asks first, and where nobody can be asked it needs --yes.
    """
    from reliability_platform.lab.clean import recording_of

    recording = recording_of(settings)
    subject = (
        simulated_demo(days, events, seed, plan)
        if recording is None
        else recorded_demo(recording, days, events, seed, plan)
    )
    subject = possible(settings, subject, is_asked=plan is not None)
    with home_session(settings), home_served(settings):
        before = may_be_emptied(settings, yes)
        if before:
            progress.print(before, markup=False)
        with Stages(RECORDED_STAGES if subject.simulation is None else STAGES) as stages:
            document = run_demo(settings, subject, stages)
        end(settings)
    if as_json:
        print_json(document)
    else:
        show(document)
    return ExitCode.OK if document["proved"] else ExitCode.NOT_HEALED

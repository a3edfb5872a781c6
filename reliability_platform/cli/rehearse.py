"""`reliability rehearse`: does the platform do what is believed of it? Asked on a clone of the home."""

from functools import partial
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from reliability_platform.cli.options import hint, home_option, json_option, people, print_json, progress
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.formats import NOTHING, moment, seconds
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from reliability_platform.lab.experiments.run import ExperimentReport


@click.command()
@click.argument("experiment", required=False)
@click.option("--list", "only_list", is_flag=True, help="Show every experiment, its last result and when it is due.")
@home_option
@json_option
def rehearse(experiment: str | None, only_list: bool, settings: Settings, as_json: bool) -> int:
    """Run an EXPERIMENT on a clone of the home, and say whether its hypothesis held.

    EXPERIMENT is a name (`--list` shows them) or a YAML file: a steady state, a hypothesis, what is injected, the expected end.
    Without it, all experiments that are due are run. Only the result is kept in the home; nobody is told, and no error budget is
    spent. Reports are in `drills/` of the home.
    """
    if only_list:
        return _list(settings, as_json)
    from reliability_platform.lab.experiments.experiment import file_of, read_experiment

    names = [experiment] if experiment is not None else _due(settings)
    files = [file_of(name) for name in names]
    chosen = [(file.stem, read_experiment(file)) for file in files]
    if not chosen and not as_json:
        people.print(f"No experiment is due. All of them: {hint('rehearse --list')}", markup=False)
    from reliability_platform.lab.experiments.judge import ExperimentStatus
    from reliability_platform.lab.experiments.report import keep
    from reliability_platform.lab.experiments.run import run_experiment
    from reliability_platform.operations import operations_engine

    documents, reports = [], []
    for name, one in chosen:
        report = run_experiment(settings, name, one, utc_now, partial(_say, name))
        path = keep(settings, operations_engine(settings), report)
        reports.append(report)
        documents.append({**report.document(), "report": path})
        if not as_json:
            _show(report)
            if path is not None:
                people.print(f"Report: {path}", markup=False)
    if as_json:
        print_json(documents[0] if experiment is not None else documents)
    held = all(one.status is ExperimentStatus.HELD for one in reports)
    return ExitCode.OK if held else ExitCode.NOT_HEALED


def _say(name: str, step: str) -> None:
    progress.print(f"{name}: {step} …", markup=False)


def _due(settings: Settings) -> list[str]:
    """The experiments that are due, by name."""
    from reliability_platform.lab.calendar import calendar
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.drill_log import Drill, due

    return [name for name in due(calendar(settings), operations_engine(settings), utc_now()) if name not in set(Drill)]


def _show(report: "ExperimentReport") -> None:
    """What became of the hypothesis, claim by claim."""
    from reliability_platform.lab.experiments.judge import ExperimentStatus
    from reliability_platform.lab.experiments.report import answer

    colour = {ExperimentStatus.HELD: "green", ExperimentStatus.REFUTED: "bold red"}.get(report.status, "yellow")
    people.print(f"{escape(report.experiment.title)}: [{colour}]{report.status}[/{colour}]")
    if not report.was_steady:
        people.print("The home is not in the steady state that the experiment begins with; nothing was injected.")
    for one in report.injections:
        people.print(f"  Injected: {one.fault} into {one.source} on {one.landing_date}, {one.magnitude}", markup=False)
    table = Table()
    for column in ("claim", "expected", "observed", ""):
        table.add_column(column)
    colours = {True: "green", False: "bold red", None: "yellow"}
    for claim in report.claims:
        colour = colours[claim.held]
        cells = map(escape, (claim.claim, claim.expected, claim.observed))
        table.add_row(*cells, f"[{colour}]{answer(claim)}[/{colour}]")
    people.print(table)
    for remark in report.remarks:
        people.print(f"  {remark}", markup=False)
    people.print(f"Took {seconds(sum(report.steps.values()))} on the clone.")


def _list(settings: Settings, as_json: bool) -> int:
    rows = _listed(settings)
    if as_json:
        print_json(rows)
        return ExitCode.OK
    table = Table()
    for column in ("experiment", "what it is about", "last result", "due"):
        table.add_column(column)
    for row in rows:
        result = row["last_result"] or NOTHING
        last = f"{result} ({moment(row['last_at'])})" if row["last_at"] else result
        due = "now" if row["due"] else moment(row["due_at"]) if row["due_at"] else "when asked for"
        table.add_row(row["name"], escape(row["problem"] or row["title"]), last, row["not_applicable"] or due)
    people.print(table)
    return ExitCode.OK


def _listed(settings: Settings) -> list[dict[str, Any]]:
    """Every experiment: what it is about, its last result, when it is due."""
    from reliability_platform.lab.calendar import calendar
    from reliability_platform.lab.experiments.experiment import experiment_files, read_experiment
    from reliability_platform.lab.experiments.placement import why_not
    from reliability_platform.operations import operations_engine
    from reliability_platform.recovery.drill_log import DUE_AT, DrillLog, due

    engine, planned = operations_engine(settings), calendar(settings)
    log = DrillLog(engine)
    last, met = {one.drill: one for one in log.all()}, log.last_met()
    waiting, rows = due(planned, engine, utc_now()), []
    for name, path in experiment_files().items():
        try:
            experiment, problem = read_experiment(path), None
        except UsageError as error:
            experiment, problem = None, str(error)
        done = last.get(name)
        rows.append(
            {
                "name": name,
                "title": experiment.title if experiment is not None else None,
                "file": path,
                "problem": problem,
                "not_applicable": why_not(experiment) if experiment is not None else None,
                "last_at": done.began_at if done else None,
                "last_result": None if done is None else "held" if done.met else "refuted",
                "due": name in waiting,
                "due_at": met[name] + planned[name] * DUE_AT if name in met and name in planned else None,
            }
        )
    return rows

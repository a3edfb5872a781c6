"""`reliability slo`: which objectives hold, what is left of their error budgets, what has spent them."""

from datetime import date

import click
from rich.markup import escape

from reliability_platform.cli.options import DAY, echo, home_option, json_option, people, print_json
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


@click.command()
@click.option("--as-of", "as_of", type=DAY, default=None, help="Last landing day looked at. [default: newest judged]")
@click.option("--dataset", "datasets", multiple=True, help="Only this mart or source; may be given more than once.")
@home_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV file, one row per objective.")
def slo(as_of: date | None, datasets: tuple[str, ...], settings: Settings, as_json: bool, as_csv: bool) -> None:
    """Show service level objectives: good and bad landing days, error budgets, how fast they burn.

    An exhausted budget is no failure of the command: the exit code stays 0. With RELIABILITY_CHANGE_FREEZE it says whose
    changes are frozen.
    """
    from reliability_platform.service.queries.slo import slo_status
    from reliability_platform.slo import report

    if as_json and as_csv:
        raise UsageError("--json and --csv contradict each other: give one of them.")
    engine, now = operations_engine(settings), utc_now()
    found = slo_status(settings, engine, now, as_of, datasets)
    if as_json:
        print_json(report.document(found))
        return
    if as_csv:
        echo(report.as_csv(found).decode(), nl=False)
        return
    if found.objectives:
        table = Table(title=f"Service level objectives as of {found.as_of}")
        for column in report.people_header(found):
            table.add_column(column, no_wrap=column == "dataset")
        for one in found.objectives:
            style = "red" if one.budget.missed else "yellow" if one.budget.exhausted or one.burning else None
            table.add_row(*map(escape, report.people_row(one)), style=style)
        people.print(table)
        for one in found.exhausted:
            people.print(f"{one.objective.dataset} {one.objective.name}: {one.budget.words}", soft_wrap=True)
    if found.frozen:
        people.print(report.freeze_words(found), soft_wrap=True, markup=False)
    if found.runs is not None:
        burning = "".join(f" Burning: {alert.name}." for alert in found.runs.burning)
        people.print(f"Runs: {found.runs.words}{burning}", soft_wrap=True)
    stale = None if as_of else report.staleness(found, engine, now)
    if stale:
        people.print(stale, soft_wrap=True)

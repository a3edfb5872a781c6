"""`reliability scorecard`: what became of everything that was broken, and the evidence for it."""

import click
from rich.markup import escape

from reliability_platform.cli.options import (
    home_option,
    home_session,
    json_option,
    people,
    print_json,
    progress,
)
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode
from reliability_platform.formats import percent
from reliability_platform.settings import Settings

SAID = {"injections": "planned faults", "oracle_equal": "equal to a run without faults"}
"""Figures whose name in the documents is not what people call them."""


def _yes(value: object) -> str:
    return "yes" if value else "no"


@click.command()
@home_option
@json_option
def scorecard(settings: Settings, as_json: bool) -> int:
    """Grade the home against the truth and write the evidence: reports as JSON and CSV, every column documented.

    Builds the same days again without failures first.
    """
    from reliability_platform.lab.scorecard.headline import headline
    from reliability_platform.lab.scorecard.run import grade_home
    from reliability_platform.operations import operations_engine

    with home_session(settings):
        graded = grade_home(
            settings,
            operations_engine(settings),
            utc_now(),
            on_step=lambda step: progress.print(f"[dim]{step} …[/dim]"),
        )
    numbers, failures = headline(graded.card), graded.card.failures
    if as_json:
        files = [str(path.relative_to(settings.home)) for path in graded.files]
        print_json(
            {
                "proved": not failures,
                "headline": numbers,
                "failures": failures,
                "files": files,
                "report": str(graded.report.relative_to(settings.home)),
            }
        )
        return ExitCode.NOT_HEALED if failures else ExitCode.OK
    table = Table(title="Scorecard", show_header=False)
    for name, value in numbers.items():
        table.add_row(
            SAID.get(name, name.replace("_", " ")),
            percent(value) if name.endswith("_share") else _yes(value) if name == "oracle_equal" else str(value),
        )
    people.print(table)
    for failure in failures:
        people.print(f"[bold red]✗[/bold red] {escape(failure)}")
    people.print(f"The report: {graded.report}", markup=False, soft_wrap=True)
    people.print(
        f"{counted(len(graded.files) - 1, 'file')}; what they hold stands in {graded.files[-1]}",
        markup=False,
    )
    return ExitCode.NOT_HEALED if failures else ExitCode.OK

"""The checks: what they said; and where results of other tools come in."""

from datetime import date

import click

from reliability_platform.cli.lazy import LazyGroup
from reliability_platform.cli.options import DAY, check_range, home_option, json_option, people, print_json
from reliability_platform.cli.parameters import check_source
from reliability_platform.cli.tables import Table
from reliability_platform.formats import number
from reliability_platform.settings import Settings


@click.group(cls=LazyGroup, places={"import": "checks_import:import_results"}, invoke_without_command=True)
@click.option("--from", "first", type=DAY, default=None, help="First landing day. [default: the oldest]")
@click.option("--to", "last", type=DAY, default=None, help="Last landing day. [default: the newest]")
@click.option("--source", default=None, help="Only this source.")
@click.option("--all", "everything", is_flag=True, help="Passed checks too.")
@home_option
@json_option
def checks(
    first: date | None, last: date | None, source: str | None, everything: bool, settings: Settings, as_json: bool
) -> None:
    """Show check results by landing day: the latest of each check, those that did not pass."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    from reliability_platform.operations import operations_engine
    from reliability_platform.service.queries.checks import CheckFilter, check_counts, check_page

    check_source(source)
    if first is not None and last is not None:
        check_range(first, last)
    engine = operations_engine(settings)
    asked = CheckFilter(first, last, source, only_objections=not everything)
    counts, shown = check_counts(engine, asked).model_dump(), check_page(engine, asked).items
    if as_json:
        print_json({"counts": counts, "results": [vars(result) for result in shown]})
        return
    if shown:
        table = Table("landing day", "check", "status", "value", "limit", "in words")
        for result in shown:
            table.add_row(
                str(result.partition),
                result.check,
                result.status.value,
                number(result.value),
                result.threshold,
                result.message,
            )
        people.print(table)
    people.print(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()) + ".")

"""A command that only looks: the checks."""

from datetime import date

import click

from reliability_platform.cli.options import DAY, check_range, home_option, json_option, people, print_json
from reliability_platform.cli.parameters import check_source
from reliability_platform.cli.tables import Table
from reliability_platform.formats import number
from reliability_platform.settings import Settings


@click.command()
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
    from reliability_platform.checks.results import UNTOLD, CheckStatus
    from reliability_platform.checks.store import CheckStore
    from reliability_platform.operations import operations_engine

    check_source(source)
    since, until = first or date.min, last or date.max
    check_range(since, until)
    results = [
        result
        for result in CheckStore(operations_engine(settings)).latest()
        if since <= result.partition <= until and (source is None or result.source == source)
    ]
    counts = {status.value: sum(result.status is status for result in results) for status in CheckStatus}
    shown = [
        result
        for result in sorted(results, key=lambda one: (one.partition, one.check))
        if everything or (result.status is not CheckStatus.PASSED and result.reason not in UNTOLD)
    ]
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

"""`reliability quarantine list`: what was refused or rejected, by batch and reason."""

from datetime import date

import click
from rich.markup import escape

from reliability_platform.cli.options import DAY, check_range, hint, home_option, json_option, people, print_json
from reliability_platform.cli.parameters import check_source
from reliability_platform.cli.tables import Table
from reliability_platform.clock import FIRST_DAY
from reliability_platform.counted import counted
from reliability_platform.operations import operations_engine
from reliability_platform.service.queries.quarantine import (
    QuarantineFilter,
    file_records,
    quarantine_totals,
    row_page,
)
from reliability_platform.settings import Settings


@click.command(name="list")
@click.option("--source", default=None, help="Only this source.")
@click.option("--from", "first", type=DAY, default=FIRST_DAY.isoformat(), show_default=True, help="First landing day.")
@click.option("--to", "last", type=DAY, default=None, help="Last landing day. [default: the newest]")
@home_option
@json_option
def list_quarantine(source: str | None, first: date, last: date | None, settings: Settings, as_json: bool) -> None:
    """Refused files, and rejected rows by batch and reason."""
    check_source(source)
    check_range(first, last or date.max)
    asked = QuarantineFilter(source, first, last)
    files = file_records(settings, asked)
    engine = operations_engine(settings)
    rows = [one.model_dump() for one in row_page(engine, asked).items]
    if as_json:
        print_json({"files": files, "rows": rows})
        return
    table = Table(title="Quarantine")
    for column in ("source", "landing day", "batch", "what", "reason", "state"):
        table.add_column(column)
    for record in files:
        table.add_row(
            record["source"],
            record["landing_date"],
            escape(record["batch_id"]),
            "whole file",
            record["reason"],
            record["state"],
        )
    for row in rows:
        table.add_row(
            row["source"],
            str(row["landing_date"]),
            row["batch_id"],
            f"{counted(row['rows'], 'row')}",
            row["reason"],
            row["state"],
        )
    narrowed = source is not None or last is not None or first != FIRST_DAY
    empty = "Nothing of what was asked for is in quarantine." if narrowed else "The quarantine is empty."
    people.print(table if files or rows else empty)
    if settings.warehouse.exists() and quarantine_totals(settings, engine).copied_at is None:
        people.print(f"Rejected rows are not counted yet: `{hint('run')}` of any landing day does.", markup=False)

"""`reliability quarantine list`: what was refused or rejected, by batch and reason."""

from datetime import date
from typing import Any

import click
from rich.markup import escape

from reliability_platform.cli.options import DAY, check_range, home_option, json_option, people, print_json
from reliability_platform.cli.parameters import check_source
from reliability_platform.cli.quarantine.selection import shown_file
from reliability_platform.cli.tables import Table
from reliability_platform.clock import FIRST_DAY
from reliability_platform.counted import counted
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader


def _rows(settings: Settings, source: str | None, first: date, last: date) -> list[dict[str, Any]]:
    with warehouse_reader(settings) as connection:
        cursor = connection.execute(
            "select source, landing_date, batch_id, reject_reasons as reason, state, count(*) as rows from qtn_rows "
            "where (? is null or source = ?) and landing_date between cast(? as date) and cast(? as date) "
            "group by all order by all",
            [source, source, first.isoformat(), last.isoformat()],
        )
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@click.command(name="list")
@click.option("--source", default=None, help="Only this source.")
@click.option("--from", "first", type=DAY, default=FIRST_DAY.isoformat(), show_default=True, help="First landing day.")
@click.option("--to", "last", type=DAY, default=None, help="Last landing day. [default: the newest]")
@home_option
@json_option
def list_quarantine(source: str | None, first: date, last: date | None, settings: Settings, as_json: bool) -> None:
    """Refused files, and rejected rows by batch and reason."""
    check_source(source)
    until = last or date.max
    check_range(first, until)
    files = [
        shown_file(record)
        for record in quarantined_files(settings)
        if (source is None or record["source"] == source)
        and first.isoformat() <= record["landing_date"] <= until.isoformat()
    ]
    rows = _rows(settings, source, first, until)
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
    asked = source is not None or last is not None or first != FIRST_DAY
    empty = "Nothing of what was asked for is in quarantine." if asked else "The quarantine is empty."
    people.print(table if files or rows else empty)

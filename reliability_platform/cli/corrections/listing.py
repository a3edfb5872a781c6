"""`reliability corrections list` and `show`: what people have corrected, and which rows that is."""

from datetime import date
from typing import Any

import click
from rich.markup import escape

from reliability_platform.cli.options import hint, home_option, json_option, people, print_json
from reliability_platform.cli.parameters import check_source
from reliability_platform.cli.tables import Table
from reliability_platform.counted import counted
from reliability_platform.formats import moment, number, span
from reliability_platform.landing.corrections import Corrections, Decided
from reliability_platform.masking import masked
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


def _state(one: Decided, waiting: list[date]) -> str:
    return f"{one.turn}, not built yet" if waiting else one.turn


def told(one: Decided, waiting: list[date]) -> dict[str, Any]:
    """A correction for a program; `waiting` are its landing days that are not built as the last decision says."""
    return {
        "id": one.id,
        "source": one.correction.source,
        "correction": {**one.correction.document(), "words": one.correction.words},
        "state": one.turn,
        "rows": one.rows,
        "days": one.days,
        "days_not_built_yet": waiting,
        "who": one.who,
        "why": one.why,
        "incident": one.incident_id,
        "at": one.decided_at,
    }


@click.command("list")
@click.option("--source", default=None, help="Only this source.")
@home_option
@json_option
def list_corrections(source: str | None, settings: Settings, as_json: bool) -> None:
    """List the corrections, those taken back too, with who and why of the last decision."""
    check_source(source)
    from reliability_platform.remediation.corrections import unbuilt

    engine = operations_engine(settings)
    found = [(one, unbuilt(settings, engine, one)) for one in Corrections(engine).all(source)]
    if as_json:
        print_json([told(one, waiting) for one, waiting in found])
        return
    if not found:
        people.print("Nobody has corrected a row.")
        return
    view = Table("correction", "source", "landing days", "rows", "what", "state", "who", "why")
    for one, waiting in found:
        cells = (
            one.id,
            one.correction.source,
            span(one.days),
            f"{one.rows:,}",
            one.correction.words,
            _state(one, waiting),
            one.who,
            one.why,
        )
        view.add_row(*map(escape, cells))
    people.print(view)


@click.command()
@click.argument("correction")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Rows that are shown.")
@home_option
@json_option
def show(correction: str, limit: int, settings: Settings, as_json: bool) -> None:
    """Show a correction and the rows that it changes in the warehouse, old and new value. CORRECTION may be shortened."""
    from reliability_platform.remediation.corrections import unbuilt

    engine = operations_engine(settings)
    one = Corrections(engine).named(correction)
    rows, waiting = _rows(settings, one, limit), unbuilt(settings, engine, one)
    if as_json:
        print_json(told(one, waiting) | {"values": rows})
        return
    state = f"{_state(one, waiting)} by {one.who} at {moment(one.decided_at)}: {one.why}"
    people.print(f"{one.id} {one.correction.source}: {one.correction.words}.", markup=False)
    people.print(f"{counted(one.rows, 'row')} of {span(one.days)}, {state}", markup=False)
    if waiting:
        command = hint(f"run --from {waiting[0]} --to {waiting[-1]}")
        people.print(f"Not built as it says: {span(waiting)}; `{command}` does it.", markup=False)
    if one.incident_id is not None:
        people.print(f"For {one.incident_id}.", markup=False)
    view = Table("batch", "row", "before", "after")
    for row in rows:
        cells = (row["batch_id"], str(row["row_number"]), number(row["before"]), number(row["after"]))
        view.add_row(*map(escape, cells))
    people.print(view)


def _rows(settings: Settings, one: Decided, limit: int) -> list[dict[str, Any]]:
    from reliability_platform.warehouse.corrected import values_of
    from reliability_platform.warehouse.lease import warehouse_reader

    with warehouse_reader(settings) as connection:
        found = values_of(connection, one.id, one.correction.source, limit)
    column = one.correction.column
    return [
        {
            "landing_date": day,
            "batch_id": batch,
            "row_number": row,
            "before": masked(column, before),
            "after": masked(column, after),
        }
        for day, batch, row, before, after in found
    ]

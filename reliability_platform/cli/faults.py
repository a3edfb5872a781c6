"""`reliability faults`: the catalogue of declared faults and controls, and the plans that use them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from reliability_platform.cli.options import json_option, people, print_json
from reliability_platform.cli.parameters import check_source
from reliability_platform.cli.tables import Table
from reliability_platform.formats import NOTHING

if TYPE_CHECKING:
    from reliability_platform.lab.faults.fault import Fault


def _document(fault: "Fault") -> dict[str, Any]:
    """What the catalogue says of a fault, without the functions."""
    return {
        "name": fault.name,
        "family": fault.family,
        "stage": fault.stage.value,
        "description": fault.description,
        "applies_to": list(fault.applies_to),
        "magnitudes": dict(fault.magnitudes),
        "magnitude_meaning": fault.magnitude_meaning,
        "expected_class": fault.expected_class,
        "expected_severity": fault.expected_severity,
        "root": fault.root,
        "detected_by": list(fault.signature),
        "symptoms": list(fault.symptoms),
        "contained_by": fault.containment.value,
        "end_state": fault.end_state,
        "days_touched": fault.days_touched,
    }


@click.group(invoke_without_command=True)
@click.pass_context
def faults(context: click.Context) -> None:
    """The catalogue of declared faults: `list` them, or `show` all about one."""
    if context.invoked_subcommand is None:
        context.invoke(list_faults)


def _show_of_source(chosen: "Sequence[Fault]", source: str, as_json: bool) -> None:
    """Which faults find something to hit in a source, and why the others do not."""
    reasons = {one.name: one.why_not(source) for one in chosen}
    if as_json:
        print_json(
            [{**_document(one), "applies": not reasons[one.name], "why_not": reasons[one.name]} for one in chosen]
        )
        return
    applies = sum(reason is None for reason in reasons.values())
    table = Table(title=f"{applies} of {len(chosen)} apply to {source}")
    for column in ("name", "applies", "what is hit, or why nothing is"):
        table.add_column(column)
    for one in chosen:
        reason = reasons[one.name]
        table.add_row(one.name, "no" if reason else "yes", reason or one.description)
    people.print(table)


@faults.command("list")
@click.option("--controls", is_flag=True, help="The controls, which nothing may notice.")
@click.option(
    "--source", default=None, help="Say of each whether it finds something to hit in this source, or why not."
)
@json_option
def list_faults(controls: bool, source: str | None, as_json: bool) -> None:
    """Every fault: what it changes, how bad it is, what catches it, how it ends.

    What a fault hits in a source follows from its contract: a range, a label, a reference, a measure, a key.
    """
    from reliability_platform.lab.faults.catalogue import CATALOGUE, CONTROLS
    from reliability_platform.lab.faults.plan import plan_names

    chosen = list((CONTROLS if controls else CATALOGUE).values())
    if source is not None:
        check_source(source)
        _show_of_source(chosen, source, as_json)
        return
    if as_json:
        print_json([_document(one) for one in chosen])
        return
    table = Table(title=f"{len(chosen)} {'controls' if controls else 'faults'}")
    for column in ("name", "family", "stage", "severity", "what is hit", "contained by"):
        table.add_column(column)
    for one in chosen:
        severity = one.expected_severity or NOTHING
        table.add_row(one.name, one.family, one.stage.value, severity, one.description, one.containment.value)
    people.print(table)
    people.print(f"All about one: reliability faults show NAME. Plans: {', '.join(plan_names())}.")


@faults.command("show")
@click.argument("name")
@json_option
def show_fault(name: str, as_json: bool) -> None:
    """All that the catalogue declares of the fault or control NAME."""
    from reliability_platform.lab.faults.catalogue import fault_named

    document = _document(fault_named(name))
    if as_json:
        print_json(document)
        return
    for key, value in document.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        people.print(f"[bold]{key.replace('_', ' ')}[/bold]: {shown}")

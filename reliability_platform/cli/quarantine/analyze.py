"""`reliability quarantine analyze`: what dead letters have in common."""

from dataclasses import asdict
from datetime import date

import click
from rich.markup import escape

from reliability_platform.cli.options import hint, home_option, json_option, people, print_json
from reliability_platform.cli.quarantine.selection import refuse_unknown_batch, selected, selection_options
from reliability_platform.cli.tables import Table
from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING, percent
from reliability_platform.remediation.dead_letters.analysis import Analysis
from reliability_platform.remediation.dead_letters.analysis import analyze as look
from reliability_platform.settings import Settings

STATES = ("quarantined", "replayed", "superseded", "discarded")
SHOWN_GROUPS = 12


@click.command()
@selection_options
@click.option("--state", type=click.Choice(STATES), default=None, help="Only those in this state. [default: all]")
@home_option
@json_option
def analyze(
    source: str | None,
    day: date | None,
    first: date | None,
    last: date | None,
    batch: str | None,
    reason: str | None,
    state: str | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """Patterns of dead letters: reason, source, time, state, the values that offend (masked), and what they share."""
    wanted = selected(source, day, first, last, batch, reason)
    refuse_unknown_batch(settings, batch)
    found = look(settings, wanted, state)
    if as_json:
        print_json(asdict(found))
        return
    if not (found.rows or found.files):
        people.print(f"Nothing in quarantine is meant: see `{hint('quarantine list')}`.", markup=False)
        return
    people.print(f"{counted(found.rows, 'rejected row')}, {counted(found.files, 'refused file')}.")
    for line in found.patterns:
        people.print(f"• {line}", markup=False)
    _tables(found)


def _tables(found: Analysis) -> None:
    if found.rows:
        table = Table("by", "value", "rows", "share", title="Rejected rows")
        for name, groups in found.by.items():
            for group in groups[:SHOWN_GROUPS]:
                value = NOTHING if group.value is None else escape(str(group.value))
                table.add_row(name.replace("_", " "), value, f"{group.rows:,}", percent(group.share))
            if len(groups) > SHOWN_GROUPS:
                table.add_row(name.replace("_", " "), f"and {len(groups) - SHOWN_GROUPS} more", "", "")
            table.add_section()
        people.print(table)
    if found.offenders:
        table = Table("source", "reason", "column", "value, masked", "rows", title="The values that offend most")
        for one in found.offenders:
            table.add_row(
                one.source,
                one.reason,
                one.column,
                NOTHING if one.value is None else escape(str(one.value)),
                f"{one.rows:,}",
            )
        people.print(table)
    if found.files_by:
        table = Table("source", "landing day", "reason", "state", "files", "rows", title="Refused files")
        for file in found.files_by:
            table.add_row(*(escape(f"{value:,}" if isinstance(value, int) else str(value)) for value in file.values()))
        people.print(table)

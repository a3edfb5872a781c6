"""`reliability corrections`: what people correct of rows that cannot be sent again. One module per command."""

import click

from reliability_platform.cli.corrections.apply import apply
from reliability_platform.cli.corrections.listing import list_corrections, show
from reliability_platform.cli.corrections.revert import revert


@click.group()
def corrections() -> None:
    """Correct delivered rows, with a reason and a way back; see what was corrected."""


for _command in (apply, list_corrections, show, revert):
    corrections.add_command(_command)

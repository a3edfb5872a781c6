"""`reliability corrections`: what people correct of rows that cannot be sent again. One module per command."""

import click

from reliability_platform.cli.lazy import LazyGroup

PLACES = {
    "apply": "corrections.apply:apply",
    "list": "corrections.listing:list_corrections",
    "show": "corrections.listing:show",
    "revert": "corrections.revert:revert",
}


@click.group(cls=LazyGroup, places=PLACES)
def corrections() -> None:
    """Correct delivered rows, with a reason and a way back; see what was corrected."""

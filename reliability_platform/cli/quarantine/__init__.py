"""`reliability quarantine`: what was refused or rejected, and what becomes of it. One module per command."""

import click

from reliability_platform.cli.lazy import LazyGroup

PLACES = {
    "list": "quarantine.listing:list_quarantine",
    "show": "quarantine.show:show",
    "analyze": "quarantine.analyze:analyze",
    "replay": "quarantine.replay:replay",
    "discard": "quarantine.discard:discard",
    "purge": "quarantine.purge:purge",
}


@click.group(cls=LazyGroup, places=PLACES)
def quarantine() -> None:
    """List, understand, replay, discard and purge what was refused or rejected."""

"""`reliability quarantine`: what was refused or rejected, and what becomes of it. One module per command."""

import click

from reliability_platform.cli.quarantine.analyze import analyze
from reliability_platform.cli.quarantine.discard import discard
from reliability_platform.cli.quarantine.listing import list_quarantine
from reliability_platform.cli.quarantine.purge import purge
from reliability_platform.cli.quarantine.replay import replay
from reliability_platform.cli.quarantine.show import show


@click.group()
def quarantine() -> None:
    """List, understand, replay, discard and purge what was refused or rejected."""


for _command in (list_quarantine, show, analyze, replay, discard, purge):
    quarantine.add_command(_command)

"""`reliability tables`: published tables, one by one."""

import click

from reliability_platform.cli.lazy import LazyGroup

PLACES = {
    "list": "pauses:list_tables",
    "pause": "pauses:pause_table",
    "resume": "pauses:resume_table",
    "withdraw": "pauses:withdraw_table",
}


@click.group(cls=LazyGroup, places=PLACES)
def tables() -> None:
    """Pause a published table, take it from consumers, or bring it back."""

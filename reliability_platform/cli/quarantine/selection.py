"""What the commands of `reliability quarantine` share: which dead letters are meant, and how they may be shown."""

from collections.abc import Callable
from datetime import date
from typing import Any

import click

from reliability_platform.cli.options import DAY, check_range, hint
from reliability_platform.cli.parameters import check_source
from reliability_platform.clock import FIRST_DAY
from reliability_platform.errors import UsageError
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.remediation.dead_letters.letters import Selection
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader


def refuse_unknown_batch(settings: Settings, batch: str | None) -> None:
    """Raise `UsageError` for a batch of which nothing was ever refused: in none of its states is it in quarantine."""
    if batch is None or any(record["batch_id"] == batch for record in quarantined_files(settings)):
        return
    with warehouse_reader(settings) as connection:
        # All of them: with a parameter DuckDB loads pandas, which takes longer than anything else here.
        if (batch,) not in connection.execute("select distinct batch_id from qtn_rows").fetchall():
            raise UsageError(f"Nothing of {batch!r} is in quarantine: see `{hint('quarantine list')}`.")


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--source`, `--date` or `--from` and `--to`, `--batch`, `--reason`: the arguments of `selected`."""
    for option in (
        click.option(
            "--reason", default=None, help="Only what has this reason, as `reliability quarantine list` names it."
        ),
        click.option("--batch", default=None, help="Only this batch."),
        click.option("--to", "last", type=DAY, default=None, help="Last landing day, included."),
        click.option("--from", "first", type=DAY, default=None, help="First landing day."),
        click.option("--date", "day", type=DAY, default=None, help="One landing day; instead of --from and --to."),
        click.option("--source", default=None, help="Only this source."),
    ):
        command = option(command)
    return command


def selected(
    source: str | None,
    day: date | None,
    first: date | None,
    last: date | None,
    batch: str | None,
    reason: str | None,
    limit: int | None = None,
) -> Selection:
    """The dead letters that the options mean. Raises `UsageError`."""
    check_source(source)
    if day is not None and (first or last) is not None:
        raise UsageError("Give either --date or --from and --to, not both.")
    begin, end = day or first or FIRST_DAY, day or last or date.max
    check_range(begin, end)
    return Selection(begin, end, source=source, batch_id=batch, reason=reason, limit=limit)

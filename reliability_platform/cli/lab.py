"""`reliability lab`: a home of the lab, made out of landed days."""

import shlex
from datetime import date
from pathlib import Path

import click

from reliability_platform.cli.options import (
    check_range,
    day_range,
    home_option,
    home_session,
    json_option,
    people,
    print_json,
)
from reliability_platform.cli.parameters import FilePath
from reliability_platform.counted import counted
from reliability_platform.formats import printable
from reliability_platform.settings import Settings, load_settings


@click.group()
def lab() -> None:
    """Take landed days as the truth, to break and heal them in a home of the lab."""


@lab.command()
@day_range
@click.option(
    "--into",
    type=FilePath(file_okay=False, path_type=Path),
    required=True,
    help="The new home of the lab; give it as --home to the commands that break and grade.",
)
@home_option
@json_option
def record(first: date, last: date, into: Path, settings: Settings, as_json: bool) -> None:
    """Record landed, audited days of all sources, as the truth of a new home of the lab.

    There `inject`, `plan`, `campaign`, `run`, `heal`, `scorecard` and `verify` work as with simulated sources: each source
    delivers what was recorded, and sends it again when asked. The home that is recorded is only read.
    """
    check_range(first, last)
    from reliability_platform.lab.recordings.record import record as record_days
    from reliability_platform.operations import operations_engine

    target = load_settings(into)
    with home_session(settings):
        recorded = record_days(settings, operations_engine(settings), first, last, target)
    if as_json:
        print_json({"home": target.home, "from": first, "to": last, "batches": recorded.batches, "rows": recorded.rows})
        return
    named = printable(str(into), 200)
    words = f"{counted(recorded.batches, 'batch', 'batches')} of {first} to {last} are the truth of {named}. Run them there:"
    people.print(words, markup=False)
    command = f"  reliability run --from {first} --to {last} --home {shlex.quote(named)}"
    people.print(command, markup=False)

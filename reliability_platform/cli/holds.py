"""`reliability hold` and `reliability release`: a person keeps a landing day out of publication, or lets it go."""

from datetime import date

import click

from reliability_platform.actor import whoami
from reliability_platform.checks.holds import Holds
from reliability_platform.cli.options import DAY, hint, home_option, json_option, people, print_json
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


def _speak(source: str, day: date, why: str, settings: Settings, as_json: bool, *, hold: bool) -> None:
    if not why.strip():
        raise UsageError("The reason is empty: say it in a few words.")
    held = Holds(operations_engine(settings))
    say = held.hold if hold else held.release
    is_new = say(source, day, whoami(), why.strip(), utc_now())
    standing = list(held.standing().values())
    if as_json:
        print_json({"changed": is_new, "holds": [vars(one) for one in standing]})
        return
    what = "is held" if hold else "is not held by anybody any more"
    before = "" if is_new else ", as it was before"
    counts = f"It counts from the next `{hint('publish')}` on."
    people.print(f"{source} {day} {what}{before}. {counts}", markup=False)
    for one in standing:
        people.print(f"  {one.source} {one.landing_date}: {one.reason}", markup=False)


@click.command()
@click.option("--source", type=click.Choice(SOURCES), required=True, help="The source.")
@click.option("--date", "day", type=DAY, required=True, help="The landing day.")
@click.option("--why", required=True, help="The reason; it stands beside the day wherever it is missing.")
@home_option
@json_option
def hold(source: str, day: date, why: str, settings: Settings, as_json: bool) -> None:
    """Keep a landing day out of publication, whatever the checks say. Consumers keep its last good rows."""
    _speak(source, day, why, settings, as_json, hold=True)


@click.command()
@click.option("--source", type=click.Choice(SOURCES), required=True, help="The source.")
@click.option("--date", "day", type=DAY, required=True, help="The landing day.")
@click.option("--why", default="it is fine again", show_default=True, help="The reason.")
@home_option
@json_option
def release(source: str, day: date, why: str, settings: Settings, as_json: bool) -> None:
    """Let a landing day go that somebody holds. What checks object to stays held."""
    _speak(source, day, why, settings, as_json, hold=False)

"""`reliability incidents report`: somebody has seen something wrong that no check has seen."""

from datetime import date

import click

from reliability_platform.actor import whoami
from reliability_platform.cli.options import DAY, echo, hint, home_option, json_option, print_json
from reliability_platform.clock import utc_now
from reliability_platform.incidents.reports import REPORTABLE, PersonReport
from reliability_platform.incidents.reports import report as open_report
from reliability_platform.operations import operations_engine
from reliability_platform.service.queries.incidents import summary_of
from reliability_platform.settings import Settings


@click.command()
@click.option(
    "--dataset", type=click.Choice(sorted(REPORTABLE)), required=True, help="The published table, or the source."
)
@click.option("--from", "first", type=DAY, required=True, help="The first day on which it looks wrong.")
@click.option("--to", "last", type=DAY, default=None, help="The last one, included.  [default: the first]")
@click.option("--words", required=True, help="What you saw, and what you had expected.")
@click.option("--key", default=None, help="Any text of yours: sent again with the same key, it is the same report.")
@home_option
@json_option
def report(
    dataset: str, first: date, last: date | None, words: str, key: str | None, settings: Settings, as_json: bool
) -> None:
    """Report something wrong in the data that no check has told of: it opens an incident.

    Nothing is held for it and nothing is asked for again before somebody has looked; only a person ends it, by
    `reliability incidents resolve` or `false-alarm`. A second report of the same source on the same or the next day joins the
    incident that is open.
    """
    # No session is held: whoever sees something wrong must get through while a run is at work.
    said = PersonReport(dataset, first, last or first, words, whoami(), key)
    incident = open_report(settings, operations_engine(settings), said, utc_now())
    if as_json:
        print_json(summary_of(settings, incident, utc_now()).model_dump())
        return
    short = "-".join(incident.id.split("-")[:2])
    echo(f"{incident.id} ({incident.severity}) has your report.")
    echo(f"`{hint(f'incidents show {short}')}` says who is on it; until then its days are published as they are.")

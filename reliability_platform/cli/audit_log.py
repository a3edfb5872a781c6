"""`reliability audit-log`: who did what, when, why and from where."""

from datetime import date

import click

from reliability_platform.audit_log import COMMANDS
from reliability_platform.cli.options import DAY, echo, home_option, json_option, print_json
from reliability_platform.cli.parameters import Whole
from reliability_platform.counted import counted
from reliability_platform.formats import plain, second
from reliability_platform.operations import operations_engine
from reliability_platform.service.queries.acts import ActFilter, act_page
from reliability_platform.service.queries.answer import Window
from reliability_platform.settings import Settings


@click.command("audit-log")
@click.option("--command", type=click.Choice(COMMANDS), default=None, help="Only this act.")
@click.option("--who", default=None, help="Only of this person or token.")
@click.option("--since", type=DAY, default=None, help="Only on this day (UTC) or later.")
@click.option("--limit", type=Whole(1), default=50, show_default=True, help="Entries at most, the newest ones.")
@home_option
@json_option
def audit_log(
    command: str | None, who: str | None, since: date | None, limit: int, settings: Settings, as_json: bool
) -> None:
    """Who published, held, healed, replayed, restored, purged, paused or unmasked what: when, why and from where.

    The newest first. Nothing in it can be changed unnoticed: `reliability incidents audit` proves it. What people decide about an
    incident stands on its timeline.
    """
    found = act_page(operations_engine(settings), ActFilter(command, who, since), Window(limit))
    if as_json:
        print_json(found.model_dump())
        return
    for one in found.items:
        place = one.acted_from or "not noted"
        echo(f"{second(one.at)}  {plain(one.who)}, {place}: {one.command} {one.phase}, {plain(one.what)}")
        echo(f"    {plain(one.why) if one.why else 'no reason was asked for'}")
    if not found.items:
        echo("Nothing of the kind stands in the audit log.")
    elif found.total > limit:
        echo(f"{counted(found.total - limit, 'older entry', 'older entries')}: --limit shows more.")

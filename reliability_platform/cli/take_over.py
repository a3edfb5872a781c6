"""`reliability take-over`: a home made anew gets the landing bucket of one that is lost."""

import click

from reliability_platform.actor import whoami
from reliability_platform.audit_log import Changes, note_act
from reliability_platform.cli.options import (
    ask_first,
    home_option,
    home_session,
    json_option,
    people,
    print_json,
    why_option,
    yes_option,
)
from reliability_platform.clock import utc_now
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import home_id
from reliability_platform.settings import Settings


@click.command("take-over")
@why_option
@yes_option
@home_option
@json_option
def take_over(why: str | None, yes: bool, settings: Settings, as_json: bool) -> None:
    """Let this home land in the bucket that RELIABILITY_LANDING_URL names, in the place of the home that does.

    For a home that is lost without a snapshot, or given up: its successor has another identity, and is refused before. The home that
    held the bucket is refused a minute later at most. Asks first; where nobody can be asked it needs --yes and --why.
    """
    from reliability_platform.landing import bucket_holder

    reason = ask_first("Whichever home holds the landing bucket cannot land there any more.", why, yes)
    with home_session(settings):
        before = bucket_holder.take_over(settings)
        what = "the landing bucket" if before is None else f"the landing bucket of {before.words}"
        note_act(operations_engine(settings), Changes.TAKE_OVER, what, whoami(), reason, utc_now())
    if as_json:
        held_by = before and {"home": before.home, "installation": before.installation, "since": before.since}
        print_json({"held_before_by": held_by})
        return
    held = "" if before is None else f"; before it was {before.words}"
    already = before is not None and before.home == home_id(settings)
    people.print(f"This home holds the landing bucket{', as before' if already else held}.", markup=False)

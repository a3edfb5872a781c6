"""`reliability quarantine discard`: give up dead letters, with a reason."""

from datetime import date

import click

from reliability_platform.actor import whoami
from reliability_platform.audit_log import Destroys
from reliability_platform.cli.options import (
    ask_first,
    hint,
    home_option,
    json_option,
    people,
    print_json,
    why_option,
    yes_option,
)
from reliability_platform.cli.quarantine.selection import refuse_unknown_batch, selected, selection_options
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.incidents.anchor import recorded
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.dead_letters.conclude import concerned, conclude, note
from reliability_platform.remediation.dead_letters.discard import discard as give_up
from reliability_platform.remediation.dead_letters.letters import Letter, waiting_letters
from reliability_platform.settings import Settings

SHOWN = 5
"""So many dead letters are named on the timeline."""


@click.command()
@selection_options
@click.option("--dry-run", is_flag=True, help="Say what would be discarded, and change nothing.")
@why_option
@yes_option
@home_option
@json_option
def discard(
    source: str | None,
    day: date | None,
    first: date | None,
    last: date | None,
    batch: str | None,
    reason: str | None,
    dry_run: bool,
    why: str | None,
    yes: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Give up dead letters that nobody can heal: they stay accounted for, and hold nothing any more.

    Needs --source and a day, or --batch. Run again it changes nothing. There is no way back.
    """
    wanted = selected(source, day, first, last, batch, reason)
    if batch is None and (source is None or (day or first) is None):
        raise UsageError("Say what to discard: --source with --date or --from, or --batch.")
    refuse_unknown_batch(settings, batch)
    letters = waiting_letters(settings, wanted)
    left: list[str] = []
    if dry_run or not letters:
        _tell(letters, left, as_json, dry_run=dry_run)
        return
    what = counted(len(letters), "dead letter")
    reason = ask_first(f"{what} to be given up, without a way back.", why, yes)
    from reliability_platform.cli.session import driving

    with driving(settings, healing=False) as (settings, daemon):
        engine = operations_engine(settings)
        # What came while a person was asked is not meant.
        letters = [one for one in waiting_letters(settings, wanted) if one in letters]
        if letters:
            daemon.tick()  # what has been judged and not been read yet becomes an incident first
            incidents = concerned(engine, {(one.source, one.landing_date) for one in letters})
            more = f" and {len(letters) - SHOWN} more" if len(letters) > SHOWN else ""
            words = f"Discarded: {'; '.join(one.words for one in letters[:SHOWN])}{more}. {reason}"
            meant = f"{what}: {', '.join(dict.fromkeys(one.batch_id for one in letters))}"
            with recorded(settings, engine, Destroys.DISCARD, meant, whoami(), reason, utc_now):
                days = give_up(settings, engine, letters, reason, whoami(), utc_now())
            note(engine, incidents, words, whoami(), utc_now(), f"discard-{utc_now():%Y%m%d%H%M%S%f}")
            daemon.run("reprocess", first=days[0], last=days[-1])
            daemon.settle()
            left = conclude(settings, engine, incidents, utc_now, whoami())
    _tell(letters, left, as_json, dry_run=False)


def _tell(letters: list[Letter], left: list[str], as_json: bool, *, dry_run: bool) -> None:
    if as_json:
        print_json({"discarded": [vars(one) for one in letters], "dry_run": dry_run, "open_incidents": left})
        return
    if not letters:
        people.print(f"Nothing that waits in quarantine is meant: see `{hint('quarantine list')}`.", markup=False)
    for one in letters:
        people.print(f"{'Would discard' if dry_run else 'Discarded'}: {one.words}", markup=False)
    for incident_id in left:
        look = hint(f"incidents show {incident_id}")
        people.print(f"{incident_id} is still open: see `{look}`.", markup=False)

"""`reliability corrections revert`: take a correction back."""

import click

from reliability_platform.actor import whoami
from reliability_platform.cli.options import (
    ask_first,
    home_option,
    json_option,
    people,
    print_json,
    why_option,
    yes_option,
)
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.landing.corrections import Corrections, Turn
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


@click.command()
@click.argument("correction")
@click.option("--dry-run", is_flag=True, help="Say which days would be built again, and change nothing.")
@why_option
@yes_option
@home_option
@json_option
def revert(correction: str, dry_run: bool, why: str | None, yes: bool, settings: Settings, as_json: bool) -> None:
    """Take a correction back: its landing days are built from what was delivered, audited and published again.

    Refused while a later correction stands on it. CORRECTION may be shortened.
    """
    from reliability_platform.remediation.corrections import refuse_if_built_upon, unbuilt
    from reliability_platform.remediation.corrections import revert as take_back

    engine = operations_engine(settings)
    one = Corrections(engine).named(correction)
    refuse_if_built_upon(engine, one)
    left: list[str] = []
    in_force = one.turn is Turn.APPLIED
    cut_off = not in_force and bool(unbuilt(settings, engine, one))  # taken back by a command that was killed
    if (in_force or cut_off) and not dry_run:
        what = f"{one.id} to be taken back: {counted(one.rows, 'row')} of {one.correction.source}."
        reason = ask_first(what, why, yes) if in_force else one.why
        from reliability_platform.cli.corrections.rebuild import concerned_by, rebuild
        from reliability_platform.cli.session import driving

        with driving(settings, healing=False) as (settings, daemon):
            daemon.tick()  # what has been judged and not been read yet becomes an incident first
            concerns = concerned_by(engine, one.correction.source, one.days)
            if in_force:
                take_back(settings, engine, one, reason, whoami(), utc_now())
            left = rebuild(settings, engine, daemon, one, f"Took the correction {one.id} back. {reason}", concerns)
    if as_json:
        print_json(
            {"id": one.id, "reverted": (in_force or cut_off) and not dry_run, "days": one.days, "open_incidents": left}
        )
        return
    if not (in_force or cut_off):
        people.print(f"{one.id} is not in force.", markup=False)
        return
    did = "Would take back" if dry_run else "Took back"
    days = counted(len(one.days), "landing day")
    people.print(f"{did} {one.id}: {counted(one.rows, 'row')} of {one.correction.source}, {days}.", markup=False)
    from reliability_platform.cli.corrections.rebuild import tell_open

    tell_open(left)

"""`reliability withdraw`: a published version that nothing can bring back is taken away for good."""

import click

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
from reliability_platform.damage import in_one_line
from reliability_platform.errors import ExitCode
from reliability_platform.settings import Settings


@click.command()
@click.argument("version")
@click.option("--dry-run", is_flag=True, help="Say what is damaged of the version, and change nothing.")
@why_option
@yes_option
@home_option
@json_option
def withdraw(version: str, dry_run: bool, why: str | None, yes: bool, settings: Settings, as_json: bool) -> int:
    """Take a published VERSION away that is damaged and that no snapshot has as it was.

    Not the one that consumers read. Its folder keeps word of who withdrew it, when and why, and its record stays in the
    chain; `doctor` and `verify` ask for its tables no more. Asks first; where nobody can be asked it needs --yes and --why.
    """
    from reliability_platform.actor import whoami
    from reliability_platform.audit_log import Destroys
    from reliability_platform.incidents.anchor import recorded
    from reliability_platform.operations import operations_engine
    from reliability_platform.warehouse.publication import withdraw as take_back

    with home_session(settings):
        who = whoami()
        damaged = take_back(settings, version, who, why or "", utc_now(), dry_run=True)
        if not dry_run:
            reason = ask_first(f"What is left of {version} is removed for good.", why, yes)
            with recorded(
                settings, operations_engine(settings), Destroys.WITHDRAW, f"the version {version}", who, reason, utc_now
            ):
                take_back(settings, version, who, reason, utc_now())
    if as_json:
        print_json({"version": version, "withdrawn": not dry_run, "damaged": [one.document() for one in damaged]})
    else:
        did = f"{version} would be withdrawn" if dry_run else f"{version} is withdrawn"
        people.print(f"{did}: {in_one_line(damaged)}.", markup=False)
    return ExitCode.OK

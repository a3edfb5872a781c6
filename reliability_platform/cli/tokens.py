"""`reliability tokens`: who may use the API, and as what."""

from datetime import timedelta

import click

from reliability_platform.cli.options import echo, home_option, json_option, people, print_json, progress
from reliability_platform.cli.parameters import Whole
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.formats import NOTHING, second
from reliability_platform.operations import operations_engine
from reliability_platform.service.access.roles import Role
from reliability_platform.service.access.tokens import ApiTokens
from reliability_platform.settings import Settings


@click.group()
def tokens() -> None:
    """Make, list and revoke the tokens by which programs and people use the API."""


@tokens.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([one.value for one in Role]),
    required=True,
    help="; ".join(f"{one.value} {one.means}" for one in Role) + ".",
)
@click.option(
    "--days", type=Whole(1, 3650), default=None, help="Valid for so many days. [default: until it is revoked]"
)
@click.option("--why", default="for the API", show_default=True, help="For the audit log.")
@home_option
@json_option
def make(name: str, role: str, days: int | None, why: str, settings: Settings, as_json: bool) -> None:
    """Make a token called NAME, and print it once: it is kept as a hash, and nobody can be told again.

    From the first one on, nobody uses the API without a token, on loopback either.
    """
    from reliability_platform.actor import whoami
    from reliability_platform.audit_log import Grants
    from reliability_platform.incidents.anchor import recorded

    engine, now = operations_engine(settings), utc_now()
    expires_at = None if days is None else now + timedelta(days=days)
    with recorded(settings, engine, Grants.KEY_MADE, f"{name}, {role}", whoami(), why, utc_now):
        token = ApiTokens(engine).make(name, Role(role), whoami(), now, expires_at)
    if as_json:
        print_json({"name": name, "role": role, "expires_at": expires_at, "token": token})
        return
    progress.print(f"{name} is {role}. Keep the token now: it is shown this once.", markup=False)
    echo(token)


@tokens.command(name="list")
@home_option
@json_option
def list_tokens(settings: Settings, as_json: bool) -> None:
    """Every token that was ever made: its name, its role, whether it is valid. Never the token itself."""
    now, found = utc_now(), ApiTokens(operations_engine(settings)).all()
    if as_json:
        print_json([{**vars(one), "valid": one.is_valid(now)} for one in found])
        return
    table = Table("name", "role", "valid", "made by", "made (UTC)", "expires (UTC)", "revoked by")
    for one in found:
        table.add_row(
            one.name,
            one.role.value,
            "yes" if one.is_valid(now) else "no",
            one.made_by,
            second(one.made_at),
            NOTHING if one.expires_at is None else second(one.expires_at),
            one.revoked_by or NOTHING,
        )
    people.print(table if found else "No token was made yet.")


@tokens.command()
@click.argument("name")
@click.option("--why", default="no longer needed", show_default=True, help="For the audit log.")
@home_option
@json_option
def revoke(name: str, why: str, settings: Settings, as_json: bool) -> None:
    """Take the token NAME back. The next request that shows it is refused."""
    from reliability_platform.actor import whoami
    from reliability_platform.audit_log import Grants
    from reliability_platform.incidents.anchor import recorded

    engine = operations_engine(settings)
    with recorded(settings, engine, Grants.KEY_REVOKED, name, whoami(), why, utc_now):
        is_new = ApiTokens(engine).revoke(name, whoami(), utc_now())
    if as_json:
        print_json({"name": name, "revoked": is_new})
        return
    people.print(f"{name} is revoked." if is_new else f"{name} was revoked before.", markup=False)

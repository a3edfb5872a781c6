"""`reliability incidents audit`: the proof that no timeline was edited, and who destroyed what, and why."""

import re

import click

from reliability_platform.audit_log import AuditLog, Destroys, Grants
from reliability_platform.cli.options import echo, home_option, json_option, print_json
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.formats import second
from reliability_platform.incidents.anchor import note_is_damaged, record_damage
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings

SHOWN = 5
DESTROYS = {one.value for kind in (Destroys, Grants) for one in kind}
HASH = "[0-9a-f]{64}"


@click.command()
@click.option("--noted", help="A hash that an earlier audit printed: it must still be in the chain.")
@home_option
@json_option
def audit(noted: str | None, settings: Settings, as_json: bool) -> int:
    """Prove that neither a timeline nor the audit log was edited, and no entry is lost: each carries the hash of the one before.

    Then list what was destroyed or replaced (restore, prune, purge, discard, rollback): by whom, when and why.
    `reliability audit-log` lists all acts.
    """
    if noted is not None and not re.fullmatch(HASH, noted):
        raise UsageError(f"--noted {noted!r} is not a hash: give the 64 hexadecimal digits that an audit has printed.")
    engine = operations_engine(settings)
    store, log = IncidentStore(engine), AuditLog(engine)
    destroyed = [one for one in log.all() if one.command in DESTROYS]
    broken = record_damage(settings, engine, SHOWN)
    if note_is_damaged(settings):
        broken.append(f"has no note of its ends that can be read ({settings.timeline_end.name})")
    if noted is not None and not store.has_hash(noted):
        broken.append(f"has no entry with the hash {noted}")
    if as_json:
        told = {"entries": store.last_position(), "head": store.head(), "broken": broken}
        print_json(told | {"destroyed": [vars(one) for one in destroyed]})
    for one in () if as_json else destroyed:
        echo(f"{second(one.at)} {one.command} {one.phase} by {one.who}: {one.what} ({one.why})")
    if broken:
        click.echo(f"reliability: the record is damaged: it {'; it '.join(broken)}", err=True)
        return ExitCode.NOT_HEALED
    if not as_json:
        echo(
            f"{counted(store.last_position(), 'entry is', 'entries are')} whole; the last one has the hash "
            f"{store.head() or '(none)'}. The audit log is whole, with {counted(log.end()[0], 'entry')}."
        )
    return ExitCode.OK

"""`reliability restore`: back from a snapshot."""

from datetime import UTC, datetime
from pathlib import Path

import click

from reliability_platform.actor import whoami
from reliability_platform.audit_log import AuditLog, Destroys, Phase
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
from reliability_platform.cli.parameters import FilePath
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.formats import second
from reliability_platform.incidents.anchor import note_end, recorded
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


def _moment(text: str | None) -> datetime:
    """A time in UTC unless it says otherwise; a day alone means its end. Raises `UsageError`."""
    if text is None:
        return utc_now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time: write 2026-01-31 or 2026-01-31T18:00:00, in UTC.") from None
    if len(text) == len("2026-01-31"):
        moment = moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.option("--as-of", default=None, help="The newest snapshot until then, in UTC. [default: the newest]")
@click.option("--table", default=None, help="Only this table of the warehouse.")
@click.option(
    "--damaged", is_flag=True, help="Whatever in the home is not what was written: `reliability doctor` names it."
)
@click.option("--everything", is_flag=True, help="The whole home: landing, operations store, published versions …")
@click.option(
    "--aside",
    type=FilePath(file_okay=False, path_type=Path),
    default=None,
    help="Write into this folder, as it was then, instead of into place.",
)
@click.option("--dry-run", is_flag=True, help="Say from which snapshot what would be put back, and change nothing.")
@why_option
@yes_option
@home_option
@json_option
def restore(
    as_of: str | None,
    table: str | None,
    damaged: bool,
    everything: bool,
    aside: Path | None,
    dry_run: bool,
    why: str | None,
    yes: bool,
    settings: Settings,
    as_json: bool,
) -> int:
    """Put the warehouse, one table, a lost home or whatever is damaged back from a snapshot.

    Checksums are verified before anything is touched. Into place: then the landing days that the snapshot lacks are
    built, judged and published again, so the home is of today, not of then. With --aside, what is written is of then.
    Into place it asks first; where nobody can be asked it needs --yes and --why.
    """
    if damaged and (table is not None or everything or aside is not None or as_of is not None):
        raise UsageError("--damaged finds by itself what to put back, and from where: leave the other options out.")
    if everything and table is not None:
        raise UsageError("--everything includes every table: leave out --table, or --everything.")
    from reliability_platform.recovery.restore import recover_home, recover_warehouse
    from reliability_platform.warehouse.snapshots.location import SnapshotLocation
    from reliability_platform.warehouse.snapshots.manifest import newest_until
    from reliability_platform.warehouse.snapshots.restore import refuse_unfit, restore_home, warehouse_aside

    if damaged and dry_run:
        return _damage_found(settings, as_json)
    if damaged:
        reason = ask_first(f"What is damaged in {settings.home} is replaced.", why, yes)
        return _restore_damaged(settings, reason, as_json)
    snapshot = newest_until(SnapshotLocation.of(settings), _moment(as_of))
    if aside is not None:
        aside = aside.expanduser().absolute()
        if everything:
            restore_home(settings, snapshot, aside)
            written = aside
        else:
            written = warehouse_aside(settings, snapshot, table, aside)
        if as_json:
            print_json({"snapshot": snapshot.id, "taken_at": snapshot.taken_at, "written": written})
        else:
            people.print(f"{written} is as it was at {second(snapshot.taken_at)} UTC.", markup=False)
        return ExitCode.OK
    if not everything and not settings.landing.exists():
        raise UsageError(f"{settings.home} has no landing to go on from: restore the home with --everything.")
    if not everything:
        refuse_unfit(settings, snapshot, table)
    what = "the whole home" if everything else "the warehouse" if table is None else f"the table {table}"
    taken = f"{second(snapshot.taken_at)} UTC"
    if dry_run:
        if as_json:
            print_json({"dry_run": True, "snapshot": snapshot.id, "taken_at": snapshot.taken_at, "would_replace": what})
        else:
            people.print(
                f"Would replace {what} in {settings.home} from snapshot {snapshot.id} of {taken}.",
                markup=False,
            )
        return ExitCode.OK
    reason = ask_first(f"In {settings.home}, {what} is replaced from snapshot {snapshot.id} of {taken}.", why, yes)
    replaced = f"{what}, from snapshot {snapshot.id}"
    with home_session(settings, restoring=everything):
        if everything:
            done = recover_home(settings, snapshot, utc_now)
            _record(settings, replaced, reason)
        else:
            with recorded(settings, operations_engine(settings), Destroys.RESTORE, replaced, whoami(), reason, utc_now):
                done = recover_warehouse(settings, snapshot, utc_now, table)
    if as_json:
        print_json(done.document())
    else:
        people.print(
            f"Restored: {done.what}, from snapshot {done.snapshot}. Built again since: "
            f"{counted(len(done.landing_days), 'landing day')}. Consumers read {done.publication.version}."
        )
        from reliability_platform.warehouse.published import shown_key

        for key, reasons in done.publication.held.items():
            people.print(f"  {shown_key(key)} is held: {reasons[0]}", markup=False)
    return ExitCode.NOT_HEALED if done.publication.held else ExitCode.OK


def _record(settings: Settings, what: str, why: str) -> None:
    """Record what may have replaced the operations store itself: an entry of before would have gone with it."""
    engine = operations_engine(settings)
    AuditLog(engine).append(Destroys.RESTORE, Phase.DONE, what, whoami(), why, utc_now())
    note_end(settings, engine)


def _damage_found(settings: Settings, as_json: bool) -> int:
    """What `--damaged` would be about, and what it would do about each."""
    from reliability_platform.recovery.damaged import mend
    from reliability_platform.recovery.unjudged import unjudged_words

    with home_session(settings):
        found = mend(settings, utc_now, dry_run=True)
        unjudged = None if found.found else unjudged_words(settings, operations_engine(settings))
    if as_json:
        print_json({"dry_run": True, **found.document(), "unjudged": unjudged})
    for one in () if as_json else found.found:
        people.print(f"Found: {one}.", markup=False)
    if not found.found and not as_json:
        people.print("Nothing is damaged: every checksum that was written is right.")
    if unjudged and not as_json:
        people.print(f"{unjudged}.", markup=False)
    return ExitCode.NOT_HEALED if found.found or unjudged else ExitCode.OK


def _restore_damaged(settings: Settings, why: str, as_json: bool) -> int:
    """Put back what is not as it was written, and say what was found, done, and left."""
    from reliability_platform.recovery.damaged import mend

    with home_session(settings):
        done = mend(settings, utc_now)
        if done.steps:
            _record(settings, f"what was damaged: {'; '.join(done.steps)}", why)
    held = done.publication.held if done.publication is not None else {}
    if as_json:
        print_json(done.document())
    else:
        for one in done.found:
            people.print(f"Found: {one.path} {one.what}.", markup=False)
        for step in done.steps:
            people.print(f"Done: {step}.", markup=False)
        for one in done.left:
            people.print(f"Left: {one}.", markup=False)
        from reliability_platform.warehouse.published import shown_key

        for key, reasons in held.items():
            people.print(f"  {shown_key(key)} is held: {reasons[0]}", markup=False)
        if not done.found:
            people.print("Nothing is damaged: every checksum that was written is right.")
    return ExitCode.NOT_HEALED if held or done.left else ExitCode.OK

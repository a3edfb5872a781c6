"""Snapshots: `reliability snapshot create|new-key|list|verify|prune`."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

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
from reliability_platform.cli.parameters import FilePath
from reliability_platform.cli.tables import Table
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.formats import NOTHING, second
from reliability_platform.settings import Settings, variable

if TYPE_CHECKING:
    from reliability_platform.warehouse.snapshots.retention import Pruned

MEGABYTE = 1_000_000


@click.group()
def snapshot() -> None:
    """Take, list, verify and forget snapshots of the home.

    They are kept in RELIABILITY_SNAPSHOT_URL: a folder, or any place that fsspec reaches. By default that is a folder
    of the home, which helps against a lost table or warehouse, not against a lost home.
    """


@snapshot.command()
@home_option
@json_option
def create(settings: Settings, as_json: bool) -> int:
    """Take a snapshot while others work, then forget those that the rule does not keep."""
    from reliability_platform.recovery.replication import replicate
    from reliability_platform.recovery.retention import forget_snapshots
    from reliability_platform.warehouse.snapshots.take import take_snapshot

    taken = take_snapshot(settings, utc_now)
    replicated = replicate(settings, whoami(), utc_now)
    pruned = forget_snapshots(settings, whoami(), utc_now)
    if as_json:
        replica = None if replicated is None else asdict(replicated)
        print_json({**taken.summary(), "pruned": asdict(pruned), "replicated": replica})
    else:
        people.print(
            f"Snapshot {taken.id}: {counted(len(taken.files), 'file')}, {taken.bytes / MEGABYTE:,.1f} MB, "
            f"{counted(len(taken.landing_days), 'landing day')}."
        )
        if replicated is not None:
            people.print(
                f"To the second place: {counted(len(replicated.snapshots), 'snapshot')}, "
                f"{counted(replicated.contents, 'content')} of {replicated.bytes / MEGABYTE:,.1f} MB."
            )
        for what, why in taken.left_out.items():
            people.print(f"[yellow]Not in it: {escape(f'{what}; {why}')}.[/yellow]")
        _tell_pruned(pruned)
    return ExitCode.OK


def _tell_pruned(pruned: "Pruned") -> None:
    if pruned.snapshots or pruned.contents or pruned.drafts:
        people.print(
            f"Forgotten: {counted(len(pruned.snapshots), 'snapshot')}, {counted(pruned.contents, 'content')} of "
            f"{pruned.bytes / MEGABYTE:,.1f} MB, {counted(pruned.drafts, 'half-written draft')}."
        )
    if pruned.kept_for:
        people.print(f"All snapshots are kept while {', '.join(pruned.kept_for)} is open.")
    for words in pruned.damaged:
        people.print(f"[bold red]{escape(words)}[/bold red] No content is removed while it is there.")


@snapshot.command("new-key")
@click.argument("file", type=FilePath(dir_okay=False, path_type=Path))
def make_key(file: Path) -> None:
    """Write a key for encrypted snapshots, or an encrypted landing bucket, to FILE, which must not be there yet.

    RELIABILITY_SNAPSHOT_KEY=file:FILE, in an environment or a .env, then encrypts every snapshot, RELIABILITY_LANDING_KEY=file:FILE
    what lies in the landing bucket. Keep a copy of the key away from the home and from what it encrypts: without it nobody can
    read that. The program `age` reads it, too.
    """
    from reliability_platform.encryption import new_key

    content = new_key().encode()
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
    except FileExistsError:
        raise UsageError(
            f"{file} is there already: a key that is overwritten is lost, with all that it encrypted."
        ) from None
    people.print(
        f"The key is in {file}, for you alone to read. To encrypt snapshots, or the landing bucket, with it:",
        markup=False,
    )
    for name in ("snapshot_key", "landing_key"):
        people.print(f"  {variable(name)}=file:{file.absolute()}", markup=False)


@snapshot.command("list")
@home_option
@json_option
def list_snapshots(settings: Settings, as_json: bool) -> int:
    """Show the snapshots that can be used, and those whose manifest is damaged."""
    from reliability_platform.warehouse.snapshots.location import SnapshotLocation
    from reliability_platform.warehouse.snapshots.manifest import read_snapshots

    location = SnapshotLocation.of(settings)
    found, damaged = read_snapshots(location)
    if as_json:
        print_json({"location": location.shown, "snapshots": [one.summary() for one in found], "damaged": damaged})
        return ExitCode.OK
    table = Table()
    for column in ("snapshot", "taken (UTC)", "landing days", "last one", "files", "MB", "models"):
        table.add_column(column)
    for one in found:
        table.add_row(
            one.id,
            second(one.taken_at),
            str(len(one.landing_days)),
            str(one.landing_days[-1]) if one.landing_days else NOTHING,
            f"{len(one.files):,}",
            f"{one.bytes / MEGABYTE:,.1f}",
            one.models_version,
        )
    people.print(table if found else f"There is no snapshot in {escape(location.shown)}.")
    for words in damaged:
        people.print(f"[bold red]{escape(words)}[/bold red]")
    return ExitCode.OK


@snapshot.command()
@click.argument("name", required=False)
@home_option
@json_option
def verify(name: str | None, settings: Settings, as_json: bool) -> int:
    """Read every content of the snapshot NAME (default: of all) and compare its checksum."""
    from reliability_platform.warehouse.snapshots.location import SnapshotLocation
    from reliability_platform.warehouse.snapshots.manifest import read_snapshot, read_snapshots
    from reliability_platform.warehouse.snapshots.restore import damages

    location = SnapshotLocation.of(settings)
    found, damaged = ([read_snapshot(location, name)], []) if name is not None else read_snapshots(location)
    wrong = damages(location, found)
    good = not damaged and not any(wrong.values())
    if as_json:
        print_json({"whole": good, "snapshots": wrong, "damaged_manifests": damaged})
        return ExitCode.OK if good else ExitCode.NOT_HEALED
    for one, paths in wrong.items():
        status = (
            "[green]whole[/green]" if not paths else f"[bold red]{counted(len(paths), 'file')} cannot be had[/bold red]"
        )
        people.print(f"{one}: {status}")
        for path, words in list(paths.items())[:10]:
            people.print(f"  {path}: {words}", markup=False)
    for words in damaged:
        people.print(f"[bold red]{escape(words)}[/bold red]")
    if not found and not damaged:
        people.print(f"There is no snapshot in {location.shown}.", markup=False)
    return ExitCode.OK if good else ExitCode.NOT_HEALED


@snapshot.command()
@click.option("--dry-run", is_flag=True, help="Name the snapshots that the rule does not keep, and change nothing.")
@why_option
@yes_option
@home_option
@json_option
def prune(dry_run: bool, why: str | None, yes: bool, settings: Settings, as_json: bool) -> int:
    """Forget the snapshots that the rule does not keep, and what killed processes left half-written.

    The rule: RELIABILITY_SNAPSHOT_KEEP_LAST newest ones, and of those before the newest of each of
    RELIABILITY_SNAPSHOT_KEEP_WEEKLY weeks; always the newest one that is whole. While an incident of loss or damage is
    open, none is forgotten.
    """
    from reliability_platform.recovery.retention import BY_THE_RULE, forget_snapshots

    going = _not_kept(settings)
    if dry_run:
        if as_json:
            print_json({"dry_run": True, "would_forget": going})
        else:
            people.print(f"Would forget: {', '.join(going) or 'no snapshot'}.")
        return ExitCode.OK
    reason = BY_THE_RULE  # nothing but what killed processes have left
    if going:
        reason = ask_first(f"To be forgotten for good: {', '.join(going)}.", why, yes)
    pruned = forget_snapshots(settings, whoami(), utc_now, reason)
    if as_json:
        print_json(asdict(pruned))
    else:
        _tell_pruned(pruned)
        people.print("What the rule keeps is kept.")
    return ExitCode.OK


def _not_kept(settings: Settings) -> list[str]:
    """The snapshots that the rule does not keep. What else speaks for one, as an open incident of loss, may keep it."""
    from reliability_platform.warehouse.snapshots.location import SnapshotLocation
    from reliability_platform.warehouse.snapshots.manifest import read_snapshots
    from reliability_platform.warehouse.snapshots.retention import kept

    found, _ = read_snapshots(SnapshotLocation.of(settings))
    keep = kept([one.taken_at for one in found], settings.snapshot_keep_last, settings.snapshot_keep_weekly)
    return [one.id for one in found if one.taken_at not in keep]

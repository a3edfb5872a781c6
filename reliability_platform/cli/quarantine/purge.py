"""`reliability quarantine purge`: mask for good the personal data that a leak left in files."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reliability_platform.actor import whoami
from reliability_platform.audit_log import Destroys
from reliability_platform.cli.options import (
    DAY,
    ask_first,
    home_option,
    home_session,
    json_option,
    people,
    print_json,
    why_option,
    yes_option,
)
from reliability_platform.cli.parameters import check_source
from reliability_platform.clock import utc_now
from reliability_platform.counted import counted
from reliability_platform.incidents.anchor import recorded
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings

if TYPE_CHECKING:
    from reliability_platform.remediation.purge import Survey

RUN_ID = "purge"


@click.command()
@click.option("--source", required=True, help="The source.")
@click.option("--date", "day", type=DAY, required=True, help="The landing day.")
@click.option("--batch", default=None, help="Only the files of this batch.")
@click.option("--dry-run", is_flag=True, help="Say which files and how many rows, and change nothing.")
@why_option
@yes_option
@home_option
@json_option
def purge(
    source: str,
    day: date,
    batch: str | None,
    dry_run: bool,
    why: str | None,
    yes: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Mask for good the personal data that a leak left in landing, bronze, file quarantine and warehouse.

    Refused while a row of it waits for a clean one. Manifests, rows and counts stay; snapshots are named, not rewritten.
    """
    check_source(source)
    from reliability_platform.pipeline.run import reprocess
    from reliability_platform.pipeline.steps import RunContext
    from reliability_platform.remediation.purge import finish, refuse_if_needed, survey
    from reliability_platform.remediation.purge import purge as purge_files

    engine = operations_engine(settings)
    if dry_run:
        _tell(survey(settings, engine, source, day, batch), settings, as_json, done=False)
        return
    with home_session(settings):
        found = survey(settings, engine, source, day, batch)
        refuse_if_needed(found)
        if not found.is_clean:
            what = f"{counted(len(found.files), 'file')} of {source} on {day}"
            reason = ask_first(f"{what} to be masked for good.", why, yes)
            with recorded(settings, engine, Destroys.PURGE, what, whoami(), reason, utc_now):
                purge_files(settings, engine, found, reason, whoami(), utc_now())
                reprocess(RunContext(settings, engine, utc_now, RUN_ID), [day])
                finish(settings, engine, source, day, utc_now())
    _tell(found, settings, as_json, done=True)


def _tell(found: "Survey", settings: Settings, as_json: bool, *, done: bool) -> None:
    files = [
        {
            "layer": one.layer,
            "batch_id": one.batch_id,
            "rows": one.rows,
            "file": _shown(one.path, one.batch_id, settings),
        }
        for one in found.files
    ]
    if as_json:
        told: dict[str, Any] = {"source": found.source, "landing_date": found.day, "done": done, "files": files}
        told |= {"waiting": found.waiting, "unreadable": found.unreadable, "snapshots": found.snapshots}
        print_json(told | {"unfinished_before": found.unfinished})
        return
    if found.is_clean:
        people.print(f"No file of {found.source} on {found.day} holds personal data that a rule knows.")
    for one in files:
        verb = "Masked" if done else "Would mask"
        people.print(f"{verb} {counted(int(str(one['rows'])), 'row')} of {one['file']}", markup=False)
    for batch, why in found.waiting.items():
        people.print(f"{batch} may not be purged yet: {why}.", markup=False)
    for batch in found.unreadable:
        people.print(f"{batch} cannot be read, and stays as it is: delete it by hand if need be.")
    for snapshot in found.snapshots:
        people.print(
            f"Snapshot {snapshot} keeps these files as they were, until `reliability snapshot prune` forgets it.",
            markup=False,
        )


def _shown(path: Path, batch_id: str, settings: Settings) -> str:
    """The path below home; a file that is known by a digest may bear somebody's name."""
    below = path.relative_to(settings.home)
    return str(below if batch_id in path.name else below.parent / batch_id)

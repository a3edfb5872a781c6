"""The home of the demo: emptied for the next one, but not without asking if anything has been done in it since the last."""

import json
import shutil
import sys
from pathlib import Path

import click
from sqlalchemy import func, select

from reliability_platform.atomic import write_atomically
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import metadata
from reliability_platform.settings import Settings, variable

MARKER = "demo.json"
UNFINISHED: dict[str, int] = {}


def may_be_emptied(settings: Settings, yes: bool) -> str:
    """What becomes of an earlier demo, in one line; empty if there is none.

    Raises `UsageError` for a home that the demo has not made, or in which something has been done since and nobody can
    be asked; `click.Abort` for a no.
    """
    refuse_landing_elsewhere(settings)
    is_known = settings.operations_url is not None and settings.identity.exists()
    if is_known and sum(_as_it_stands(settings).values()) > 2:  # its version is a row, and its home
        raise UsageError(
            f"The demo begins with an empty operations store, and empties none that {variable('operations_url')} names: give "
            "it a home of its own with --home, or unset that."
        )
    marker, recorded = settings.home / MARKER, settings.recording.exists()
    fresh = (
        recorded and not marker.exists() and not settings.landing.exists()
    )  # as `reliability lab record` has made it
    if fresh or not _content(settings):
        return ""
    if not marker.exists() and not recorded:
        raise UsageError(
            f"{settings.home} holds data that the demo did not make; it would be overwritten. "
            "Give the demo a folder of its own with --home."
        )
    # Of releases that kept no account of it, nothing; of what was run on a recording, neither.
    left = json.loads(marker.read_text()).get("left") if marker.exists() else None
    if left == UNFINISHED:
        return f"Replaces a demo in {settings.home} that did not come to its end."
    if left == _as_it_stands(settings):
        return f"Replaces the demo in {settings.home}, after which nothing has been done there."
    what = f"The demo in {settings.home} is replaced, and so is what has been done there since"
    if not marker.exists():
        what = f"What has been done in {settings.home} is replaced; the recording stays"
    if not yes and not sys.stdin.isatty():
        raise UsageError(f"{what}: add --yes, or give another folder with --home. Nothing was changed.")
    if not yes:
        click.confirm(f"{what}: incidents, decisions, snapshots. Go on?", abort=True, err=True)
    return f"{what}."


def refuse_landing_elsewhere(settings: Settings) -> None:
    """Raise `UsageError` where landing is in a bucket: what is broken by the dozen is no delivery of anybody."""
    if settings.landing_url is not None:
        name = variable("landing_url")
        raise UsageError(
            f"What the lab makes to break it does not land in the bucket that {name} names: unset it for this."
        )


def begin(settings: Settings) -> None:
    """Empty the home. A demo that does not come to its end has left nothing that anybody would miss."""
    kept = {MARKER, settings.recording.name}
    for path in _content(settings):
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    _mark(settings, UNFINISHED)


def end(settings: Settings) -> None:
    """Note how the demo leaves its home."""
    _mark(settings, _as_it_stands(settings))


def _content(settings: Settings) -> list[Path]:
    """What is in the home but for what is hidden, and the name under which a store elsewhere knows it."""
    kept = set() if settings.operations_url is None else {settings.identity}
    found = settings.home.iterdir() if settings.home.is_dir() else ()
    return [path for path in found if not path.name.startswith(".") and path not in kept]


def _mark(settings: Settings, left: dict[str, int]) -> None:
    document = {"made_by": "reliability demo", "at": f"{utc_now():%Y-%m-%dT%H:%M:%SZ}", "left": left}
    write_atomically(settings.home / MARKER, (json.dumps(document) + "\n").encode())


def _as_it_stands(settings: Settings) -> dict[str, int]:
    """The rows of each table of the operations store: whatever is run, decided or taken away adds to one of them."""
    with operations_engine(settings).connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }

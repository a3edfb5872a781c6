"""What lies in landing where no run looks: beside the landing days of the sources, or in a day that was examined before
it came. Admission finds what lies in the day that it admits; everything else is found here, by looking, not by a run.

Beside these, what admission refused because nothing can be read of it, for as long as it lies there.

Nothing is opened and nothing changes. A name that is no word of a program is shown by its shape alone.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from reliability_platform.clock import FIRST_DAY
from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.landing.batch_files import batch_of, has_file
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.landing.entries import Entry, EntryKind, entries, files_below, os_error_text
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.landing.manifest import MANIFEST_SUFFIX
from reliability_platform.landing.markers import mark_of
from reliability_platform.landing.writer import is_unwritable
from reliability_platform.masking import shown_name
from reliability_platform.parquet import read_table
from reliability_platform.settings import Settings

UNNOTICED_FOR = timedelta(days=1)
"""How long an entry may wait for the run of its day before somebody should know: one turn of the daily schedule."""
MOST_FILES_COUNTED = 10_000
_DAY = re.compile(r"landing_date=(\d{4}-\d\d-\d\d)")
_LEFT_OVER = re.compile(r"\.landing_date=\d{4}-\d\d-\d\d\.old")
"""A day that a change of the plan was removing when it was killed; the next one ends it."""
_SHOWN = re.compile(r"landing_date=[0-9-]{1,10}|[a-z][a-z0-9_]{0,39}(=\d{1,10}|(\.[a-z][a-z0-9]{0,7}){1,2})?")


@dataclass(frozen=True)
class Misplaced:
    """An entry that belongs to no landing day of any source."""

    source: str
    """Under which it is filed; the first one for what is of none."""
    words: str


def _name(path: Path) -> str:
    name = path.name.encode(errors="surrogateescape").decode(errors="replace")
    return name if _SHOWN.fullmatch(name) else shown_name(name)


def _what(entry: Entry) -> str:
    if entry.kind is not EntryKind.FOLDER:
        return entry.kind.value
    files = sum(1 for _ in files_below(entry.path, MOST_FILES_COUNTED))
    return f"a folder with {counted(files, 'file')}"


def _listed(folder: Path, settings: Settings) -> list[Entry] | str:
    """The entries of a folder, or why they cannot be listed."""
    try:
        return entries(folder, settings.landing)
    except OSError as error:
        return os_error_text(error)


def landing_day_of(name: str) -> date | None:
    """The day that a folder is named for; None if that is none on which the platform knows deliveries."""
    found = _DAY.fullmatch(name)
    try:
        day = date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
    return day if day is not None and day >= FIRST_DAY else None


def misplaced(settings: Settings) -> list[Misplaced]:
    """Everything beside the landing days of the declared sources, marks of other programs aside."""
    found = []
    top = _listed(settings.landing, settings)
    if isinstance(top, str):
        return [Misplaced(SOURCES[0], f"landing itself: {top}")]
    for entry in top:
        if entry.path.name not in SOURCES and mark_of(entry) is None:
            found.append(Misplaced(SOURCES[0], f"{_name(entry.path)}: {_what(entry)} of no declared source"))
    for source in SOURCES:
        below = _listed(settings.landing / source, settings)
        if isinstance(below, str):
            found.append(Misplaced(source, f"{source}: {below}"))
            continue
        for entry in below:
            if landing_day_of(entry.path.name) or _LEFT_OVER.fullmatch(entry.path.name) or mark_of(entry) is not None:
                continue
            found.append(Misplaced(source, f"{source}/{_name(entry.path)}: {_what(entry)} of no landing day"))
    return found


def newest_examined(settings: Settings, source: str) -> date:
    """The newest landing day of a source that a run has examined; the first one that the platform knows if none was."""
    folders = (settings.admissions / source).glob("landing_date=*")
    return max((day for folder in folders if (day := landing_day_of(folder.name))), default=FIRST_DAY)


def _names(settings: Settings, source: str, folder: Path) -> set[str]:
    """The names in a day that must have a record: a manifest beside its file has none of its own."""
    listed = _listed(folder, settings)
    if isinstance(listed, str):
        return {folder.name}
    names = {entry.path.name for entry in listed}
    told = {name for name in names if name.endswith(MANIFEST_SUFFIX) and has_file(source, name, names)}
    return {name.encode(errors="surrogateescape").decode(errors="backslashreplace") for name in names - told}


def unreadable(settings: Settings) -> list[str]:
    """What waits to be read, lies in its landing day still, and is no file that this user can read, or its manifest."""
    found = []
    for one in quarantined_files(settings):
        source, day, name = one["source"], one["landing_date"], one["file"].rpartition("/")[2]
        folder = settings.landing / source / f"landing_date={day}"
        manifest = folder / f"{batch_of(source, name) or name}{MANIFEST_SUFFIX}"
        # Only what has no bytes that could be read has no fingerprint.
        nothing = one.get("fingerprint") == "" or (os.path.lexists(manifest) and not _may_read(manifest))
        if one["state"] == "quarantined" and nothing and name in _names(settings, source, folder):
            found.append(f"{source} {day} {one['batch_id']} ({one['detail'] or one['reason']})")
    return found


def unwritable(settings: Settings) -> list[str]:
    """The folders of landing days into which nothing can be written."""
    return [
        path.relative_to(settings.home).as_posix()
        for _, _, path in _days(settings)
        if is_unwritable(path, settings.landing)
    ]


def _may_read(path: Path) -> bool:
    return os.access(path, os.R_OK, effective_ids=True)


def _days(settings: Settings) -> Iterator[tuple[str, date, Path]]:
    """What is named for a landing day, by names alone: every tick walks over all days that are stored."""
    for source in SOURCES:
        folder = settings.landing / source
        try:
            paths = sorted(folder.iterdir(), key=os.fsencode)
        except OSError:
            continue
        for path in paths:
            day = landing_day_of(path.name)
            if day is not None:
                yield source, day, path


def unexamined(settings: Settings, before: datetime | None = None) -> dict[tuple[str, date], int]:
    """By source and landing day, how many entries no run has examined; only days that have not changed since `before`.

    The folder of a day that was examined after its last entry came is not looked into.
    """
    found: dict[tuple[str, date], int] = defaultdict(int)
    for source, day, folder in _days(settings):
        record = admissions_file(settings, source, day)
        came = examined = 0
        with suppress(OSError):
            came = folder.stat().st_mtime_ns
            examined = record.stat().st_mtime_ns
        if examined > came or (before is not None and came > before.timestamp() * 1e9):
            continue
        known = set()
        if examined:
            files = read_table(record, columns=["file"])["file"].to_pylist()
            known = {file.rpartition("/")[2] for file in files}
        new = len(_names(settings, source, folder) - known)
        if new:
            found[source, day] = new
    return dict(found)

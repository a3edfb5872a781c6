"""What of a home belongs into a snapshot: all files, but for what is made anew and what belongs to running processes."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

from reliability_platform.landing.admission import known_as
from reliability_platform.landing.entries import os_error_text
from reliability_platform.landing.seals import DECISION
from reliability_platform.settings import Settings

LEFT_OUT = {
    "snapshots": "a snapshot of the snapshots would never end",
    "dagster": "the orchestrator's history; the truth is in the operations store",
    "dbt": "made anew by each build",
    "oracle": "made anew by each proof",
    "builds": "locks of running builds",
    "requests": "locks of running requests",
    "copies": "what is known of buckets, which is asked anew",
    "campaign": "worlds of an experiment, made anew by it",
}
DATABASE_SUFFIXES = (".duckdb", ".duckdb.wal", ".sqlite", ".sqlite-wal", ".sqlite-shm", ".lease", ".lock")
"""Databases are copied by their own means; leases and locks belong to processes."""
PARTITION_FOLDER = re.compile(r"landing_date=(\d{4}-\d{2}-\d{2})")

DELIVERED = ("landing", "bronze", "quarantine")
"""Folders in which producers choose the names of files."""
OUR_NAMES = ("sentinel.parquet", "admissions.parquet", "dead_letters.parquet")
OUR_SUFFIXES = ("parquet", "manifest.json", "reason.json")


@dataclass(frozen=True)
class FoundFile:
    """A file as it was met."""

    path: str
    """Below the home, with `/`."""
    size: int
    modified_ns: int


def stays_within(path: str) -> bool:
    """Whether a path, or the target of a link, is one below the home that a snapshot can name."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not (path.startswith("/") or ".." in parts or "\\" in path or "\0" in path)


def walk(settings: Settings, location: Path | None) -> tuple[list[FoundFile], dict[str, str], dict[str, str]]:
    """The plain files of a home and its links (path → target), in the order of their paths; not those of `location`.
    And what can be in no snapshot, with the reason: pipes and the like, links out of the home, folders without rights.

    Files are replaced, never changed, so a file is either the old one or the new one; those that vanish between the
    look and the reading are the reader's business.
    """
    files: list[FoundFile] = []
    links: dict[str, str] = {}
    unfit: dict[str, str] = {}
    outside = {settings.home / name for name in LEFT_OUT} | {location}

    def look(folder: Path) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:  # swapped for another one just now
            return
        except OSError as error:
            unfit[folder.relative_to(settings.home).as_posix()] = os_error_text(error)
            return
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith(".") or entry.name.endswith(DATABASE_SUFFIXES) or path in outside:
                continue
            name = path.relative_to(settings.home).as_posix()
            try:
                if not stays_within(name):
                    unfit[name] = "it has a name that no snapshot can hold"
                elif entry.is_symlink():
                    target = str(path.readlink())
                    if stays_within(target):
                        links[name] = target
                    else:
                        unfit[name] = "it is a link out of its folder"
                elif entry.is_dir():
                    look(path)
                elif entry.is_file():
                    about = entry.stat()
                    files.append(FoundFile(name, about.st_size, about.st_mtime_ns))
                else:
                    unfit[name] = "it is no file"
            except FileNotFoundError:
                continue

    look(settings.home)
    return files, links, unfit


def shown_path(path: str) -> str:
    """A path of the home as it may be shown: producers may call a file after somebody."""
    folder, _, name = path.rpartition("/")
    stem, _, suffix = name.partition(".")
    ours = name in OUR_NAMES or (known_as(stem) == stem and suffix in OUR_SUFFIXES)
    return path if ours or path.split("/")[0] not in DELIVERED else f"{folder}/{known_as(name)}"


def landing_day_of(path: str) -> date | None:
    """The landing day that a file of the home speaks of; None if it concerns none, or all."""
    layer, *parts = path.split("/")
    try:
        if layer in ("landing", "bronze"):
            found = next((match for part in parts if (match := PARTITION_FOLDER.fullmatch(part))), None)
            return date.fromisoformat(found[1]) if found else None
        if layer == "decisions" and (named := DECISION.fullmatch(parts[-1])):
            return date.fromisoformat(named["day"])
    except ValueError:
        return None
    return None


def days_that_differ(before: Mapping[str, object], after: Mapping[str, object]) -> set[date]:
    """The landing days with a file that is in one of two states of a home only, or other there."""
    paths = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return {day for path in paths if (day := landing_day_of(path)) is not None and day.year > 1970}

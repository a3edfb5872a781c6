"""Landing days of which nothing has changed since they were admitted: a run over a month that is about one day spares the rest.

Admission is a function of what lies there: what has landed, the decisions, the file quarantine, the contract, and the code.
A digest over all of it stands beside the seal of a day whose files were all admitted. While it is the same, and bronze is
as it was sealed, admission would give what is there. 8 ms a file without it, 0.6 with it.
"""

import hashlib
import os
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path

from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.bronze_files import admissions_file
from reliability_platform.landing.entries import EntryKind, entries, read_file
from reliability_platform.landing.file_quarantine import quarantine_folder
from reliability_platform.landing.sealed import BRONZE, examine_day
from reliability_platform.landing.seals import decisions_about, seal_file
from reliability_platform.landing.writer import landing_folder
from reliability_platform.settings import Settings

ADMITTED_FROM = "admitted_from"
CODE = Path(__file__).parents[1]


@lru_cache(maxsize=1)
def _code() -> bytes:
    """Of the modules by which a file is read; 20 ms, once a process."""
    paths = [*CODE.glob("*.py"), *CODE.glob("landing/*.py"), *CODE.glob("contracts/**/*.py")]
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.digest()


def _files(settings: Settings, source: str, landing_date: date) -> Iterator[Path]:
    """All that admission reads of a day. Raises `OSError` where something is no file."""
    for entry in entries(landing_folder(settings, source, landing_date), settings.landing):
        if entry.kind is not EntryKind.FILE:
            raise OSError(f"{entry.kind.value} among the deliveries")
        yield entry.path
    yield from sorted(decisions_about(settings, source, landing_date))
    yield from sorted(
        (settings.decisions / source).glob("file-*.json")
    )  # about files that are not called as the schedule's
    yield from sorted(quarantine_folder(settings, source, landing_date).glob("*"))


def inputs_of(settings: Settings, source: str, landing_date: date) -> str | None:
    """SHA-256 over all that the admission of a day depends on; None where something cannot be read."""
    digest = hashlib.sha256(_code() + repr(CONTRACTS[source]).encode())
    try:
        for path in _files(settings, source, landing_date):
            digest.update(os.fsencode(path.relative_to(settings.home)) + b"\0")
            digest.update(hashlib.sha256(read_file(path)).digest())
    except OSError:
        return None
    return digest.hexdigest()


def _note(settings: Settings, source: str, landing_date: date) -> Path:
    return admissions_file(settings, source, landing_date).with_name(ADMITTED_FROM)


def note_inputs(settings: Settings, source: str, landing_date: date, inputs: str | None) -> None:
    """Note from what a day has been admitted; with None, that the next admission must look again."""
    path = _note(settings, source, landing_date)
    if inputs is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(inputs)  # torn, it is another digest


def is_unchanged(settings: Settings, source: str, landing_date: date, inputs: str | None) -> bool:
    """Whether a day has been admitted from just this, and bronze is what that admission has written."""
    try:
        noted = _note(settings, source, landing_date).read_text()
    except (OSError, UnicodeDecodeError):
        return False
    return (
        inputs == noted
        and seal_file(settings, source, landing_date).is_file()
        and not examine_day(settings, source, landing_date, [BRONZE])
    )

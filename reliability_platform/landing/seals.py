"""Seals: the checksums of what belongs to a landing day, taken when it was admitted, beside its admission records.

Admitted deliveries with their manifests, bronze, the file quarantine and the decisions about the day. A file that
differs from its seal was changed from outside, unless it is another delivery: a file and a manifest that agree with
each other have landed since and wait for their admission.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from reliability_platform import damage
from reliability_platform.damage import Written, written
from reliability_platform.home_path import present_name
from reliability_platform.landing.bronze_files import admissions_file, bronze_folder
from reliability_platform.landing.day_folder import quarantine_folder
from reliability_platform.settings import Settings

SEAL = "seal.json"
DECISION = re.compile(r"(?P<source>[a-z][a-z0-9_]*)-(?P<day>\d{8})-.*\.json")

Files = dict[str, Written]
"""By the path below the home."""


def seal_file(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the seal of a source and landing day is."""
    return admissions_file(settings, source, landing_date).with_name(SEAL)


def decisions_about(settings: Settings, source: str, landing_date: date) -> Iterator[Path]:
    """The files of what people have decided about a landing day."""
    yield from (settings.decisions / source).glob(f"{source}-{landing_date:%Y%m%d}-*.json")


def _ours(settings: Settings, source: str, landing_date: date) -> Iterator[Path]:
    """What the platform itself has written for a day."""
    yield from bronze_folder(settings, source, landing_date).glob("*")
    yield admissions_file(settings, source, landing_date)
    yield from quarantine_folder(settings, source, landing_date).glob("*")
    yield from decisions_about(settings, source, landing_date)


def name_of(settings: Settings, path: Path) -> str:
    return path.relative_to(settings.home).as_posix()


def seal(settings: Settings, source: str, landing_date: date, admitted: Iterable[Path]) -> None:
    """Seal a landing day; `admitted` are the files in landing, manifests among them, that must stay as they are."""
    paths = [*admitted, *_ours(settings, source, landing_date)]
    files = {
        name_of(settings, path): written(path) for path in paths if path.is_file() and not path.name.startswith(".")
    }
    damage.write_seal(seal_file(settings, source, landing_date), files)


def read_seal(settings: Settings, source: str, landing_date: date) -> Files | None:
    """The seal of a landing day; None for one that was admitted by an earlier release. Raises `ValueError`."""
    files = damage.read_seal(seal_file(settings, source, landing_date))
    return None if files is None else {present_name(name): one for name, one in files.items()}


def seal_again(settings: Settings, path: Path) -> None:
    """Take one file that the platform has just written, or removed, into the seal of its day, if there is one."""
    day = _day_of(path)
    try:
        files = read_seal(settings, *day) if day is not None else None
    except ValueError:
        return  # it is named as damaged, and made anew with the next admission
    if day is None or files is None:
        return
    files.pop(name_of(settings, path), None)
    if path.is_file():
        files[name_of(settings, path)] = written(path)
    damage.write_seal(seal_file(settings, *day), files)


def _day_of(path: Path) -> tuple[str, date] | None:
    """The source and landing day of a file in quarantine or of a decision."""
    named = DECISION.fullmatch(path.name)
    text = named["day"] if named is not None else path.parent.name.removeprefix("landing_date=")
    try:
        return (named["source"] if named is not None else path.parent.parent.name), date.fromisoformat(text)
    except ValueError:
        return None


def break_seal(settings: Settings, source: str, landing_date: date) -> None:
    """Forget a seal: the day lands anew, and what was is no matter any more."""
    seal_file(settings, source, landing_date).unlink(missing_ok=True)

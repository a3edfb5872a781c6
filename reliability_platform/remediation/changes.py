"""What has changed since an attempt that did not help. A failure that stays is not met with the same action again before
something has: deliveries or approvals of its days, models, contract, reference data, the room and rights of the warehouse.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from reliability_platform.contracts import CONTRACTS
from reliability_platform.incidents.model import OUTCOME, Incident, TimelineEntry
from reliability_platform.landing.writer import landing_folder
from reliability_platform.remediation.conditions import can_be_written
from reliability_platform.settings import Settings
from reliability_platform.warehouse.own_project import own_project

WORLD = "world"
"""Under this name the timeline keeps what the world was like when an attempt ended."""
NOTHING_TO_DO = "nothing_to_do"
"""No attempt was made, for it would have changed nothing."""


def _digest(parts: Iterable[bytes | str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        # A name in landing may be no text: it is a name all the same.
        digest.update(part if isinstance(part, bytes) else part.encode(errors="surrogateescape"))
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _files(folder: Path, *patterns: str) -> list[bytes | str]:
    """Names and contents of small files."""
    found: list[bytes | str] = []
    for pattern in patterns:
        for path in sorted(folder.rglob(pattern)):
            found += [path.relative_to(folder).as_posix(), path.read_bytes()]
    return found


def _entries(folder: Path) -> list[bytes | str]:
    """What has landed on a day: names and sizes, and of manifests what they say. A file alone is a delivery too."""
    found: list[bytes | str] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            found += [path.name, str(path.lstat().st_size)]
            found += [path.read_bytes()] if path.suffix == ".json" and path.is_file() else []
        except OSError:
            continue  # admission refuses it, with the reason
    return found


def changed_since(settings: Settings, incident: Incident) -> list[str]:
    """What is other now than when the last attempt ended; nothing if it did not end, or nobody knows."""
    last = last_outcome(incident)
    return (
        what_changed(last.data[WORLD], environment_fingerprint(settings, incident))
        if last and WORLD in last.data
        else []
    )


def _models(project: Path) -> str:
    """Of what the project is written in; what dbt makes of it beside it changes with every parse."""
    written = [part for folder in ("models", "macros") for part in _files(project / folder, "*.sql", "*.yml")]
    own = own_project()
    theirs = [part for name, path in own.files() for part in (name, path.read_bytes())] if own is not None else []
    return _digest([version("reliability-platform"), *written, *theirs])


def environment_fingerprint(settings: Settings, incident: Incident) -> dict[str, str]:
    """What the outcome of an action depends on, each as a short digest, under names for people."""
    deliveries = [
        part
        for source in incident.sources
        for day in incident.partitions
        for part in _entries(landing_folder(settings, source, day))
    ]
    approvals = [part for source in incident.sources for part in _files(settings.decisions / source, "*.json")]
    room = can_be_written(settings) and os.access(settings.home, os.W_OK)
    return {
        "deliveries": _digest(deliveries),
        "approvals": _digest(approvals),
        "models": _models(settings.dbt_project),
        "contract": _digest(repr(CONTRACTS[source]) for source in incident.sources),
        "reference data": _digest(_files(settings.reference, "*.parquet")),
        "room and rights": str(room),
        "warehouse file": str(settings.warehouse.exists()),
    }


def what_changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The names of what is other now."""
    return sorted(name for name in now if before.get(name) != now[name])


def last_outcome(incident: Incident) -> TimelineEntry | None:
    """How the last attempt ended, if it ended without helping and nothing was begun since."""
    for entry in reversed(incident.timeline):
        if OUTCOME in entry.data:
            return entry
        if entry.data.get("phase") == "begun" or entry.data.get("to") == "reopened":
            return None
    return None

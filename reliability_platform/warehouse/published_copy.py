"""A copy of what is published for consumers of other machines, in the place that RELIABILITY_PUBLISHED_URL names.

`<version>/<table>.parquet` never changes. `current.json` says which version counts and where its tables are; it is written last
and in one step, and in an object store of S3 only over the one that was read, so that of two that write at once one is
refused. Whoever reads it and then what it names reads one version, whole. A version that the home no longer has goes.
"""

import hashlib
import json
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.locks import locked
from reliability_platform.log_lines import log_event
from reliability_platform.masking import error_text
from reliability_platform.operations.identity import home_id
from reliability_platform.settings import Settings
from reliability_platform.warehouse.elsewhere import Elsewhere
from reliability_platform.warehouse.published import CURRENT, RECORD, versions

POINTER = "current.json"
VERSION = re.compile(r"v\d{6,}")
"""How the home calls its versions. A name in a pointer that somebody has edited is no path."""
WAIT_SECONDS = 60
"""For another process of this home that copies; what it leaves is looked at again."""


@dataclass(frozen=True)
class _Pointer:
    """What the copy shows, and the mark by which the place knows these very bytes."""

    said: dict[str, Any]
    mark: str | None


def copy_published(settings: Settings) -> str | None:
    """Bring the copy in line with what consumers of the home read; the words of why it is not, or None.

    Nothing is done without RELIABILITY_PUBLISHED_URL, or before anything is published. The publication stands whatever
    becomes of its copy: it is tried again with the next one, and with each look at the home.
    """
    if settings.published_url is None or not settings.published.is_dir():
        return None
    busy = "another process copies what is published"
    try:
        # A look at the home would otherwise put the version back that a publication has just replaced.
        with locked(settings.published / ".copy.lock", busy, wait_seconds=WAIT_SECONDS):
            current = settings.published / CURRENT
            if current.is_symlink():
                place = Elsewhere.open(settings.published_url, "RELIABILITY_PUBLISHED_URL", "the published tables")
                _bring_up(settings, place, current.readlink().name)
    except Exception as error:  # whatever the place answers with
        log_event("published_copy_failed", why=error_text(error))
        return f"what consumers read is not in the copy of the published tables: {error_text(error)}"
    return None


def _bring_up(settings: Settings, place: Elsewhere, version: str) -> None:
    before = _read(place)
    copied = [] if before is None else [one for one in before.said.get("versions", []) if VERSION.fullmatch(str(one))]
    wanted = _pointer(settings, version, {*copied, version})
    if before is not None and before.said["home"] != wanted["home"]:
        raise EnvironmentUnusableError(
            f"{place.shown} holds the published tables of another home: name another place with RELIABILITY_PUBLISHED_URL."
        )
    if before is None or before.said != wanted:
        _upload(settings.published / version, place, version)
        _swap(place, wanted, before)
        log_event("published_copied", version=version)
    gone = set(copied) - {*versions(settings), version}
    if gone:
        for one in sorted(gone):
            with suppress(FileNotFoundError):  # a process that was killed had come so far
                place.fs.rm(place.path(one), recursive=True)
        _swap(place, _pointer(settings, version, {*copied, version} - gone), _read(place))


def _pointer(settings: Settings, version: str, copied: Collection[str]) -> dict[str, Any]:
    """What `current.json` says; `copied` are the versions that this home has put there: of no other folder may one go."""
    folder = settings.published / version
    return {
        "version": version,
        "home": home_id(settings),
        "record": {"path": f"{version}/{RECORD}", "sha256": hashlib.sha256((folder / RECORD).read_bytes()).hexdigest()},
        "tables": {path.stem: f"{version}/{path.name}" for path in sorted(folder.glob("*.parquet"))},
        "versions": sorted(copied),
    }


def _read(place: Elsewhere) -> _Pointer | None:
    place.fs.invalidate_cache()  # a listing that a library keeps would hide what another host wrote
    try:
        mark = place.fs.info(place.path(POINTER)).get("ETag")
        said = json.loads(place.fs.cat_file(place.path(POINTER)))
    except FileNotFoundError:
        return None
    except ValueError:
        said = {}
    if not isinstance(said, dict) or "home" not in said:
        raise EnvironmentUnusableError(
            f"{place.path(POINTER)} is none that the platform wrote: remove it, or name another place."
        )
    return _Pointer(said, mark)


def _upload(folder: Path, place: Elsewhere, version: str) -> None:
    """Every file of a version that is not there yet, whole."""
    try:
        found = place.fs.find(place.path(version), detail=True)
    except FileNotFoundError:
        found = {}
    sizes = {path.rsplit("/", 1)[-1]: about.get("size") for path, about in found.items()}
    place.fs.makedirs(place.path(version), exist_ok=True)
    for path in sorted(folder.iterdir()):
        if sizes.get(path.name) != path.stat().st_size:
            place.fs.put_file(str(path), place.path(version, path.name))


def _swap(place: Elsewhere, wanted: dict[str, Any], before: _Pointer | None) -> None:
    """Write the pointer in one step, over the one that was read. Raises what the place refuses."""
    target, content = place.path(POINTER), json.dumps(wanted, indent=2).encode()
    if place.folder is not None:
        draft = place.path(f".{POINTER}.draft")
        place.fs.pipe_file(draft, content)
        place.fs.mv(draft, target)
    elif "s3" in str(place.fs.protocol):
        unchanged: dict[str, str | None] = {"mode": "create"} if before is None else {"IfMatch": before.mark}
        place.fs.pipe_file(target, content, **unchanged)
    else:
        place.fs.pipe_file(target, content)

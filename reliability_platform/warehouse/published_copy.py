"""A copy of what is published for consumers of other machines, in the place that RELIABILITY_PUBLISHED_URL names.

`files/<SHA-256>.parquet` has a content that versions share, so a version brings only what is new in it. `current.json` says which
version counts and which files each of its tables has; it is written last and in one step, and in an object store of S3 only
over the one that was read, so that of two that write at once one is refused. Whoever reads it and then what it names reads one
version, whole. A version that the home no longer has goes, with the files that no other one has.
"""

import hashlib
import json
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability_platform.elsewhere import Elsewhere
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.locks import locked
from reliability_platform.log_lines import log_event
from reliability_platform.masking import error_text
from reliability_platform.operations.identity import home_id
from reliability_platform.settings import Settings
from reliability_platform.warehouse.provisional import PREFIX, file_name
from reliability_platform.warehouse.published import (
    CURRENT,
    RECORD,
    Publication,
    read_publication,
    read_record,
    record_of,
    versions,
)
from reliability_platform.warehouse.published_integrity import files_of

POINTER, FILES = "current.json", "files"
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
    there = versions(settings)
    gone = set(copied) - {*there, version}
    if gone:
        needed = {name for one in there for name in _contents(read_publication(settings, one)).values()}
        for one in sorted(gone):
            _remove(place, one, needed)
        _swap(place, _pointer(settings, version, {*copied, version} - gone), _read(place))


def _contents(publication: Publication) -> dict[str, str]:
    """What the files of a version are called in the copy, by their names in the home."""
    return {name: f"{FILES}/{one.sha256}.parquet" for name, one in files_of(publication).items()}


def _remove(place: Elsewhere, version: str, needed: Collection[str]) -> None:
    """Take a version away, and those of its files that no other one has; a process that was killed may have come so far."""
    with suppress(FileNotFoundError, ValueError):
        contents = _contents(record_of(place.fs.cat_file(place.path(version, RECORD)).decode()))
        for name in sorted(set(contents.values()) - set(needed)):
            with suppress(FileNotFoundError):
                place.fs.rm(place.path(name))
    with suppress(FileNotFoundError):
        place.fs.rm(place.path(version), recursive=True)


def _pointer(settings: Settings, version: str, copied: Collection[str]) -> dict[str, Any]:
    """What `current.json` says; `copied` are the versions that this home has put there: of no other folder may one go."""
    folder, publication = settings.published / version, read_publication(settings, version)
    contents = _contents(publication)
    tables = {one.name: sorted(one.files) for one in publication.tables}
    tables |= {
        f"{PREFIX}{one.name}": [file_name(one.name)] for one in publication.tables if one.provisional is not None
    }
    return {
        "version": version,
        "home": home_id(settings),
        "record": {"path": f"{version}/{RECORD}", "sha256": hashlib.sha256((folder / RECORD).read_bytes()).hexdigest()},
        "tables": {name: [contents[one] for one in files] for name, files in tables.items()},
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
    """Every file of a version that is not there yet, whole; its record last."""
    try:
        found = place.fs.find(place.path(FILES), detail=True)
    except FileNotFoundError:
        found = {}
    sizes = {path.rsplit("/", 1)[-1]: about.get("size") for path, about in found.items()}
    for one in (FILES, version):
        place.fs.makedirs(place.path(one), exist_ok=True)
    for name, content in sorted(_contents(read_record(folder / RECORD)).items()):
        if sizes.get(content.rsplit("/", 1)[-1]) != (folder / name).stat().st_size:
            place.put(folder / name, place.path(content))
    place.put(folder / RECORD, place.path(version, RECORD))


def _swap(place: Elsewhere, wanted: dict[str, Any], before: _Pointer | None) -> None:
    """Write the pointer in one step, over the one that was read. Raises what the place refuses."""
    content = json.dumps(wanted, indent=2).encode()
    place.write(place.path(POINTER), content, over=None if before is None else before.mark)

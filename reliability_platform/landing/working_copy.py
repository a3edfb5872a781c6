"""Folders of the home that are working copies of a bucket: with RELIABILITY_LANDING_URL the bucket is the truth of landing, of what
people have decided about it, and of what was refused of it.

What is written goes to the bucket first, each file in one step and a manifest after its file, then into the folder; so the folder
never has what the bucket does not. Whoever reads a landing day brings the folders up to it before, by one listing of that day and
one of the decisions about its source and one of what was refused of the day.
Objects are known by the mark that the store gives to each content (`ETag`), noted in `copies` of the home: only what is new or
other is fetched. All else in the platform reads files.

With RELIABILITY_LANDING_KEY each object is encrypted by itself, whose mark then says nothing of its content; one that a producer has left
readable is encrypted as soon as its folder is brought in.

What somebody has removed from the bucket is not removed here: deliveries and decisions are what nothing else gives back. A decision
that was withdrawn leaves an empty object, so that other homes can tell it from one that was lost.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reliability_platform.atomic import write_atomically
from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.encryption import NotDecryptedError, is_encrypted
from reliability_platform.errors import EnvironmentUnusableError, PlatformError
from reliability_platform.landing.batch_files import BATCH_NAME, REASON_SUFFIX
from reliability_platform.landing.day_folder import day_folder
from reliability_platform.landing.entries import EntryKind, look, read_file
from reliability_platform.landing.manifest import MANIFEST_SUFFIX
from reliability_platform.landing.seals import seal_again
from reliability_platform.locks import locked
from reliability_platform.parquet import DAY_FOLDER
from reliability_platform.settings import Settings, variable

if TYPE_CHECKING:
    from reliability_platform.elsewhere import Elsewhere  # with fsspec: 0.2 s, for those alone who have a bucket
    from reliability_platform.encryption import AgeKey

WITHDRAWN = b""
"""What stands in the bucket for a decision that was withdrawn. No file of a decision is empty."""


@dataclass(frozen=True)
class _Kind:
    """What a folder of the home is a copy of."""

    setting: str
    """The setting that names the bucket."""
    below: str | None
    """The folder in the bucket."""
    is_by_day: bool = True
    """Whether it has a folder for each landing day of a source; else one for each source, and what is removed leaves `WITHDRAWN`."""

    @property
    def is_delivered(self) -> bool:
        """Whether producers deliver there. Elsewhere only the platform writes, and what changes there is in the seal of its day."""
        return self.below is None


COPIES = {
    "landing": _Kind("landing_url", None),
    "decisions": _Kind("landing_url", "_decisions", is_by_day=False),
    "quarantine": _Kind("landing_url", "_quarantine"),
}
"""The folders of a home that may be such copies. No source is called as one with an underscore in front."""
AT_ONCE = 64
"""So many objects are fetched at once, and are in memory together."""
LOOK_EVERY = timedelta(minutes=5)
"""So often the newest days are listed through the day: 15 of four sources are 17,000 listings a day, which cost 9 cents."""
LONGEST_NAME = 255
"""Bytes that a file system allows for a name; an object may have 1,024."""


@dataclass(frozen=True)
class _Noted:
    """An object as it was when its file was written or compared."""

    mark: str
    size: int
    modified_ns: int
    """Of the file. One that is other since is not what was landed."""
    is_encrypted: bool = False
    """Of the object."""


_Notes = dict[str, _Noted]
"""By the name of the object, of one folder."""

_put_here: dict[str, tuple[str, str]] = {}
"""By object, the marks of what this process has put there last: of the object, and of the content that it was made of."""


@dataclass(frozen=True)
class _Copy:
    """One folder of the home and the place that it is a copy of."""

    name: str
    kind: _Kind
    settings: Settings
    place: "Elsewhere"
    key: "AgeKey | None"

    @property
    def folder(self) -> Path:
        """That of the home."""
        return self.settings.home / self.name

    @property
    def notes(self) -> Path:
        """Where it is noted which object each file is."""
        return self.settings.copies / self.name

    def folders(self, source: str, days: Iterable[date]) -> list[str]:
        """What belongs to some landing days of a source."""
        return [_day_folder(source, day) for day in days] if self.kind.is_by_day else [source]

    def sealed(self, path: Path) -> None:
        """Take a file that was fetched, or removed, into the seal of its day. Deliveries are sealed when they are admitted."""
        if not self.kind.is_delivered:
            seal_again(self.settings, path)

    def name_of(self, path: Path) -> str:
        """What the object of a file is called."""
        return path.relative_to(self.folder).as_posix()

    @contextmanager
    def noted(self, below: str) -> Iterator[_Notes]:
        """What is known of the objects of a folder below, held; written down at the end, also of a block that fails."""
        path = self.notes / f"{below}.json"
        with locked(path.parent / ".lock"):
            notes: _Notes = {}
            with suppress(OSError, ValueError, TypeError):  # whatever is not known is compared anew
                notes = {name: _Noted(*one) for name, one in json.loads(path.read_text()).items()}
            before = dict(notes)
            try:
                yield notes
            finally:
                if notes != before:
                    said = {name: list(vars(one).values()) for name, one in sorted(notes.items())}
                    write_atomically(path, json.dumps(said).encode())

    def listed(self, below: str) -> dict[str, dict[str, Any]]:
        """What lies in a folder of the place, by name. Raises `EnvironmentUnusableError`."""
        folder = self.place.path(below)
        self.place.fs.invalidate_cache()  # a listing that a library keeps would hide what another host wrote
        try:
            found: list[dict[str, Any]] = self.place.fs.ls(folder, detail=True)
        except FileNotFoundError:
            return {}
        paths = {str(one["name"]).rstrip("/"): one for one in found}
        return {path.rsplit("/", 1)[-1]: one for path, one in paths.items() if path != folder}

    def stored(self, content: bytes) -> bytes:
        """The object of a content. What says that a decision was withdrawn is known by its size, also to whoever has no key."""
        is_withdrawn = content == WITHDRAWN and not self.kind.is_by_day
        return content if self.key is None or is_withdrawn else self.key.encrypted_bytes(content)

    def content(self, stored: bytes, path: str) -> bytes:
        """The content of an object. A delivery that the key does not open is refused by admission, as any other that cannot be read.

        Raises `EnvironmentUnusableError` for anything else that it does not open.
        """
        if self.key is None or not is_encrypted(stored):
            return stored
        try:
            return self.key.decrypted_bytes(stored)
        except NotDecryptedError:
            if self.kind.is_delivered:
                return stored
            below = path.removeprefix(f"{self.place.root}/")
            raise EnvironmentUnusableError(
                f"{below} of {self.name}, in the place that {variable(self.kind.setting)} names, is damaged, or was encrypted with "
                f"another key than the one that {variable('landing_key')} leads to: `reliability restore --damaged` puts back what "
                "this home has of it once the object is removed."
            ) from None


def write(settings: Settings, path: Path, content: bytes) -> None:
    """Write a file: into the bucket that its folder is a copy of, if it is one, and into the home.

    Raises `EnvironmentUnusableError` for a bucket that does not take it, `OvertakenError` if it has another content by now
    than the one that this home knows.
    """
    copy = _copy_with(settings, path)
    if copy is not None:
        _put(copy, path, content)
    write_atomically(path, content)


def remove(settings: Settings, path: Path) -> None:
    """Remove a file. Killed in between, the next look brings a delivery back, and whoever removed it begins again; a decision is
    withdrawn as soon as the bucket says so."""
    copy = _copy_with(settings, path)
    if copy is None:
        path.unlink(missing_ok=True)
        return
    if not copy.kind.is_by_day:
        if path.is_file():
            _put(copy, path, WITHDRAWN)
            path.unlink(missing_ok=True)
        return
    with copy.noted(copy.name_of(path.parent)) as notes:
        notes.pop(path.name, None)
        path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            copy.place.fs.rm_file(copy.place.path(copy.name_of(path)))


def forget_day(settings: Settings, source: str, day: date) -> None:
    """Remove a landing day from its bucket, as the lab does that lets it land anew. The folders are the caller's."""
    below = _day_folder(source, day)
    for copy in (one for one in _copies(settings) if one.kind.is_by_day):
        with copy.noted(below) as notes:
            notes.clear()
            for name in sorted(copy.listed(below), key=_manifests_last):
                with suppress(FileNotFoundError):
                    copy.place.fs.rm_file(copy.place.path(below, name))


def bring_in(settings: Settings, source: str, days: Iterable[date]) -> None:
    """Bring the folders of some landing days, and what people have decided about their source, up to their buckets. What lies there
    alone, as of before there was one, goes up.

    Raises `EnvironmentUnusableError` if a bucket cannot be asked, or has lost what this home has.
    """
    for copy in _copies(settings):
        _bring_in_all(copy, copy.folders(source, days))


def bring_in_decisions(settings: Settings, sources: Iterable[str]) -> None:
    """Let whoever decides about sources know what others have decided, before anything is on record. Raises as `bring_in`."""
    for copy in _copies(settings):
        if not copy.kind.is_by_day:
            _bring_in_all(copy, sources)


def _bring_in_all(copy: _Copy, folders: Iterable[str]) -> None:
    lost = [f"{below}/{name}" for below in folders for name in _bring_in(copy, below)]
    if lost:
        raise EnvironmentUnusableError(_words(copy, lost))


def bring_in_every_day(settings: Settings) -> list[str]:
    """Bring the folders of all landing days up to their buckets; returns the files that a bucket had and has no longer, by their paths
    below the home. Raises `EnvironmentUnusableError` if a bucket cannot be asked."""
    found = list[str]()
    learn_days(settings)
    days = _known_days(settings)
    for copy in _copies(settings):
        for below in [one for source in SOURCES for one in copy.folders(source, days.get(source, ()))]:
            found += [f"{copy.name}/{below}/{_local(name)}" for name in _bring_in(copy, below)]
    return found


def put_back(settings: Settings, paths: Iterable[Path]) -> None:
    """Put files of the home into the buckets that their folders are copies of, each manifest after its file."""
    for path in sorted(paths, key=lambda one: _manifests_last(one.name)):
        copy = _copy_with(settings, path)
        if copy is not None and path.is_file():
            _put(copy, path, read_file(path))


def learn_days(settings: Settings, sources: Iterable[str] = SOURCES) -> None:
    """Let the home have a folder for each landing day of the bucket: one listing of each source, and no file is fetched."""
    for copy in _delivered(settings):
        for source in sources:
            for name in copy.listed(source):
                with suppress(ValueError):
                    day = date.fromisoformat(name.removeprefix(DAY_FOLDER))
                    if _day_folder(source, day) == f"{source}/{name}":
                        (copy.folder / source / name).mkdir(parents=True, exist_ok=True)


def look_around(settings: Settings, days: Collection[date], now: datetime) -> None:
    """Bring in what has come into the buckets of these days, if nobody has looked for a while."""
    if not any(getattr(settings, kind.setting) for kind in COPIES.values()):
        return
    stamp = settings.copies / "looked"
    with suppress(OSError):
        if now.timestamp() - stamp.stat().st_mtime < LOOK_EVERY.total_seconds():
            return
    write_atomically(stamp, b"")
    os.utime(stamp, (now.timestamp(), now.timestamp()))
    with suppress(PlatformError):  # the next run says so, and the doctor
        learn_days(settings)
        for copy in _delivered(settings):  # a run brings in all else
            for source, known in _known_days(settings).items():
                _bring_in_all(copy, copy.folders(source, [day for day in known if day in days]))


# One folder


def _bring_in(copy: _Copy, below: str) -> list[str]:
    """Bring a folder up to the place; the names that the place has lost."""
    folder = copy.folder / below
    with copy.noted(below) as notes:
        listed = copy.listed(below)
        objects = {name: about for name, about in listed.items() if about["type"] != "directory"}
        withdrawn = set[str]() if copy.kind.is_by_day else {name for name in objects if not objects[name]["size"]}
        for name in withdrawn:
            notes.pop(name, None)
            (folder / _local(name)).unlink(missing_ok=True)
            copy.sealed(folder / _local(name))
        marks = {name: _mark(about) for name, about in objects.items() if name not in withdrawn}
        other = {name: mark for name, mark in marks.items() if not _is_as_noted(copy, notes, below, name, mark)}
        wanted = {name: mark for name, mark in other.items() if not _noted_as_same(copy, notes, below, name, mark)}
        _fetch(copy, below, wanted, notes)
        for name in listed.keys() - objects.keys():  # admission refuses it by its name
            with suppress(FileExistsError):
                (folder / _local(name)).mkdir(parents=True, exist_ok=True)
        gone = sorted(notes.keys() - marks.keys())
        for name in [one for one in gone if not os.path.lexists(folder / _local(one))]:
            notes.pop(name)
        _take_up(copy, folder, {_local(name) for name in (*listed, *notes)})
        return [name for name in gone if name in notes]


def _take_up(copy: _Copy, folder: Path, known: Collection[str]) -> None:
    """Put into the place what lies in the folder and is not known there; drafts of writers begin with a dot."""
    try:
        names = sorted((one.name for one in os.scandir(folder)), key=_manifests_last)
    except OSError:
        return
    for path in [folder / name for name in names if name not in known and not name.startswith(".")]:
        if look(path, copy.folder).kind is EntryKind.FILE:
            with suppress(OSError, UnicodeEncodeError):  # admission says what cannot be read
                _put(copy, path, read_file(path))


def _fetch(copy: _Copy, below: str, wanted: Mapping[str, str], notes: _Notes) -> None:
    """Fetch objects, each manifest and each reason after all files: nobody here may see one without its file."""
    names = sorted(wanted, key=_manifests_last)
    for first in range(0, len(names), AT_ONCE):
        paths = {copy.place.path(below, name): name for name in names[first : first + AT_ONCE]}
        contents = copy.place.fs.cat(list(paths), on_error="return")
        for path, name in paths.items():
            stored = contents.get(path)
            if isinstance(stored, Exception):
                # Vanished since it was listed, it is as if it had never been; of anything else the place is named.
                stored = _cat(copy, path)
            if stored is not None:
                target, is_readable = copy.folder / below / _local(name), not is_encrypted(stored)
                new_mark = _encrypt(copy, path, stored, wanted[name]) if copy.key is not None and is_readable else None
                write_atomically(target, copy.content(stored, path))
                about = target.stat()
                is_safe = copy.key is not None and (new_mark is not None or not is_readable)
                notes[name] = _Noted(new_mark or wanted[name], about.st_size, about.st_mtime_ns, is_safe)
                copy.sealed(target)


def _cat(copy: _Copy, path: str) -> bytes | None:
    try:
        return bytes(copy.place.fs.cat_file(path))
    except FileNotFoundError:
        return None


def _encrypt(copy: _Copy, path: str, content: bytes, mark: str) -> str | None:
    """Let an object that is readable be an encrypted one; returns its new mark, None if somebody has written it meanwhile."""
    from reliability_platform.elsewhere import OvertakenError

    stored = copy.stored(content)
    try:
        copy.place.write(path, stored, over=f'"{mark}"')
    except (OvertakenError, FileNotFoundError):
        return None
    return _md5(stored)


def _noted_as_same(copy: _Copy, notes: _Notes, below: str, name: str, mark: str) -> bool:
    """Whether the file of an object is there already, which then is noted: what this home has put there need not be fetched.

    The mark of an object of S3 that was written in one part is the MD5 of what is stored: of the content, or, where it is encrypted, of
    something that only the process knows that has put it there. Any other is fetched once.
    """
    path = copy.folder / below / _local(name)
    try:
        about, content = path.stat(), read_file(path)
    except OSError:
        return False
    digest = _md5(content)
    is_readable = mark == digest
    if _put_here.get(copy.place.path(below, name), (digest, digest)) != (mark, digest) or is_readable is (
        copy.key is not None
    ):
        return False
    notes[name] = _Noted(mark, about.st_size, about.st_mtime_ns, not is_readable)
    return True


def _is_as_noted(copy: _Copy, notes: _Notes, below: str, name: str, mark: str) -> bool:
    try:
        about = (copy.folder / below / _local(name)).lstat()
    except OSError:
        return False
    return notes.get(name) == _Noted(mark, about.st_size, about.st_mtime_ns, copy.key is not None)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _put(copy: _Copy, path: Path, content: bytes) -> None:
    """Write an object in one step; in an object store of S3 only where there is none, or over the content that this home has."""
    from reliability_platform.elsewhere import OvertakenError

    place, target, stored = copy.place, copy.place.path(copy.name_of(path)), copy.stored(content)
    try:
        place.write(target, stored)
    except OvertakenError:
        place.fs.invalidate_cache()
        mark, there = place.fs.info(target)["ETag"], copy.content(place.fs.cat_file(target), target)
        if there == content:
            return
        known = read_file(path) if path.is_file() else None if copy.kind.is_by_day else WITHDRAWN
        if known != there:
            raise
        place.write(target, stored, over=mark)
    _put_here[target] = (_md5(stored), _md5(content))


# What is where


def _copies(settings: Settings) -> Iterator[_Copy]:
    for name, kind in COPIES.items():
        url = getattr(settings, kind.setting)
        if url is not None:
            from reliability_platform.landing.bucket_holder import ensure_held, landing_key

            ensure_held(settings)
            # Drivers must not be shared with a process that was forked from this one.
            place = _opened(url, variable(kind.setting), name, os.getpid())
            below = place if kind.below is None else replace(place, root=place.path(kind.below))
            yield _Copy(name, kind, settings, below, landing_key(settings))


def _delivered(settings: Settings) -> Iterator[_Copy]:
    return (one for one in _copies(settings) if one.kind.is_delivered)


def _copy_with(settings: Settings, path: Path) -> _Copy | None:
    return next((one for one in _copies(settings) if path.is_relative_to(one.folder)), None)


@lru_cache(maxsize=8)
def _opened(url: str, setting: str, name: str, process: int) -> "Elsewhere":
    from reliability_platform.elsewhere import Elsewhere

    del process
    return Elsewhere.open(url, setting, name)


def _mark(about: Mapping[str, Any]) -> str:
    """What changes with the content of an object, by whatever name its driver has it."""
    said = next((about[key] for key in ("ETag", "etag", "LastModified", "mtime", "created") if about.get(key)), "")
    return said.strip('"') if isinstance(said, str) else f"{said} {about.get('size')}"


def _local(name: str) -> str:
    """What the file of an object is called: its name, or a digest of one that no file can have."""
    unusable = name in (".", "..") or "\0" in name or len(os.fsencode(name)) > LONGEST_NAME
    return f"object-{hashlib.sha256(name.encode()).hexdigest()[:12]}" if unusable else name


def _manifests_last(name: str) -> tuple[bool, str]:
    return name.endswith((MANIFEST_SUFFIX, REASON_SUFFIX)), name


def _day_folder(source: str, day: date) -> str:
    return day_folder(Path(), source, day).as_posix()


def _known_days(settings: Settings) -> dict[str, list[date]]:
    """The landing days of each source of which the home has a folder, or notes."""
    found: dict[str, set[date]] = {}
    for source in SOURCES:
        for copy in _delivered(settings):
            for path in (
                *(copy.folder / source).glob(f"{DAY_FOLDER}*"),
                *(copy.notes / source).glob(f"{DAY_FOLDER}*.json"),
            ):
                with suppress(ValueError):
                    day = date.fromisoformat(path.name.removesuffix(".json").removeprefix(DAY_FOLDER))
                    found.setdefault(source, set()).add(day)
    return {source: sorted(days) for source, days in found.items()}


def _words(copy: _Copy, lost: list[str]) -> str:
    from reliability_platform.masking import shown_name  # with all that masks: most need none of it

    below, _, name = lost[0].rpartition("/")
    name = name if BATCH_NAME.fullmatch(name.partition(".")[0]) else shown_name(name)
    more = f" and {counted(len(lost) - 1, 'other file')}" if len(lost) > 1 else ""
    return (
        f"The place of {copy.name} that {variable(copy.kind.setting)} names has lost {below}/{name}{more}, which this home has: "
        f"`reliability restore --damaged` puts it back; if it was removed on purpose, remove it from {copy.name} in the home, too."
    )

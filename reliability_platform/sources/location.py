"""Where deliveries appear: a pattern of paths on this machine, or a URL that fsspec knows (`s3://bucket/flights/*.csv`)."""

import glob
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

from reliability_platform.clock import utc_now
from reliability_platform.contracts.servers import Server
from reliability_platform.credentials import is_reference, secret
from reliability_platform.errors import EnvironmentUnusableError

SETTLED_AFTER_SECONDS = 5.0
"""A file that has changed within so many seconds may still be written to."""


@dataclass(frozen=True)
class Found:
    """A file where deliveries appear."""

    path: str
    size: int
    modified_at: datetime
    """UTC, without its zone, as data times are."""

    @property
    def name(self) -> str:
        """Its last part."""
        return self.path.rsplit("/", 1)[-1]


class Location(Protocol):
    """A place where deliveries appear."""

    def files(self) -> list[Found]:
        """The files there, in the order of their paths. Raises `EnvironmentUnusableError` if it cannot be looked at."""

    def read(self, file: Found) -> bytes | None:
        """The bytes of a file; None if it is gone or cannot be read."""

    def __hash__(self) -> int:
        """Equal places hold the same."""


def location_of(server: Server) -> Location:
    """The place that a contract declares."""
    if "://" not in server.address:
        return _Folder(server.address)
    return _Remote(server.address, server.options, server.ca_file)


def first_place(
    places: Sequence[Server], look: Callable[[Location], list[Found]] = lambda place: place.files()
) -> tuple[Server, list[Found], list[str]]:
    """The first of some places that can be looked at, its files, and why those before it could not be. Raises
    `EnvironmentUnusableError` if none can."""
    why = list[str]()
    for one in places:
        try:
            return one, look(location_of(one)), why
        except EnvironmentUnusableError as error:
            why.append(str(error))
    raise EnvironmentUnusableError(" ".join(why))


def trouble_at(server: Server) -> str:
    """Why a place cannot be looked at; empty if it can."""
    try:
        location_of(server).files()
    except EnvironmentUnusableError as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class _Folder:
    """Paths on this machine: a pattern, a folder or a file."""

    pattern: str

    def files(self) -> list[Found]:
        path = os.path.expandvars(Path(self.pattern).expanduser())
        pattern = f"{glob.escape(path)}/*" if Path(path).is_dir() else path
        literal = Path(*(part for part in takewhile(lambda one: not glob.has_magic(one), Path(path).parent.parts)))
        if not os.access(literal, os.R_OK | os.X_OK):
            raise EnvironmentUnusableError(
                f"Deliveries are said to appear at {path}, and {literal} is no folder that can be looked into."
            )
        return sorted(self._regular(pattern), key=lambda one: one.path)

    def _regular(self, pattern: str) -> Iterator[Found]:
        for path in glob.iglob(pattern, recursive=True):  # noqa: PTH207 (of the root, too)
            try:
                about = Path(path).stat()
            except OSError:  # gone again, or a link to nothing
                continue
            if stat.S_ISREG(about.st_mode):
                yield Found(path, about.st_size, datetime.fromtimestamp(about.st_mtime, UTC).replace(tzinfo=None))

    def read(self, file: Found) -> bytes | None:
        try:
            with os.fdopen(os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as handle:
                return handle.read() if stat.S_ISREG(os.fstat(handle.fileno()).st_mode) else None
        except OSError:
            return None


@dataclass(frozen=True)
class _Remote:
    """A pattern in an object store or on another machine, by fsspec: credentials are those that its contract refers to, or
    those of its own driver."""

    url: str
    options: tuple[tuple[str, Any], ...] = ()
    ca_file: str | None = None

    def _opened(self) -> tuple[Any, str]:
        import fsspec

        scheme = self.url.partition("://")[0]
        options = {
            name: secret(value).get_secret_value() if is_reference(value) else value for name, value in self.options
        }
        if self.ca_file is not None and scheme in ("s3", "s3a"):
            options["client_kwargs"] = {"verify": self.ca_file}
        try:
            system, path = fsspec.core.url_to_fs(self.url, **options)
        except (ImportError, ValueError) as error:
            raise EnvironmentUnusableError(
                f"Deliveries lie at {scheme}://…, and its driver is missing: {' '.join(str(error).split())[:160]}."
            ) from None
        return system, str(path)

    def files(self) -> list[Found]:
        system, pattern = self._opened()
        try:
            system.invalidate_cache()
            paths = system.glob(pattern if glob.has_magic(pattern) else f"{pattern.rstrip('/')}/*", detail=True)
        except Exception as error:  # whatever a driver raises
            scheme = self.url.partition("://")[0]
            raise EnvironmentUnusableError(
                f"Deliveries at {scheme}://… cannot be listed: {type(error).__name__}. Look at its address and its credentials."
            ) from None
        found = [_found(path, about) for path, about in paths.items() if about.get("type", "file") == "file"]
        return sorted(found, key=lambda one: one.path)

    def read(self, file: Found) -> bytes | None:
        system, _ = self._opened()
        try:
            content: bytes = system.cat_file(file.path)
        except Exception:  # whatever a driver raises: it comes with the next run, or is missing
            return None
        return content


def _found(path: str, about: dict[str, Any]) -> Found:
    said = next((about[key] for key in ("LastModified", "last_modified", "mtime", "created") if about.get(key)), None)
    if isinstance(said, int | float):
        said = datetime.fromtimestamp(said, UTC)
    moment = said if isinstance(said, datetime) else utc_now()
    return Found(path, int(about.get("size") or 0), moment.astimezone(UTC).replace(tzinfo=None))


def settled_files(place: Location) -> list[Found]:
    """The files that nobody writes to any more. One that has changed just now is waited for, and left to the next look
    if it goes on changing: half a CSV file looks whole."""
    found = place.files()
    now = utc_now().replace(tzinfo=None)
    ages = [(now - one.modified_at).total_seconds() for one in found]
    fresh = [SETTLED_AFTER_SECONDS - age for age in ages if 0 <= age < SETTLED_AFTER_SECONDS]
    if not fresh:
        return found
    time.sleep(max(fresh))
    before = {one.path: one for one in found}
    return [one for one in place.files() if one == before.get(one.path)]

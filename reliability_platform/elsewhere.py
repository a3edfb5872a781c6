"""A place that a setting names by URL: a folder, a bucket, whatever fsspec reaches. What it refuses is said as what it is: of
that place, and not of the home.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations

from reliability_platform.atomic import write_atomically
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, PlatformError, UsageError

PATIENCE = {"connect_timeout": 10, "read_timeout": 20, "retries": {"max_attempts": 1}}
"""For an object store of S3, in seconds, where FSSPEC_S3_CONFIG_KWARGS says no other. s3fs tries five times, and botocore twice each
time: one that takes requests and answers none is given up after ten tries. With what botocore brings it was 25 tries of 60 s."""
PUT_SECONDS = 200.0
"""So long a store of S3 may take to accept a file, and a second more for each megabyte. Its driver asks for leave before it sends
(`Expect: 100-continue`), and waits for that without a limit of its own."""
PART_MEGABYTES = 55
"""Of a file that is written piece by piece: s3fs sends it in parts of 50 MiB, and what was written over that."""
OVERTAKEN = ("PreconditionFailed", "ConditionalRequestConflict")
"""What an object store of S3 answers to who would replace what another one has written since."""


class OvertakenError(HomeBusyError):
    """Another process has written what this one was about to write over."""


def _code(error: Exception) -> str:
    """What the service itself calls it; empty where a driver does not say."""
    said = getattr(error.__cause__, "response", None) or {}
    return str(said.get("Error", {}).get("Code", ""))


class _Remote:
    """A file system elsewhere, whose refusals name the place."""

    def __init__(self, fs: Any, place: str) -> None:
        self._fs, self._place = fs, place

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._fs, name)
        if not callable(found):
            return found

        def ask(*words: Any, **options: Any) -> Any:
            try:
                return found(*words, **options)
            except PlatformError:
                raise
            # Each protocol has errors of its own, and a run would show the innermost of a chain.
            except Exception as error:
                code = _code(error)
                if code == "NoSuchBucket":
                    raise EnvironmentUnusableError(
                        f"{self._place} has no such bucket: make it, or name another."
                    ) from None
                if code in OVERTAKEN:
                    raise OvertakenError(
                        f"{self._place} was written to by another process just now: try again."
                    ) from None
                if isinstance(error, FileNotFoundError | FileExistsError):
                    raise
                how = "refuses access" if isinstance(error, PermissionError) else "cannot be used"
                raise EnvironmentUnusableError(
                    f"{self._place} {how} ({type(error).__name__}): look at its address, its key and whether it answers."
                ) from None

        return ask


@dataclass(frozen=True)
class Elsewhere:
    """A place that is open."""

    fs: Any
    root: str
    shown: str
    """Its URL without user, password and query, which may be secrets."""
    folder: Path | None
    """The folder, if it is one of this machine."""

    @classmethod
    def open(cls, url: str, setting: str, what: str) -> "Elsewhere":
        """The place that `setting` names, as of `the snapshots`. Raises `UsageError` or `EnvironmentUnusableError`, without the URL."""
        if not url.startswith("/") and ":" not in url:
            raise UsageError(
                f"{setting} is a path that begins nowhere, so another folder wherever a command is called: begin it with / for a "
                "folder of this machine, with s3:// or another protocol for a bucket."
            )
        try:
            # A plain path is no URL: nothing in it is a protocol, as `::` and `://` are.
            fs, root = (LocalFileSystem(), url) if url.startswith("/") else fsspec.core.url_to_fs(url, **_options(url))
        except (ValueError, ImportError) as error:
            raise _unreachable(url, setting, error) from None
        root, parts = str(root).rstrip("/"), urlsplit(url)
        is_path = url.startswith("/") or "://" not in url
        shown = url if is_path else f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
        if isinstance(fs, LocalFileSystem):
            return cls(fs, root, shown, Path(root))
        if "s3" in str(fs.protocol):  # of a file that is open, each part is such a call
            fs.call_s3 = partial(type(fs).call_s3, fs, timeout=PUT_SECONDS + PART_MEGABYTES)
        return cls(_Remote(fs, f"The place of {what} that {setting} names"), root, shown, None)

    def path(self, *parts: str) -> str:
        """A name below the place."""
        return "/".join([self.root, *parts])

    def write(self, target: str, content: bytes, *, over: str | None = None) -> None:
        """Write a file in one step: where there is none, or `over` the content that has this mark (`ETag`).

        Raises `OvertakenError` where there is another one. Only an object store of S3 knows that; other places take the last one.
        """
        if self.folder is not None:
            write_atomically(Path(target), content)
        elif self._is_s3:
            condition = {"mode": "create"} if over is None else {"IfMatch": over}
            self.fs.pipe_file(target, content, **condition, **self._patience(len(content)))
        else:
            self.fs.pipe_file(target, content)

    def put(self, source: Path, target: str) -> None:
        """Copy a file of this machine to the place."""
        self.fs.put_file(str(source), target, **self._patience(source.stat().st_size))

    @property
    def _is_s3(self) -> bool:
        return "s3" in str(self.fs.protocol)

    def _patience(self, size: int) -> dict[str, float]:
        """How long a driver may take for a file of so many bytes, for drivers that take such words."""
        return {"timeout": PUT_SECONDS + size / 1e6} if self._is_s3 else {}


def _options(url: str) -> dict[str, Any]:
    if not url.startswith(("s3://", "s3a://")):
        return {}
    return {"config_kwargs": PATIENCE | fsspec.config.conf.get("s3", {}).get("config_kwargs", {})}


def _unreachable(url: str, setting: str, error: Exception) -> PlatformError:
    protocol = url.partition("://")[0]
    needs = known_implementations.get(protocol, {}).get("err")
    if isinstance(error, ImportError) and needs:
        return EnvironmentUnusableError(
            f"{setting} begins with {protocol}://, for which a package is missing: {needs.rstrip('.')}."
        )
    return UsageError(
        f"{setting} names a place that cannot be reached ({type(error).__name__}): "
        "use a folder, file://…, or a protocol whose fsspec package is installed."
    )

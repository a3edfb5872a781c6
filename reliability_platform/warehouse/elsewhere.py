"""A place that a setting names by URL: a folder, a bucket, whatever fsspec reaches. What it refuses is said as what it is: of
that place, and not of the home.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations

from reliability_platform.errors import EnvironmentUnusableError, PlatformError, UsageError


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
            except (FileNotFoundError, FileExistsError, PlatformError):
                raise
            except Exception as error:  # each protocol has errors of its own
                how = "refuses access" if isinstance(error, PermissionError) else "cannot be used"
                raise EnvironmentUnusableError(
                    f"{self._place} {how} ({type(error).__name__}): look at its address, its key and whether it answers."
                ) from error

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
        try:
            # A plain path is no URL: nothing in it is a protocol, as `::` and `://` are.
            fs, root = (LocalFileSystem(), url) if url.startswith("/") else fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise _unreachable(url, setting, error) from None
        root, parts = str(root).rstrip("/"), urlsplit(url)
        is_path = url.startswith("/") or "://" not in url
        shown = url if is_path else f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
        if isinstance(fs, LocalFileSystem):
            return cls(fs, root, shown, Path(root))
        return cls(_Remote(fs, f"The place of {what} that {setting} names"), root, shown, None)

    def path(self, *parts: str) -> str:
        """A name below the place."""
        return "/".join([self.root, *parts])


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

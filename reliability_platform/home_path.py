"""Where a home may lie: anywhere that each of its stores can be opened by its exact path; and what its folders were called
by earlier releases."""

import errno
import re
import unicodedata
from pathlib import Path

from reliability_platform.errors import EnvironmentUnusableError, UsageError

MAX_BYTES = 400
"""SQLite opens no path above 512 bytes, and the deepest of its files lies 60 below the home; the rest is room for names
of drafts and clones."""
MAX_NAME_BYTES = 255
"""What file systems allow for one folder of a path."""
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
"""Control signs, bytes that are no text, separators of lines and paragraphs."""
_UNUSABLE = {
    r"\?": "a question mark, after which a URL of SQLite has no path any more",
    "#": "a #, after which dbt finds no name of a warehouse",
    "%[0-9A-Fa-f]{2}": "a % before two hexadecimal digits, which SQLAlchemy takes for another sign",
    r"\\": "a backslash, which DuckDB takes for a separator of folders",
}


def checked(home: Path) -> Path:
    """The absolute path of a home. Raises `UsageError` for a place where a store could not be opened."""
    path = home.expanduser().absolute()
    objection = _objection(str(path))
    if objection is not None:
        raise UsageError(
            f"The home {str(path)!r} cannot lie there: its path has {objection}. Choose another with --home or "
            "RELIABILITY_HOME."
        )
    return path


def _objection(path: str) -> str | None:
    for sign, what in _UNUSABLE.items():
        if re.search(sign, path):
            return what
    if any(unicodedata.category(sign) in _UNPRINTABLE for sign in path):
        return "a line break, or another sign that cannot be printed"
    size = len(path.encode())
    if size > MAX_BYTES:
        return f"{size} bytes, and {MAX_BYTES} are the limit"
    if any(len(name.encode()) > MAX_NAME_BYTES for name in path.split("/")):
        return f"a name of more than {MAX_NAME_BYTES} bytes"
    return None


FORMER_FOLDERS = {"shims": "decisions"}
"""Folders of a home of 0.3.0, and what they are called now."""


def present_name(path: str) -> str:
    """A path below the home as this release calls it: seals and snapshots of 0.3.0 say `shims/…`."""
    folder, slash, rest = path.partition("/")
    return f"{FORMER_FOLDERS.get(folder, folder)}{slash}{rest}"


def rename_former_folders(home: Path) -> None:
    """Give the folders of an older home their names of today, each in one step. Raises `EnvironmentUnusableError`."""
    for former, present in FORMER_FOLDERS.items():
        try:
            (home / former).rename(home / present)
        except FileNotFoundError:  # there is none, or another process was faster
            continue
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise EnvironmentUnusableError(
                f"The home {home} has decisions in {former}/, where an earlier release has written them, and in {present}/: "
                f"move those of {former}/ that still count to {present}/, and remove {former}/."
            ) from None

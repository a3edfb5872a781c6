"""What the operating system, an engine or a driver refuses, as an error of the platform: one line, with the path.

The causes and what a person can do about each are in `causes`; here is only how libraries say them. What is not found
here is a bug of ours.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from reliability_platform.causes import (
    DAMAGE,
    HELD,
    INTERRUPTED,
    LIMIT,
    NO_RIGHTS,
    NO_ROOM,
    NO_SUCH_PATH,
    Cause,
    cause_in,
    cause_of_number,
)
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, PlatformError
from reliability_platform.masking import error_message
from reliability_platform.operations import store_error
from reliability_platform.room import least_room, room_at
from reliability_platform.settings import WRITTEN_TO

_ENVIRONMENT = (DAMAGE, NO_ROOM, NO_RIGHTS, LIMIT, INTERRUPTED, NO_SUCH_PATH)


def foreseen(error: BaseException, databases: Path) -> PlatformError | None:
    """The platform's own error for what a library raised; None for a bug. `databases` is where its SQLite files are."""
    chain = list(_chain(error))
    # By type first: the text of a library's error quotes the one below it, around which only its own words are masked.
    for one in chain:
        if isinstance(one, PlatformError):
            return one
        if isinstance(one, MemoryError):
            return EnvironmentUnusableError(f"There is no memory left: {LIMIT.remedy}.")
        if isinstance(one, sqlite3.Error):
            return store_error(one, databases, "A database of the home", DAMAGE.remedy)
        cause = cause_of_number(one.errno) if isinstance(one, OSError) else None
        if cause is not None:
            return as_error(cause, one)
    texts = ((cause_in(str(one)), one) for one in chain if not isinstance(one, OSError))
    return next((as_error(cause, one) for cause, one in texts if cause is not None), None)


def as_error(cause: Cause, error: BaseException) -> PlatformError | None:
    """The error of a cause, in the words of the library without the values that it quotes."""
    if cause is HELD:
        return HomeBusyError(f"{_said(error)}: {cause.remedy}.")
    if cause is NO_ROOM:
        return EnvironmentUnusableError(f"{_said(error)}{_shortage(error)}: {cause.remedy}.")
    return EnvironmentUnusableError(f"{_said(error)}: {cause.remedy}.") if cause in _ENVIRONMENT else None


def _shortage(error: BaseException) -> str:
    """Which place is full: that of the file where the error has one, or else the fullest of those that we write to.

    Nothing where it is no disk that is full: a quota, a limit of a file's size.
    """
    if (error.errno != errno.ENOSPC) if isinstance(error, OSError) else "no space left" not in str(error).lower():
        return ""
    file: object = getattr(error, "filename", None)
    named = Path(os.fsdecode(file)) if isinstance(file, str | bytes) else None
    room = room_at(named.parent) if named is not None else least_room(map(Path, WRITTEN_TO))
    return f" ({room.words})" if room is not None and room.is_little else ""


def _said(error: BaseException) -> str:
    return error_message(error).rstrip(". ")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, what its library raised it for, and what it was raised from."""
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        one = queue.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        queue += [getattr(one, "orig", None), getattr(one, "user_exception", None), one.__cause__]
        queue += [] if one.__suppress_context__ else [one.__context__]

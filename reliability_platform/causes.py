"""Why things fail, and whether trying again can help: the one table that tells transient causes from deterministic ones.

A transient cause goes away by itself, so waiting and trying again helps. A deterministic one is there again next time:
only a change helps, of the inputs, the models, the contract, the room on the disk, or a person's decision. Client, run
monitor, triage and remediation all ask here, by the text of an error, by the status of an answer or by its type.
"""

import errno
import re
from dataclasses import dataclass
from enum import StrEnum

from reliability_platform.errors import (
    EnvironmentUnusableError,
    HomeBusyError,
    SourceUnavailableError,
    kinds_of_errors,
)


class Persistence(StrEnum):
    """Whether trying again can help without any change."""

    TRANSIENT = "transient"
    DETERMINISTIC = "deterministic"


@dataclass(frozen=True)
class Cause:
    """One kind of cause."""

    name: str
    persistence: Persistence
    why: str
    """Why trying again helps, or does not."""
    signs: str = ""
    """What the text of an error says that has this cause; a pattern. Only causes that keep a build from writing have one."""
    statuses: frozenset[int] = frozenset()
    """The status of an answer over HTTP."""
    errors: tuple[type[Exception], ...] = ()
    errnos: frozenset[int] = frozenset()
    """The number under which the operating system says so."""
    remedy: str = ""
    """What whoever reads the error can do. Only causes that the system or an engine names have one."""

    @property
    def is_transient(self) -> bool:
        """Whether it goes away by itself."""
        return self.persistence is Persistence.TRANSIENT


_T, _D = Persistence.TRANSIENT, Persistence.DETERMINISTIC

DAMAGE = Cause(
    "damaged_file",
    _D,
    "a damaged file stays damaged until it is put back or moved away",
    "corrupt database|computed checksum|not a valid duckdb database|warehouse file cannot be read",
    errnos=frozenset({errno.EIO}),
    remedy="put it back from a copy, or move it away and run the days again",
)
HELD = Cause(
    "held_by_another",
    _T,
    "another program has the file, and lets go of it",
    r"could not set lock|has had .* open|has held the warehouse|database is locked",
    errors=(HomeBusyError,),
    errnos=frozenset({errno.EBUSY, errno.ETXTBSY}),
    remedy="try again when it has ended",
)
NO_ROOM = Cause(
    "no_room",
    _D,
    "there is no more room until somebody makes some",
    r"no space left|has no room|file too large|disk (is )?full|disk quota|out of disk",
    errnos=frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG}),
    remedy="make room, then run the command again; nothing is lost",
)
NO_RIGHTS = Cause(
    "no_rights",
    _D,
    "what is forbidden stays so until somebody allows it",
    "read-?only|permission denied|operation not permitted",
    errnos=frozenset({errno.EACCES, errno.EPERM, errno.EROFS}),
    remedy="give this user the rights to it, or choose another home with --home",
)
LIMIT = Cause(
    "limit_reached",
    _T,
    "other programs end, and let go of what they hold",
    "too many open files|cannot allocate memory",
    errnos=frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM}),
    remedy="raise the limit (`ulimit`) or end other programs, then run the command again",
)
NO_SUCH_PATH = Cause(
    "no_such_path",
    _D,
    "what is not there, or is no file or folder as it should be, stays so until somebody puts it right",
    errnos=frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO}),
    remedy="put back what is missing or in the way, or choose another path",
)
SOURCE_DOWN = Cause(
    "source_down",
    _T,
    "the source is busy or down, and comes back",
    statuses=frozenset({429, 500, 502, 503, 504}),
    errors=(SourceUnavailableError,),
)
SOURCE_REFUSES = Cause("source_refuses", _D, "the source understood, and says no: asking again gives the same")
LOST_ON_THE_WAY = Cause("lost_on_the_way", _T, "it was cut or lost on its way, and the source still has it")
UNTIMELY = Cause("untimely_delivery", _T, "it came too often or too late this time, and need not the next")
INTERRUPTED = Cause(
    "interrupted",
    _T,
    "a call was cut off or not answered in time, and can be made again",
    r"connection (was )?(refused|reset|aborted)|server closed the connection|temporarily unavailable",
    errors=(ConnectionError, TimeoutError, InterruptedError, BlockingIOError),
    errnos=frozenset(
        {errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT, errno.EHOSTUNREACH}
        | {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAGAIN}
    ),
    remedy="look whether it runs and whether its address is right, then try again",
)
STOPPED = Cause("stopped", _T, "it was stopped with Ctrl-C or SIGTERM, and can be run again")
KILLED = Cause("process_killed", _T, "a process was killed, and what it did can be done again")
NOT_STARTED = Cause("not_started", _T, "nothing started it when its turn came, and it can be started now")
OVERDUE = Cause("overdue", _D, "what is overdue stays so until it is done")
CHECK_BROKE_OFF = Cause("check_broke_off", _T, "the check broke off, and may run through the next time")
PRODUCER = Cause("producer", _D, "the producer makes it the same way until its program or the contract is changed")
WATERMARK = Cause("beyond_the_watermark", _D, "the numbers are final until a person lets the rows count")
ROWS_REMOVED = Cause("rows_removed", _D, "rows that are gone do not come back by themselves")
OTHER_BUILD = Cause("other_build", _D, "it is refused until the other build has ended, or newer models are deployed")
OUR_MODELS = Cause("our_models", _D, "the same models make the same of the same rows")
UNFORESEEN = Cause("unforeseen", _T, "nobody foresaw it, and one more run tells whether it has passed")
UNUSABLE = Cause(
    "unusable_environment",
    _D,
    "the home or the installation stays unusable until somebody mends it",
    errors=(EnvironmentUnusableError,),
)

CAUSES: dict[str, Cause] = {
    cause.name: cause
    for cause in (
        # The order is that of the search for signs: the first one that matches counts.
        DAMAGE, HELD, NO_ROOM, NO_RIGHTS, LIMIT, NO_SUCH_PATH, SOURCE_DOWN, SOURCE_REFUSES, LOST_ON_THE_WAY, UNTIMELY,
        INTERRUPTED, STOPPED, KILLED, NOT_STARTED, OVERDUE, CHECK_BROKE_OFF, PRODUCER, WATERMARK, ROWS_REMOVED, OTHER_BUILD,
        OUR_MODELS, UNUSABLE, UNFORESEEN,
    )
}  # fmt: skip


def cause_in(message: str) -> Cause | None:
    """What keeps something from being written, by the text of its error; None for an error that says no such thing."""
    return next((one for one in CAUSES.values() if one.signs and re.search(one.signs, message, re.IGNORECASE)), None)


def cause_of_status(status: int) -> Cause:
    """Why a source answered other than with what it was asked for."""
    return next((one for one in CAUSES.values() if status in one.statuses), SOURCE_REFUSES)


def cause_of_number(number: int | None) -> Cause | None:
    """What the operating system means by the number of its error."""
    return next((one for one in CAUSES.values() if number in one.errnos), None)


def cause_of(error: Exception) -> Cause | None:
    """Why something raised: by its number or its text, else by its type; None for what nobody foresaw."""
    numbered = cause_of_number(error.errno) if isinstance(error, OSError) else None
    return (
        numbered
        or cause_in(str(error))
        or next((one for one in CAUSES.values() if isinstance(error, one.errors)), None)
    )


def cause_named(error_type: str, text: str) -> Cause | None:
    """As `cause_of`, of an error of which only its type's name and its text are left."""
    ours = (kind.__mro__ for kind in kinds_of_errors() if kind.__name__ == error_type)
    names = {error_type, *(base.__name__ for bases in ours for base in bases)}
    by_type = (one for one in CAUSES.values() if names & {kind.__name__ for kind in one.errors})
    return cause_in(text) or next(by_type, None)

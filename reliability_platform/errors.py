"""Errors that a user may meet. Each carries one line that says what to do, and the exit code of its kind.

Anything else that escapes to the command line is a bug of ours, not the user's.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means, whichever command it is. When a command ends with 1 is in `cli/exit_codes.py`."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> "ExitCode":
        """A number with its meaning."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    OK = 0, "fine"
    NOT_HEALED = 1, "it ran, but what it examined is not as it should be: not healed, not equal, held, damaged"
    USAGE = 2, "wrong request: an argument, a date, a plan or a setting; nothing was changed"
    ENVIRONMENT = 3, "unusable installation, home or store: missing, damaged, full, without rights, unreachable"
    BUSY = 4, "somebody else is at work on the home: try again"
    INTERNAL = 5, "a part of the pipeline failed in a way that nobody foresaw, or a source did not answer"
    INTERRUPTED = 130, "stopped by Ctrl-C; what was finished is kept"
    NO_READER = 141, "whoever read the output stopped reading"
    TERMINATED = 143, "stopped by SIGTERM; what was finished is kept"


class PlatformError(Exception):
    """Base of all errors with a message for the user."""

    exit_code: ExitCode = ExitCode.INTERNAL


class UsageError(PlatformError):
    """The request itself is wrong."""

    exit_code = ExitCode.USAGE


class EnvironmentUnusableError(PlatformError):
    """The installation or the home folder cannot be used as it is."""

    exit_code = ExitCode.ENVIRONMENT


class HomeBusyError(PlatformError):
    """Another process holds the home folder or the warehouse."""

    exit_code = ExitCode.BUSY


class SourceUnavailableError(PlatformError):
    """The source does not answer, or is left alone."""


class StoppedError(KeyboardInterrupt):
    """A signal asks the command to end. A KeyboardInterrupt, for libraries know what to do with that."""


def kinds_of_errors() -> list[type[PlatformError]]:
    """Every kind of error of the platform that has been imported so far."""
    kinds: list[type[PlatformError]] = [PlatformError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return kinds

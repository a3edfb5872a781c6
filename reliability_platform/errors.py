"""Errors that a user may meet. Each carries one line that says what to do, and the exit code of its kind.

Anything else that escapes to the command line is a bug of ours, not the user's.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means; the same for every command."""

    OK = 0
    NOT_HEALED = 1
    """The command ran, but what it examined is not as it should be: a fault missed, an oracle unequal."""
    USAGE = 2
    """An argument, a date, a plan or a setting is wrong. Nothing was changed."""
    ENVIRONMENT = 3
    """The installation or the home folder is unusable: missing, corrupt, not writable."""
    BUSY = 4
    """Another process is at work on the same home. Try again when it has ended."""
    INTERNAL = 5
    """A part of the pipeline failed in a way that nobody foresaw."""


class PlatformError(Exception):
    """Base of all errors with a message for the user."""

    exit_code = ExitCode.INTERNAL


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

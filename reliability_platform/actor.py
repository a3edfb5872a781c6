"""Who acts and from where, as it stands on timelines and in the audit log."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

from reliability_platform.settings import load_settings


class ActsFrom(StrEnum):
    """From where somebody acts."""

    COMMAND_LINE = "command line"
    API = "api"
    DASHBOARD = "dashboard"
    DAEMON = "daemon"
    """Schedules and sensors that `reliability dev` serves: nobody asked at that moment."""


_HERE: ContextVar[ActsFrom | None] = ContextVar("acts_from", default=None)


@contextmanager
def acting_from(place: ActsFrom) -> Iterator[None]:
    """What is done in the block is asked for from there: a server answers requests of several kinds in one process."""
    before = _HERE.set(place)
    try:
        yield
    finally:
        _HERE.reset(before)


def acts_from() -> ActsFrom:
    """Of the block, else of the request that this process carries out, else the daemon's, else the command line."""
    here = _HERE.get()
    if here is not None:
        return here
    settings = load_settings()
    if settings.acting_from is not None:
        return ActsFrom(settings.acting_from)
    return ActsFrom.DAEMON if settings.served else ActsFrom.COMMAND_LINE


def whoami() -> str:
    """The name under which the acts of this process stand on record: on whose behalf it works, else the user of the system."""
    try:
        return load_settings().on_behalf_of or getpass.getuser()
    except (KeyError, OSError):
        return "command line"

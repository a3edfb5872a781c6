"""Which folders of landing have changed since they were looked at last: cheaply, however many days there are.

A folder that gets, loses or replaces an entry has another change time, which the kernel sets and no copy tool can keep
as it was (it can for the modification time). So one `stat` for each folder tells, and only those that changed are
listed: 15,000 folders of ten years take a tenth of a second. What is written over an entry in place changes the entry
alone; so of the newest days, and of others that somebody waits for, the entries are looked at as well.
"""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from reliability_platform.contracts import SOURCES
from reliability_platform.settings import Settings

PREFIX = "landing_date="
SETTLED_AFTER = timedelta(seconds=20)
"""A folder that has changed just now is being written: the manifest that comes last may be on its way."""
AT_FIRST = timedelta(days=2)
"""How far back the very first look goes: what changed before that was there when the platform was first served."""
INTERRUPTED_AFTER = timedelta(minutes=10)
"""Whoever has not looked for so long has not watched all the time."""
_GRANULE_NS = 2_000_000_000
"""The clock of a file system is a little behind: so much is looked at once more, which changes nothing."""


@dataclass(frozen=True)
class Changed:
    """A folder of landing that has changed."""

    source: str
    day: date
    changed_ns: int


@dataclass(frozen=True)
class Watch:
    """What a watcher remembers from one look to the next."""

    since: datetime
    """From when on it has looked all the time."""
    until: datetime | None
    """The look before; None at the first."""
    after_ns: int
    """Folders that changed later than this have not been dealt with."""

    @classmethod
    def resumed(cls, remembered: str | None, now: datetime) -> "Watch":
        """What is remembered, or a beginning."""
        if not remembered:
            return cls(now, None, _ns(now - AT_FIRST))
        told = json.loads(remembered)
        until = datetime.fromisoformat(told["until"])
        since = datetime.fromisoformat(told["since"])
        return cls(now if now - until > INTERRUPTED_AFTER else since, until, told["after_ns"])

    def remembered(self, now: datetime, left: list[Changed]) -> str:
        """What to remember after a look; folders that are `left` come again."""
        after = min([_ns(now) - _GRANULE_NS, *(one.changed_ns - 1 for one in left)])
        return json.dumps({"since": self.since.isoformat(), "until": now.isoformat(), "after_ns": after})


def _ns(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1_000_000) * 1_000


def is_settled(one: Changed, now: datetime) -> bool:
    """Whether nothing has happened in the folder for a moment."""
    return one.changed_ns <= _ns(now - SETTLED_AFTER)


def changed_folders(settings: Settings, after_ns: int, closely: Collection[date] = ()) -> list[Changed]:
    """The folders of landing days that have changed since, in the order in which they did; of some days also those in
    which an entry was written over in place.
    """
    found = (one for one in _folders(settings, closely) if one.changed_ns > after_ns)
    return sorted(found, key=lambda one: one.changed_ns)


def landed_days(settings: Settings, source: str | None = None) -> set[date]:
    """The landing days that have a folder, of one source or of any."""
    return {one.day for one in _folders(settings) if source in (None, one.source)}


def _newest_entry(folder: str) -> int:
    """When an entry of a folder has changed last; what cannot be looked at does not count."""
    newest = 0
    with os.scandir(folder) as found:
        for entry in found:
            with suppress(OSError):
                newest = max(newest, entry.stat(follow_symlinks=False).st_ctime_ns)
    return newest


def _folders(settings: Settings, closely: Collection[date] = ()) -> Iterator[Changed]:
    for source in SOURCES:
        try:
            found = os.scandir(settings.landing / source)
        except OSError:  # nothing has come yet, or nobody may look: admission says so
            continue
        with found:
            for entry in found:
                try:
                    if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                        day = date.fromisoformat(entry.name.removeprefix(PREFIX))
                        changed = entry.stat(follow_symlinks=False).st_ctime_ns
                        if day in closely:
                            changed = max(changed, _newest_entry(entry.path))
                        yield Changed(source, day, changed)
                except (OSError, ValueError):  # gone again, or the folder of no day
                    continue

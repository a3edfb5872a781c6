"""How far landing was behind a topic when it was read last: a measure, in the spool of the home. Positions are in the manifests."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reliability_platform.atomic import write_atomically
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class StreamLag:
    """What a topic had that had not landed."""

    records: int
    """Offsets between what had landed and the end of each partition."""
    newest_at: datetime | None
    """The time of the newest record that has ever landed, in UTC."""
    measured_at: datetime

    @property
    def seconds(self) -> float:
        """How old the newest record is that has landed, where others wait; nothing where none does."""
        if not self.records or self.newest_at is None:
            return 0.0
        return max(0.0, (self.measured_at - self.newest_at).total_seconds())


def _path(settings: Settings, source: str) -> Path:
    return settings.spool / source / "lag.json"


def lag_of(settings: Settings, source: str) -> StreamLag | None:
    """As it was measured last; None if it never was."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        said = json.loads(_path(settings, source).read_text())
        newest = said["newest_at"]
        return StreamLag(
            int(said["records"]),
            None if newest is None else datetime.fromisoformat(newest),
            datetime.fromisoformat(said["measured_at"]),
        )
    return None


def note_lag(settings: Settings, source: str, records: int, newest: datetime | None, now: datetime) -> None:
    """Write down what was measured. `newest` is the time of the newest record that has landed since, without its zone."""
    before = lag_of(settings, source)
    known = [newest.replace(tzinfo=UTC)] if newest is not None else []
    known += [before.newest_at] if before is not None and before.newest_at is not None else []
    found = {"records": records, "newest_at": max(known).isoformat() if known else None, "measured_at": now.isoformat()}
    write_atomically(_path(settings, source), json.dumps(found).encode())

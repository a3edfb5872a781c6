"""What waits, and since when: rows and files in quarantine, alerts, lineage events, the newest snapshot and drill, room."""

import threading
import time
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Engine, func, select

from reliability_platform.alerts.status import channel_statuses
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import EnvironmentUnusableError, PlatformError
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.masking import error_text
from reliability_platform.operations.tables import quarantine_counts, row_counts
from reliability_platform.recovery.drill_log import DrillLog
from reliability_platform.room import room_at
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.location import SnapshotLocation


class Backlog(QueryAnswer):
    """What waits to be told to others."""

    name: str
    """The channel."""
    waiting: int
    """It will be tried again."""
    undelivered: int
    """It was given up."""


class DeadLetters(QueryAnswer):
    """What waits in quarantine of one source."""

    source: str
    """The source."""
    rows: int
    """Rejected rows without an end."""
    files: int
    """Refused files without an end."""
    oldest: date | None
    """The oldest landing day of them; null where nothing waits."""


class Dispositions(QueryAnswer):
    """What became of the delivered rows of one source, over all landing days, as of their last audits."""

    source: str
    """The source."""
    disposition: str
    """`accepted`, `duplicate`, `quarantined`, `held_late` (too late for the watermark) or `discarded`."""
    rows: int
    """How many."""


def dispositions(engine: Engine) -> list[Dispositions]:
    """By source and disposition."""
    table = row_counts.c
    query = select(table.source, table.disposition, func.sum(table.rows)).group_by(table.source, table.disposition)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(table.source, table.disposition)).all()
    return [Dispositions(source=row[0], disposition=row[1], rows=int(row[2])) for row in rows]


def dead_letters(settings: Settings, engine: Engine) -> list[DeadLetters]:
    """By source, those without any among them."""
    table = quarantine_counts.c
    query = select(table.source, func.sum(table.rows), func.min(table.landing_date)).where(table.state == "quarantined")
    with engine.connect() as connection:
        rows = {row[0]: (int(row[1]), row[2]) for row in connection.execute(query.group_by(table.source))}
    files: dict[str, list[date]] = {}
    for record in quarantined_files(settings):
        if record["state"] == "quarantined":
            files.setdefault(record["source"], []).append(date.fromisoformat(record["landing_date"]))
    found = []
    for source in SOURCES:
        count, oldest = rows.get(source, (0, None))
        days = [*files.get(source, []), *([oldest] if oldest else [])]
        found.append(
            DeadLetters(source=source, rows=count, files=len(files.get(source, [])), oldest=min(days, default=None))
        )
    return found


def alert_backlogs(settings: Settings, engine: Engine) -> list[Backlog]:
    """By channel that is set, or that something is left of."""
    return [
        Backlog(name=one.name, waiting=one.waiting, undelivered=one.undelivered)
        for one in channel_statuses(settings, engine)
    ]


def newest_snapshot(settings: Settings) -> datetime | None:
    """When the newest snapshot was taken, by its name; None where there is none.

    Another machine is asked every five minutes, for 3 s at most. Raises `EnvironmentUnusableError` where it cannot be read.
    """
    place = settings.snapshots
    if "://" not in place:
        return _newest(settings)
    asked_at, found = _ELSEWHERE.get(place, (float("-inf"), None))
    if time.monotonic() - asked_at > ASKED_AGAIN_SECONDS:
        answers: list[datetime | PlatformError | None] = []
        asking = threading.Thread(target=lambda: answers.append(_newest_or_why_not(settings)), daemon=True)
        asking.start()
        asking.join(ANSWER_SECONDS)
        silent = EnvironmentUnusableError(f"Where snapshots are kept does not answer within {ANSWER_SECONDS:g} s.")
        found = answers[0] if answers else silent
        _ELSEWHERE[place] = (time.monotonic(), found)
    if isinstance(found, PlatformError):
        raise found
    return found


def _newest(settings: Settings) -> datetime | None:
    names = SnapshotLocation.of(settings).manifests()
    return datetime.strptime(max(names), "%Y%m%dT%H%M%S%f%z") if names else None


def _newest_or_why_not(settings: Settings) -> datetime | PlatformError | None:
    try:
        return _newest(settings)
    except Exception as error:  # whatever the place of the snapshots answers with
        return EnvironmentUnusableError(f"The snapshots cannot be read: {error_text(error)}.")


ASKED_AGAIN_SECONDS, ANSWER_SECONDS = 300.0, 3.0
_ELSEWHERE: dict[str, tuple[float, datetime | PlatformError | None]] = {}
"""Place of snapshots on another machine → when it was asked, and what it said."""


def last_drills(engine: Engine) -> dict[str, datetime]:
    """Drill → when it was last done with success."""
    return DrillLog(engine).last_met()


def free_bytes(settings: Settings) -> dict[str, int]:
    """Place → bytes that are free on its disk: the home, and its snapshots where they lie in a folder of this machine."""
    places = {"home": settings.home}
    if "://" not in settings.snapshots:
        places["snapshots"] = Path(settings.snapshots)
    return {name: room_at(place).bytes for name, place in places.items()}

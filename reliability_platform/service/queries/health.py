"""Health: whether the home can be read, and whether somebody is at home who runs schedules and sensors."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from reliability_platform.errors import PlatformError
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.settings import Settings

BEATS_WITHIN = timedelta(minutes=5)
"""A daemon of Dagster writes its heartbeat every 30 s, and calls one that is older than 5 minutes not healthy."""


class DaemonHeartbeat(QueryAnswer):
    """One of Dagster's daemons."""

    daemon: str
    """As `SENSOR` or `SCHEDULER`."""
    last_heartbeat: datetime
    """When it last said that it runs."""
    beats: bool
    """Whether that was within the last 5 minutes."""


class Liveness(QueryAnswer):
    """That this process answers."""

    status: str
    """Always `ok`."""


class Readiness(QueryAnswer):
    """Whether the platform can be asked, and whether it works by itself."""

    status: str
    """`ready`: everything below is well; `degraded`: it can be asked, and no daemon runs; `not_ready`: it cannot be asked."""
    store: str
    """`ok`, or why the operations store cannot be read."""
    daemons: list[DaemonHeartbeat]
    """The daemons that have ever run on this home; none where only commands are used."""
    reasons: list[str]
    """What is not well, in words."""


def liveness() -> Liveness:
    """That this process answers; nothing is asked of the home."""
    return Liveness(status="ok")


def readiness(settings: Settings, engine: Engine, now: datetime) -> Readiness:
    """Whether the platform can be asked, and whether it works by itself."""
    store, daemons = _store(engine), _daemons(settings, now)
    reasons = [] if store == "ok" else [store]
    if not daemons:
        reasons.append(
            "No daemon has ever run on this home: schedules and sensors do nothing. `reliability dev` runs one."
        )
    reasons += [
        f"The daemon {one.daemon} has not been heard of since {one.last_heartbeat:%Y-%m-%d %H:%M} UTC."
        for one in daemons
        if not one.beats
    ]
    status = "not_ready" if store != "ok" else "degraded" if reasons else "ready"
    return Readiness(status=status, store=store, daemons=daemons, reasons=reasons)


def _store(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1 from operations_version"))
    except (PlatformError, SQLAlchemyError) as error:
        return str(error).splitlines()[0]
    return "ok"


def _daemons(settings: Settings, now: datetime) -> list[DaemonHeartbeat]:
    """From Dagster's own table, read-only, without importing Dagster, which takes 2 s."""
    file = settings.dagster_home / "schedules" / "schedules.db"
    if not file.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            rows = connection.execute("select daemon_type, timestamp from daemon_heartbeats order by 1").fetchall()
    except sqlite3.Error:
        return []
    found = [(daemon, datetime.fromisoformat(at).replace(tzinfo=UTC)) for daemon, at in rows]
    return [DaemonHeartbeat(daemon=daemon, last_heartbeat=at, beats=now - at <= BEATS_WITHIN) for daemon, at in found]

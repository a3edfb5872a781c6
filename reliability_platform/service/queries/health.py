"""Health: whether the home can be read, and whether somebody is at home who runs schedules and sensors."""

from datetime import datetime

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from reliability_platform.errors import PlatformError
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.service.queries.heartbeats import Heartbeats, heartbeats
from reliability_platform.settings import Settings


class Liveness(QueryAnswer):
    """That this process answers."""

    status: str
    """Always `ok`."""


class Readiness(Heartbeats):
    """Whether the platform can be asked, and whether it works by itself."""

    status: str
    """`ready`: everything below is well; `degraded`: it can be asked, and somebody who should work by itself does
    not; `not_ready`: it cannot be asked."""
    store: str
    """`ok`, or why the operations store cannot be read."""
    reasons: list[str]
    """What is not well, in words."""


def liveness() -> Liveness:
    """That this process answers; nothing is asked of the home."""
    return Liveness(status="ok")


def readiness(settings: Settings, engine: Engine, now: datetime) -> Readiness:
    """Whether the platform can be asked, and whether it works by itself."""
    store, at_home = _store(engine), heartbeats(settings, now)
    reasons = [] if store == "ok" else [store]
    if not at_home.daemons:
        reasons.append(
            "No daemon has ever run on this home: schedules and sensors do nothing. `reliability dev` runs one."
        )
    reasons += at_home.away
    status = "not_ready" if store != "ok" else "degraded" if reasons else "ready"
    return Readiness(**dict(at_home), status=status, store=store, reasons=reasons)


def _store(engine: Engine) -> str:
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1 from operations_version"))
    except (PlatformError, SQLAlchemyError) as error:
        return str(error).splitlines()[0]
    return "ok"

"""The drills and experiments that were done on clones of the home, and which of those that are due regularly are not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Engine, func, insert, select

from reliability_platform.counted import counted
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import drills
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal

MAX_NAME = 40
"""Characters of the name of a drill or an experiment; the store keeps no more."""


class Drill(StrEnum):
    """What is lost in a drill."""

    TABLE_LOSS = "table-loss"
    WAREHOUSE_LOSS = "warehouse-loss"
    HOME_LOSS = "home-loss"
    REGION_LOSS = "region-loss"
    SOURCE_OUTAGE = "source-outage"


@dataclass(frozen=True)
class DrillDone:
    """One entry of the log."""

    id: int
    drill: str
    """A drill, or the name of an experiment."""
    began_at: datetime
    rows_lost: int
    recovery_seconds: float
    met: bool
    """Of a drill, whether it lost no more and took no longer than the objectives allow, and what came back is right; of an
    experiment, whether its hypothesis held."""
    remark: str


class DrillLog:
    """The entries in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(
        self, drill: str, began_at: datetime, rows_lost: int, recovery_seconds: float, met: bool, remark: str
    ) -> int:
        """Append one; returns its number."""
        values = {
            "drill": str(drill),
            "began_at": began_at,
            "rows_lost": rows_lost,
            "recovery_seconds": recovery_seconds,
            "met": met,
            "remark": remark,
        }
        with self._engine.begin() as connection:
            key = connection.execute(insert(drills).values(**values)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def all(self) -> list[DrillDone]:
        """Every drill, oldest first."""
        with self._engine.connect() as connection:
            return [record(DrillDone, row) for row in connection.execute(select(drills).order_by(drills.c.id))]

    def last_met(self) -> dict[str, datetime]:
        """When each drill was done with success for the last time."""
        query = select(drills.c.drill, func.max(drills.c.began_at)).where(drills.c.met).group_by(drills.c.drill)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {str(row[0]): row[1] for row in rows}


Calendar = Mapping[str, timedelta]
"""Drill or experiment → how old its last success may be; what is not in it is done when somebody wants to."""
DUE_AT = 6 / 7
"""Of that age: a limit of 35 days is kept once a month, with days to spare for a rehearsal that fails."""


def due(calendar: Calendar, engine: Engine, now: datetime) -> list[str]:
    """What is to be done now: everything that never was, and whatever is about to be too old."""
    last = DrillLog(engine).last_met()
    return [name for name, limit in calendar.items() if name not in last or now - last[name] >= limit * DUE_AT]


def overdue(calendar: Calendar, settings: Settings, engine: Engine, now: datetime) -> dict[str, str]:
    """What is late, with words. A home is young until an interval has passed since its first build."""
    first = BuildJournal(engine, settings.builds).first_began_at()
    if first is None:
        return {}
    last = DrillLog(engine).last_met()
    found = {}
    for name, limit in calendar.items():
        since = last.get(name, first)
        if now - since > limit:
            words = "has not been done with success" if name not in last else "was last done with success"
            found[name] = f"{name} {words} for {counted((now - since).days, 'day')}, {limit.days} is the limit"
    return found


def not_met(calendar: Calendar, engine: Engine) -> list[str]:
    """What failed when it was done last, with its day: drills, and experiments that are still declared."""
    last = {one.drill: one for one in DrillLog(engine).all()}
    counts = {*Drill, *calendar}
    return [f"{one.drill} of {one.began_at:%Y-%m-%d}" for one in last.values() if not one.met and one.drill in counts]

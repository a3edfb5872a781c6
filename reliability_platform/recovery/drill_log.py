"""The drills that were done, and which are overdue."""

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


class Drill(StrEnum):
    """What is lost in a drill."""

    TABLE_LOSS = "table-loss"
    WAREHOUSE_LOSS = "warehouse-loss"
    HOME_LOSS = "home-loss"
    SOURCE_OUTAGE = "source-outage"


@dataclass(frozen=True)
class DrillDone:
    """One entry of the log."""

    id: int
    drill: str
    began_at: datetime
    rows_lost: int
    recovery_seconds: float
    met: bool
    """Whether it lost no more and took no longer than the objectives allow, and what came back is right."""
    remark: str


class DrillLog:
    """The entries in the operations store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(
        self, drill: Drill, began_at: datetime, rows_lost: int, recovery_seconds: float, met: bool, remark: str
    ) -> int:
        """Append one; returns its number."""
        values = {
            "drill": drill.value,
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


def intervals(settings: Settings) -> Mapping[Drill, timedelta]:
    """How old the last success of a drill may be; the others are done when somebody wants to."""
    return {
        Drill.TABLE_LOSS: timedelta(days=settings.drill_table_days),
        Drill.WAREHOUSE_LOSS: timedelta(days=settings.drill_warehouse_days),
    }


def overdue(settings: Settings, engine: Engine, now: datetime) -> dict[Drill, str]:
    """The drills that are due, with words. A home is young until an interval has passed since its first build."""
    first = BuildJournal(engine, settings.builds).first_began_at()
    if first is None:
        return {}
    last = DrillLog(engine).last_met()
    found = {}
    for drill, interval in intervals(settings).items():
        since = last.get(drill.value, first)
        if now - since > interval:
            words = "has not been done with success" if drill.value not in last else "was last done with success"
            found[drill] = f"{drill} {words} for {counted((now - since).days, 'day')}, {interval.days} is the limit"
    return found

"""When a landing day is due, and which clock it runs by.

A landing day is run at `PIPELINE_AT` of the day after. There are three kinds of days, and each has one clock:

- A day in service: the schedules of the home were switched on when its turn came. It runs by the real clock. If nobody
  runs it, that is an incident; if it is run late, it is late.
- A backfilled day: it was over before the schedules were switched on, or nobody ever switched them on. Nobody waited
  for it, so that it has not been run is no incident. Once it is run, the real clock says when it was published.
- A simulated day: the lab plays a past within minutes and says so beforehand. Its clock starts at its own schedule at the
  moment in which the lab begins, and goes as fast as ours: what was published 40 seconds after that was published at
  02:00:40 of the day after the landing day.

Who asks for lateness gives the present moment, and gets that of the day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Engine, delete, insert, select, update

from reliability_platform.clock import days
from reliability_platform.operations.tables import service_periods, simulated_days

PIPELINE_AT = time(2, 0)
"""UTC, of the day after the landing day: an hour after the last deadline of a source."""
_OFFSET = timedelta(days=1, hours=PIPELINE_AT.hour, minutes=PIPELINE_AT.minute)


def scheduled_at(day: date) -> datetime:
    """When the pipeline of a landing day is due to begin."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + _OFFSET


def next_day(now: datetime) -> date:
    """The landing day whose turn comes next."""
    return (now.astimezone(UTC) - _OFFSET).date() + timedelta(days=1)


@dataclass(frozen=True)
class SimulatedDays:
    """The days that the lab has played, and when it began with each."""

    began_at: dict[date, datetime]

    def moment(self, day: date, now: datetime) -> datetime:
        """What the clock of a landing day shows at a moment of ours."""
        began = self.began_at.get(day)
        return now if began is None else scheduled_at(day) + (now - began)


def simulate(engine: Engine, landing_days: Iterable[date], now: datetime) -> None:
    """Say before they are run that the lab plays these days, beginning now. Days that it has played before begin anew."""
    wanted = list(landing_days)
    with engine.begin() as connection:
        connection.execute(delete(simulated_days).where(simulated_days.c.landing_date.in_(wanted)))
        connection.execute(insert(simulated_days), [{"landing_date": day, "began_at": now} for day in wanted])


def simulated(engine: Engine) -> SimulatedDays:
    """All days that the lab has played in this home."""
    with engine.connect() as connection:
        rows = connection.execute(select(simulated_days)).all()
    return SimulatedDays({row.landing_date: row.began_at for row in rows})


class Service:
    """From which landing day to which the schedules of the home were switched on; one period after the other."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, running: bool, now: datetime) -> None:
        """Say whether the schedule is switched on. The first word of each kind counts, from the next day that is due."""
        periods, upcoming = service_periods.c, next_day(now)
        with self._engine.begin() as connection:
            still_on = connection.execute(select(periods.id).where(periods.last_day.is_(None))).scalar()
            if running and still_on is None:
                connection.execute(insert(service_periods).values(first_day=upcoming))
            elif not running and still_on is not None:
                last = upcoming - timedelta(days=1)
                connection.execute(update(service_periods).where(periods.id == still_on).values(last_day=last))

    def since(self) -> date | None:
        """The first day of the period that lasts; None while the schedules are off, or were never on."""
        with self._engine.connect() as connection:
            return connection.execute(
                select(service_periods.c.first_day).where(service_periods.c.last_day.is_(None))
            ).scalar()

    def was_ever_on(self) -> bool:
        """Whether anybody ever switched the schedules on: else no day was due, and nobody relies on the home."""
        with self._engine.connect() as connection:
            return connection.execute(select(service_periods.c.id).limit(1)).first() is not None

    def due(self, now: datetime, grace: timedelta = timedelta(0)) -> list[date]:
        """The days in service whose turn came at least so long ago, oldest first."""
        newest = next_day(now - grace) - timedelta(days=1)
        with self._engine.connect() as connection:
            periods = connection.execute(select(service_periods).order_by(service_periods.c.id)).all()
        return sorted({day for one in periods for day in days(one.first_day, min(one.last_day or newest, newest))})


def due_after(engine: Engine, day: date, now: datetime) -> int:
    """How many later days are over and should be there: after a past that the lab has played, none but those in service."""
    played = simulated(engine).began_at
    if not played:
        return max((now.date() - day).days - 1, 0)
    return sum(one > day for one in {*played, *Service(engine).due(now)})

"""Three kinds of landing days, each with one clock: in service, backfilled, simulated."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reliability_platform.day_clock import Service, next_day, scheduled_at, simulate, simulated
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings

DAY = date(2026, 3, 10)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return operations_engine(load_settings(tmp_path / "home"))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_a_day_is_due_at_two_of_the_day_after() -> None:
    """The moment itself counts; before it the day before is the newest."""
    assert scheduled_at(DAY) == at(11, 2)
    assert next_day(at(11, 1, 59)) == DAY
    assert next_day(at(11, 2)) == next_day(at(11, 15)) == date(2026, 3, 11)


def test_days_are_due_from_the_moment_on_at_which_the_schedules_are_switched_on(engine: Engine) -> None:
    """What was over before nobody waited for: neither in a fresh home nor in a demo's."""
    service = Service(engine)
    assert service.due(at(20, 12)) == [] and service.since() is None
    service.note(True, at(11, 1))
    service.note(True, at(13, 1))  # said with every tick; the first one counts
    assert service.due(at(11, 1, 59)) == []
    assert service.due(at(13, 2)) == [DAY, date(2026, 3, 11), date(2026, 3, 12)]
    assert service.due(at(13, 3), grace=timedelta(hours=2)) == [DAY, date(2026, 3, 11)]
    assert service.since() == DAY


def test_days_on_which_the_schedules_were_off_were_never_due(engine: Engine) -> None:
    """Whoever switches them off for a week has decided so; whose daemon is down has not."""
    service = Service(engine)
    service.note(True, at(11, 12))
    service.note(False, at(13, 12))
    service.note(False, at(14, 12))
    service.note(True, at(17, 1))
    assert [day.day for day in service.due(at(19, 3))] == [11, 12, 16, 17, 18]
    service.note(False, at(17, 1, 30))  # the day whose turn had not come is not due either
    assert [day.day for day in service.due(at(30, 3))] == [11, 12]


def test_a_simulated_day_runs_by_its_own_clock_and_all_others_by_ours(engine: Engine) -> None:
    """The lab plays a month in a minute: what it published after 40 s was published at 02:00:40."""
    began = datetime(2026, 11, 28, 15, tzinfo=UTC)
    simulate(engine, [DAY], began)
    now = began + timedelta(seconds=40)
    clock = simulated(engine)
    assert clock.moment(DAY, now) == at(11, 2) + timedelta(seconds=40)
    assert clock.moment(DAY + timedelta(days=1), now) == now

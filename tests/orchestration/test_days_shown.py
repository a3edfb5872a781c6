"""The UI shows landing days that exist: none of those between a past that was played and the day of service."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from reliability_platform.clock import FIRST_DAY, utc_now
from reliability_platform.day_clock import Service, next_day, simulate
from reliability_platform.landing.writer import landing_folder
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration import partitions
from reliability_platform.settings import load_settings

NOW = datetime(2026, 11, 28, 15, tzinfo=UTC)
PLAYED = [FIRST_DAY + timedelta(days=number) for number in range(3, 30)]


def test_after_a_demo_nothing_is_missing_that_was_never_due(tmp_path: Path) -> None:
    """A month of January looked at in November was 301 missing days, and the newest one to launch did not exist."""
    settings = load_settings(tmp_path / "home")
    engine = operations_engine(settings)
    assert partitions.days_of_the_world(settings, NOW) == (FIRST_DAY, [])  # any day can be run in a fresh home
    simulate(engine, PLAYED, NOW)
    landing_folder(settings, "orders", date(2026, 2, 10)).mkdir(parents=True)
    first, absent = partitions.days_of_the_world(settings, NOW)
    assert first == PLAYED[0]
    assert not set(absent) & {*PLAYED, date(2026, 2, 10)}
    assert (absent[0], absent[-1], len(absent)) == (date(2026, 1, 31), date(2026, 11, 27), 300)
    Service(engine).note(True, NOW)
    assert partitions.days_of_the_world(settings, NOW + timedelta(days=5)) == (first, absent)  # whose days are due


def test_the_definition_has_these_days_where_a_home_is_served_and_any_day_for_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's own list of keys, in the process that the UI asks and in that of a command."""
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path))
    simulate(operations_engine(load_settings()), PLAYED, utc_now())
    anything = partitions._landing_days().get_partition_keys()
    assert {"2026-01-01", "2026-03-01"} < set(anything)
    monkeypatch.setenv("RELIABILITY_SERVED", "true")
    shown = partitions._landing_days()
    now = utc_now()
    over = [next_day(now)] if next_day(now) < now.date() else []  # between midnight and the hour of its run
    assert shown.get_partition_keys(now) == [day.isoformat() for day in [*PLAYED, *over]]
    tomorrow = shown.get_partition_keys(now + timedelta(days=1))
    assert tomorrow[-1] == now.date().isoformat()

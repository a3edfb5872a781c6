"""Dagster's storages on kept engines: of a file that is lost and made anew, the new one is read."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

from reliability_platform.orchestration import kept_engines
from reliability_platform.orchestration.home import platform_instance
from reliability_platform.settings import load_settings


def test_a_home_that_is_emptied_has_storages_of_its_own_again(tmp_path: Path) -> None:
    """`reliability demo` empties a home in the process that has used it; what was known of the files went with them."""
    settings = load_settings(tmp_path)
    for value in ("before", "after"):
        with platform_instance(settings) as instance:
            assert instance.all_instigator_state() == []
            assert instance.get_runs() == []
            assert instance.get_dynamic_partitions("incidents") == []
            instance.add_dynamic_partitions("incidents", [value])
            assert instance.run_storage.get_cursor_values({"any"}) == {}
            instance.run_storage.set_cursor_values({"any": value})
        with platform_instance(settings) as again:
            assert again.get_dynamic_partitions("incidents") == [value]
            assert again.run_storage.get_cursor_values({"any"}) == {"any": value}
        shutil.rmtree(settings.dagster_home)


def test_a_query_makes_no_engine(tmp_path: Path) -> None:
    """Dagster's own makes one for each: half of what a tick of a sensor took."""
    with platform_instance(load_settings(tmp_path)) as instance:
        ticks = instance.schedule_storage
        assert ticks is not None
        with ticks.connect() as one, ticks.connect() as other:  # type: ignore[attr-defined]
            assert one.engine is other.engine


def test_a_file_that_dagster_has_made_is_opened_without_its_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command read all of them, twice; one that lacks what Dagster adds by itself is given it."""
    settings = load_settings(tmp_path)
    with platform_instance(settings) as instance:
        instance.run_storage.set_cursor_values({"any": "kept"})
    read: list[object] = []
    asked = sqlite_run_storage.check_alembic_revision
    monkeypatch.setattr(sqlite_run_storage, "check_alembic_revision", lambda *of: read.append(of) or asked(*of))
    monkeypatch.setattr(sqlite_schedule_storage, "check_alembic_revision", lambda *of: read.append(of) or asked(*of))
    kept_engines._WHOLE.clear()  # as in another process
    with platform_instance(settings) as again:
        assert again.run_storage.get_cursor_values({"any"}) == {"any": "kept"}
    assert read == []
    kept_engines._WHOLE.clear()
    with sqlite3.connect(settings.dagster_home / "history" / "runs.db") as file:
        file.execute("drop table instance_info")
    with platform_instance(settings) as mended:
        assert mended.run_storage.get_run_storage_id()
    assert len(read) == 1

"""dbt by itself, as a person at a shell runs it: no Dagster, no platform command."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reliability_platform.settings import DBT_PROJECT, PROJECT_ROOT
from reliability_platform.warehouse.lease import warehouse_lease
from tests.conftest import Platform, day

DBT = str(Path(sys.executable).parent / "dbt")


def _dbt(home: Path, cwd: Path, target: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [DBT, *words, "--target-path", str(target), "--project-dir", str(DBT_PROJECT)]
    environment = {**os.environ, "RELIABILITY_HOME": str(home), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    command += ["--profiles-dir", str(DBT_PROJECT)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("cwd", [PROJECT_ROOT, DBT_PROJECT], ids=["from the root", "from the project"])
def test_dbt_build_works_on_what_is_in_bronze(platform: Callable[..., Platform], cwd: Path) -> None:
    """Models, data tests and unit tests pass; the platform then finds the same gold that it would have built."""
    made = platform("shell", events_per_day=300)
    made.land(day(1), day(2))
    done = _dbt(made.settings.home, cwd, made.settings.home / "target", "build")
    assert done.returncode == 0, done.stdout
    assert "the_winner_of_a_key_depends_on_the_data_alone" in done.stdout
    by_shell = made.gold()
    made.settings.warehouse.unlink()
    made.build(day(1), day(2))
    assert made.gold() == by_shell
    assert all(by_shell.values())


def test_dbt_from_the_shell_waits_for_the_lease(platform: Callable[..., Platform]) -> None:
    """While a run holds the warehouse, a dbt from the shell waits and then says so in words; no lock error."""
    made = platform("leased", events_per_day=300)
    made.land(day(1), day(1))
    os.environ["RELIABILITY_LEASE_TIMEOUT_SECONDS"] = "2"
    try:
        with warehouse_lease(made.settings):
            done = _dbt(made.settings.home, PROJECT_ROOT, made.settings.home / "target", "run", "-s", "stg_orders")
    finally:
        del os.environ["RELIABILITY_LEASE_TIMEOUT_SECONDS"]
    assert done.returncode != 0
    assert "Another process has held the warehouse" in done.stdout
    assert "set lock" not in done.stdout

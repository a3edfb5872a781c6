"""dbt and Soda by themselves, as a person at a shell runs them: no Dagster, no platform command."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from reliability_platform.contracts import SOURCES
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.settings import DBT_PROJECT, PROJECT_ROOT, SODA_CHECKS, load_settings
from reliability_platform.warehouse.lease import warehouse_lease
from tests.ground import Platform, day

BIN = Path(sys.executable).parent


def _checkout(root: Path) -> Path:
    """What a fresh clone has of it; the home lies in it, as by default."""
    ignored = shutil.ignore_patterns("target", "logs")
    shutil.copytree(DBT_PROJECT, root / DBT_PROJECT.name, ignore=ignored)
    shutil.copytree(SODA_CHECKS, root / SODA_CHECKS.name)
    return root


def _shell(cwd: Path, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    """In a plain shell: nothing of the environment that make or the platform sets."""
    kept = {name: os.environ[name] for name in ("OUTWARD_CALLS", "PYTHONPATH")}
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", **kept, **more}
    return subprocess.run(
        ["bash", "-ec", script], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def _of_the_readme() -> str:
    """The block of the how-to guide that calls dbt and Soda, as it stands."""
    blocks = re.findall(
        r"```shell\n(.*?)```", (PROJECT_ROOT / "docs" / "how-to" / "dbt-and-soda.md").read_text(), re.DOTALL
    )
    [block] = [one for one in blocks if "soda scan" in one]
    return str(block)


def test_the_commands_of_the_readme_work_and_send_nothing_anywhere(
    platform: Callable[..., Platform], tmp_path: Path, outward_calls: Path
) -> None:
    """Models, data tests and unit tests pass, a scan passes. Soda reported each scan to its maker, even where the user had
    asked for nothing of the kind but had run the platform.
    """
    root = _checkout(tmp_path / "root")
    made = platform("root/data", events_per_day=300)
    made.land(day(5), day(6))
    (tmp_path / ".soda").mkdir()
    (tmp_path / ".soda" / "config.yml").write_text("send_anonymous_usage_stats: true\nuser_cookie_id: somebody\n")
    done = _shell(root, _of_the_readme(), HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the_winner_of_a_key_depends_on_the_data_alone" in done.stdout
    assert "All is good. No failures. No warnings. No errors." in done.stdout
    assert outward_calls.read_text() == ""
    assert all(made.gold().values())


@pytest.mark.exhaustive  # 8 s of dbt; that each model has its yml and columns is held by tests/conventions
def test_dbt_docs_knows_all_models(platform: Callable[..., Platform], tmp_path: Path) -> None:
    """The catalog of dbt has each model with its columns and types."""
    root = _checkout(tmp_path / "root")
    made = platform("root/data", events_per_day=300)
    made.land(day(1), day(1))
    made.build(day(1), day(1))
    documented = _shell(
        root, "dbt docs generate --project-dir dbt_project --profiles-dir dbt_project", HOME=str(tmp_path)
    )
    assert documented.returncode == 0, documented.stdout
    target = root / DBT_PROJECT.name / "target"
    catalog = json.loads((target / "catalog.json").read_text())["nodes"]
    models = {name for name in json.loads((target / "manifest.json").read_text())["nodes"] if name.startswith("model.")}
    assert models <= set(catalog), "a model without its columns and types"


@pytest.mark.exhaustive  # 14 s; in `make test` dbt builds by hand from landing
def test_a_build_by_hand_makes_the_rows_that_the_platform_made(
    platform: Callable[..., Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that knows nothing of the platform's settings emptied `qtn_rows.reading` and judged lateness by three days
    whatever the platform had been told; ten days were held as changed after their build, with false incidents of P1.
    """
    monkeypatch.setenv("RELIABILITY_ALLOWED_LATENESS_DAYS", "0")
    root = _checkout(tmp_path / "root")
    made = platform("root/data", events_per_day=300, injections=[Injection("null_spike", "orders", day(1), "medium")])
    made.run(day(1), day(2))
    tables = ["qtn_rows", "hld_too_late", *(f"stg_{source}" for source in SOURCES)]
    tables += [f"int_{source}__deduplicated" for source in SOURCES]

    def rows() -> dict[str, list[tuple[object, ...]]]:
        return {table: made.query(f"from {table} order by all") for table in tables} | made.gold()

    built, published = rows(), made.publish()
    assert built["qtn_rows"]
    assert built["hld_too_late"]

    done = _shell(root, "dbt run --project-dir dbt_project --profiles-dir dbt_project", HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout
    by_hand = rows()
    assert [table for table in built if built[table] != by_hand[table]] == []
    again = made.publish()
    assert (again.version, again.held) == (published.version, published.held)

    # A build by hand after a release judges under another reading; what is the same row is not held for that.
    with duckdb.connect(str(made.settings.warehouse)) as connection:
        connection.execute("update qtn_rows set reading = 'of another release'")
    assert made.publish().held == published.held


def test_the_watch_over_calls_sees_soda_report(outward_calls: Path, tmp_path: Path) -> None:
    """Or the test above could not fail: the same scan without what the README exports."""
    before = outward_calls.read_text()
    (tmp_path / "log").touch()
    program = "from soda.telemetry.soda_telemetry import SodaTelemetry as t; import socket; socket.getaddrinfo"
    done = _shell(
        tmp_path,
        f'python -c "{program}(t.ENDPOINT.split(chr(47))[2], 443)"',
        HOME=str(tmp_path),
        OUTWARD_CALLS=str(tmp_path / "log"),
    )
    assert done.returncode != 0
    assert "socket.getaddrinfo collect.soda.io" in (tmp_path / "log").read_text()
    assert outward_calls.read_text() == before


def test_the_platform_leaves_the_users_own_soda_alone(tmp_path: Path) -> None:
    """It used to write a ~/.soda/config.yml by which every later scan of the user reported."""
    script = 'python -c "from reliability_platform.checks.soda_scan import scan_class as s; s()" && ls -A $HOME'
    done = _shell(tmp_path, script, HOME=str(tmp_path), RELIABILITY_CACHE=str(load_settings().cache))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.exhaustive  # 10 s; test_publication holds the lease against a second process
def test_dbt_from_the_shell_waits_for_the_lease(
    platform: Callable[..., Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run holds the warehouse, a dbt from the shell waits and then says so in words; no lock error. Inside
    dbt_project it finds the same home without a word.
    """
    root = _checkout(tmp_path / "root")
    made = platform("root/data", events_per_day=300)
    made.land(day(1), day(1))
    with warehouse_lease(made.settings):
        done = _shell(
            root / DBT_PROJECT.name,
            "dbt run -s stg_orders",
            HOME=str(tmp_path),
            RELIABILITY_LEASE_TIMEOUT_SECONDS="2",
        )
    assert done.returncode != 0
    assert "Another process has held the warehouse" in done.stdout
    assert "set lock" not in done.stdout

"""A person works through the quarantine at the shell, until nothing waits and no incident is open."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.remediation.ledger import ReplayLedger
from tests.ground import Platform, day

pytestmark = pytest.mark.exhaustive
DAY = day(1)


def quarantine(home: Path, *words: str, code: int = 0) -> Any:
    """One command of the quarantine; its JSON."""
    program = "import sys; from reliability_platform.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "quarantine", *words, "--home", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_what_is_replayed_and_what_is_given_up_ends_the_incidents(tmp_path: Path) -> None:
    """Refused files one by one asked for again, rejected rows discarded: then the day is published, and all adds up."""
    injections = [
        Injection("null_spike", "orders", DAY, "medium"),
        Injection("schema_column_renamed", "payments", DAY, "medium"),
    ]
    platform = Platform(tmp_path / "home", injections=injections)
    home = platform.settings.home
    assert platform.run(DAY, DAY).held

    selection = ("--source", "payments", "--reason", "schema_column_renamed", "--limit", "1")
    landing = {path: path.read_bytes() for path in sorted((home / "landing").rglob("*.parquet"))}
    told = quarantine(home, "replay", *selection, "--dry-run")
    # On its first day no past tells what a renamed column is, so no shim is offered.
    assert [one["how"] for one in told["dead_letters"]] == ["replacement"]
    assert not (home / "decisions").exists()
    first = quarantine(home, "replay", *selection, code=1)  # another file still waits, so the incident stays open
    assert [one["batch_id"] for one in first["dead_letters"]] == [one["batch_id"] for one in told["dead_letters"]]
    assert len(first["open_incidents"]) == 1
    assert (
        quarantine(home, "replay", "--source", "payments", "--reason", "schema_column_renamed")["open_incidents"] == []
    )
    assert landing == {path: path.read_bytes() for path in landing}
    assert {one.how for one in ReplayLedger(platform.engine).all()} == {"replacement"}

    where = ("--source", "orders", "--date", str(DAY), "--why", "test orders", "--yes")
    given_up = quarantine(home, "discard", *where)
    assert given_up["open_incidents"] == []
    assert quarantine(home, "discard", *where)["discarded"] == []
    found = quarantine(home, "analyze", "--source", "orders")
    assert [(group["value"], group["rows"]) for group in found["by"]["state"]] == [("discarded", found["rows"])]
    assert found["rows"] == sum(one["rows"] for one in given_up["discarded"])
    assert IncidentStore(platform.engine).open() == []
    assert IncidentStore(platform.engine).broken_links() == []
    assert platform.query("select sum(abs(unaccounted_rows)) from rec_batches__conserved") == [(0,)]
    assert platform.publish().held == {}

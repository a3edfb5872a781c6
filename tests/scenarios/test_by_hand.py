"""The commands of the README, one after the other, on a small home of their own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reliability_platform.errors import ExitCode
from tests.ground import Platform
from tests.scenarios.typed import typed

HELD = ExitCode.NOT_HEALED


@pytest.mark.exhaustive  # 32 s; each of these commands has tests of its own, and the demo goes the same way
def test_injected_by_hand_noticed_healed_and_replayed(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """The commands of the README: inject, run, look, replay; a rollback and back again."""
    home = tmp_path / "home"
    lived(home).settings.home.chmod(0o700)  # as a command that begins a home makes it
    typed("inject", "null_spike", "--source", "orders", "--date", "2026-01-02", "--magnitude", "large", home=home)
    run = json.loads(typed("run", "--from", "2026-01-02", "--to", "2026-01-02", "--json", home=home, expect=HELD))
    [incident] = run["incidents"]
    assert incident["source"] == "orders"
    assert "orders/2026-01-02" in run["held"]
    typed("publish", home=home, expect=HELD)
    typed("backfill", "--from", "2026-01-01", "--to", "2026-01-01", home=home, expect=HELD)
    shown = typed("incidents", "show", incident["id"], home=home)
    assert "A required field is suddenly null" in shown
    assert "stg_orders__missing_customer_id" in shown
    listed = json.loads(
        typed("quarantine", "list", "--source", "orders", "--from", "2026-01-02", "--to", "2026-01-02", "--json",
                    home=home)
    )  # fmt: skip
    assert sum(row["rows"] for row in listed["rows"]) > 0
    letters = json.loads(typed("quarantine", "show", listed["rows"][0]["batch_id"], "--json", home=home))
    assert letters["rows"][0]["reasons"] == "customer_id_missing"
    typed("incidents", "ack", incident["id"], "--why", "on it", home=home)
    typed("quarantine", "replay", "--source", "orders", "--date", "2026-01-02", home=home)
    typed("verify", home=home)
    typed("publish", "--rollback", "--yes", "--why", "to look", home=home, expect=HELD)
    typed("publish", home=home)
    typed("incidents", "audit", home=home)
    typed("doctor", home=home)

"""The commands of the README, one after the other, on a small home of their own."""

import json
from pathlib import Path

from tests.scenarios.test_demo import reliability


def test_injected_by_hand_noticed_healed_and_replayed(tmp_path: Path) -> None:
    """The commands of the README: inject, run, look, replay; a rollback and back again."""
    home = tmp_path / "home"
    reliability("demo", "--plan", "clean", "--days", "3", "--events", "9000", home=home)
    reliability("inject", "null_spike", "--source", "orders", "--date", "2026-01-02", "--magnitude", "large", home=home)
    run = json.loads(reliability("run", "--from", "2026-01-02", "--to", "2026-01-02", "--json", home=home).stdout)
    [incident] = run["incidents"]
    assert incident["source"] == "orders"
    assert "orders/2026-01-02" in run["held"]
    shown = reliability("incidents", "show", incident["id"], home=home).stdout
    assert "A required field is suddenly null" in shown
    assert "stg_orders__missing_customer_id" in shown
    listed = json.loads(
        reliability("quarantine", "list", "--source", "orders", "--from", "2026-01-02", "--to", "2026-01-02", "--json",
                    home=home).stdout
    )  # fmt: skip
    assert sum(row["rows"] for row in listed["rows"]) > 0
    letters = json.loads(reliability("quarantine", "show", listed["rows"][0]["batch_id"], "--json", home=home).stdout)
    assert letters["rows"][0]["reasons"] == "customer_id_missing"
    reliability("incidents", "ack", incident["id"], "--why", "on it", home=home)
    reliability("quarantine", "replay", "--source", "orders", "--date", "2026-01-02", home=home)
    reliability("verify", home=home)
    reliability("publish", "--rollback", "--yes", "--why", "to look", home=home)
    reliability("publish", home=home)
    reliability("incidents", "audit", home=home)
    reliability("doctor", home=home)

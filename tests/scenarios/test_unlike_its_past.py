"""A day that is unlike its past, by the command line: asked for again it comes right and heals, or it comes the same and is real."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reliability_platform.errors import ExitCode
from reliability_platform.lab.simulation import system
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.landing.reference import refresh_reference
from reliability_platform.settings import load_settings
from reliability_platform.sources.batch import Batch
from tests.ground import day
from tests.scenarios.typed import typed

pytestmark = pytest.mark.exhaustive

BROKEN, CLOSED = 15, 16
"""Landing days: on one a part of the payments has another label than it should, from the other on nobody pays by wallet any more."""
LAST = 17


def _without_wallets(batch: Batch) -> Batch:
    method = batch.table["method"]
    card = pa.array(["card"] * batch.table.num_rows, method.type)
    place = batch.table.column_names.index("method")
    paid = batch.table.set_column(place, "method", pc.if_else(pc.equal(method, "wallet"), card, method))
    return Batch(**{**vars(batch), "table": paid})


@pytest.fixture
def changing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that has changed, and stands by it when it is asked."""
    delivered, again = system.scheduled_batches, system.request_batch

    def deliver(simulation: Simulation, source: str, at: date) -> list[Batch]:
        closed = source == "payments" and at >= day(CLOSED)
        return [_without_wallets(one) if closed else one for one in delivered(simulation, source, at)]

    def deliver_again(simulation: Simulation, source: str, at: date, sequence: int, attempt: int) -> Batch:
        one = again(simulation, source, at, sequence, attempt)
        return _without_wallets(one) if source == "payments" and at >= day(CLOSED) else one

    monkeypatch.setattr(system, "scheduled_batches", deliver)
    monkeypatch.setattr(system, "request_batch", deliver_again)


def _ran(home: Path, first: int, last: int, expect: int = 0) -> dict[str, Any]:
    days = ("--from", day(first).isoformat(), "--to", day(last).isoformat())
    found: dict[str, Any] = json.loads(typed("run", *days, "--json", home=home, expect=expect))
    return found


def _shown(home: Path, incident: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(typed("incidents", "show", incident["id"], "--json", home=home))
    return found


def test_a_wrong_day_heals_and_a_real_change_waits_for_a_person_and_becomes_normal(
    tmp_path: Path, changing: None
) -> None:
    """Asking again must neither call a real change healed nor hold it for ever, and a mended day must be proved, not believed."""
    home = tmp_path / "home"
    settings = load_settings(home)
    Simulation(11, 2_000).save(settings)
    refresh_reference(settings)
    settings.home.chmod(0o700)
    assert _ran(home, 1, BROKEN - 1)["incidents"] == []

    what = ("--source", "payments", "--date", day(BROKEN).isoformat(), "--magnitude", "large")
    typed("inject", "category_shift", *what, home=home)
    [wrong] = _ran(home, BROKEN, BROKEN, ExitCode.NOT_HEALED)["incidents"]
    told = _shown(home, wrong)
    assert (told["failure_class"], told["source"]) == ("profile_anomaly", "payments")
    typed("heal", home=home, expect=ExitCode.NOT_HEALED)  # a person decides whether the source is asked
    typed("heal", "--incident", wrong["id"], home=home)
    healed = _shown(home, wrong)
    assert healed["state"] == "resolved"
    assert "landed payments-20260115-01-a2" in json.dumps(healed)
    typed("verify", home=home)  # the tables are those of a month in which it never happened

    [real] = _ran(home, CLOSED, CLOSED, ExitCode.NOT_HEALED)["incidents"]
    typed("heal", "--incident", real["id"], home=home, expect=ExitCode.NOT_HEALED)
    asked = _shown(home, real)
    assert asked["failure_class"] == "profile_anomaly"
    assert asked["state"] not in ("resolved", "verified", "closed")
    assert "it sends the same content again" in json.dumps(asked)
    typed("incidents", "false-alarm", real["id"], "--why", "the wallet was closed", home=home)
    assert _ran(home, CLOSED, CLOSED)["held"] == {}
    assert _ran(home, LAST, LAST)["incidents"] == [], "the past has learned it"
    typed("doctor", home=home)

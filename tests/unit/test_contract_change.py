"""A contract that changes to what was refused: the file enters as it came, and the ledger says so once."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from reliability_platform.clock import utc_now
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.odcs import read_contracts
from reliability_platform.landing.admission import admit
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.remediation.actions import action_named
from reliability_platform.remediation.contract_change import (
    admissible_now,
    fit_since_the_contract_changed,
    readmissible,
)
from reliability_platform.remediation.dead_letters.letters import Letter, Selection, waiting_letters
from reliability_platform.remediation.dead_letters.replay import offers
from reliability_platform.remediation.heal import act, describe
from reliability_platform.remediation.ledger import ReplayLedger
from reliability_platform.remediation.policy import AUTOMATION
from reliability_platform.remediation.standstill import arrived
from reliability_platform.settings import CONTRACTS_FOLDER
from tests.unit.broken_home import BrokenHome

RENAMED = {"customer_id": "user_id"}
CONTRACT = "bronze_orders__schema_contract"
BATCH = "orders-20260105-02"


@pytest.fixture
def home(tmp_path: Path) -> BrokenHome:
    """One file refused: its producer calls a column otherwise."""
    made = BrokenHome(tmp_path / "home")
    made.land(renamed={2: RENAMED})
    return made


@pytest.fixture
def _agreed(home: BrokenHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract file takes the new name, after the refusal, and is read as every contract is."""
    file = CONTRACTS_FOLDER / "orders.yml"
    changed = tmp_path / "orders.yml"
    changed.write_text(file.read_text().replace("name: customer_id", "name: user_id"))
    monkeypatch.setitem(CONTRACTS, "orders", read_contracts(changed)[0])


@pytest.mark.usefixtures("_agreed")
def test_running_the_day_again_admits_it_and_the_ledger_knows_once(home: BrokenHome) -> None:
    """Nobody needs to ask for it; and the state stays on the next run, and on the one after that."""
    for _ in range(3):
        records = admit(home.settings, "orders", home.day)
        assert {one.batch_id: one.state for one in records}[BATCH] == "replayed"
        replays = fit_since_the_contract_changed(home.settings, records, home.day)
        ReplayLedger(home.engine).record(replays, "", 0, utc_now())
    [replayed] = ReplayLedger(home.engine).all()
    assert (replayed.batch_id, replayed.how) == (BATCH, "contract")
    [file] = [one for one in quarantined_files(home.settings) if one["batch_id"] == BATCH]
    assert (file["state"], file["reason"]) == ("replayed", "schema_column_renamed")
    # The others came under the old name, and are now what does not fit.
    assert {one.state for one in records if one.batch_id != BATCH} == {"quarantined"}


def test_a_name_that_the_contract_takes_as_an_alias_is_admitted_and_said(
    home: BrokenHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refused file enters as it came, and so do all that come after it, under the old name and the new."""
    incident = home.incident(CONTRACT)
    file = CONTRACTS_FOLDER / "orders.yml"
    changed = tmp_path / "orders.yml"
    changed.write_text(
        file.read_text().replace("{property: role, value: entity}", "{property: aliases, value: [user_id]}")
    )
    monkeypatch.setitem(CONTRACTS, "orders", read_contracts(changed)[0])
    told = "orders-20260105-02 (user_id is a declared alias of customer_id)"
    assert told in describe(home.settings, incident)
    assert told in action_named("replay_through_shim").perform(home.settings, incident, AUTOMATION).summary
    assert home.admit() == {
        f"orders-20260105-0{slot}": "replayed" if slot == 2 else "admitted" for slot in (1, 2, 3, 4)
    }
    assert not home.settings.decisions.exists()


def waiting(home: BrokenHome) -> list[Letter]:
    """What `reliability quarantine replay` would offer, of a warehouse without rejected rows."""
    with duckdb.connect(str(home.settings.warehouse)) as connection:
        connection.execute(
            "create or replace table qtn_rows (source varchar, landing_date date, batch_id varchar, "
            "batch_sequence integer, reject_reasons varchar, reading varchar, state varchar)"
        )
    return waiting_letters(home.settings, Selection(home.day, home.day, source="orders"))


def test_healing_replays_it_as_it_came_and_asks_nobody(home: BrokenHome, request: pytest.FixtureRequest) -> None:
    """Though the refusal proposes a shim, and every attempt is used up."""
    incident = home.incident(CONTRACT)
    request.getfixturevalue("_agreed")
    before = home.landing_bytes()
    assert "as they came" in describe(home.settings, incident)
    [offer] = offers(home.settings, home.engine, waiting(home))
    [fitting] = admissible_now(home.settings, "orders", home.day)
    assert (offer.how, offer.fingerprint) == (fitting.how, fitting.fingerprint) == ("contract", fitting.fingerprint)
    incident.attempts = 2
    done = action_named("replay_through_shim").perform(home.settings, incident, "test")
    assert [(one.batch_id, one.how) for one in done.replays] == [(BATCH, "contract")]
    assert done.reruns == [home.day]
    assert not home.settings.decisions.exists()
    act(home.settings, home.engine, home.incidents.get(incident.id).id, utc_now(), "test")
    admit(home.settings, "orders", home.day)
    assert home.landing_bytes() == before
    assert admissible_now(home.settings, "orders", home.day) == []
    [replayed] = ReplayLedger(home.engine).all(incident.id)
    assert replayed.how == "contract"


def test_a_day_of_an_incident_is_run_once_after_a_compatible_change(
    home: BrokenHome, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a widened contract would take waited until somebody ran its day; what an incompatible one would make of a day
    nobody may decide but a person."""
    incident = home.incident(CONTRACT)
    assert arrived(home.settings, incident) == []
    request.getfixturevalue("_agreed")
    agreed = CONTRACTS["orders"]
    monkeypatch.setitem(CONTRACTS, "orders", replace(agreed, version="2.0.0"))
    assert arrived(home.settings, incident) == []
    monkeypatch.setitem(CONTRACTS, "orders", agreed)
    assert arrived(home.settings, incident) == [home.day]
    waits = [(one.source, one.landing_date, one.files, one.rows) for one in readmissible(home.settings)]
    assert waits == [("orders", home.day, 1, 0)]
    home.admit()
    assert (arrived(home.settings, incident), readmissible(home.settings)) == ([], [])


def test_as_long_as_the_contract_stands_nothing_is_offered(home: BrokenHome) -> None:
    """And looking changes nothing."""
    before = home.landing_bytes()
    assert admissible_now(home.settings, "orders", home.day) == []
    assert home.landing_bytes() == before

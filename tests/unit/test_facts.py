"""What a check found travels as fields: from its SQL through the store to the incident, and once more for people."""

import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from reliability_platform.checks.facts import Facts
from reliability_platform.checks.native import evaluate_native
from reliability_platform.checks.results import ERROR, CheckResult, CheckStatus
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.incidents.detection import observe
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.settings import DBT_PROJECT
from tests.unit.broken_home import BrokenHome
from tests.unit.failing import NOW, refused
from tests.unit.failing import result as failed

CONTRACT, INTEGRITY = "bronze_orders__schema_contract", "bronze_orders__file_integrity"
GAP = "bronze_orders__batch_completeness"


@pytest.fixture
def home(tmp_path: Path) -> BrokenHome:
    return BrokenHome(tmp_path)


def judged(home: BrokenHome, *names: str) -> dict[str, CheckResult]:
    with duckdb.connect() as connection:
        found = evaluate_native(home.settings, connection, [home.day], set(names), "test", NOW)
    home.checks.record(found)
    return {one.check: one for one in home.checks.latest([home.day])}


def test_a_batch_of_another_day_does_not_explain_the_slot_of_its_name(home: BrokenHome) -> None:
    """The name `orders-20260104-03` in the folder of the next day was read as its slot 3: nobody asked for that batch."""
    home.land(without=(3,), renamed={2: {"customer_id": "user_id"}})
    home.write_stray_file(f"orders-{home.day.replace(day=home.day.day - 1):%Y%m%d}-03.parquet")
    found = judged(home, CONTRACT, INTEGRITY, GAP)
    assert [(one.slot, one.columns) for one in found[CONTRACT].facts.refused] == [(2, ("customer_id",))]
    assert [one.slot for one in found[INTEGRITY].facts.refused] == [None]
    assert found[GAP].facts == Facts(missing_slots=(2, 3))
    assert "(missing: 2, 3)" in found[GAP].message
    observe(home.engine, home.checks.after(0, 100), NOW)
    opened = {one.failure_class: one.column for one in home.incidents.open()}
    assert opened == {"missing_data": None, "schema_break": "customer_id", "file_corruption": None}


def test_a_change_without_notice_is_said_in_its_incident(home: BrokenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which columns changed stood there, and not that the producer had promised to say so a month before."""
    monkeypatch.setitem(CONTRACTS, "orders", replace(CONTRACTS["orders"], notice_days=30))
    home.land(renamed={2: {"customer_id": "user_id"}})
    found = judged(home, CONTRACT)[CONTRACT]
    assert (
        "orders-20260105-02: customer_id changed without notice: the contract asks for 30 days of it (" in found.message
    )
    assert [one.columns for one in found.facts.refused] == [("customer_id",)]


def test_facts_come_back_from_the_store_as_they_were_and_older_results_without_them_are_read(home: BrokenHome) -> None:
    """A home of 0.3.0 has the text alone, and a later release may say more than this one knows."""
    for facts in (Facts(silent=True), Facts(late_keys=0, keys=30), Facts(unknown_columns=("a", "b"))):
        assert Facts.read(facts.kept()) == facts
    assert Facts(late_keys=0, keys=30).text == "0 of 30"
    assert Facts.read({"missing_slots": [1], "of_tomorrow": 1}) == Facts(missing_slots=(1,))
    home.land(without=(1,))
    result = judged(home, GAP)[GAP]
    assert result.facts == Facts(missing_slots=(1,))
    del result.details["facts"]
    assert result.facts == Facts()


def test_an_open_incident_of_0_3_0_goes_on(home: BrokenHome) -> None:
    """Its timeline has the text of the check and no fields; it is extended, and turns out to be a symptom, all the same."""
    home.land(without=(2,))
    result = replace(judged(home, GAP)[GAP], details={"detail": "missing: 2"})
    kept = {name: getattr(result, name) for name in ("check", "dataset", "source", "value", "threshold", "message")}
    signal = {**kept, "partition": home.day.isoformat(), "verdict": "failed", "sample": [], "result_id": 1}
    opened = home.incidents.create(
        "missing_data-orders",
        NOW,
        "incident sensor",
        "Expected batches are missing",
        {
            "partitions": [home.day.isoformat()],
            "signals": [{**signal, "detail": "missing: 2"}],
            "source": "orders",
            "failure_class": "missing_data",
            "root_dataset": "bronze_orders",
            "severity": "P1",
            "severity_reason": "P1",
        },
        [1],
    )
    assert opened is not None
    observe(home.engine, [(2, result)], NOW)
    assert [one.detail for one in home.incidents.get(opened).signals] == ["missing: 2", ""]
    renamed = failed(CONTRACT, facts=refused("orders-20260105-02", "schema_column_renamed", 2))
    (root, _) = sorted(observe(home.engine, [(3, renamed)], NOW), reverse=True)
    assert home.incidents.get(opened).linked_to == root


def test_every_code_for_which_staging_rejects_rows_says_a_rule_and_a_column() -> None:
    """A code that nobody knows belongs to no class and to no column."""
    for source in SOURCES:
        sql = (DBT_PROJECT / "models" / "staging" / f"stg_{source}.sql").read_text()
        codes = re.findall(r"'(\w+)':", sql[sql.index("reject_reasons({") :])
        assert len(codes) > 5
        assert set(codes) <= CONTRACTS[source].rejections.keys()


def test_what_many_checks_read_is_read_once_and_where_it_cannot_be_only_those_checks_crash(home: BrokenHome) -> None:
    """The records of a window are kept for all checks of a source: one damaged file of another source must not take
    these with it, and each crashed check says what is damaged, not that a table of its query is missing."""
    home.land(without=(2,))
    damaged = admissions_file(home.settings, "payments", home.day)
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1 no more PAR1")
    conserved = "rec_batches__conserved__orders"
    found = judged(home, GAP, "bronze_payments__batch_completeness", "bronze_payments__file_integrity", conserved)
    assert found[GAP].facts == Facts(missing_slots=(2,))
    for name, said in (
        ("bronze_payments__batch_completeness", "in file"),
        ("bronze_payments__file_integrity", "in file"),
        (conserved, "rec_batches__conserved"),
    ):
        assert (found[name].status, found[name].reason) == (CheckStatus.NOT_EVALUATED, ERROR)
        assert said in found[name].message

"""Rejected rows through the real dbt: each is in exactly one state, whatever becomes of it."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from reliability_platform.atomic import parquet_bytes
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.clock import utc_now
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.landing.discards import write_discards
from reliability_platform.landing.reference import load_reference, refresh_reference
from reliability_platform.remediation.dead_letters.analysis import Analysis, analyze
from reliability_platform.remediation.dead_letters.discard import discard
from reliability_platform.remediation.dead_letters.letters import Selection, waiting_letters
from reliability_platform.remediation.dead_letters.replay import offers
from reliability_platform.remediation.evidence import rejected_slots
from reliability_platform.sources.source import reference_files
from reliability_platform.warehouse.dbt_runner import NodeResult, build
from tests.ground import Platform, day

DAY = day(1)
ONCE = "assert_qtn_rows_has_each_dead_letter_once"
UNKNOWN, MISSING = "merchant_id_unknown_reference", "customer_id_missing"


class Worked:
    """One day of orders with nulls, and with a merchant that the reference data do not know yet; what became of it."""

    def __init__(self, home: Path) -> None:
        self.platform = platform = Platform(home, injections=[Injection("null_spike", "orders", DAY, "medium")])
        platform.land(DAY, DAY)
        self.without_merchant()
        platform.build(DAY, DAY)
        self.rejected = self.states()
        self.analysis = analyze(platform.settings, Selection(DAY, DAY, source="orders"))
        self.first_offers = offers(platform.settings, platform.engine, self.letters(UNKNOWN))

        # The merchant's record arrives, and a person gives up the rows without a customer.
        refresh_reference(platform.settings)
        self.later_offers = offers(platform.settings, platform.engine, self.letters(UNKNOWN))
        discard(platform.settings, platform.engine, self.letters(MISSING), "a test order", "somebody", utc_now())
        write_discards(platform.settings, platform.engine, "orders", [DAY])
        platform.admit(DAY, DAY)
        nodes = platform.build(DAY, DAY)
        self.ended = self.states()
        self.results = platform.check(DAY, DAY, nodes)
        platform.admit(DAY, DAY)
        build(platform.settings, DAY, DAY, select=["stg_orders", "qtn_rows"])
        self.ended_again = self.states()

    def without_merchant(self) -> None:
        """Take the record of the merchant with the most orders away."""
        settings = self.platform.settings
        known = reference_files(settings)
        files = str(settings.bronze / "orders" / f"landing_date={DAY}" / "*.parquet")
        found = duckdb.execute(f"select mode(merchant_id) from read_parquet('{files}')").fetchone()
        assert found is not None
        table = pq.read_table(settings.reference / "merchants.parquet")
        without = table.filter(pc.not_equal(table["merchant_id"], pa.scalar(found[0])))
        load_reference(settings, {**known, "merchants": parquet_bytes(without)})

    def letters(self, reason: str) -> list:  # type: ignore[type-arg]
        """Those that wait with one reason."""
        return waiting_letters(self.platform.settings, Selection(DAY, DAY, source="orders", reason=reason))

    def states(self) -> dict[tuple[str, str], int]:
        """Rows by reasons and state."""
        rows = self.platform.query(
            "select reject_reasons, state, count(*) from qtn_rows where source = 'orders' group by all"
        )
        return {(str(reasons), str(state)): int(str(count)) for reasons, state, count in rows}


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Worked:
    return Worked(tmp_path_factory.mktemp("letters") / "home")


def _of(states: dict[tuple[str, str], int], reason: str) -> dict[str, int]:
    return {state: count for (reasons, state), count in states.items() if reasons == reason}


def test_rows_that_pass_later_are_replayed_and_rows_that_were_given_up_are_discarded(worked: Worked) -> None:
    """Nothing vanishes: as many rows have an end as had been waiting."""
    unknown, missing = _of(worked.rejected, UNKNOWN), _of(worked.rejected, MISSING)
    assert unknown.keys() == missing.keys() == {"quarantined"}
    assert _of(worked.ended, UNKNOWN) == {"replayed": unknown["quarantined"]}
    assert _of(worked.ended, MISSING) == {"discarded": missing["quarantined"]}


def test_a_second_time_changes_nothing(worked: Worked) -> None:
    """Admission and build again: the same states, row for row."""
    assert worked.ended_again == worked.ended


def test_what_a_change_may_heal_is_offered_as_it_is(worked: Worked) -> None:
    """Before the merchant's record came, only the source could be asked; after it, reading again will do."""
    assert {(one.how, one.refusal) for one in worked.first_offers} == {("replacement", "")}
    assert {(one.how, one.refusal) for one in worked.later_offers} == {("contract", "")}
    assert "what it is judged by has changed" in worked.later_offers[0].words


def test_a_discarded_row_is_accounted_for_and_no_longer_bad(worked: Worked) -> None:
    """The checks that had failed for it pass, its slot is not asked for, and delivered is still the sum."""
    failed = {one.check: one.message for one in worked.results if one.status is CheckStatus.FAILED}
    assert failed == {}
    assert status(worked.results, "stg_orders__missing_customer_id") is CheckStatus.PASSED
    assert rejected_slots(worked.platform.settings, "orders", [DAY]) == {DAY: set()}
    [(unaccounted, quarantined, discarded)] = worked.platform.query(
        "select sum(abs(unaccounted_rows)), sum(quarantined_rows), sum(discarded_rows) from rec_batches__conserved "
        "where source = 'orders'"
    )
    assert unaccounted == 0
    assert quarantined == discarded == sum(_of(worked.ended, MISSING).values())


def status(results: list[CheckResult], check: str) -> CheckStatus:
    """Of one check on the day."""
    return next(one.status for one in results if one.check == check)


def test_the_test_of_one_state_per_row_sees_a_doubled_and_a_lost_row(worked: Worked) -> None:
    """It could not be trusted otherwise."""

    def judged() -> str:
        [node] = _only(build(worked.platform.settings, DAY, DAY, select=[ONCE]))
        return node.status

    def spoil(sql: str) -> None:
        with duckdb.connect(str(worked.platform.settings.warehouse)) as connection:
            connection.execute(sql)

    assert judged() == "pass"
    spoil("create table kept as from qtn_rows")
    spoil("insert into qtn_rows from qtn_rows where state = 'replayed' limit 1")
    assert judged() == "fail"
    spoil("delete from qtn_rows where state = 'discarded'")
    assert judged() == "fail"
    spoil("delete from qtn_rows; insert into qtn_rows from kept; drop table kept")
    assert judged() == "pass"


def _only(nodes: list[NodeResult]) -> list[NodeResult]:
    return [node for node in nodes if node.name == ONCE]


def test_the_analysis_counts_and_shows_nobodys_data(worked: Worked) -> None:
    """Counts agree with the table; a customer is never shown, a merchant's number is."""
    found: Analysis = worked.analysis
    assert found.rows == sum(worked.rejected.values())
    reasons = {group.value: group.rows for group in found.by["reason"]}
    assert reasons[UNKNOWN] >= sum(_of(worked.rejected, UNKNOWN).values())
    assert [group.value for group in found.by["state"]] == ["quarantined"]
    assert sum(group.share for group in found.by["batch"]) == pytest.approx(1, abs=0.01)
    [offender] = [one for one in found.offenders if one.reason == UNKNOWN]
    assert isinstance(offender.value, int)
    assert {one.value for one in found.offenders if one.column == "customer_id"} <= {None, "•••"}
    shown = json.dumps([vars(one) for one in found.offenders], default=str) + " ".join(found.patterns)
    [(customer,)] = worked.platform.query("select max(customer_id) from stg_orders where reject_reasons is not null")
    assert str(customer) not in shown
    assert any(line.startswith("orders, ") and f"only on {DAY}" in line for line in found.patterns)


def test_a_limit_and_a_reason_choose(worked: Worked) -> None:
    """Nothing of another reason, no more than the limit; what has an end is never chosen."""
    assert waiting_letters(worked.platform.settings, Selection(DAY, DAY, source="orders")) == []
    assert worked.first_offers[0].letter.reasons.split(",").count(UNKNOWN) == 1
    assert waiting_letters(worked.platform.settings, Selection(DAY, DAY, reason="no_such_reason", limit=1)) == []

"""A column is read in another way only if its own past bears it out; a name, a place or a type is no reason."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reliability_platform.checks.results import CheckStatus
from reliability_platform.landing.decisions import read_shim
from reliability_platform.remediation.actions import action_named
from reliability_platform.remediation.evidence import admissions
from reliability_platform.remediation.policy import AUTOMATION
from reliability_platform.remediation.readings import JudgedReading, judged_readings
from tests.unit.broken_home import BrokenHome

Change = Callable[[pa.Table], pa.Table]
PASSED, FAILED, UNTOLD = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.NOT_EVALUATED
MONEY = pa.decimal128(12, 2)
CONTRACT = "bronze_orders__schema_contract"
NIGHT, MORNING, NOON, EVENING = 1, 2, 3, 4


def put(name: str, came_as: str, make: Callable[[pa.Table], pa.Array] | None = None) -> Change:
    """The table with another column at the place of one; the same values if nothing else is said."""

    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index(name), came_as, make(table) if make else table[name])

    return change


def keys(highest: int) -> Callable[[pa.Table], pa.Array]:
    return lambda table: pa.array(np.random.default_rng(1).integers(1, highest + 1, table.num_rows))


def other_for(share: float) -> Callable[[pa.Table], pa.Array]:
    """Customers, of which some are other people."""

    def make(table: pa.Table) -> pa.Array:
        somebody = pa.array(np.random.default_rng(2).random(table.num_rows) < share)
        return pc.if_else(somebody, keys(20_000)(table), table["customer_id"])

    return make


def divided(name: str, by: float, kind: pa.DataType) -> Callable[[pa.Table], pa.Array]:
    return lambda table: pc.cast(pc.round(pc.divide(pc.cast(table[name], pa.float64()), by), ndigits=2), kind)


def in_text(name: str) -> Callable[[pa.Table], pa.Array]:
    return lambda table: pc.replace_substring(pc.cast(table[name], pa.string()), ".", ",")


def epoch(name: str, hours: int = 0) -> Callable[[pa.Table], pa.Array]:
    return lambda table: pc.add(pc.cast(table[name], pa.int64()), hours * 3_600_000_000)


def later(name: str, hours: int) -> Callable[[pa.Table], pa.Array]:
    return lambda table: pc.add(table[name], pa.scalar(hours * 3_600_000_000, pa.duration("us")))


def cents(table: pa.Table) -> pa.Array:
    return pc.cast(pc.multiply(pc.cast(table["amount"], pa.float64()), 100), pa.int64(), safe=False)


ORDERS = {
    "the same customers under another name": (put("customer_id", "user_id"), PASSED),
    "the payer, who is another one for one order in ten": (put("customer_id", "payer_customer_id", other_for(0.1)), FAILED),
    "the payer of all orders": (put("customer_id", "payer_customer_id", other_for(1)), FAILED),
    "a number of visitors": (put("customer_id", "visitor_no", keys(20_000)), FAILED),
    "a warehouse at the place of the merchant": (put("merchant_id", "warehouse_id", keys(20)), FAILED),
    "a merchant among all merchants, but another": (put("merchant_id", "partner_id", keys(200)), FAILED),
    "the merchant under another name": (put("merchant_id", "seller_id"), PASSED),
    "the amount without tax": (put("amount", "amount_net", divided("amount", 1.19, MONEY)), FAILED),
    "the amount less seven percent": (put("amount", "amount_net", divided("amount", 1.07, MONEY)), FAILED),
    "the amount in dollars": (put("amount", "amount_usd", divided("amount", 0.92, MONEY)), FAILED),
    "the amount under another name": (put("amount", "amount_eur"), PASSED),
    "a channel that nothing is tied to": (put("channel", "channels"), UNTOLD),
    "amounts as text": (put("amount", "amount", in_text("amount")), PASSED),
    "amounts in cents": (put("amount", "amount", cents), FAILED),
    "counts as float": (put("quantity", "quantity", lambda table: pc.cast(table["quantity"], pa.float64())), PASSED),
    "counts of tens": (put("quantity", "quantity", lambda table: pc.multiply(pc.cast(table["quantity"], pa.float64()), 10)), FAILED),
    "epochs": (put("event_time", "event_time", epoch("event_time")), PASSED),
    "epochs of local time in winter": (put("event_time", "event_time", epoch("event_time", 1)), FAILED),
    "epochs of local time in America": (put("event_time", "event_time", epoch("event_time", -5)), FAILED),
}  # fmt: skip


def judged(home: BrokenHome, change: Change, slot: int = EVENING) -> JudgedReading:
    """What is said of one file of the day that came changed."""
    home.land(retyped={slot: change})
    [found] = judged_readings(home.settings, home.source, home.day)
    return found


@pytest.mark.parametrize("case", ORDERS)
def test_what_came_is_compared_with_what_the_column_has_been(with_past: BrokenHome, case: str) -> None:
    """`amount_net`, `warehouse_id`, `payer_customer_id` and `visitor_no` were published as what they resembled."""
    change, expected = ORDERS[case]
    found = judged(with_past, change)
    [column] = found.columns
    assert column.status is expected, column.why
    assert found.agrees is (expected is PASSED)
    name_is_new = bool(found.file.reading.rename)
    assert found.waits_for_a_person is (found.agrees and name_is_new)
    words = found.words
    assert ("not what" in words) is (expected is FAILED)
    assert ("not evaluated" in words) is (expected is UNTOLD)
    if column.column == "customer_id":
        levels = [one for one in column.measures if one.shows_values]
        assert levels
        assert not any(f"{one.found:,.6g}" in words for one in levels)  # a quantile of customers is a customer


def test_where_two_sources_came_net_neither_speaks_for_the_other(with_past: BrokenHome) -> None:
    """Orders and payments came net on the same day: neither can speak for the other, and both stay refused."""
    home = with_past
    for path in (home.settings.bronze / "payments" / f"landing_date={home.day}").iterdir():
        path.unlink()
    for slot in (MORNING, NOON, EVENING):
        assert not judged(home, put("amount", "amount_net", divided("amount", 1.19, MONEY)), slot).agrees
        # Nor is the right one: nothing but the payments would have noticed a few wrong rows.
        [column] = judged(home, put("amount", "amount_eur"), slot).columns
        assert column.status is UNTOLD
        assert "every tenth row" in column.why


def test_a_file_that_the_past_speaks_against_is_asked_for_again_even_on_approval(with_past: BrokenHome) -> None:
    """Whoever approves the healing approves no guess: there is nothing to approve."""
    home = with_past
    home.land(retyped={EVENING: put("merchant_id", "warehouse_id", keys(20))})
    incident = home.incident(CONTRACT)
    done = action_named("replay_through_shim").perform(home.settings, incident, "somebody")
    assert [one.how for one in done.replays] == ["replacement"]
    assert "does not agree with the past" in done.summary
    assert read_shim(home.settings, "orders", "orders-20260105-04") is None
    assert home.admit()["orders-20260105-04"] == "superseded"


def test_automation_reads_no_column_under_another_name_whatever_the_past_says(with_past: BrokenHome) -> None:
    """It was due while the past did not tell; then another source landed, and the name was borne out, but by nobody."""
    home = with_past
    home.land(retyped={EVENING: put("customer_id", "user_id"), NOON: put("amount", "amount", in_text("amount"))})
    incident = home.incident(CONTRACT)
    done = action_named("replay_through_shim").perform(home.settings, incident, AUTOMATION)
    assert [(one.batch_id, one.how) for one in done.replays] == [
        ("orders-20260105-03", "shim"),
        ("orders-20260105-04-a2", "replacement"),
    ]
    assert read_shim(home.settings, "orders", "orders-20260105-04") is None


def test_a_few_rows_and_a_few_days_say_nothing(with_past: BrokenHome) -> None:
    """A night with a handful of orders, and a source in its first week."""
    home = with_past
    few = judged(home, lambda table: put("customer_id", "user_id")(table.slice(0, 9)))
    assert [one.status for one in few.columns] == [UNTOLD]
    assert "fewer than 20 values" in few.words
    for past in [one for _, one in home.checks.after(0, 10_000) if one.partition < home.day.replace(day=2)]:
        home.checks.invalidate([past.source], [past.partition])  # held days are no past
    young = judged(home, put("customer_id", "user_id"))
    assert "good days of the past are too few" in young.words


def test_columns_that_came_otherwise_do_not_speak_for_each_other(with_past: BrokenHome) -> None:
    """A release that renames two columns may have moved both."""
    home = with_past

    def both(table: pa.Table) -> pa.Table:
        return put("product_id", "article_id", keys(2_000))(put("merchant_id", "partner_id", keys(200))(table))

    home.land(retyped={EVENING: both})
    record = next(one for one in admissions(home.settings, "orders", home.day) if one["batch_sequence"] == EVENING)
    assert record["status"] == "refused"
    assert not any(one.agrees for one in judged_readings(home.settings, "orders", home.day))


def test_a_key_is_judged_by_what_other_sources_have_for_it(with_past: BrokenHome) -> None:
    """The number of an order names the customer of its payment; a running number of its own does not."""
    [column] = judged(with_past, put("order_id", "order_no")).columns
    assert column.status is PASSED, column.why
    assert "the same customer_id in payments for it" in {one.name for one in column.measures}
    moved = judged(with_past, put("order_id", "order_no", lambda table: pc.add(table["order_id"], 1)))
    [column] = moved.columns
    assert column.status is FAILED, column.why


def test_whatever_came_the_test_says_something(with_past: BrokenHome) -> None:
    """Numbers at the ends of their types, nothing at all, every name another: one file must not stop a whole runbook."""
    home, least, most = with_past, -(2**63), 2**63 - 1

    def full_of(values: list[object], kind: pa.DataType) -> Callable[[pa.Table], pa.Array]:
        return lambda table: pa.array((values * table.num_rows)[: table.num_rows], kind)

    for change in (
        put("event_time", "event_timestamp", full_of([least, most, 0], pa.timestamp("us"))),
        put("customer_id", "user_id", full_of([least, most, None], pa.int64())),
        put("customer_id", "user_id", full_of([7], pa.int64())),
        put("customer_id", "user_id", full_of([str(most), "-1"], pa.string())),
        put("channel", "channels", full_of(["\x00", None, "é"], pa.string())),
        put("amount", "amount", full_of([0.01, 0.0, -0.0], pa.float64())),
        lambda table: table.rename_columns([f"{name}_x" for name in table.column_names]),
    ):
        assert not judged(home, change).agrees


OTHERS = {
    ("web_events", "session_id", "visit_id", None): PASSED,
    ("web_events", "customer_id", "visitor_no", keys(20_000)): FAILED,
    ("web_events", "customer_id", "customer_no", None): UNTOLD,  # nothing ties a visitor to what he does
    ("shipments", "weight_grams", "weight_g", None): PASSED,
    ("shipments", "weight_grams", "weight_kg", lambda table: pc.divide(table["weight_grams"], 1_000)): FAILED,
    ("shipments", "promised_at", "promised_until", None): PASSED,
    ("shipments", "promised_at", "promised_at_local", later("promised_at", 1)): FAILED,
    ("shipments", "promised_at", "promised_at_local", later("promised_at", -6)): FAILED,
}


@pytest.fixture(scope="module", params=["web_events", "shipments"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BrokenHome:
    """Another source with a past."""
    home = BrokenHome(tmp_path_factory.mktemp("other") / "home", request.param, events_per_day=4_000)
    home.remember(9)
    return home


def test_each_source_has_ties_of_its_own(other: BrokenHome) -> None:
    """Sessions go on in the order of their events, an order keeps its weight, a promise its distance from the order."""
    for (source, name, came_as, make), expected in OTHERS.items():
        if source == other.source:
            [column] = judged(other, put(name, came_as, make)).columns
            assert column.status is expected, (came_as, column.why)

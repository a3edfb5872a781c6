"""One incident per cause: symptoms join what explains them, and what does not explain each other stays apart."""

from dataclasses import replace
from datetime import date

import pytest

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Deviating, Facts
from reliability_platform.checks.results import CheckResult
from reliability_platform.contracts import CONTRACTS
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.column import column_of_results
from reliability_platform.incidents.grouping import RawSignal, RootCause, explains, group
from tests.unit.failing import NOTHING, Numbers, crashed, day, missing, refused, result

Summary = tuple[str, str, list[date], set[str]]


def grouped(*results: CheckResult) -> list[RootCause]:
    return group([RawSignal(number, one) for number, one in Numbers()(*results)])


def summary(*results: CheckResult) -> list[Summary]:
    return [
        (cause.source, cause.failure_class, cause.partitions, {one.result.check for one in cause.signals})
        for cause in grouped(*results)
    ]


RENAMED = refused("orders-20260105-02", "schema_column_renamed", 2, columns=("customer_id",))


def test_a_missing_batch_makes_four_checks_fail_and_is_one_incident() -> None:
    """Four pages for one missing file is how people learn to ignore pages."""
    checks = [
        "bronze_shipments__batch_completeness",
        "stg_shipments__row_count",
        "stg_shipments__freshness",
        "int_shipments__deduplicated__volume",
    ]
    results = [result(check, facts=missing(3, 4) if "completeness" in check else NOTHING) for check in checks]
    assert summary(*results) == [("shipments", "missing_data", [day(5)], set(checks))]


def test_a_refused_renamed_file_is_one_incident_with_the_gap_that_it_leaves() -> None:
    """The batch is missing because its file was refused; asking for both would land it twice."""
    checks = {
        "bronze_orders__schema_contract": RENAMED,
        "bronze_orders__batch_completeness": missing(2),
        "int_orders__deduplicated__volume": NOTHING,
        "rec_orders__vs__payments__matched": Facts(without_order=700),
    }
    results = [result(check, facts=facts) for check, facts in checks.items()]
    assert summary(*results) == [("orders", "schema_break", [day(5)], set(checks))]


def test_a_folder_that_cannot_be_read_explains_all_that_is_missing_of_its_day() -> None:
    """Whatever came is in there; a second incident asked the source for batches that had come."""
    found = summary(
        result("bronze_orders__batch_completeness", facts=missing(1, 2, 3, 4)),
        result("bronze_orders__file_integrity", facts=refused("file-642030e26524", "folder_unreadable")),
    )
    assert [one[1] for one in found] == ["file_corruption"]


def test_a_refused_file_does_not_explain_that_another_batch_never_came() -> None:
    """Replaying the refused file would leave the other batch missing, and nobody would be asked for it."""
    found = summary(
        result("bronze_orders__schema_contract", facts=RENAMED),
        result("bronze_orders__batch_completeness", facts=missing(2, 3)),
    )
    assert [(one[1], one[3]) for one in found] == [
        ("missing_data", {"bronze_orders__batch_completeness"}),
        ("schema_break", {"bronze_orders__schema_contract"}),
    ]


def test_a_stray_file_does_not_explain_a_missing_batch() -> None:
    """Garbage in the folder and a batch that never came are two causes with two remedies."""
    found = summary(
        result("bronze_orders__file_integrity", facts=refused("garbage", "no_manifest")),
        result("bronze_orders__batch_completeness", facts=missing(3)),
    )
    assert [one[1] for one in found] == ["file_corruption", "missing_data"]


def test_a_broken_file_of_the_missing_batch_explains_it() -> None:
    """A truncated batch is refused and therefore missing: one incident."""
    found = summary(
        result("bronze_orders__file_integrity", facts=refused("orders-20260105-03", "unreadable_file", 3)),
        result("bronze_orders__batch_completeness", facts=missing(3)),
    )
    assert [one[1] for one in found] == ["file_corruption"]


def test_missing_orders_explain_payments_without_order() -> None:
    """The reconciliation is filed under payments, but payments are fine."""
    found = summary(
        result("bronze_orders__batch_completeness", facts=missing(1)),
        result("rec_orders__vs__payments__matched"),
    )
    assert [(one[0], one[1], len(one[3])) for one in found] == [("orders", "missing_data", 2)]


def test_no_delivery_explains_a_difference_between_silver_and_gold() -> None:
    """A silent bug in a model must not hide behind a batch that happens to be missing on the same day."""
    found = summary(
        result("bronze_orders__batch_completeness", facts=missing(1)), result("rec_silver__vs__gold__orders")
    )
    assert [one[1] for one in found] == ["missing_data", "reconciliation_mismatch"]


@pytest.mark.parametrize(
    ("other", "failure_class"),
    [
        ("stg_web_events__missing_session_id", "null_spike"),
        ("bronze_web_events__batch_completeness", "missing_data"),
        ("bronze_web_events__duplicate_batches", "duplicate_delivery"),
        ("stg_web_events__late_share", "late_data"),
    ],
)
def test_two_unrelated_causes_on_one_source_and_day_stay_two(other: str, failure_class: str) -> None:
    """Healing one of them must not close the other."""
    found = summary(result("stg_web_events__valid_payload"), result(other, facts=missing(2)))
    assert {one[1] for one in found} == {"payload_corruption", failure_class}


def test_a_renamed_column_does_not_explain_nulls_in_other_batches() -> None:
    """A refused file has no rows in the warehouse, so it cannot be what makes them null."""
    found = summary(
        result("bronze_orders__schema_contract", facts=RENAMED), result("stg_orders__missing_customer_id", value=12)
    )
    assert [one[1] for one in found] == ["null_spike", "schema_break"]


@pytest.mark.parametrize(
    ("reasons", "failure_class"), [("customer_id_missing", "null_spike"), ("amount_out_of_range", "invalid_values")]
)
def test_rejected_rows_join_the_cause_that_their_commonest_reason_names(reasons: str, failure_class: str) -> None:
    """With two causes on one day, the share of rejects says itself where it belongs."""
    found = summary(
        result("stg_payments__missing_customer_id"),
        result("stg_payments__range_amount"),
        result("stg_payments__reject_share", facts=Facts(rejected_for=(reasons,))),
    )
    assert [one[1] for one in found if "stg_payments__reject_share" in one[3]] == [failure_class]


def test_a_failure_of_the_event_time_names_the_column_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of flights it named `event_time`, a column that they do not have; theirs is called `time_hour`."""
    monkeypatch.setitem(CONTRACTS, "orders", replace(CONTRACTS["orders"], event_time="time_hour"))
    [cause] = grouped(result("stg_orders__no_future_event_time"))
    assert (cause.failure_class, cause.column) == ("future_data", "time_hour")


def test_neighbouring_days_merge_and_a_gap_separates() -> None:
    """Late rows trickle in over days: one incident. A week later it is another one."""
    found = summary(*(result("stg_orders__late_share", number) for number in (9, 8, 12)))
    assert [one[2] for one in found] == [[day(8), day(9)], [day(12)]]


def test_the_same_failure_of_two_sources_stays_two() -> None:
    """Each source has its own owner."""
    found = summary(result("bronze_orders__duplicate_batches"), result("bronze_payments__duplicate_batches"))
    assert [one[0] for one in found] == ["orders", "payments"]


def test_a_broken_model_is_one_incident_for_all_sources() -> None:
    """dbt stops for all sources at once; four pages would say the same."""
    found = summary(*(crashed(f"dbt_build__{source}") for source in ("shipments", "payments", "orders", "web_events")))
    assert [(one[0], one[1], len(one[3])) for one in found] == [("orders", "transform_failure", 4)]


def test_a_crashed_scan_is_one_incident_and_says_nothing_of_the_data() -> None:
    """A check that broke off is no bad data: it must not be filed under the class that it looks for."""
    found = summary(crashed("stg_orders__row_count"), crashed("stg_payments__missing_amount"))
    assert [(one[0], one[1], len(one[3])) for one in found] == [("orders", "check_not_evaluated", 2)]


def test_checks_that_crash_on_broken_models_are_symptoms() -> None:
    """A table that was not built cannot be scanned."""
    found = summary(crashed("dbt_build__orders"), crashed("int_orders__deduplicated__volume"))
    assert [one[1] for one in found] == ["transform_failure"]


def test_no_class_explains_itself_in_a_circle() -> None:
    """Following symptoms to their root must end."""

    def below(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, path
        for symptom in CLASSES[name].explains:
            below(symptom, (*path, name))

    for name in CLASSES:
        below(name, ())


def test_grouping_does_not_depend_on_the_order_of_signals() -> None:
    """A sensor may read results in any portions."""
    results = [
        result("bronze_orders__batch_completeness", facts=missing(1)),
        result("rec_orders__vs__payments__matched"),
        result("stg_payments__missing_customer_id"),
        result("stg_payments__reject_share", facts=Facts(rejected_for=("customer_id_missing",))),
        result("int_orders__deduplicated__volume", 6),
    ]
    assert summary(*results) == summary(*reversed(results))


def test_causes_come_in_a_stable_order() -> None:
    """Incident numbers follow it; the same run must give the same numbers."""
    results = [result("stg_payments__late_share"), result("stg_orders__reject_share"), result("stg_orders__late_share")]
    found = [(one.source, one.failure_class) for one in grouped(*results)]
    assert found == [("orders", "late_data"), ("orders", "reject_share"), ("payments", "late_data")]


def test_explaining_is_judged_by_class_and_by_check() -> None:
    """The table alone cannot tell a reconciliation between sources from one inside the platform."""
    assert explains("missing_data", CHECKS["rec_orders__vs__payments__matched"].failure_class)
    assert not explains("missing_data", CHECKS["rec_silver__vs__gold__orders"].failure_class)
    assert explains("transform_failure", CHECKS["rec_silver__vs__gold__orders"].failure_class)


def test_a_hostile_name_is_no_refused_slot() -> None:
    """`a; orders-20260105-03: b` was read as slot 3 of the schedule: the batch that never came was not asked for."""
    hostile = refused("a; orders-20260105-03: b", "unreadable_file", said="missing: 99; orders-20260105-03: {{x}}")
    found = summary(
        result("bronze_orders__file_integrity", facts=hostile),
        result("bronze_orders__batch_completeness", facts=missing(3)),
    )
    assert [one[1] for one in found] == ["file_corruption", "missing_data"]


def test_a_timeline_of_before_there_were_fields_is_grouped_by_its_classes() -> None:
    """Results of 0.3.0 have the text alone: nobody reads it, and what it cannot say opens no second incident."""
    old = result("bronze_orders__schema_contract", detail="orders-20260105-02: schema_column_renamed {}")
    found = summary(old, result("bronze_orders__batch_completeness", detail="missing: 2"))
    assert [one[1] for one in found] == ["schema_break"]


def test_the_column_is_the_one_that_files_lack_or_that_rows_are_rejected_for() -> None:
    """The runbook names it, and its questions are asked of it."""
    by_file = grouped(result("bronze_orders__schema_contract", facts=RENAMED))
    by_rows = grouped(
        result("stg_payments__valid_currency"),
        result("stg_payments__reject_share", facts=Facts(rejected_for=("currency_unknown_value", "nobodys_code"))),
    )
    unknown = Facts(unknown_columns=("discount", "coupon"))
    by_name = grouped(result("bronze_orders__no_unknown_columns", facts=unknown))
    assert [one.column for one in (*by_file, *by_rows, *by_name)] == ["customer_id", "currency", "discount"]


def test_a_test_of_a_whole_table_is_a_symptom_of_what_failed_on_another_day_of_its_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is filed on every day of the run. On the days on which nothing else failed it was an incident without a cause."""
    spec = replace(
        CHECKS["dbt_build__orders"], name="revenue__unique_day", dataset="revenue", failure_class="failed_test"
    )
    monkeypatch.setitem(CHECKS, spec.name, spec)
    missing_id = "stg_orders__missing_customer_id"
    found = summary(result(missing_id, 6), *(result(spec.name, number) for number in (5, 6, 7)))
    assert found == [("orders", "null_spike", [day(6)], {missing_id, spec.name})]
    alone = summary(*(result(spec.name, number) for number in (5, 6)))
    assert alone == [("orders", "failed_test", [day(5), day(6)], {spec.name})]


def _unlike(check: str, number: int, *deviating: Deviating) -> CheckResult:
    return result(check, number, facts=Facts(deviations=deviating))


def _found_in(other: str) -> Deviating:
    return Deviating("found in", "order_id", other, "", 1.0, 0.97, 1, 0.03)


SHIPMENTS_PROFILE = "int_shipments__deduplicated__profile"


def test_rows_that_another_source_lacks_are_missed_days_later_and_are_its_incident() -> None:
    """Orders of one batch did not come; what was shipped three days later led nowhere, and was a second incident."""
    gap = result("bronze_orders__batch_completeness", 5, facts=missing(3))
    missed = _unlike(SHIPMENTS_PROFILE, 8, _found_in("orders"))
    [cause] = grouped(gap, missed)
    assert (cause.source, cause.failure_class, cause.partitions, len(cause.signals)) == (
        "orders",
        "missing_data",
        [day(5)],
        2,
    )


def test_what_others_felt_of_a_drift_before_it_was_told_is_its_incident_and_its_day() -> None:
    """Amounts of orders grew by two percent a day: from the first day on payments were of another amount, and were asked again,
    while the first days of orders, which nothing told by themselves, stayed as they were.
    """
    orders = "int_orders__deduplicated__profile"
    felt = _unlike(
        "int_payments__deduplicated__profile", 5, Deviating("the same as in", "amount", "orders", "", 1, 0, 1, 1)
    )
    drift = _unlike(orders, 9, Deviating("against the weeks before", "amount", "product_id", "", 1.0, 1.07, 4, 0.07))
    [cause] = grouped(felt, drift)
    assert (cause.source, cause.partitions, [one.result.check for one in cause.own_signals]) == (
        "orders",
        [day(5), day(9)],
        [orders],
    )
    at_once = _unlike(orders, 7, Deviating("mean", "amount", "", "", 80.0, 90.0, 1, 0.1))
    assert [cause.partitions for cause in grouped(felt, at_once)] == [[day(5), day(7)]]
    jump = _unlike(orders, 9, Deviating("mean", "amount", "", "", 80.0, 120.0, 1, 0.5))
    assert {cause.source for cause in grouped(felt, jump)} == {"payments", "orders"}, "nothing had begun by then"


@pytest.mark.parametrize(
    ("number", "deviating"),
    [
        (
            8,
            (_found_in("orders"), Deviating("label", "carrier", "ups", "", 0.25, 0.0, 1, 0.25)),
        ),  # and a carrier is gone
        (8, (_found_in("payments"),)),  # of another source than the one that lacks rows
        (13, (_found_in("orders"),)),  # too long after
        (4, (_found_in("orders"),)),  # before
    ],
)
def test_what_is_wrong_by_itself_is_not_hidden_by_what_another_source_lacks(
    number: int, deviating: tuple[Deviating, ...]
) -> None:
    """Two independent faults stay two."""
    gap = result("bronze_orders__batch_completeness", 5, facts=missing(3))
    assert [cause.source for cause in grouped(gap, _unlike(SHIPMENTS_PROFILE, number, *deviating))].count(
        "shipments"
    ) == 1


def test_a_drift_below_its_limit_for_some_days_is_one_incident() -> None:
    """A week of 2 % a day was told on the third day and from the sixth on; another number after such a gap is another cause."""
    drift = Deviating("mean", "weight_grams", "", "", 900.0, 1_000.0, 7, 0.1)
    other = Deviating("label", "carrier", "ups", "", 0.25, 0.0, 1, 0.25)
    days_of = [one.partitions for one in grouped(*(_unlike(SHIPMENTS_PROFILE, at, drift) for at in (3, 6, 7)))]
    assert days_of == [[day(3), day(6), day(7)]]
    assert len(grouped(_unlike(SHIPMENTS_PROFILE, 3, drift), _unlike(SHIPMENTS_PROFILE, 6, other))) == 2
    assert len(grouped(_unlike(SHIPMENTS_PROFILE, 3, other), _unlike(SHIPMENTS_PROFILE, 6, other))) == 2


def _deviation(kind: str, column: str, part: str = "", within: str = "") -> Deviating:
    return Deviating(kind=kind, column=column, part=part, within=within, usual=0.1, found=0.5, days=1, impact=0.2)


LABELS_OF_ALL = [_deviation("label", "method", "card"), _deviation("label", "status", "declined", "method=card")]


@pytest.mark.parametrize(
    ("deviations", "column"),
    [
        ([_deviation("mean", "amount", within="currency=EUR"), _deviation("mean", "amount", within="currency=USD"), _deviation("whole numbers", "amount")], "amount"),
        ([LABELS_OF_ALL[0], *(_deviation("label", "status", "declined", f"method={one}") for one in ("card", "paypal", "transfer", "wallet"))], "status"),
        (LABELS_OF_ALL, "method"),
        ([_deviation("slot", "", "2"), _deviation("hour", "event_time", "9")], "event_time"),
        ([_deviation("in order", "order_id amount")], "amount"),
        ([_deviation("repeated pair", "order_id status")], "order_id"),
        ([_deviation("rejected", "", "currency_unknown_value")], "currency"),
        ([_deviation("empty", "product_id"), *(_deviation("empty together", "customer_id product_id", one) for one in ("product_id", "nothing", "customer_id", "customer_id and product_id"))], "product_id"),
        ([_deviation("repeated content", ""), _deviation("distinct values", "amount")], None),
    ],
)  # fmt: skip
def test_a_profile_names_the_column_that_explains_the_most(deviations: list[Deviating], column: str | None) -> None:
    """The strongest number alone named a segment in which the spoiled column was measured, or nothing where it was a pair."""
    facts = Facts(deviations=tuple(deviations))
    found = result("int_payments__deduplicated__profile", facts=facts)
    assert column_of_results("profile_anomaly", [found], [found]) == column

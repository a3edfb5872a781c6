"""A check that had no rows to judge has not passed, and holds nothing either."""

from pathlib import Path

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.gate import Why, held
from reliability_platform.checks.results import NOTHING_TO_JUDGE, CheckStatus
from reliability_platform.lab.faults.plan import Injection
from tests.ground import Platform, day

JUDGE_EMPTY_DAYS = ("__schema", "__row_count", "__batch_completeness", "__not_silent")


def test_on_a_day_of_silence_no_check_of_rows_has_passed(tmp_path: Path) -> None:
    """0 % of no rows is under every limit: a source that was silent had 30 green checks."""
    injection = Injection("stale_source", "shipments", day(1), "small")
    platform = Platform(tmp_path / "home", events_per_day=200, injections=[injection])
    platform.land(day(1), day(1))
    nodes = platform.build(day(1), day(1))
    assert "unit_test" not in {node.resource_type for node in nodes}, "unit tests judge the models, and no landing day"
    results = platform.check(day(1), day(1), nodes)
    datasets = ("bronze_shipments", "stg_shipments", "int_shipments__deduplicated")
    of_rows = [one for one in results if one.dataset in datasets]
    of_rows += [one for one in results if one.check.startswith("rec_") and one.check.endswith("shipments")]
    of_rows = [
        one for one in of_rows if not one.check.endswith(JUDGE_EMPTY_DAYS) and not CHECKS[one.check].requires_history
    ]
    assert not [one.check for one in of_rows if one.status is CheckStatus.PASSED]
    assert {one.reason for one in of_rows if one.status is CheckStatus.NOT_EVALUATED} == {NOTHING_TO_JUDGE}
    # What holds the day is that nothing came, and not that nothing could be said of it.
    objections = held(platform.checks, [("shipments", day(1))])["shipments", day(1)]
    assert not [one for one in objections if one.why is Why.BROKE_OFF]
    assert [one for one in objections if one.check.endswith("row_count") and one.why is Why.FAILED]
    elsewhere = [one for one in results if one.source == "orders" and one.reason == NOTHING_TO_JUDGE]
    assert not elsewhere

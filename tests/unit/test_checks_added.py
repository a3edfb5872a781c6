"""A home that an earlier release judged, with a catalogue that lacked a blocking check of today."""

from pathlib import Path

import pytest
from sqlalchemy import delete

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.cli.doctor import _judged, _WrongError
from reliability_platform.operations.tables import check_results
from reliability_platform.recovery.stores import examine_operations
from tests.ground import Platform, day

ADDED = "stg_orders__rows_of_their_slot"


@pytest.mark.exhaustive  # 6 s; each test of the gate has a blocking check without a result
def test_days_of_an_earlier_release_are_judged_by_a_check_it_lacked_and_what_is_stale_or_deleted_stays_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All 12 published partitions of a home of 0.3.0 were held, for a blocking check that 0.3.0 did not have."""
    home = Platform(tmp_path / "home", events_per_day=300)
    home.land(day(1), day(2))
    nodes = home.build(day(1), day(2))
    with monkeypatch.context() as earlier:
        earlier.delitem(CHECKS, ADDED)
        home.check(day(1), day(1), nodes)
    home.check(day(2), day(2), nodes)
    assert home.checks.history(ADDED, day(1)) == []

    assert home.publish().held == {}
    assert len(home.checks.history(ADDED, day(1))) == 1

    known = next(
        result.check
        for result in home.checks.latest([day(2)])
        if result.status is CheckStatus.PASSED
        and CHECKS[result.check].blocking
        and CHECKS[result.check].engine == "soda"
        and CHECKS[result.check].sources == ("orders",)
    )
    assert examine_operations(home.settings) == []
    with home.engine.begin() as connection:
        connection.execute(
            delete(check_results).where(check_results.c.check_name == known, check_results.c.partition_date == day(2))
        )
    [damage] = examine_operations(home.settings)
    assert "lacks 1 check result of those that it had" in str(damage)
    with pytest.raises(_WrongError, match="which the operations store has lost"):
        _judged(home.settings)  # said to have been added or changed, beside the line that says that it is gone
    assert home.publish().held == {f"orders/{day(2)}": [f"{known} has not been evaluated"]}

    home.checks.invalidate(["orders"], [day(1)])
    assert f"orders/{day(1)}" in home.publish().held

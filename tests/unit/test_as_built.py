"""What somebody changed in staging, silver or quarantine between an audit and a publication is not published."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.checks.as_built import admitted_versions, fallbacks_used
from reliability_platform.checks.results import CheckStatus
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.servers import Server
from reliability_platform.settings import load_settings
from tests.ground import Platform, day

FIRST = Server("duckdb", "shop.db", "shop")


def change(made: Platform, *statements: str) -> None:
    """As somebody with a shell would."""
    with duckdb.connect(str(made.settings.warehouse)) as connection:
        for statement in statements:
            connection.execute(statement)


def statuses(made: Platform, source: str) -> dict[str, CheckStatus]:
    """What is said of a source's layers, by landing day."""
    return {str(one.partition): one.status for one in made.checks.latest(checks=[f"stg_{source}__as_built"])}


def test_a_layer_that_was_changed_after_its_build_holds_its_day(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """A build of the next day made gold of a silver that somebody had multiplied: all layers agreed, and it was published."""
    made = lived(tmp_path / "home")
    assert made.publish().held == {}
    assert statuses(made, "orders") == {}

    change(
        made,
        f"update int_orders__deduplicated set quantity = quantity * 1000 where landing_date = date '{day(1)}'",
        f"update stg_payments set amount = amount * 1000 where landing_date = date '{day(2)}'",
    )
    held = {f"orders/{day(1)}", f"payments/{day(2)}"}
    publication = made.publish()
    assert set(publication.held) == held
    assert "int_orders__deduplicated was changed after it was built" in publication.held[f"orders/{day(1)}"]

    change(made, f"update agg_daily_revenue set orders = orders + 1 where event_date = date '{day(2)}'")
    later = made.run(day(3), day(3))  # its build takes nothing of it for its own
    assert set(later.held) == held | {f"orders/{day(2)}"}, (
        "somebody wrote: every day is asked, not those alone that were built"
    )
    assert statuses(made, "orders") == {str(day(1)): CheckStatus.FAILED}

    made.check(day(1), day(2), made.build(day(1), day(2)))
    assert made.publish().held == {}
    assert statuses(made, "orders") == {str(day(1)): CheckStatus.PASSED}
    [(most,)] = made.query("select max(quantity) from int_orders__deduplicated")
    assert isinstance(most, int) and most < 1000


def test_admissions_of_an_earlier_release_name_no_version_of_a_contract(tmp_path: Path) -> None:
    """Where no file had the column yet, each publication ended with an error of the binder."""
    settings = load_settings(tmp_path)
    old, new = (settings.admissions / "orders" / f"landing_date={day(number)}" for number in (1, 2))
    old.mkdir(parents=True)
    new.mkdir(parents=True)
    pq.write_table(pa.table({"source": ["orders"], "batch_id": ["a"]}), old / "admissions.parquet")
    assert admitted_versions(settings) == {}
    pq.write_table(pa.table({"source": ["orders"], "contract_version": ["1.2.0"]}), new / "admissions.parquet")
    assert admitted_versions(settings) == {("orders", day(2)): "1.2.0"}


def test_what_came_from_another_server_is_told_until_the_first_one_has_sent_the_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica or a last good copy may be older than the truth: whoever reads a version is to know. Only what counts does."""
    monkeypatch.setitem(CONTRACTS, "orders", replace(CONTRACTS["orders"], servers=(FIRST, replace(FIRST, name="copy"))))
    settings = load_settings(tmp_path)
    file = settings.admissions / "orders" / f"landing_date={day(1)}" / "admissions.parquet"
    file.parent.mkdir(parents=True)
    records = {"source": ["orders"] * 2, "batch_sequence": [1, 2], "batch_attempt": [1, 1], "status": ["admitted"] * 2}
    pq.write_table(pa.table(records), file)
    assert fallbacks_used(settings) == {}, "an earlier release does not say"
    pq.write_table(pa.table(records | {"fallback": pa.array([None, "copy"], pa.string())}), file)
    assert fallbacks_used(settings) == {("orders", day(1)): ["copy"]}
    later = {"source": ["orders"], "batch_sequence": [2], "batch_attempt": [2], "status": ["admitted"]}
    both = [pa.table(records | {"fallback": pa.array([None, "copy"], pa.string())}), pa.table(later)]
    pq.write_table(pa.concat_tables(both, promote_options="default"), file)
    assert fallbacks_used(settings) == {}

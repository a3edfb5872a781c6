"""What stands in for a day that is missing lies beside the table, is marked, and goes with the truth; nobody gets it unasked."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from reliability_platform.clock import utc_now
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.landing.admission import admit, landed_partitions
from reliability_platform.landing.deadline import deadline_of
from reliability_platform.landing.writer import make_landing_folder
from reliability_platform.parquet import scan
from reliability_platform.settings import PROJECT_ROOT
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import Mart, marts
from reliability_platform.warehouse.provisional import dates_of, file_name, stand_ins
from reliability_platform.warehouse.publication import Publication, publish
from reliability_platform.warehouse.published import encoded, record_of, table_files
from reliability_platform.warehouse.published_integrity import examine_current, open_ledger
from tests.ground import Platform, day

TABLE = "agg_daily_fulfilment"
MISSING = ("shipments", day(3))


@pytest.fixture
def missing(
    lived: Callable[[Path], Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Publication]:
    """Publishes a home of two good days in which the third of shipments is held; the contract says what may stand in."""
    made = lived(tmp_path / "home")
    make_landing_folder(made.settings, *MISSING)

    def release(provisional: str | None, *, held: bool = True) -> Publication:
        monkeypatch.setitem(CONTRACTS, "shipments", replace(CONTRACTS["shipments"], provisional=provisional))
        admit(made.settings, *MISSING)
        partitions = [one for one in landed_partitions(made.settings) if held or one != MISSING]
        objections = {MISSING: ["a batch is missing"]} if held else {}
        return publish(made.settings, marts(ensure_manifest()), partitions, objections, utc_now(), "test")

    release.settings = made.settings  # type: ignore[attr-defined]
    return release


def test_without_a_word_of_the_contract_nothing_stands_in(missing: Callable[..., Publication]) -> None:
    """A guess that nobody asked for is a wrong number."""
    publication = missing(None)
    assert all(table.provisional is None for table in publication.tables)
    settings = missing.settings  # type: ignore[attr-defined]
    assert not list((settings.published / publication.version).glob("provisional*"))


def test_yesterday_stands_in_beside_the_table_until_the_truth_is_there(missing: Callable[..., Publication]) -> None:
    """The table itself holds audited rows alone; what stands in is sealed, says of which day it is, and is told of."""
    settings = missing.settings  # type: ignore[attr-defined]
    publication = missing("previousDay")
    table, folder = publication.table(TABLE), settings.published / publication.version
    assert table is not None
    assert table.provisional is not None
    assert str(day(3)) not in table.dates
    assert table.provisional.dates == {str(day(3)): str(day(2))}
    assert {one.name for one in publication.tables if one.provisional is not None} == {TABLE}
    assert record_of(encoded(publication)) == publication
    true, beside = scan(*table_files(folder, TABLE)), scan(folder / file_name(TABLE))
    with duckdb.connect() as connection:
        yesterday = connection.execute(
            f"select * replace (event_date + 1 as event_date), event_date as provisional_from from {true} "
            f"where event_date = '{day(2)}' order by all"
        ).fetchall()
        assert connection.execute(f"from {beside} order by all").fetchall() == yesterday
        assert connection.execute(f"select typeof(event_date) from {beside} limit 1").fetchone() == ("DATE",)
    assert len(yesterday) == table.provisional.rows > 0
    ledger = open_ledger(settings)
    assert examine_current(settings, ledger) == []
    assert missing("previousDay").version == publication.version, "the same again is no new version"

    (folder / file_name(TABLE)).write_bytes(b"PAR1 another guess")
    assert [one.path.rpartition("/")[2] for one in examine_current(settings, ledger)] == [file_name(TABLE)]
    assert missing("previousDay").version > publication.version, "what differs is not left to consumers"

    truth = missing("previousDay", held=False)
    assert truth.from_fallback == {}
    assert all(one.provisional is None for one in truth.tables)
    assert not list((settings.published / truth.version).glob("provisional*"))


def test_only_what_is_missing_past_its_deadline_has_a_stand_in(missing: Callable[..., Publication]) -> None:
    """A day whose rows are wrong is not a day without rows; before the deadline nothing is late."""
    settings = missing.settings  # type: ignore[attr-defined]
    missing("sameWeekday")
    late = deadline_of(*MISSING)
    assert stand_ins(settings, [MISSING], late) == {MISSING: day(3) - timedelta(days=7)}
    assert stand_ins(settings, [MISSING], late - timedelta(minutes=1)) == {}
    assert stand_ins(settings, [("shipments", day(2)), ("orders", day(3))], late) == {}


def test_a_table_of_several_sources_has_a_stand_in_only_if_all_that_holds_its_date_is_missing() -> None:
    mart, there = Mart("agg", ("orders", "payments")), {str(day(2)): 1, str(day(1)): 1}
    orders, payments = ("orders", day(3)), ("payments", day(3))
    both = {orders: day(2), payments: day(2)}
    assert dates_of(mart, [orders, payments], both, there) == {day(3): day(2)}
    assert dates_of(mart, [orders], both, there) == {day(3): day(2)}
    assert dates_of(mart, [orders, payments], {orders: day(2)}, there) == {}
    assert dates_of(mart, [orders, payments], {orders: day(2), payments: day(1)}, there) == {}
    assert dates_of(mart, [orders], both, {str(day(1)): 1}) == {}
    assert dates_of(mart, [orders], both, there | {str(day(3)): 1}) == {}
    assert dates_of(Mart("agg", ("shipments",)), [orders], both, there) == {}


def test_what_a_contract_may_not_say_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "shipments.yml"
    text = (PROJECT_ROOT / "contracts" / "shipments.yml").read_text()
    said = "customProperties:\n  - {property: provisional, value: %s}\n"
    path.write_text(text.replace("customProperties:\n", said % "lastYear", 1))
    with pytest.raises(ContractError, match=r"provisional is 'lastYear': choose one of previousDay, sameWeekday"):
        read_contracts(path)
    path.write_text(text.replace("customProperties:\n", said % "previousDay", 1))
    assert read_contracts(path)[0].provisional == "previousDay"

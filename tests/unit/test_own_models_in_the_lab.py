"""What the lab finds to break in the models of an own dbt project, and the project that it deploys with a mistake."""

from pathlib import Path

import duckdb
import pytest

from reliability_platform.contracts import SOURCES
from reliability_platform.lab.faults import targets, transform, warehouse
from reliability_platform.lab.faults.catalogue import fault_named
from reliability_platform.lab.faults.targets import Gold, daily_gold_of, stored_gold_of, written_gold_of
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.marts import AddedUp, Mart
from reliability_platform.warehouse.own_project import OwnProject
from tests.ground import day
from tests.scenarios.bicycles import write_project

DAILY = Mart("daily", ("orders",), (), "ridden_on", ("serve", "rides_by_day"), "layers/serve/daily.sql")
WHOLE = Mart("totals", ("orders", "payments"), (), None, ("serve", "totals"), "layers/serve/totals.py")
VIEW = Mart("seen", ("payments",), (), None, ("city", "seen"), "layers/serve/seen.sql", is_view=True)
PLAIN = Mart("nothing_said", ("shipments",), (), None, ("city", "nothing_said"), "layers/nothing_said.sql")
SAID = [
    AddedUp("daily", "rides", "orders", None),
    AddedUp("totals", "Number of Rides", "orders", "bigint"),
    AddedUp("totals", "paid", "payments", None),
    AddedUp("seen", "paid", "payments", None),
]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project around one that publishes a table by days, a model of Python that is whole, a view, and one that says nothing."""
    monkeypatch.setattr(targets, "MARTS", [DAILY, WHOLE, VIEW, PLAIN])
    monkeypatch.setattr(targets, "added_up", lambda _: SAID)


@pytest.mark.usefixtures("own")
def test_measures_that_say_what_they_add_up_to_can_be_broken_where_they_are_kept() -> None:
    """Tables and models of an own project were their owner's, and none was broken: whether a wrong number of theirs is
    noticed, nobody knew. Without such a word no check knows the number, and a fault would be one that cannot be found."""
    names = {
        kind.__name__: {source: [(one.mart.name, one.measure) for one in kind(source)] for source in SOURCES if any(kind(source))}
        for kind in (written_gold_of, stored_gold_of, daily_gold_of)
    }  # fmt: skip
    assert names == {
        "written_gold_of": {"orders": [("daily", "rides")], "payments": [("seen", "paid")]},
        "stored_gold_of": {
            "orders": [("daily", "rides"), ("totals", "Number of Rides")],
            "payments": [("totals", "paid")],
        },
        "daily_gold_of": {"orders": [("daily", "rides")]},
    }
    assert "and has rows of each of its days" in str(fault_named("accidental_delete").why_not("payments"))
    assert fault_named("downstream_metric_mismatch").why_not("shipments") is not None


def test_numbers_of_their_tables_are_altered_and_deleted_where_their_project_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under their schema and alias; on one of its days, or in all of a table that has none."""
    monkeypatch.setattr(targets, "MARTS", [DAILY, WHOLE])
    monkeypatch.setattr(targets, "added_up", lambda _: SAID)
    settings = load_settings(tmp_path)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create schema serve")
        connection.execute(
            "create table serve.rides_by_day as select unnest([timestamp '2026-01-01 09:00', timestamp '2026-01-02 09:00']) "
            "as ridden_on, 10 as rides"
        )
        connection.execute("create table serve.totals as select 40::hugeint as paid")
        for source in ("orders", "payments"):
            connection.execute(
                f"create table int_{source}__deduplicated as select unnest([date '2026-01-01', date '2026-01-02']) "
                "as event_date, event_date as landing_date"
            )
    mismatch, generator = warehouse._downstream_metric_mismatch, transform.np.random.default_rng(1)
    done = mismatch(settings, "orders", day(2), 0.001, generator)
    assert (done.landing_dates, done.event_dates, done.tables) == ([day(2)], [day(2)], ["daily"])
    done = mismatch(settings, "payments", day(2), 1, generator)
    assert (done.landing_dates, done.event_dates, done.tables) == ([day(1), day(2)], [day(1), day(2)], ["totals"])
    with duckdb.connect(str(settings.warehouse)) as connection:
        assert connection.execute("select rides from serve.rides_by_day order by ridden_on").fetchall() == [
            (10,),
            (11,),
        ]
        assert connection.execute("select paid from serve.totals").fetchall() == [(80,)]
    done = warehouse._accidental_delete(settings, "orders", day(2), 2, generator)
    assert done.tables == ["daily", "int_orders__deduplicated"]
    with duckdb.connect(str(settings.warehouse)) as connection:
        for table in ("serve.rides_by_day", "int_orders__deduplicated"):
            assert connection.execute(f"select count(*) from {table}").fetchall() == [(0,)]


@pytest.mark.parametrize(("declared", "written"), [(None, "greatest("), ("bigint", "cast(greatest(")])
def test_their_project_is_deployed_with_one_model_wrong_and_nothing_of_it_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str | None, written: str
) -> None:
    """What lies beside the models, as a warehouse of a developer or files that a source is read from, is not copied, and is
    there all the same."""
    theirs = tmp_path / "theirs"
    write_project(theirs)
    before = (theirs / "layers/serve/daily.sql").read_text()
    monkeypatch.setattr(transform, "own_dbt_project", lambda: theirs)
    settings = load_settings(tmp_path / "home")
    variable, copy = transform._with_bug(settings, Gold(DAILY, "rides", declared), 1.2)
    assert variable == "RELIABILITY_OWN_DBT_PROJECT"
    changed = (copy / "layers/serve/daily.sql").read_text()
    assert changed.startswith("select * replace (") and before in changed
    assert f'{written}"rides" + 1, "rides" * 1.2)' in changed
    assert (theirs / "layers/serve/daily.sql").read_text() == before
    ours, whole = dict(OwnProject(copy).files()), dict(OwnProject(theirs).files())
    assert list(ours) == list(whole)
    assert [name for name in ours if ours[name].read_bytes() != whole[name].read_bytes()] == ["layers/serve/daily.sql"]
    assert (copy / "elsewhere").is_symlink() and (copy / "elsewhere" / "weather.csv").is_file()
    assert OwnProject(copy).with_platform(tmp_path).keys() == OwnProject(theirs).with_platform(tmp_path).keys()

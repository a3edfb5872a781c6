"""What is proposed beyond tests of one column, and that each is in dbt what it is here."""

import csv
import shutil
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from reliability_platform.mutation.candidates import candidates
from reliability_platform.mutation.clean_build import freshness_tests
from reliability_platform.mutation.columns import learn
from reliability_platform.mutation.project import Project, ProjectInput
from reliability_platform.mutation.proof import prove
from reliability_platform.mutation.proposals import ProposedTest
from reliability_platform.mutation.score import Killable
from reliability_platform.mutation.session import Tested, Wanted, mutate
from reliability_platform.mutation.trial import MutantStatus
from reliability_platform.mutation.yml_edit import ProjectLayout, edits, write

NO_MODELS = Project("shop", (), (), (), ())
HEADER = ["id", "store", "region", "ordered_on", "sent_on", "net", "tax", "total", "price"]
STORES = {1: "north", 2: "south", 3: "south"}


def _rows(days: int) -> list[list[object]]:
    rows = []
    for n in range(days * 10):
        store, net = n % 3 + 1, 100 + n * 37 % 50
        day = n // 10
        sent = f"2026-01-{day + 1 + n % 2:02d}"
        rows.append(
            [
                n,
                store,
                STORES[store],
                f"2026-01-{day + 1:02d}",
                sent,
                net,
                net / 5,
                net + net / 5,
                10000 + n * 7919 % 97,
            ]
        )
    return rows


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One seed of 20 days whose columns belong together, and one model that consumers read."""
    folder = tmp_path_factory.mktemp("shop") / "shop"
    (folder / "models").mkdir(parents=True)
    (folder / "seeds").mkdir()
    (folder / "dbt_project.yml").write_text("{name: shop, profile: shop}")
    (folder / "profiles.yml").write_text("shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}")
    (folder / "models" / "sales.sql").write_text("select * from {{ ref('raw_sales') }}")
    with (folder / "seeds" / "raw_sales.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *_rows(20)])
    return folder


@pytest.fixture(scope="module")
def before(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Tested:
    """Its outcomes without any test."""
    return mutate(Wanted(project, propose=True, journal=tmp_path_factory.mktemp("journal")))


@pytest.mark.exhaustive  # a minute: dbt runs every candidate on every mutant
def test_each_candidate_is_in_dbt_what_it_is_here(project: Path, before: Tested, tmp_path: Path) -> None:
    """All candidates as tests of dbt: they pass on the clean data, and each mutant fails as many as were foreseen."""
    with duckdb.connect() as connection:
        ((given, _),) = before.inputs
        connection.execute(f"create table sales as from read_csv('{project}/seeds/raw_sales.csv')")
        possible = candidates(connection, NO_MODELS, [(given, learn(connection, "sales"))], str)[given.key]
    found = {one.test for one in possible}
    assert {"adds_up", "ratio_between", "not_before_other", "one_value_each", "every_day_there"} <= found
    assert {"rows_each_day_at_most", "row_count_at_least", "unique", "not_null"} <= found
    copy = shutil.copytree(project, tmp_path / "shop")
    write(edits(ProjectLayout.of(copy), [ProposedTest(one, ()) for one in possible]))
    after = mutate(Wanted(copy, journal=tmp_path / "journal"))
    assert len(after.project.tests) == len(possible)
    assert after.project.left_out == ()
    foreseen = {one.mutant.key: len(one.would_notice) for one in before.outcomes if one.changes}
    noticed = {one.mutant.key: len(one.tests) for one in after.outcomes if one.mutant.key in foreseen}
    assert len(foreseen) > 50
    assert noticed == foreseen


@pytest.mark.exhaustive  # 15 s: a whole test of a project
def test_what_was_beyond_tests_of_one_column_is_noticed(before: Tested) -> None:
    """Values in the wrong rows, a day of many missing, an amount 10 % higher: by how columns and days belong together."""
    would = {one.mutant.key: one.would_notice for one in before.outcomes}
    for key in (
        "raw_sales region values_shuffled all",
        "raw_sales net values_shuffled all",
        "raw_sales ordered_on missing_batch all",
        "raw_sales tax amount_drift all",
        "raw_sales sent_on time_zone_shift few",
    ):
        assert would[key], key
    assert would["raw_sales price values_shuffled all"] == ()
    killable = Killable.of(before.outcomes)
    changed = [one for one in before.outcomes if one.status is MutantStatus.SURVIVED_CHANGED]
    assert killable.before.counted == len(changed) - sum(count for _, count in killable.beyond)
    assert dict(killable.beyond)["values_shuffled"] >= 1
    assert killable.after(before.outcomes) == killable.before


def test_what_the_next_day_would_break_is_not_proposed() -> None:
    """Made of the first half of the days, it would not hold today: the rows of a growing table, labels that came later."""
    connection = duckdb.connect()
    connection.execute(
        "create table sales as select n as id, date '2026-01-01' + (n // 10)::int as day, "
        "case when n < 150 then 'card' when n % 2 = 0 then 'voucher' else 'card' end as paid_by, "
        "n * 1.5 as running, 5 + n % 3 as price, (1000 + n)::double as looks_unique from range(200) as t(n)"
    )
    given = ProjectInput("seed.shop.sales", "sales", "seed", "sales", is_own=True)
    found = {
        (one.column, one.test)
        for one in candidates(connection, NO_MODELS, [(given, learn(connection, "sales"))], str)[given.key]
    }
    assert ("", "row_count_between") not in found
    assert ("", "row_count_at_least") in found
    assert ("paid_by", "accepted_values") not in found
    assert ("running", "mean_between") not in found
    assert ("price", "mean_between") in found
    assert ("looks_unique", "unique") not in found
    assert ("id", "unique") in found


@pytest.mark.exhaustive  # 15 s: the project is tested three times
def test_tests_of_files_are_those_of_the_model_that_reads_them(project: Path, tmp_path: Path) -> None:
    """No yml describes a file that a model names; the model can be described, in the yml that it has or in a new one."""
    shop = tmp_path / "shop"
    shutil.copytree(project, shop, ignore=shutil.ignore_patterns("*.duckdb*", "target", "logs"))
    shutil.move(shop / "seeds" / "raw_sales.csv", shop / "raw_sales.csv")
    (shop / "models" / "sales.sql").write_text("select * from read_csv('raw_sales.csv')")
    (shop / "models" / "stores.sql").write_text("select store, sum(total) from {{ ref('sales') }} group by store")
    wanted = Wanted(shop, propose=True, journal=tmp_path / "journal")
    tested = mutate(wanted)
    assert {(one.candidate.place.kind, one.candidate.place.name) for one in tested.proposals} == {("model", "sales")}
    proof = prove(wanted, tested)
    assert proof.holds
    assert proof.with_them.score.killed > tested.score.killed
    assert [one.path.relative_to(shop).as_posix() for one in proof.changes] == [
        "models/reliability_mutate.yml",
        "tests/generic/reliability_mutate.sql",
    ]


def test_freshness_of_a_source_is_a_test() -> None:
    """Rows of an hour ago pass a limit of a day; without the latest of them it fails, and none at all are no fresh ones."""
    limits = SimpleNamespace(
        filter=None,
        error_after=SimpleNamespace(count=1, period="day"),
        warn_after=SimpleNamespace(count=None, period=None),
    )
    source = SimpleNamespace(
        unique_id="source.shop.till.sales",
        source_name="till",
        name="sales",
        loaded_at_field="loaded_at",
        freshness=limits,
        original_file_path="models/sources.yml",
    )
    (fresh,) = freshness_tests(source, "sales")
    connection = duckdb.connect()
    connection.execute(
        "create table sales as select now() - interval (n * 1) hour as loaded_at from range(1, 60) as t(n)"
    )

    def result() -> tuple[object, ...] | None:
        return connection.execute(fresh.sql.reading({})).fetchone()

    assert result() == (0, False, False)
    connection.execute("delete from sales where loaded_at > now() - interval 30 hour")
    assert result() == (1, True, True)
    connection.execute("delete from sales")
    assert result() == (1, True, True)
    source.loaded_at_field = None
    assert list(freshness_tests(source, "sales")) == []

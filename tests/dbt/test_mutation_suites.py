"""Checks of Soda and of Great Expectations count as tests of a dbt project; what of them cannot be judged is named."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from reliability_platform.mutation.clean_build import build_clean
from reliability_platform.mutation.columns import learn
from reliability_platform.mutation.dbt_commands import DbtCommands, called_in
from reliability_platform.mutation.direct_build import DirectBuild
from reliability_platform.mutation.errors import NoChecksError
from reliability_platform.mutation.mutants import all_mutants
from reliability_platform.mutation.private_copy import private_folder
from reliability_platform.mutation.private_profile import ProfileChoice, make_private, may_open
from reliability_platform.mutation.project import ProjectInput
from reliability_platform.mutation.score import Score, by_tool
from reliability_platform.mutation.session import Wanted, add_suites, mutate
from reliability_platform.mutation.suites.expectation_sql import KINDS, CannotJudgeError, fails
from reliability_platform.mutation.suites.expectations import expectations
from reliability_platform.mutation.suites.soda_checks import SodaChecks
from reliability_platform.mutation.trial import run_trial
from tests.dbt.mutated_project import write_project

SODA = """
checks for raw_orders:
  - row_count between ${LEAST} and 70
  - schema:
      name: raw_orders schema
      fail: {when required column missing: [id, amount]}
checks for orders:
  - avg(amount):
      name: mean amount
      warn: when > 45
  - missing_count(order_id) = 0
  - freshness(ordered_on) < 1d
  - failed rows:
      name: elsewhere
      fail query: select * from bakery.main.orders where amount < 0
  - failed rows:
      name: negative amounts
      fail query: select * from main.orders where amount < 0
checks for nowhere:
  - row_count > 0
"""
SUITE = {
    "name": "raw_customers.critical",
    "expectations": [
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 8}, "severity": "warning"},
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "tier", "value_set": ["gold", "it's"], "mostly": 0.7}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "tier"}},
        {"type": "expect_column_values_to_be_of_type", "kwargs": {"column": "id", "type_": "INTEGER"}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id", "row_condition": "id > 1"}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": 'id" from secrets --'}},
    ],
}  # fmt: skip


KILLED = {
    "raw_orders accidental_delete all": {("all.yml.raw_orders: row_count between 50 and 70", "fail")},
    "raw_orders amount schema_column_missing all": {("all.yml.raw_orders schema", "fail")},
    "raw_orders amount unit_change all": {("all.yml.mean amount", "warn")},
    "raw_orders id null_spike one": {("all.yml.orders: missing_count(order_id) = 0", "fail"), ("bakery.not_null_stg_orders_order_id.81cfe2fe64", "fail")},
    "raw_customers accidental_delete all": {("raw_customers.critical.raw_customers.0", "warn"), ("bakery.relationships_orders_customer_id__id__ref_raw_customers_.1b14e2ac52", "warn")},
    "raw_orders ordered_on epoch_default all": set(),
}  # fmt: skip


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectBuild]:
    """The bakery on its clean data."""
    folder = write_project(tmp_path_factory.mktemp("bakery"))
    (folder / "models" / "slow.sql").unlink()
    with private_folder() as private:
        profile = make_private(folder, ProfileChoice(), private)
        clean = build_clean(DbtCommands(folder, private, profile, None), profile, folder)
        build = DirectBuild(clean.project, profile.catalogs, profile.extensions, private.path)
        with build.connection:
            with called_in(folder):
                build.read_in(*may_open(profile))
                build.project = clean.project.without(*build.settle())
            yield build


def test_checks_of_other_tools_kill_and_are_named(build: DirectBuild, tmp_path: Path) -> None:
    """What only Soda or only a suite notices is killed by it, under its name; the scores of each tool stand beside each other."""
    for name, file, text in (("soda", "all.yml", SODA), ("gx", "customers.json", json.dumps(SUITE))):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    before = build.project
    add_suites(Wanted(tmp_path, soda=tmp_path / "soda", soda_variables=(("LEAST", "50"),), gx=tmp_path / "gx"), build)
    inputs = [(one, learn(build.connection, build.reads(one.relation))) for one in build.project.inputs]
    mutants = [one for one in all_mutants(inputs, seed=0) if one.key in KILLED]
    outcomes = run_trial(build, mutants, workers=2, seconds_each=60, until=None)
    assert {one.mutant.key: {(key.partition(".")[2], how) for key, how in one.tests} for one in outcomes} == KILLED
    project, build.project, build.beside = build.project, before, ()
    out = {one.name: one.why for one in project.left_out}
    assert {name.partition(" (")[0]: why.partition(" (")[0] for name, why in out.items()} == {
        "assert_never_passes": "it does not pass on the clean data",
        "orders: freshness(ordered_on) < 1d": "it does not pass on the clean data",
        "elsewhere": "Soda could not evaluate it",
        "nowhere: row_count > 0": "Soda could not evaluate it",
        "expect_column_values_to_be_unique of tier": "it does not hold on the clean data",
        "expect_column_values_to_be_of_type of id": "it is not judged: expect_column_values_to_be_of_type has no query here",
        "expect_column_values_to_not_be_null of id": "it is not judged: its row_condition is not understood",
        'expect_column_values_to_not_be_null of id" from secrets --': "it does not run on the clean data",
    }
    scores = by_tool(project, outcomes)
    assert {name: one.killed for name, one in scores.items()} == {"Great Expectations": 1, "Soda": 4, "dbt": 2}
    assert Score.of(outcomes).killed == 5


def test_a_table_of_which_nothing_is_known_is_named(build: DirectBuild, tmp_path: Path) -> None:
    """A suite of another project, an empty one, a file that is no JSON: each with its reason; a folder of nothing is refused."""
    with pytest.raises(NoChecksError, match="no suite"):
        expectations(tmp_path, build)
    with pytest.raises(NoChecksError, match="no file of SodaCL"):
        SodaChecks(tmp_path, {}, build)
    one = {"expectation_type": "expect_column_to_exist", "kwargs": {"column": "id"}}
    files = {
        "elsewhere.json": {"expectation_suite_name": "elsewhere", "expectations": [one]},
        "orders.json": {"expectation_suite_name": "empty", "expectations": []},
        "mapped.json": {"name": "mapped", "expectations": [one]},
        "definition.json": {"data": {"asset": {"name": "raw_orders"}}, "suite": {"name": "mapped"}},
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "half.json").write_text('{"expectations": [')
    tests, left_out = expectations(tmp_path, build)
    assert [test.query.named for test in tests] == [{'"bakery"."main"."raw_orders"'}]
    assert {one.name: one.why for one in left_out} == {
        "half.json": "it cannot be read",
        "elsewhere": "no table is named as it is: none of its 1 is judged",
        "empty": "the suite is empty",
    }


def test_a_source_that_is_not_there_is_named_by_its_checks(build: DirectBuild, tmp_path: Path) -> None:
    """A model can name a table that it does not read; that of the checks is then missing, and nothing crashes."""
    (tmp_path / "a.yml").write_text("checks for gone:\n  - row_count > 0\nchecks for orders:\n  - row_count > 0\n")
    gone = ProjectInput("source.bakery.gone", "shop.gone", "source", '"bakery"."nowhere"."gone"')
    before = build.project
    build.project = dataclasses.replace(before, inputs=(*before.inputs, gone))
    checks = SodaChecks(tmp_path, {}, build)
    build.project = before
    assert [one.name for one in checks.tests] == ["orders: row_count > 0"]
    assert [one.name for one in checks.left_out] == ["gone: row_count > 0 (Soda, a.yml)"]


def test_a_file_that_soda_cannot_run_is_named(build: DirectBuild, tmp_path: Path) -> None:
    """A metric that there is not, a file of something else, one that is no YAML."""
    (tmp_path / "a.yml").write_text("checks for orders:\n  - row_cunt > 0\n")
    (tmp_path / "b.yml").write_text("models: []\n")
    (tmp_path / "c.yml").write_text("checks for orders: [\n")
    (tmp_path / "configuration.yml").write_text("data_source warehouse:\n  type: duckdb\n")
    checks = SodaChecks(tmp_path, {}, build)
    assert checks.tests == []
    assert {one.name for one in checks.left_out} == {"a.yml", "b.yml", "c.yml"}


TABLE = "(values (1, 10, 'a', 'x1'), (2, 20, 'b', 'x22'), (3, null, 'b', 'y'), (4, 40, null, 'x4')) as t(id, n, label, code)"
JUDGED = {
    "expect_column_values_to_not_be_null": [({"column": "id"}, False), ({"column": "n"}, True), ({"column": "n", "mostly": 0.75}, False)],
    "expect_column_values_to_be_null": [({"column": "n", "mostly": 0.25}, False), ({"column": "n"}, True)],
    "expect_column_values_to_be_unique": [({"column": "n"}, False), ({"column": "label"}, True)],
    "expect_column_values_to_be_in_set": [({"column": "label", "value_set": ["a", "b"]}, False), ({"column": "label", "value_set": ["a"]}, True)],
    "expect_column_values_to_not_be_in_set": [({"column": "n", "value_set": [30]}, False), ({"column": "n", "value_set": [40]}, True)],
    "expect_column_values_to_be_between": [({"column": "n", "min_value": 10}, False), ({"column": "n", "min_value": 10, "strict_min": True}, True)],
    "expect_column_value_lengths_to_be_between": [({"column": "code", "max_value": 3}, False), ({"column": "code", "max_value": 2}, True)],
    "expect_column_value_lengths_to_equal": [({"column": "label", "value": 1}, False), ({"column": "code", "value": 2}, True)],
    "expect_column_values_to_match_regex": [({"column": "code", "regex": "^[xy]"}, False), ({"column": "code", "regex": "^x"}, True)],
    "expect_column_values_to_not_match_regex": [({"column": "code", "regex": "z"}, False), ({"column": "code", "regex": "2{2}"}, True)],
    "expect_column_values_to_match_regex_list": [({"column": "code", "regex_list": ["x", "y"]}, False), ({"column": "code", "regex_list": ["x", "y"], "match_on": "all"}, True)],
    "expect_column_values_to_not_match_regex_list": [({"column": "code", "regex_list": ["z"]}, False), ({"column": "code", "regex_list": ["z", "y"]}, True)],
    "expect_column_values_to_match_like_pattern": [({"column": "code", "like_pattern": "%"}, False), ({"column": "code", "like_pattern": "x%"}, True)],
    "expect_column_values_to_not_match_like_pattern": [({"column": "code", "like_pattern": "z%"}, False), ({"column": "code", "like_pattern": "x%"}, True)],
    "expect_column_values_to_be_json_parseable": [({"column": "id"}, False), ({"column": "code"}, True)],
    "expect_column_min_to_be_between": [({"column": "n", "max_value": 10}, False), ({"column": "n", "min_value": 11}, True)],
    "expect_column_max_to_be_between": [({"column": "n", "max_value": 40}, False), ({"column": "n", "max_value": 40, "strict_max": True}, True)],
    "expect_column_mean_to_be_between": [({"column": "n", "min_value": 23, "max_value": 24}, False), ({"column": "n", "min_value": 24}, True)],
    "expect_column_median_to_be_between": [({"column": "n", "min_value": 20, "max_value": 20}, False), ({"column": "n", "min_value": 21}, True)],
    "expect_column_sum_to_be_between": [({"column": "n", "min_value": 70, "max_value": 70}, False), ({"column": "n", "max_value": 69}, True)],
    "expect_column_stdev_to_be_between": [({"column": "n", "min_value": 15.2, "max_value": 15.3}, False), ({"column": "n", "max_value": 13}, True)],
    "expect_column_unique_value_count_to_be_between": [({"column": "label", "max_value": 2}, False), ({"column": "label", "min_value": 3}, True)],
    "expect_column_proportion_of_unique_values_to_be_between": [({"column": "n", "min_value": 1}, False), ({"column": "label", "min_value": 0.7}, True)],
    "expect_column_distinct_values_to_be_in_set": [({"column": "label", "value_set": ["a", "b", "c"]}, False), ({"column": "label", "value_set": ["a"]}, True)],
    "expect_column_distinct_values_to_contain_set": [({"column": "label", "value_set": ["a"]}, False), ({"column": "label", "value_set": ["c"]}, True)],
    "expect_column_distinct_values_to_equal_set": [({"column": "label", "value_set": ["b", "a"]}, False), ({"column": "label", "value_set": ["a", "b", "c"]}, True)],
    "expect_column_to_exist": [({"column": "n"}, False), ({"column": "m"}, True)],
    "expect_table_row_count_to_be_between": [({"min_value": 4}, False), ({"max_value": 3}, True)],
    "expect_table_row_count_to_equal": [({"value": 4}, False), ({"value": 5}, True)],
    "expect_table_column_count_to_be_between": [({"max_value": 4}, False), ({"min_value": 5}, True)],
    "expect_table_column_count_to_equal": [({"value": 4}, False), ({"value": 3}, True)],
    "expect_table_columns_to_match_ordered_list": [({"column_list": ["id", "n", "label", "code"]}, False), ({"column_list": ["n", "id", "label", "code"]}, True)],
    "expect_table_columns_to_match_set": [({"column_set": ["n", "id"], "exact_match": False}, False), ({"column_set": ["n", "id"]}, True)],
    "expect_table_row_count_to_equal_other_table": [({"other_table_name": "same"}, False), ({"other_table_name": "other"}, True)],
    "expect_column_pair_values_to_be_equal": [({"column_A": "id", "column_B": "id"}, False), ({"column_A": "id", "column_B": "n"}, True)],
    "expect_column_pair_values_a_to_be_greater_than_b": [({"column_A": "n", "column_B": "id", "ignore_row_if": "either_value_is_missing"}, False), ({"column_A": "n", "column_B": "id"}, True)],
    "expect_column_pair_values_to_be_in_set": [({"column_A": "id", "column_B": "code", "value_pairs_set": [[1, "x1"], [2, "x22"], [3, "y"], [4, "x4"]]}, False), ({"column_A": "id", "column_B": "code", "value_pairs_set": [[1, "x1"]]}, True)],
    "expect_compound_columns_to_be_unique": [({"column_list": ["id", "label"]}, False), ({"column_list": ["label"]}, True)],
    "expect_select_column_values_to_be_unique_within_record": [({"column_list": ["id", "n"]}, False), ({"column_list": ["id", "id"]}, True)],
    "expect_multicolumn_sum_to_equal": [({"column_list": ["id"], "sum_total": 1}, True), ({"column_list": ["id", "id"], "sum_total": 2}, True)],
    "unexpected_rows_expectation": [({"unexpected_rows_query": "select * from {batch} where n > 40;"}, False), ({"unexpected_rows_query": "select * from {batch} where n > 30"}, True)],
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_expectation_fails_where_great_expectations_says_so(kind: str) -> None:
    """Each kind on a table that meets it and on one that misses it; no rows are no failure, but where rows are counted."""
    connection = duckdb.connect()
    connection.execute(f"create table judged as from {TABLE}")
    other = {"same": "judged", "other": "(select 1)"}
    for arguments, expected in JUDGED[kind]:
        sql = fails(kind, arguments, "judged", other.get(str(arguments.get("other_table_name")), ""))
        assert connection.execute(sql).fetchone() == (expected,), arguments


@pytest.mark.parametrize(
    "kind, arguments",
    [
        ("expect_column_values_to_be_between", {"column": "n", "min_value": {"$PARAMETER": "least"}}),
        ("expect_column_values_to_be_in_set", {"column": "n", "value_set": "abc"}),
        ("expect_column_values_to_be_in_set", {"column": "n"}),
        ("expect_column_values_to_be_between", {"column": ["n"], "min_value": 1}),
        ("expect_column_values_to_be_between", {"column": "n", "min_value": float("nan")}),
        ("expect_table_row_count_to_equal_other_table", {"other_table_name": "nowhere"}),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "select 1"}),
        ("", {}),
    ],
)
def test_what_is_not_understood_is_not_judged(kind: str, arguments: dict[str, object]) -> None:
    """A limit that is computed elsewhere, a list that is none: never a pass by accident."""
    with pytest.raises(CannotJudgeError):
        fails(kind, arguments, "judged", "")


def test_a_source_that_a_model_names_in_vain_is_left_out(tmp_path: Path) -> None:
    """In a comment, as to be tracked: there is no such table to break, and all else is judged."""
    folder = tmp_path / "stall"
    files = {
        "dbt_project.yml": "name: stall\nprofile: stall\n",
        "profiles.yml": "stall: {target: dev, outputs: {dev: {type: duckdb, path: stall.duckdb}}}\n",
        "seeds/sales.csv": "id,amount\n1,2.5\n2,3.5\n",
        "models/sources.yml": "sources: [{name: elsewhere, tables: [{name: gone}]}]\n",
        "models/total.sql": "select sum(amount) as total from {{ ref('sales') }} -- {{ source('elsewhere', 'gone') }}\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    tested = mutate(Wanted(folder, most=3, journal=tmp_path / "journal"))
    assert [one.name for one, _ in tested.inputs] == ["sales"]
    assert {one.name: one.why[:17] for one in tested.project.left_out} == {"elsewhere.gone": "it cannot be read"}

"""Projects that are written for another warehouse are built in DuckDB, from files, without its adapter and without credentials."""

from pathlib import Path

import duckdb
import pytest

from reliability_platform.mutation.errors import NoInputsError, ProjectUnusableError
from reliability_platform.mutation.private_profile import ProfileChoice
from reliability_platform.mutation.session import Tested, Wanted, mutate
from reliability_platform.mutation.warehouses.translation import NoCounterpartError, Translations, translate

FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nmodels: {+materialized: table}\n",
    "profiles.yml": """
shop:
  target: prod
  outputs:
    prod:
      {type: bigquery, method: service-account-json, project: secret-project, dataset: marts, keyfile_json: {private_key: hunter2canary}}
""",
    "seeds/rates.csv": 'currency,rate\nEUR,1.0\nUSD,"0.9"\nGBP\n',
    "macros/dispatched.sql": """
{% macro in_cents(column) %}{{ return(adapter.dispatch('in_cents')(column)) }}{% endmacro %}
{% macro default__in_cents(column) %}no_such_function({{ column }}){% endmacro %}
{% macro bigquery__in_cents(column) %}cast({{ column }} * 100 as int64){% endmacro %}
""",
    "models/sources.yml": """
sources:
  - name: crm
    database: other-project-1
    schema: raw
    tables:
      - name: orders
        columns:
          - {name: id, data_tests: [not_null, unique]}
      - {name: never_given}
""",
    "models/daily.sql": """{{ config(alias='daily_orders') }}
select date(ordered_at) as day, countif(status = 'paid') as paid, sum({{ in_cents('amount') }}) as cents,
       safe_divide(sum(amount), count(*)) as mean, "{{ target.type }}" as target,
       max(date_diff(date(ordered_at), date '2025-12-31', day)) as age, max(r.rate) as rate
from {{ source('crm', 'orders') }} o left join {{ ref('rates') }} r on r.currency = 'EUR' group by 1""",
    "models/weekly.sql": """{{ config(materialized='view') }}
select {{ dbt.date_trunc('week', 'day') }} as week, sum(cents) as cents from {{ ref('daily') }} group by 1""",
    "models/last_orders.sql": """select status, array_agg(id order by ordered_at desc limit 1)[offset(0)] as last_id
from {{ source('crm', 'orders') }} group by status""",
    "models/below.sql": "select count(*) as n from {{ ref('last_orders') }}",
    "models/without_input.sql": "select * from {{ source('crm', 'never_given') }}",
    "tests/assert_paid.sql": "select * from {{ ref('daily') }} where ifnull(paid, 0) < 0 or `day` is null",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project for BigQuery, and a folder of inputs beside it."""
    folder = tmp_path / "shop"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "inputs").mkdir()
    duckdb.sql(
        "select i as id, timestamp '2026-01-01' + interval (i) hour as ordered_at, 1.5 * i as amount, "
        "['paid', 'open'][1 + i % 2] as status from range(100) as t(i)"
    ).write_parquet(str(tmp_path / "inputs" / "crm.orders.parquet"))
    return folder


def _mutate(project: Path, **wanted: object) -> Tested:
    inputs = project.parent / "inputs"
    return mutate(Wanted(project, inputs=inputs, most=20, journal=project.parent / "journal", **wanted))  # type: ignore[arg-type]


def test_a_project_for_another_warehouse_is_judged(project: Path) -> None:
    """Its own macros for that warehouse are taken, its SQL is translated, and what cannot be is named with the construct."""
    (project.parent / "inputs" / "leftover.csv").write_text("a\n1\n")
    tested = _mutate(project)
    assert {one.name for one in tested.project.models} == {"daily", "weekly"}
    assert {one.name: table.rows for one, table in tested.inputs} == {"crm.orders": 100, "rates": 3}
    out = {one.name: one.why for one in tested.project.left_out}
    assert out.keys() == {"last_orders", "below", "without_input"}
    assert "cannot be translated from bigquery: LIMIT inside ARRAY_AGG" in out["last_orders"]
    assert "never_given" in out["without_input"]
    notes = " ".join(tested.project.notes)
    assert "the profile is for bigquery" in notes and "leftover.csv of --inputs is named after no source" in notes
    assert tested.score.killed > 0 and tested.score.survived > 0
    assert "hunter2" not in repr(tested) and "secret-project" not in repr(tested)


@pytest.mark.exhaustive  # 10 s
def test_inputs_that_cannot_be_used_are_one_line(project: Path) -> None:
    """A folder of something else, a name that two tables have, a file that is no table."""
    inputs = project.parent / "inputs"
    (inputs / "crm.orders.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(ProjectUnusableError, match=r"crm.orders.parquet cannot be read as a table"):
        _mutate(project)
    (inputs / "crm.orders.parquet").rename(inputs / "orders.parquet")
    with (project / "models" / "sources.yml").open("a") as file:
        file.write("  - name: other\n    tables: [{name: orders}]\n")
    with pytest.raises(
        ProjectUnusableError, match=r"orders.parquet could be one of 2 tables: name it after its source, as crm.orders"
    ):
        _mutate(project)
    (inputs / "orders.parquet").rename(inputs / "nothing.csv")
    with pytest.raises(NoInputsError, match="No file in"):
        _mutate(project)


@pytest.mark.exhaustive  # 5 s
def test_a_project_without_a_profile_is_of_the_warehouse_that_is_named(project: Path) -> None:
    """As most public projects have none."""
    (project / "profiles.yml").unlink()
    tested = _mutate(project, profile=ProfileChoice(profiles_dir=project, warehouse="bigquery"))
    assert {one.name for one in tested.project.models} == {"daily", "weekly"}


def test_a_folder_of_profiles_is_relative_to_where_the_command_is_called(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to the project: its profile would be overlooked, and a secret that it asks the environment for is one line."""
    (project.parent / "profiles").mkdir()
    (project / "profiles.yml").rename(project.parent / "profiles" / "profiles.yml")
    written = (project.parent / "profiles" / "profiles.yml").read_text()
    (project.parent / "profiles" / "profiles.yml").write_text(
        written.replace("dataset: marts", "dataset: \"{{ env_var('DATASET') }}\"")
    )
    monkeypatch.chdir(project.parent)
    with pytest.raises(ProjectUnusableError, match="DATASET"):
        _mutate(Path("shop"), profile=ProfileChoice(profiles_dir=Path("profiles")))


@pytest.mark.parametrize(
    "dialect, sql, expected",
    [
        ("snowflake", 'select dateadd(day, 1, d) as n from "a"."b"."c"', 'SELECT d + INTERVAL 1 DAY AS n FROM "a"."b"."c"'),
        ("snowflake", "select iff(a, 1, 2) from t", "SELECT CASE WHEN a THEN 1 ELSE 2 END FROM t"),
        ("bigquery", 'select * from "a-1"."b"."c" where x = "it"', 'SELECT * FROM "a-1"."b"."c" WHERE x = \'it\''),
        ("postgres", "select a / b from t", "SELECT a / b FROM t"),
        ("tsql", "select top 3 [a b] from t", 'SELECT "a b" FROM t LIMIT 3'),
    ],
)  # fmt: skip
def test_a_query_is_translated_and_its_relations_stay(dialect: str, sql: str, expected: str) -> None:
    """Relations must be found again by their text, as dbt has rendered them."""
    assert translate(sql, dialect) == expected


def test_what_does_not_run_translated_is_taken_as_written() -> None:
    """A macro of DuckDB's adapter writes DuckDB's SQL into a query for another warehouse."""
    translations = Translations("snowflake")
    assert translations.of("select a from t", lambda _: True) == "SELECT a FROM t"
    assert translations.of(" select b from t", lambda sql: sql.startswith("select")) == "select b from t"
    assert translations.as_written == {"select b from t"}
    with pytest.raises(NoCounterpartError, match="cannot be translated from snowflake"):
        translations.of("select from where", lambda _: False)

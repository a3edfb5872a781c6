"""A project is built in Spark itself, in schemas of the run's own: nothing else there is touched, and nothing is left."""

import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.locks import claim
from reliability_platform.mutation.private_profile import ProfileChoice
from reliability_platform.mutation.servers.run_schemas import COMMENT, PREFIX
from reliability_platform.mutation.session import Tested, Wanted, mutate
from reliability_platform.mutation.trial import MutantStatus

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(3_600)]

FILES = {
    "dbt_project.yml": "name: mill\nprofile: mill\nmodels: {+materialized: table}\n"
    'on-run-end: ["create table if not exists theirs.runs (id int)"]\n',
    "profiles.yml": "mill: {target: spark, outputs: {duckdb: {type: duckdb, path: ':memory:'}, "
    "spark: {type: spark, method: session, host: localhost, schema: theirs}}}\n",
    # As many projects have it: the schema of a model is what it says, so dbt would build in the user's own.
    "macros/generate_schema_name.sql": """
{% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name or target.schema }}{% endmacro %}""",
    "seeds/rates.csv": "id,currency,rate\n1,EUR,1.0\n2,USD,0.9\n3,GBP,1.2\n4,EUR,1.1\n",
    "models/by_currency.sql": "select currency, count(*) as n, sum(rate) as rates from {{ ref('rates') }} group by 1",
    "models/schema.yml": """
models:
  - name: by_currency
    columns:
      - {name: currency, data_tests: [not_null, unique]}
      - {name: n, data_tests: [{accepted_values: {arguments: {values: [1, 2], quote: false}}}]}
""",
}
IN_SPARK = {
    "models/sources.yml": "sources: [{name: crm, tables: [{name: orders}, {name: never_loaded}]}]",
    "models/revenue.sql": "{{ config(location_root=env_var('THEIR_FOLDER')) }}\n"
    # Syntax of Spark, and a table that is known by its own name.
    "select orders.customer.tier as tier, sum(cents div 100) as whole, count(*) as n from {{ source('crm', 'orders') }} group by 1",
    "models/writes_elsewhere.sql": """{{ config(post_hook="insert into theirs.kept values ('built')") }} select 1 as one""",
}
DATA = (
    "create schema theirs",
    "create schema crm",
    "create table theirs.kept using parquet as select 'theirs' as what",
    "create table crm.orders using parquet as select id, id * 37 as cents, named_struct('tier', if(id % 3 = 0, 'gold', null)) "
    "as customer, cast(id as binary) as raw, timestamp'2026-01-01 00:00:00' as at from range(1, 61)",
)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session of this process, with a metastore in memory and a user's data in it, which is as it was afterwards."""
    folder = tmp_path_factory.mktemp("spark")
    (folder / "spark-defaults.conf").write_text(
        f"spark.master local[2]\nspark.sql.warehouse.dir {folder}/warehouse\nspark.ui.enabled false\n"
        "spark.hadoop.javax.jdo.option.ConnectionURL jdbc:derby:memory:mill;create=true\nspark.ui.showConsoleProgress false\n"
        f"spark.sql.shuffle.partitions 2\nspark.driver.extraJavaOptions -Dderby.stream.error.file={folder}/derby.log\n"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SPARK_CONF_DIR", str(folder))
        patched.setenv("THEIR_FOLDER", str(folder / "theirs"))
        from pyspark.sql import SparkSession

        session = SparkSession.builder.enableHiveSupport().getOrCreate()
        for one in DATA:
            session.sql(one)
        before = _all_there_is(session)
        yield session
        after = _all_there_is(session)
        session.stop()
    assert after == before
    assert not (folder / "theirs").exists()


def _all_there_is(session: Any) -> dict[str, list[str]]:
    found = {}
    for (schema,) in session.sql("show schemas").collect():
        found[schema] = []
        for _, table, _ in session.sql(f"show tables in {schema}").collect():
            found[f"{schema}.{table}"] = sorted(map(str, session.table(f"{schema}.{table}").collect()))
    return found


def _project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def _mutate(project: Path, target: str = "spark", **wanted: Any) -> Tested:
    choice = ProfileChoice(target=target)
    return mutate(Wanted(project, choice, native=target == "spark", journal=project.parent / "journal", **wanted))


def test_a_mutant_gets_the_status_that_it_has_in_duckdb(spark: Any, tmp_path: Path) -> None:
    """By the same tests: the broken rows are the same, and so is what the models make of them."""
    project = _project(tmp_path / "mill", FILES)
    here, there = _mutate(project, "duckdb", most=20), _mutate(project, most=20)
    assert {one.mutant.key: (one.status, one.tests) for one in there.outcomes} == {
        one.mutant.key: (one.status, one.tests) for one in here.outcomes
    }
    assert len({one.status for one in there.outcomes}) > 2


def test_a_project_is_judged_where_it_lives(spark: Any, tmp_path: Path) -> None:
    """By Spark's own SQL, in no schema and no folder of the user's: the fixture compares all that was there before."""
    tested = _mutate(_project(tmp_path / "mill", FILES | IN_SPARK), most=24)
    assert {one.name for one in tested.project.models} == {"by_currency", "revenue"}
    assert {one.name: table.rows for one, table in tested.inputs} == {"crm.orders": 60, "rates": 4}
    said = "; ".join(tested.project.notes)
    assert "crm.never_loaded cannot be read in the server" in said
    assert "revenue is not written to its location_root" in said
    assert "a statement was refused: it would change theirs . runs" in said
    (out,) = (one.why for one in tested.project.left_out if one.name == "writes_elsewhere")
    assert "it would change theirs . kept" in out
    statuses = {one.status for one in tested.outcomes}
    assert MutantStatus.SURVIVED_CHANGED in statuses and MutantStatus.TIMED_OUT not in statuses


def test_what_a_killed_run_has_left_is_dropped_by_the_next(spark: Any, tmp_path: Path) -> None:
    """That of a living one is not, nor one of another machine that may live, nor a schema of the user's that is only called so."""
    living = tmp_path / "living"
    descriptor = claim(living, wait=False)
    (tmp_path / "dead").touch()
    here, now = platform.node(), int(time.time())
    held = {
        f"{PREFIX}0000000a_1": f"{COMMENT} Held by {tmp_path / 'dead'} on {here} since {now}.",
        f"{PREFIX}0000000b_1": f"{COMMENT} Held by {tmp_path / 'gone'} on {here} since {now}.",
        f"{PREFIX}0000000c_1": f"{COMMENT} Held by /x on elsewhere since {now - 3 * 86_400}.",
        f"{PREFIX}0000000d_1": f"{COMMENT} Held by {living} on {here} since {now}.",
        f"{PREFIX}0000000e_1": f"{COMMENT} Held by /x on elsewhere since {now}.",
        f"{PREFIX}0000000f_1": "mine",
    }
    for schema, comment in held.items():
        spark.sql(f"create schema {schema} comment '{comment}'")
    try:
        _mutate(_project(tmp_path / "mill", FILES), most=1)
        left = {row[0] for row in spark.sql(f"show schemas like '{PREFIX}*'").collect()}
    finally:
        os.close(descriptor)
        for schema in held:
            spark.sql(f"drop schema if exists {schema}")
    assert left == {f"{PREFIX}0000000{one}_1" for one in "def"}


def test_large_tables_are_sampled_in_spark(spark: Any, tmp_path: Path) -> None:
    """The user's table stays whole."""
    tested = _mutate(_project(tmp_path / "mill", FILES | IN_SPARK), most=1, most_rows=20)
    rows = {one.name: table.rows for one, table in tested.inputs}
    assert 5 <= rows["crm.orders"] <= 40
    assert f"crm.orders is a sample of {rows['crm.orders']} rows of 60" in "; ".join(tested.project.notes)


def test_a_mutant_whose_time_is_over_is_ended(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tables are dropped, and the next mutant is not ended with it."""
    monkeypatch.setattr("reliability_platform.mutation.session.TIMES_A_CLEAN_BUILD", 0)
    monkeypatch.setattr("reliability_platform.mutation.session.LEAST_SECONDS", 0.2)
    tested = _mutate(_project(tmp_path / "mill", FILES), most=4)
    assert [one.status for one in tested.outcomes] == [MutantStatus.TIMED_OUT] * 4

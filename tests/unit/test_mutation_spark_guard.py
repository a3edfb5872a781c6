"""What a statement for Spark would change is seen before Spark gets it; no Spark is needed to see it."""

import pytest

from reliability_platform.mutation.errors import ServerStatementError
from reliability_platform.mutation.servers.spark.guard import refuse_foreign_of_spark


def _is_own(kind: str, parts: list[str]) -> bool:
    return (parts[-1] if kind == "schema" else parts[-2] if len(parts) > 1 else parts[0]) == "own"


@pytest.mark.parametrize(
    "statement",
    [
        "select * from theirs.orders",
        "/* drop table theirs.x */ create table own.t using parquet as select 'drop table theirs.x' as a, location from theirs.t",
        'select "it\'s; drop table theirs.orders" as a from theirs.orders',
        "create or replace table `own`.`t` using iceberg partitioned by (day) as with x as (select 1 as day) select * from x",
        "create or replace temporary view t__dbt_tmp as select * from theirs.orders",
        "insert overwrite table own.t partition (day) select * from theirs.orders",
        "insert into own.t values (cast('x' as string))",
        "merge into own.t as d using theirs.s as s on d.a = s.a when matched then update set * when not matched then insert *",
        "drop view if exists own.v",
        "create schema if not exists own",
        "alter table own.t rename to own.u",
        "describe extended theirs.orders",
        "show tables in theirs like '*'",
        "cache table kept as select 1",
        "set spark.sql.shuffle.partitions = 2",
    ],
)
def test_it_lets_pass_what_is_the_runs_own(statement: str) -> None:
    """Reading the user's tables is allowed, and what stands in texts and comments is no statement."""
    refuse_foreign_of_spark(statement, _is_own)


@pytest.mark.parametrize(
    "statement",
    [
        "drop table `theirs`.`orders`",
        "drop table `the--irs`.orders",
        "insert overwrite theirs.orders select 1",
        "insert overwrite table theirs.orders partition (day) select 1",
        "insert overwrite local directory '/data' select 1",
        "insert into orders values (1)",
        "with x as (select 1) insert into theirs.orders select * from x",
        "from own.t insert into theirs.orders select *",
        "merge into theirs.t using own.s on true when matched then delete",
        "delete from theirs.orders",
        "update theirs.orders set a = 1",
        "truncate table theirs.orders",
        "alter table theirs.orders add columns (a int)",
        "create or replace view theirs.v as select 1",
        "create database theirs",
        "drop schema theirs cascade",
        "load data inpath '/x' into table theirs.orders",
        "insert into delta.`/data/orders` select 1",
        "create table own.t using parquet location '/data/orders' as select 1 as a",
        "create table own.t using parquet options ('path' = '/data/orders') as select 1 as a",
        "create table own.t using jdbc options (url 'jdbc:x', dbtable 'orders') as select 1 as a",
        "create external table own.t (a int) location '/data'",
        "alter table own.t set location '/data/orders'",
        "add jar '/x.jar'",
        "optimize theirs.orders",
        "select 'never ends",
    ],
)
def test_it_refuses_what_is_not(statement: str) -> None:
    """By name, by the folder that a table is written to, and what it cannot tell."""
    with pytest.raises(ServerStatementError):
        refuse_foreign_of_spark(statement, _is_own)

"""A project is built in PostgreSQL itself, in schemas of the run's own: nothing else there is touched, and nothing is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from reliability_platform.cli.stopping import AGAIN_SECONDS
from reliability_platform.mutation.errors import ProjectUnusableError, ServerStatementError
from reliability_platform.mutation.servers.run_schemas import COMMENT, PREFIX
from reliability_platform.mutation.servers.statement_guard import refuse_foreign
from reliability_platform.mutation.session import Tested, Wanted, mutate
from reliability_platform.mutation.trial import MutantStatus
from tests.postgresql_server import PASSWORD, PostgresqlServer

FILES = {
    "dbt_project.yml": "name: mill\nprofile: mill\nmodels: {+materialized: table}\n"
    'on-run-end: ["create table if not exists public.runs (id int)"]\n',
    "seeds/rates.csv": "currency,rate\nEUR,1.0\nUSD,0.9\n",
    # As many projects have it: the schema of a model is what it says, so dbt would build in the user's own.
    "macros/generate_schema_name.sql": """
{% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name or target.schema }}{% endmacro %}""",
    "models/sources.yml": """
sources:
  - name: crm
    tables:
      - name: orders
        columns: [{name: id, data_tests: [not_null]}]
      - name: customers
      - name: never_loaded
      - name: odd
      - name: secret
""",
    "models/stg_orders.sql": """{{ config(materialized='view') }}
select id, customer_id, cents / 100 as whole, cents, ordered_at, details ->> 'channel' as channel
from {{ source('crm', 'orders') }}""",
    # An index that refuses repeated keys: without it the model would be taken for sound.
    "models/keyed.sql": """{{ config(indexes=[{'columns': ['id'], 'unique': true}]) }} select id from {{ ref('stg_orders') }}""",
    # Syntax of PostgreSQL, and a custom schema.
    "models/latest.sql": """{{ config(schema='finance') }}
select distinct on (customer_id) customer_id, id, whole from {{ ref('stg_orders') }} order by customer_id, ordered_at desc""",
    "models/revenue.sql": """{{ config(schema='finance', post_hook="create index on {{ this }} (tier)") }}
select c.tier, sum(o.whole) as revenue, count(*) as orders
from {{ ref('stg_orders') }} as o join {{ source('crm', 'customers') }} as c on o.customer_id = c.id group by 1""",
    "models/contracted.sql": """{{ config(materialized='incremental', contract={'enforced': true}, on_schema_change='fail') }}
select id, cents from {{ ref('stg_orders') }}
{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}""",
    "models/asked.sql": """{% set tiers = dbt_utils_like_values() %}
select {% for one in tiers %}count(*) filter (where tier = '{{ one }}') as {{ one }}, {% endfor %} count(*) as n
from {{ source('crm', 'customers') }}""",
    "macros/ask.sql": """{% macro dbt_utils_like_values() %}{% if execute %}
{{ return(run_query("select distinct tier from " ~ source('crm', 'customers') ~ " order by 1").columns[0].values()) }}
{% endif %}{{ return([]) }}{% endmacro %}""",
    "models/odd.sql": "select id, rate, list, at, raw from {{ source('crm', 'odd') }}",
    "models/writes_elsewhere.sql": """{{ config(post_hook="insert into public.audit values ('built')") }}
select 1 as one from {{ ref('rates') }}""",
    "models/schema.yml": """
models:
  - name: contracted
    columns:
      - {name: id, data_type: integer, constraints: [{type: not_null}]}
      - {name: cents, data_type: bigint}
  - name: stg_orders
    columns:
      - name: customer_id
        data_tests:
          - relationships: {arguments: {to: "source('crm', 'customers')", field: id}, config: {severity: warn}}
  - name: revenue
    columns: [{name: revenue, data_tests: [not_null]}]
""",
    "tests/assert_some_revenue.sql": "{{ config(store_failures=true) }} select * from {{ ref('revenue') }} where revenue < 0",
}
DATA = """
create schema crm; create schema finance; create schema alice;
create table crm.customers as select i as id, case when i % 3 = 0 then 'gold' else 'silver' end as tier from generate_series(1, 20) i;
create table crm.orders as
select i as id, i % 20 + 1 as customer_id, (i * 37)::bigint as cents, timestamp '2026-01-01' + i * interval '1 hour' as ordered_at,
       jsonb_build_object('channel', case when i % 2 = 0 then 'web' else '' end) as details from generate_series(1, 200) i;
create table finance.revenue as select 'theirs' as tier;
create table public.audit (what text);
create table crm.odd as select i as id, case when i = 3 then 'NaN'::numeric else i end::numeric(10, 2) as rate, array[i, null] as list,
  case when i = 4 then timestamptz 'infinity' else '2026-01-01' end as at, '\\x00ff'::bytea as raw from generate_series(1, 9) i;
create table crm.secret (id int);
create view finance.reads_it as select * from finance.revenue;
"""


@pytest.fixture
def server(postgresql_of_the_session: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """One with a user's data in it, which is as it was afterwards."""
    postgresql_of_the_session.ensure()
    postgresql_of_the_session.execute(DATA)
    before = _all_there_is(postgresql_of_the_session)
    yield postgresql_of_the_session
    after = _all_there_is(postgresql_of_the_session)
    postgresql_of_the_session.execute("drop schema crm, finance, alice cascade; drop table public.audit")
    assert after == before


@pytest.fixture
def project(server: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project for that server."""
    folder = tmp_path / "mill"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setenv("MILL_PASSWORD", PASSWORD)
    (folder / "profiles.yml").write_text(
        "mill: {target: dev, outputs: {dev: {type: postgres, host: 127.0.0.1, user: owner, dbname: postgres, schema: alice, "
        f"port: {server.port}, threads: 2, password: \"{{{{ env_var('MILL_PASSWORD') }}}}\"}}}}}}\n"
    )
    return folder


def _rows(server: PostgresqlServer, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url) as connection:
        return connection.execute(query).fetchall()


def _all_there_is(server: PostgresqlServer) -> dict[str, object]:
    """Every relation outside of the system's with its identity, its storage and its rows; and the schemas."""
    found = _rows(
        server,
        "select format('%I.%I', nspname, relname), c.oid::text || ' ' || relfilenode, relkind from pg_class c "
        "join pg_namespace n on n.oid = relnamespace where nspname !~ '^(pg_|information_schema)' order by 1",
    )
    rows = {
        name: _rows(server, f"select t::text from {name} as t") for name, _, kind in found if kind in ("r", "v", "m")
    }
    schemas = _rows(server, "select nspname from pg_namespace where nspname !~ '^pg_' order by 1")
    return {"relations": found, "rows": rows, "schemas": schemas}


def _mutate(project: Path, **wanted: Any) -> Tested:
    return mutate(Wanted(project, native=True, journal=project.parent / "journal", **wanted))


def test_a_project_is_judged_where_it_lives(project: Path) -> None:
    """By the server's own SQL and rules, in no schema of the user's: the fixture compares all that was there before."""
    tested = _mutate(project)
    assert {one.name for one in tested.project.models} == {
        "stg_orders",
        "keyed",
        "latest",
        "revenue",
        "contracted",
        "asked",
        "odd",
    }
    assert {one.name: table.rows for one, table in tested.inputs} == {
        "crm.customers": 20, "crm.odd": 9, "crm.orders": 200,
    }  # fmt: skip
    said = "; ".join(tested.project.notes)
    assert 'crm.never_loaded cannot be read in the server (relation "crm.never_loaded" does not exist)' in said
    assert "a statement was refused: it would change public.runs" in said
    assert [one for one in tested.project.notes if "clean data" in one] == [
        "asked is built with what it was told when it asked the clean data"
    ]
    out = {one.name: one.why for one in tested.project.left_out}
    assert "it would change public.audit" in out["writes_elsewhere"]
    assert "without --native" in out["the increment"]
    assert len(out) == 2
    found = {one.mutant.key: one for one in tested.outcomes}
    assert found["crm.orders accidental_delete all"].status is MutantStatus.SURVIVED_CHANGED
    assert found["crm.customers tier schema_column_missing all"].why.startswith('asked: column "tier" does not exist')
    # Whole numbers are divided without a fraction here, and the average order is no whole number of cents.
    (change,) = [one for one in found["crm.orders cents unit_divided all"].changes if one.model == "revenue"]
    assert [one.after for one in change.measures if one.column == "revenue"] == [0.0]
    # What a contract refuses, without the values that it refuses.
    broken = found["crm.orders id null_spike one"]
    assert broken.status is MutantStatus.KILLED
    assert "violates not-null constraint" in broken.why and "DETAIL" not in broken.why
    assert found["crm.orders id schema_type_changed all"].why.startswith(
        "contracted: This model has an enforced contract"
    )
    repeated = found["crm.orders duplicate_retry_storm one"]
    assert repeated.status is MutantStatus.BROKE
    assert repeated.why.startswith("keyed: could not create unique index")
    # Values that DuckDB has no type for come through, whatever else of the row is broken.
    assert found["crm.odd volume_drop one"].status is MutantStatus.SURVIVED_CHANGED
    assert found["crm.odd columns_reordered all"].status is MutantStatus.EQUIVALENT
    # A text in capitals is no array.
    assert {one.mutant.input.name for one in tested.outcomes if one.status is MutantStatus.IMPOSSIBLE} == {"crm.odd"}
    assert MutantStatus.TIMED_OUT not in {one.status for one in tested.outcomes}


@pytest.mark.exhaustive  # 7 s
def test_large_tables_are_sampled_in_the_server(project: Path) -> None:
    """Of a customer all orders are kept, or none; the user's tables stay whole."""
    tested = _mutate(project, most_rows=15, most=1)
    rows = {one.name: table.rows for one, table in tested.inputs}
    assert 1 <= rows["crm.customers"] <= 20
    assert 1 <= rows["crm.orders"] <= 60
    said = "; ".join(tested.project.notes)
    assert f"crm.orders is a sample of {rows['crm.orders']} rows of 200" in said


@pytest.mark.exhaustive
def test_a_server_that_ends_idle_connections_is_used(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours idle while dbt builds: a run could never end where `idle_session_timeout` is set. Tests that cannot run say why, without
    the private file that dbt compiled.
    """
    monkeypatch.setenv("PGOPTIONS", "-c idle_session_timeout=700")
    (project / "tests/assert_nothing.sql").write_text(
        "select 1 from {{ ref('revenue') }} where 1 / (orders - orders) > 0"
    )
    tested = _mutate(project, most=2)
    assert len(tested.outcomes) == 2
    (why,) = (one.why for one in tested.project.left_out if one.name == "assert_nothing")
    assert "division by zero" in why and "compiled code" not in why


@pytest.mark.exhaustive
def test_a_server_that_stops_says_what_is_left_and_the_next_run_drops_it(
    server: PostgresqlServer, project: Path
) -> None:
    """The lock of the run is gone with the server."""

    def stop(done: int, planned: int) -> None:
        if done == 2 and server.process is not None:
            server.stop(signal.SIGINT)

    wanted = Wanted(project, native=True, journal=project.parent / "journal", most=30)
    try:
        with pytest.raises(ProjectUnusableError, match=r"The schemas of this run are left: the next run drops them\.$"):
            mutate(wanted, progress=stop)
    finally:
        server.start()
    assert _rows(server, f"select 1 from pg_namespace where nspname like '{PREFIX}%'")
    assert len(mutate(wanted).outcomes) == 30


@pytest.mark.exhaustive
def test_a_run_that_was_cut_off_goes_on(project: Path) -> None:
    """Although its schemas have other names the next time."""

    def stop(done: int, planned: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    wanted = Wanted(project, native=True, journal=project.parent / "journal", most=60)
    with pytest.raises(KeyboardInterrupt):
        mutate(wanted, progress=stop)
    whole = mutate(wanted)
    assert (len(whole.outcomes), whole.resumed) == (60, 5)


@pytest.mark.exhaustive
def test_what_a_killed_run_has_left_is_dropped_by_the_next(server: PostgresqlServer, project: Path) -> None:
    """That of a living one is not, nor a schema of the user's that is only called so."""
    schemas = f"select nspname from pg_namespace where nspname like '{PREFIX}%' order by 1"
    program = [sys.executable, "-m", "reliability_platform.cli", "mutate", str(project), "--native", "--fresh"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(program, env={**os.environ, "XDG_CACHE_HOME": str(project.parent)}, **quiet)
    try:
        while not _rows(server, "select 1 from pg_class where relname = 'contracted' and relkind = 'r'"):
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    left = _rows(server, schemas)
    assert left
    server.execute(
        f"create schema {PREFIX}00000000_1; create schema {PREFIX}theirs; comment on schema {PREFIX}theirs is '{COMMENT}'"
    )
    alive = f"{PREFIX}0000abcd_1"
    server.execute(f"create schema {alive}; comment on schema {alive} is '{COMMENT}'")
    with psycopg.connect(server.url) as holding:
        holding.execute("select pg_advisory_lock(%s, %s)", [0x6D757461, 0xABCD])
        _mutate(project, most=1)
        assert _rows(server, schemas) == [(f"{PREFIX}00000000_1",), (alive,), (f"{PREFIX}theirs",)]
    _mutate(project, most=1)
    assert _rows(server, schemas) == [(f"{PREFIX}00000000_1",), (f"{PREFIX}theirs",)]
    server.execute(f"drop schema {PREFIX}00000000_1; drop schema {PREFIX}theirs")


@pytest.mark.exhaustive
@pytest.mark.parametrize("held_seconds", [0.0, AGAIN_SECONDS + 3])
def test_ctrl_c_leaves_nothing(server: PostgresqlServer, project: Path, held_seconds: float) -> None:
    """Nor does one whose schemas take so long to drop that a second interrupt comes. The fixture compares all that was there before."""
    program = [sys.executable, "-m", "reliability_platform.cli", "mutate", str(project), "--native", "--fresh"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(project.parent)}
    process = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not _rows(server, "select 1 from pg_class where relname = 'contracted' and relkind = 'r'"):
        assert process.poll() is None
        time.sleep(0.05)
    [(schema,)] = _rows(server, "select relnamespace::regnamespace::text from pg_class where relname = 'contracted'")[
        :1
    ]
    with psycopg.connect(server.url) as reading:
        reading.execute(f"lock table {schema}.contracted in access share mode")
        process.send_signal(signal.SIGINT)
        time.sleep(held_seconds)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said and PASSWORD not in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("hunter2canary", "wrongcanary"), "password authentication failed"),
        (("user: owner", "user: \"{{ env_var('NOT_SET') }}\""), "NOT_SET"),
        (("host: 127.0.0.1", "host: 127.0.0.9"), "Connection refused"),
        (("type: postgres", "type: snowflake"), "builds in postgres, spark, and the profile is for snowflake"),
        (("mill:", "other:"), "There is no profile 'mill'"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_line(
    project: Path, changed: tuple[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That says what to do, and no password."""
    profile = project / "profiles.yml"
    profile.write_text(profile.read_text().replace(*changed))
    monkeypatch.setenv("MILL_PASSWORD", PASSWORD.replace(*changed))
    with pytest.raises(ProjectUnusableError) as refused:
        _mutate(project)
    assert said in str(refused.value)
    assert "canary" not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.exhaustive  # 14 s: a whole test of a project
def test_a_user_of_few_rights(server: PostgresqlServer, project: Path) -> None:
    """One who may create no schema is told what to grant; of one who may, what cannot be read is named."""
    server.execute(f"create role reader login password '{PASSWORD}'")
    try:
        profile = project / "profiles.yml"
        profile.write_text(profile.read_text().replace("user: owner", "user: reader"))
        with pytest.raises(ProjectUnusableError, match="grant create on database postgres to reader"):
            _mutate(project)
        server.execute("grant create on database postgres to reader; grant usage on schema crm to reader")
        server.execute("grant select on crm.orders, crm.customers, crm.odd to reader")
        tested = _mutate(project, most=1)
        assert "crm.secret cannot be read in the server (permission denied for table secret)" in tested.project.notes
        assert {one.name for one, _ in tested.inputs} == {"crm.customers", "crm.odd", "crm.orders"}
    finally:
        server.execute("drop owned by reader; drop role reader")


def test_an_adapter_that_lacks_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setattr("reliability_platform.mutation.servers.native_run.find_spec", lambda _: None)
    with pytest.raises(ProjectUnusableError, match=r"pip install 'dbt-postgres==1\.11\.\*'"):
        _mutate(project)


OWN = {"own"}


def _is_own(kind: str, parts: list[str]) -> bool:
    return (parts[-1] if kind == "schema" else parts[-2] if len(parts) > 1 else parts[0]) in OWN


@pytest.mark.parametrize(
    "statement",
    [
        "select * from theirs.orders for update",
        "/* delete from theirs.x */ create table own.t as (select 'drop table theirs.x' as a from theirs.orders)",
        'insert into "db"."own"."t" (a) select a from theirs.orders on conflict (a) do update set a = 1',
        "with x as (select 1) select * from x",
        "create schema if not exists own",
        'drop view if exists "db"."own"."v" cascade',
        "create unique index if not exists some_index on own.t (a)",
        "comment on column own.t.a is $$text; drop table theirs.x$$",
        "create temporary table t as select 1; grant select on own.t to reporter",
        "alter table own.t rename to other",
        "merge into own.t as t using theirs.t as s on t.a = s.a when matched then update set a = 1",
        "begin; commit",
    ],
)
def test_the_guard_lets_pass_what_is_the_runs_own(statement: str) -> None:
    """Reading the user's tables is allowed."""
    refuse_foreign(statement, _is_own)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from theirs.orders",
        "create table own.t as select 1; drop table theirs.orders",
        "with gone as (delete from theirs.orders returning *) select * from gone",
        "insert into own.t select 1; update only theirs.orders set a = 1",
        "select * into theirs.t from own.t",
        'truncate "theirs"."orders"',
        "drop table own.t, theirs.orders",
        "drop schema theirs cascade",
        "create schema theirs",
        "create index on theirs.orders (id)",
        "comment on column theirs.orders.id is 'x'",
        "grant select on theirs.orders to public",
        "grant usage on schema theirs to public",
        "alter table if exists theirs.orders add column x int",
        "create or replace function theirs.f() returns int as 'select 1' language sql",
        "create materialized view theirs.v as select 1",
        "refresh materialized view concurrently theirs.v",
        "insert into orders values (1)",
        "do $$ begin delete from theirs.orders; end $$",
        "call theirs.clean_up()",
        "copy theirs.orders from '/tmp/x'",
        "create extension hstore",
    ],
)
def test_the_guard_refuses_what_is_not(statement: str) -> None:
    """Whatever else stands before it, and what it cannot tell."""
    with pytest.raises(ServerStatementError):
        refuse_foreign(statement, _is_own)

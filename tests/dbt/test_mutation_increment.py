"""Mutants of the newest rows, built on what was there before, held against what dbt itself makes of them."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from reliability_platform.mutation.clean_build import build_clean
from reliability_platform.mutation.columns import learn
from reliability_platform.mutation.dbt_commands import DbtCommands
from reliability_platform.mutation.direct_build import DirectBuild
from reliability_platform.mutation.increment import NextRun, newest_parts, next_run
from reliability_platform.mutation.mutants import INCREMENT
from reliability_platform.mutation.private_copy import private_folder
from reliability_platform.mutation.private_profile import ProfileChoice, make_private, may_open
from reliability_platform.mutation.project import ProjectInput
from reliability_platform.mutation.score import by_build
from reliability_platform.mutation.session import Wanted, mutate

HEADER = ["id", "customer", "amount", "sent_on"]
ROWS = [[n, n % 7, n * 1.25, f"2026-01-{1 + n // 20:02d}"] for n in range(200)]
FIRST_NEWEST_DAY = "2026-01-10"
SINCE = "where sent_on {} (select max(sent_on) from {{{{ this }}}})"
STRATEGIES = {
    "appended": ("materialized='incremental', incremental_strategy='append'", ">"),
    "merged": ("materialized='incremental', incremental_strategy='merge', unique_key='id'", ">="),
    "replaced": ("materialized='incremental', incremental_strategy='delete+insert', unique_key='id'", ">="),
}
FILES = {
    "dbt_project.yml": "{name: post, profile: post}",
    "profiles.yml": "post: {target: dev, outputs: {dev: {type: duckdb, path: post.duckdb}}}",
    "models/stg_parcels.sql": "{{ config(materialized='view') }} select * from {{ ref('raw_parcels') }}",
    **{
        f"models/{name}.sql": f"{{{{ config({config}) }}}} select * from {{{{ ref('stg_parcels') }}}} "
        f"{{% if is_incremental() %}} {SINCE.format(sign)} {{% endif %}}"
        for name, (config, sign) in STRATEGIES.items()
    },
    "models/untied.sql": "{{ config(materialized='incremental', unique_key='id') }} select * from {{ ref('stg_parcels') }}",
    "models/daily.sql": "select sent_on, sum(amount) as amount from {{ ref('merged') }} group by sent_on",
    "models/schema.yml": "models: [{name: appended, columns: [{name: id, data_tests: [unique, not_null]}]}]",
    "snapshots/kept.sql": "{% snapshot kept %} {{ config(unique_key='id', strategy='timestamp', updated_at='sent_on') }} "
    "select * from {{ ref('stg_parcels') }} {% endsnapshot %}",
}
TABLES = (*STRATEGIES, "untied", "daily", "kept")
KEYS = (
    "increment raw_parcels duplicate_retry_storm all",
    "increment raw_parcels volume_drop half",
    "increment raw_parcels amount unit_change all",
    "increment raw_parcels sent_on time_zone_shift all",
    "increment raw_parcels id null_spike half",
)


def _write_seed(folder: Path, rows: list[list[object]]) -> None:
    with (folder / "seeds" / "raw_parcels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three strategies, a model below one of them, a snapshot."""
    folder = tmp_path_factory.mktemp("post")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "seeds").mkdir()
    _write_seed(folder, ROWS)
    return folder


@pytest.fixture(scope="module")
def following(project: Path) -> Iterator[NextRun]:
    """Its next run."""
    with private_folder() as private:
        profile = make_private(project, ProfileChoice(), private)
        dbt = DbtCommands(project, private, profile, None)
        clean = build_clean(dbt, profile, project)
        build = DirectBuild(clean.project, profile.catalogs, profile.extensions, private.path)
        build.read_in(*may_open(profile))
        build.project = clean.project.without(*build.settle())
        inputs = [(one, learn(build.connection, build.reads(one.relation))) for one in build.project.inputs]
        found = next_run(dbt, private, profile, clean, build, inputs, seed=0)
        assert found is not None
        with build.connection, found.build.connection:
            yield found


def test_what_grows_is_replayed_as_dbt_builds_it(following: NextRun) -> None:
    """On the clean rows nothing may differ from dbt's own next run: what does would be left out."""
    assert following.build.project.left_out == ()
    assert {one.name for one in following.build.project.models if one.replay} == {*STRATEGIES, "untied", "kept"}
    assert all(one.build == INCREMENT for one in following.mutants)


@pytest.mark.parametrize("key", [KEYS[0], *(pytest.param(one, marks=pytest.mark.exhaustive) for one in KEYS[1:])])
def test_dbt_itself_builds_the_same_from_a_broken_increment(
    project: Path, following: NextRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """The earlier rows built by dbt, the broken newest ones on top of them by dbt: the same tables as by replay, row for row."""
    mutant = next(one for one in following.mutants if one.key == key)
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    monkeypatch.chdir(copy)
    quiet = ("--quiet", "--log-level=none", "--log-level-file=none", "--no-send-anonymous-usage-stats")
    _write_seed(copy, [row for row in ROWS if str(row[3]) < FIRST_NEWEST_DAY])
    dbtRunner().invoke(["build", "--exclude-resource-type=test", *quiet])
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    broken = following.build.connection.execute(mutant.sql).fetchall()
    assert len(broken) != len(ROWS) or set(broken) != set(map(tuple, ROWS))
    _write_seed(copy, [list(row) for row in broken])
    dbtRunner().invoke(["build", "--exclude-resource-type=test", *quiet])
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    with (
        following.build.room("compared") as room,
        duckdb.connect(str(copy / "post.duckdb"), read_only=True) as by_dbt,
    ):
        built = room.breaks(mutant.input, mutant.sql)
        assert built.broken == {}
        relations = {one.name: one.relation for one in following.build.project.models}
        for name in TABLES:
            place = built.changed[relations[name]][0] if relations[name] in built.changed else relations[name]
            replayed = room.cursor.execute(f"select {_compared(name)} from {place} order by all").fetchall()
            assert replayed == by_dbt.execute(f"select {_compared(name)} from {name} order by all").fetchall(), name


def _compared(name: str) -> str:
    return "sent_on, round(amount, 6)" if name == "daily" else "id, customer, round(amount, 6), sent_on"


@pytest.mark.exhaustive  # 20 s: a whole test of a project
def test_the_increment_is_told_apart_in_the_score(project: Path, tmp_path: Path) -> None:
    """Rows that come twice in the newest part alone are noticed where they are appended, and both builds are scored."""
    tested = mutate(Wanted(project, journal=tmp_path / "journal"))
    scores = by_build(tested.outcomes)
    assert set(scores) == {"full build", INCREMENT}
    assert all(one.counted > 20 for one in scores.values())
    status = {one.mutant.key: one.status.name for one in tested.outcomes}
    assert status["increment raw_parcels duplicate_retry_storm all"] == "KILLED"
    assert status["increment raw_parcels accidental_delete all"] == "SURVIVED_CHANGED"


def test_one_day_alone_has_no_newest_part() -> None:
    """Earlier rows and newer ones, or none: a table of one day has no increment."""
    connection = duckdb.connect()
    connection.execute(
        "create table days as select n as id, date '2026-01-01' + (n // 10)::int as day from range(100) t(n)"
    )
    connection.execute(
        "create table today as select n as id, timestamp '2026-01-01' + interval (n) minute as at from range(100) t(n)"
    )
    inputs = [(ProjectInput(name, name, "seed", name), learn(connection, name)) for name in ("days", "today")]
    parts = newest_parts(connection, inputs, [])
    assert list(parts) == ["days"]
    row = connection.execute(f"select count(*) from days where {parts['days'].newest}").fetchone()
    assert row == (10,)

"""Mutation tests of a project that knows nothing of the platform, with real dbt and DuckDB."""

import dataclasses
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from reliability_platform.lab.faults.catalogue import CATALOGUE, CONTROLS
from reliability_platform.mutation.clean_build import build_clean
from reliability_platform.mutation.columns import learn
from reliability_platform.mutation.dbt_commands import DbtCommands
from reliability_platform.mutation.direct_build import DirectBuild
from reliability_platform.mutation.errors import NoProjectError, ProjectUnusableError
from reliability_platform.mutation.faults import FAULTS
from reliability_platform.mutation.messages import said
from reliability_platform.mutation.mutants import Mutant, all_mutants, sample
from reliability_platform.mutation.private_copy import private_folder
from reliability_platform.mutation.private_profile import PrivateProfile, ProfileChoice, make_private
from reliability_platform.mutation.score import Score
from reliability_platform.mutation.session import Wanted, mutate
from reliability_platform.mutation.sql_text import Query, file_reads
from reliability_platform.mutation.trial import MutantOutcome, MutantStatus, run_trial
from tests.dbt.mutated_project import write_project


def _hashes(folder: Path) -> dict[Path, tuple[int, str]]:
    return {
        path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclasses.dataclass
class Bakery:
    """A project that is built once for all tests of the file."""

    folder: Path
    before: dict[Path, tuple[int, str]]
    profile: PrivateProfile
    dbt: DbtCommands
    build: DirectBuild
    mutants: dict[str, Mutant]

    def judge(self, *keys: str, seconds_each: float = 60) -> list[MutantOutcome]:
        """These mutants, judged."""
        chosen = [self.mutants[key] for key in keys]
        return run_trial(self.build, chosen, workers=2, seconds_each=seconds_each, until=None)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bakery]:
    """The project, its clean build and all its mutants."""
    folder = write_project(tmp_path_factory.mktemp("bakery"))
    duckdb.connect(str(folder / "bakery.duckdb")).close()
    before = _hashes(folder)
    with private_folder() as private:
        profile = make_private(folder, ProfileChoice(), private)
        dbt = DbtCommands(folder, private, profile.target, profile.name, None)
        clean = build_clean(dbt, profile, folder)
        build = DirectBuild(clean.project, profile.catalogs, profile.extensions, private.path)
        with build.connection:
            build.read_in(folder)
            build.project = clean.project.without(*build.settle())
            inputs = [(one, learn(build.connection, build.clean_relation(one))) for one in build.project.inputs]
            mutants = {one.key: one for one in all_mutants(inputs, seed=0)}
            yield Bakery(folder, before, profile, dbt, build, mutants)


def test_each_status_is_seen(built: Bakery) -> None:
    """A status that nothing can reach says nothing of those that did not."""
    expected = {
        "raw_orders id null_spike one": MutantStatus.KILLED,
        "raw_orders accidental_delete all": MutantStatus.SURVIVED_CHANGED,
        "raw_orders note null_spike all": MutantStatus.EQUIVALENT,
        "raw_orders amount schema_column_missing all": MutantStatus.BROKE,
        "raw_orders out_of_order_events all": MutantStatus.EQUIVALENT,
        "raw_orders ordered_on epoch_default all": MutantStatus.SURVIVED,
        "raw_orders amount out_of_range_values few": MutantStatus.TIMED_OUT,
    }
    found = {one.mutant.key: one.status for one in built.judge(*expected, seconds_each=2)}
    assert found == expected


def test_what_consumers_read_otherwise_is_said_in_their_words(built: Bakery) -> None:
    """Half of the orders missing is a dashboard that shows half of the revenue."""
    (empty, half) = built.judge("raw_orders accidental_delete all", "raw_orders volume_drop half")
    assert said(empty) == "every row of raw_orders lost: contracted is empty (Finance dashboard)"
    assert half.status is MutantStatus.SURVIVED_CHANGED
    by_model = {one.model: one for one in half.changes}
    assert (by_model["contracted"].rows_before, by_model["contracted"].rows_after) == (60, 30)
    (revenue,) = [one for one in by_model["revenue"].measures if one.column == "revenue"]
    assert 0.2 < revenue.relative < 0.8


def test_a_warning_kills_and_is_told_apart(built: Bakery) -> None:
    """Whoever reads only what fails has not noticed."""
    (orphan,) = built.judge("raw_orders customer_id orphan_reference half")
    assert [(key.split(".")[2][:13], how) for key, how in orphan.tests] == [("relationships", "warn")]


def test_a_contract_that_is_enforced_breaks_the_build(built: Bakery) -> None:
    """Its column must stay what it is declared to be; a null in it is refused by its constraint."""
    (text,) = built.judge("raw_orders amount schema_type_changed all")
    assert text.status is MutantStatus.BROKE
    assert "contracted: " in text.why


def test_what_fails_on_the_clean_data_is_left_out_and_said(built: Bakery) -> None:
    """A test that always fails would kill every mutant."""
    assert [one.name for one in built.build.project.left_out] == ["assert_never_passes"]
    assert len(built.build.project.tests) == 3


AGREED = (
    "raw_orders id null_spike one",
    "raw_orders duplicate_retry_storm few",
    "raw_orders customer_id orphan_reference half",
    "raw_orders amount unit_divided all",
    "raw_orders ordered_on stale_source half all",
)


@pytest.mark.parametrize("key", AGREED)
def test_dbt_itself_comes_to_the_same_result(
    built: Bakery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """What is built directly from compiled queries must be what dbt builds from the broken seed: its tests, and what is in its marts."""
    copy = tmp_path / "copy"
    shutil.copytree(built.folder, copy)
    mutant = built.mutants[key]
    rows = built.build.connection.execute(mutant.sql).to_arrow_table()
    duckdb.from_arrow(rows).write_csv(str(copy / "seeds" / f"{mutant.input.name}.csv"))
    (direct,) = built.judge(key)
    monkeypatch.chdir(copy)
    results: dict[str, str] = {}
    for command in ("seed", "run", "test"):
        done = dbtRunner().invoke([command, "--quiet", "--log-level=none", "--no-send-anonymous-usage-stats"])
        results |= {one.node.unique_id: str(one.status) for one in done.result.results}  # type: ignore[union-attr]
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    tests = {name: how for name, how in results.items() if name.startswith("test.")}
    with duckdb.connect(str(copy / "bakery.duckdb"), read_only=True) as built_by_dbt:
        revenue = built_by_dbt.execute("select sum(revenue), sum(orders) from revenue").fetchone()
    noticed = {name: how for name, how in tests.items() if how in ("fail", "warn") and "never_passes" not in name}
    assert noticed == dict(direct.tests)
    if direct.changes:
        sums = {
            one.column: one.after for change in direct.changes if change.model == "revenue" for one in change.measures
        }
        assert revenue is not None
        assert sums["revenue"] == pytest.approx(revenue[0])


def test_nothing_of_the_project_is_touched(built: Bakery) -> None:
    """Files, databases and their times: after the clean build and many mutants all is as it was."""
    built.judge("raw_orders volume_drop half", "raw_customers accidental_delete all")
    assert _hashes(built.folder) == built.before


def test_a_model_that_writes_elsewhere_is_refused(tmp_path: Path) -> None:
    """The guard holds in dbt's own connection: a hook can neither write beside the copies nor switch the guard off."""
    folder = write_project(tmp_path / "bakery")
    aim = tmp_path / "stolen.csv"
    hook = f"copy (select 1) to '{aim}'"
    (folder / "models" / "revenue.sql").write_text(
        '{{ config(pre_hook="' + hook + "\") }} select 1 as revenue from {{ ref('orders') }}"
    )
    (folder / "models" / "slow.sql").write_text(
        "{{ config(pre_hook='set enable_external_access = true') }} select 1 as pairs from {{ ref('orders') }}"
    )
    tested = mutate(Wanted(folder, most=1, journal=tmp_path / "journal"))
    assert not aim.exists()
    assert {"revenue", "slow"} <= {one.name for one in tested.project.left_out}


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """SIGKILL in the middle; the second run judges what is left, and comes to what one whole run comes to."""
    folder, cache = write_project(tmp_path / "bakery"), tmp_path / "cache"
    (folder / "models" / "slow.sql").unlink()
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-m", "reliability_platform.cli", "mutate", str(folder), "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for _ in range(1200):
            kept = list(cache.rglob("*.jsonl"))
            if kept and len(kept[0].read_text().splitlines()) > 20:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    wanted = Wanted(folder, journal=cache / "reliability-platform" / "mutate")
    resumed = mutate(wanted)
    assert resumed.resumed >= 20
    assert not list(cache.rglob("*.jsonl"))
    whole = mutate(wanted)
    assert whole.resumed == 0
    assert [(one.mutant.key, one.status) for one in resumed.outcomes] == [
        (one.mutant.key, one.status) for one in whole.outcomes
    ]


def test_bad_input_is_one_line_with_the_mend(tmp_path: Path) -> None:
    """A folder without a project, one that does not parse, one without inputs."""

    def fails(folder: Path) -> str:
        with pytest.raises((NoProjectError, ProjectUnusableError)) as raised:
            mutate(Wanted(folder, journal=tmp_path / "journal"))
        return str(raised.value)

    assert "There is no dbt_project.yml in" in fails(tmp_path)
    folder = write_project(tmp_path / "bakery")
    (folder / "models" / "revenue.sql").write_text("select * from {{ ref('nowhere') }}")
    assert "nowhere" in fails(folder)
    (folder / "packages.yml").write_text("packages: [{package: dbt-labs/dbt_utils, version: 1.3.0}]")
    assert "run `dbt deps`" in fails(folder)


def test_no_secret_of_a_profile_is_kept_or_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The private profile has `env_var` as it was written, not what the environment holds."""
    monkeypatch.setenv("BAKERY_SECRET", "hunter2-value")
    folder = write_project(tmp_path / "bakery")
    (folder / "profiles.yml").write_text(
        "bakery: {target: dev, outputs: {dev: {type: duckdb, path: bakery.duckdb, settings: "
        "{s3_secret_access_key: \"{{ env_var('BAKERY_SECRET') }}\"}}}}"
    )
    with private_folder() as private:
        profile = make_private(folder, ProfileChoice(), private)
        written = profile.file.read_text()
        assert "env_var('BAKERY_SECRET')" in written.replace("''", "'")
        assert "hunter2" not in written
        assert profile.file.stat().st_mode & 0o077 == 0


def test_a_fault_that_the_lab_has_too_bears_its_name() -> None:
    """One word for one thing: these are in the lab's catalogue, and the others are not there under another name."""
    shared = {one.name for one in FAULTS} & (CATALOGUE.keys() | CONTROLS.keys())
    assert len(shared) >= 14
    assert len({one.name for one in FAULTS}) == len(FAULTS)


def test_a_sample_is_fair_and_always_the_same(built: Bakery) -> None:
    """A wide table must not take all places of a small one."""
    mutants = list(built.mutants.values())
    chosen = sample(mutants, 40, seed=1)
    assert chosen == sample(mutants, 40, seed=1)
    assert len(chosen) == 40
    assert {one.family for one in chosen} == {one.family for one in mutants}
    assert [one.key for one in chosen] != [one.key for one in sample(mutants, 40, seed=2)]


def test_the_interval_of_a_score_is_wilsons() -> None:
    """9 of 10: 59.6 to 98.2 %, as in any table; nothing counted has no score."""
    low, high = Score(9, 1).interval or (0, 0)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert Score(0, 0).share is None


def test_relations_and_files_are_found_where_a_query_names_them() -> None:
    """A name that goes on is another one; what stands in a comment or a text is no file."""
    query = Query.of('select * from "db"."main"."orders" join "db"."main"."orders_old"', ['"db"."main"."orders"'])
    assert query.reading({'"db"."main"."orders"': "x"}) == 'select * from x join "db"."main"."orders_old"'
    sql = "select 'read_csv(1)' from read_csv('a/*.csv', header => (true)) join 'b.csv' -- from 'c.csv'"
    assert file_reads(sql) == ["read_csv('a/*.csv', header => (true))", "'b.csv'"]

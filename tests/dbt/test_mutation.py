"""Mutation tests of a project that knows nothing of the platform, with real dbt and DuckDB."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from reliability_platform.cli.mutate import mutate as mutate_command
from reliability_platform.errors import UsageError
from reliability_platform.incidents.documents.render import markdown as as_markdown
from reliability_platform.incidents.documents.web import page
from reliability_platform.lab.faults.catalogue import CATALOGUE, CONTROLS
from reliability_platform.mutation.baseline import killed_before, no_longer_killed
from reliability_platform.mutation.candidates import candidates
from reliability_platform.mutation.changed_files import changed_files, touched_inputs
from reliability_platform.mutation.clean_build import CleanBuild, build_clean
from reliability_platform.mutation.columns import learn
from reliability_platform.mutation.dbt_commands import DbtCommands, called_in
from reliability_platform.mutation.direct_build import DirectBuild
from reliability_platform.mutation.document import document
from reliability_platform.mutation.errors import NoProjectError, ProjectUnusableError
from reliability_platform.mutation.faults import FAULTS
from reliability_platform.mutation.junit import junit
from reliability_platform.mutation.messages import effect, said
from reliability_platform.mutation.mutants import Mutant, all_mutants, sample
from reliability_platform.mutation.page_report import page_report
from reliability_platform.mutation.private_copy import CLAIM, PREFIX, private_folder
from reliability_platform.mutation.private_profile import PrivateProfile, ProfileChoice, make_private, may_open
from reliability_platform.mutation.project import Project, ProjectInput
from reliability_platform.mutation.proof import prove
from reliability_platform.mutation.readings import SumChange, TableChange, compare, fingerprint
from reliability_platform.mutation.score import Score
from reliability_platform.mutation.session import Tested, Wanted, mutate
from reliability_platform.mutation.sql_text import Query, file_reads
from reliability_platform.mutation.text_report import text_report
from reliability_platform.mutation.trial import MutantOutcome, MutantStatus, run_trial
from reliability_platform.mutation.yml_edit import write
from reliability_platform.settings import PROJECT_ROOT
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
        dbt = DbtCommands(folder, private, profile, None)
        clean = build_clean(dbt, profile, folder)
        build = DirectBuild(clean.project, profile.catalogs, profile.extensions, private.path)
        with build.connection:
            with called_in(folder):
                build.read_in(*may_open(profile))
                build.project = clean.project.without(*build.settle())
            inputs = [(one, learn(build.connection, build.reads(one.relation))) for one in build.project.inputs]
            possible = all_mutants(inputs, seed=0)
            mutants = {one.key: one for one in possible}
            assert len(mutants) == len(possible), "two mutants have one key"
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


def test_files_are_inputs_wherever_the_command_is_called(built: Bakery) -> None:
    """Of a source that is a file, and of a model that names one: relative to the project, as for dbt when it is called there."""
    (fees, rates) = built.judge("bank.fees fee unit_change all", "fees.csv accidental_delete all")
    assert [(one.model, one.rows_after) for one in fees.changes] == [("fees", 30)]
    assert [(one.model, one.measures[0].after) for one in rates.changes] == [("rates", 0)]


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


@pytest.mark.parametrize("key", [AGREED[0], *(pytest.param(one, marks=pytest.mark.exhaustive) for one in AGREED[1:])])
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


@pytest.mark.exhaustive  # a minute: it is judged twice, once in a process that is killed
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


def _tested(built: Bakery, outcomes: list[MutantOutcome]) -> Tested:
    clean = CleanBuild(built.build.project, 5, 4, 3)
    many = len(outcomes)
    return Tested(built.build.project, clean, (), many, many, tuple(outcomes), resumed=0, seed=0, seconds=1.0)


def test_a_report_is_one_document_that_no_name_can_change(built: Bakery) -> None:
    """Names of columns and models are somebody's: in HTML, Markdown and XML they are text."""
    (one,) = built.judge("raw_orders accidental_delete all")
    hostile = "<script>alert(1)</script> | [x](http://evil) \x1b[31m"
    outcome = dataclasses.replace(one, mutant=dataclasses.replace(one.mutant, said=hostile))
    tested = _tested(built, [outcome])
    html, marked = page(page_report(tested)), as_markdown(page_report(tested))
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert 'href="http' not in html
    assert "<script>" not in marked and "\x1b" not in marked
    suite = ElementTree.fromstring(junit(tested))  # noqa: S314 (it is ours)
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert all("\x1b" not in line for line in text_report(tested))


def test_a_baseline_names_what_is_no_longer_noticed(built: Bakery, tmp_path: Path) -> None:
    """A test that was removed is missed where it was the only one; another file is refused."""
    killed, alive = built.judge("raw_orders id null_spike one", "raw_orders accidental_delete all")
    baseline = tmp_path / "before.json"
    baseline.write_text(json.dumps(document(_tested(built, [killed, alive]))))
    before = killed_before(baseline)
    assert before == {"raw_orders id null_spike one"}
    now = dataclasses.replace(killed, status=MutantStatus.SURVIVED, tests=())
    assert no_longer_killed(_tested(built, [now, alive]), before) == [now]
    assert no_longer_killed(_tested(built, [killed, alive]), before) == []
    baseline.write_text("[]")
    with pytest.raises(UsageError, match="is no report"):
        killed_before(baseline)


def test_a_change_is_judged_by_the_inputs_above_it(built: Bakery, tmp_path: Path) -> None:
    """A model of customers is not reached by what breaks only orders; what decides about everything reaches all."""
    project = built.build.project

    def touched(*files: str) -> list[str]:
        return [one.name for one in touched_inputs(project, files)]

    assert touched("models/revenue.sql") == ["raw_customers", "raw_orders"]
    assert touched("models/stg_orders.sql") == ["raw_orders"]
    assert touched("seeds/raw_customers.csv") == ["raw_customers"]
    assert touched("README.md") == []
    assert touched("dbt_project.yml") == ["bank.fees", "fees.csv", "fees.csv (2)", "raw_customers", "raw_orders"]
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-C", str(tmp_path)]
    (tmp_path / "old.sql").write_text("select 1")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "old.sql").write_text("select 2")
    (tmp_path / "new one.sql").write_text("select 3")
    assert changed_files(tmp_path, "HEAD") == {"old.sql", "new one.sql"}
    for commit in ("nowhere", "--output=x"):
        with pytest.raises(UsageError):
            changed_files(tmp_path, commit)


NO_MODELS = Project("bakery", (), (), (), ())
SEEDS = """# what the bakery delivers
seeds:
- name: raw_customers   # one row each
  columns:
  - name: "tier"
    description: 'gold or silver'
"""


@pytest.mark.exhaustive  # 30 s: a project is tested twice
def test_proposed_tests_are_proved_and_written_beside_what_is_there(tmp_path: Path) -> None:
    """They pass on the clean data, kill what they were chosen for, as dbt sees it; comments and quotes of the yml stay."""
    folder = write_project(tmp_path / "bakery")
    (folder / "models" / "slow.sql").unlink()
    (folder / "seeds" / "schema.yml").write_text(SEEDS)
    before = _hashes(folder)
    wanted = Wanted(folder, propose=True, journal=tmp_path / "journal")
    tested = mutate(wanted)
    proof = prove(wanted, tested)
    assert _hashes(folder) == before
    assert proof.failing == proof.missed == ()
    now, then = proof.with_them.score, tested.score
    assert now.killed - then.killed >= sum(len(one.kills) for one in tested.proposals) > 10
    killed = [
        {one.mutant.key for one in each.outcomes if one.status is MutantStatus.KILLED}
        for each in (tested, proof.with_them)
    ]
    assert killed[0] < killed[1]
    write(proof.changes)
    written = (folder / "seeds" / "schema.yml").read_text()
    assert all(line in written.splitlines() for line in SEEDS.splitlines())
    added = (folder / "tests" / "generic" / "reliability_mutate.sql").read_text()
    own = {one.candidate.test for one in tested.proposals if not one.candidate.is_builtin}
    assert own == set(re.findall(r"% test (\w+)", added))
    assert own
    assert sorted(path.relative_to(folder).as_posix() for path in _hashes(folder).keys() - before.keys()) == [
        "models/reliability_mutate.yml",  # of the model that reads files
        "seeds/reliability_mutate.yml",
        "tests/generic/reliability_mutate.sql",
    ]


def test_what_a_column_holds_is_never_jinja_nor_sql_in_a_proposal() -> None:
    """A label with a quote or braces in it is no list that dbt could take as it is."""
    connection = duckdb.connect()
    hostile = ["{{ env_var('HOME') }}", "it's"]
    connection.execute("create table labels as select unnest(?) as label from range(30)", [hostile])
    given = ProjectInput("seed.bakery.labels", "labels", "seed", "labels", is_own=True)
    found = candidates(connection, NO_MODELS, [(given, learn(connection, "labels"))], str)["seed.bakery.labels"]
    assert "accepted_values" not in {one.test for one in found}
    assert not any("{" in str(one.arguments.get(name)) for one in found for name in one.arguments)


def test_what_a_killed_run_leaves_of_a_warehouse_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of somebody's data must not lie in the temporary folder for ever; one that is in use stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = tmp_path / f"{PREFIX}dead"
    dead.mkdir()
    for name in (CLAIM, "warehouse.duckdb"):
        (dead / name).touch()
    with private_folder() as used:
        for folder in (dead, used.path):
            os.utime(folder, (0, 0))
        with private_folder():
            assert used.path.is_dir()
            assert not dead.exists()
    assert list(tmp_path.iterdir()) == []


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
        "{s3_secret_access_key: \"{{ env_var('BAKERY_SECRET') }}\"}, secrets: [{type: s3, secret: hunter2-value}]}}}"
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


def test_the_action_takes_only_options_that_there_are() -> None:
    """A workflow of somebody else is the first to find a mistyped option."""
    text = (PROJECT_ROOT / ".github" / "actions" / "mutate" / "action.yml").read_text()
    assert yaml.safe_load(text)["runs"]["using"] == "composite"
    options = {option for one in mutate_command.params for option in one.opts}
    used = set(re.findall(r"(?<![\w-])(--[a-z-]+) [\"a-z$]", text)) - {"--json"}
    assert used and used <= options


def test_rows_that_differ_are_counted_as_often_as_they_are_there() -> None:
    """As `except all` counts them: of three equal rows one is still there, and a null is equal to a null."""
    with duckdb.connect() as connection:
        connection.execute("create table clean as from (values (1, 'a'), (2, null), (3, 'c')) as rows(id, label)")
        connection.execute(
            "create table changed as from (values (1, 'a'), (1, 'a'), (1, 'a'), (2, null), (null, 'c')) as rows(id, label)"
        )
        tables = [fingerprint(connection, one) for one in ("clean", "changed")]
        found = compare(
            lambda sql: connection.execute(sql).fetchone() or (),
            ("m", ()),
            ("clean", "changed"),
            (tables[0], tables[1]),
        )
        (by_engine,) = connection.execute("select count(*) from (from changed except all from clean)").fetchone() or ()
    assert found.differing == by_engine == 3


def test_a_column_of_another_type_is_no_wrong_row() -> None:
    """ "0 wrong rows" stood in the list of what is wrong: each value was there, as a text."""
    with duckdb.connect() as connection:
        connection.execute("create table clean as select date '2026-01-01' as day, 1 as n")
        connection.execute("create table changed as select '2026-01-01' as day, 1 as n")
        before, after = (fingerprint(connection, one) for one in ("clean", "changed"))
        found = compare(
            lambda sql: connection.execute(sql).fetchone() or (), ("m", ()), ("clean", "changed"), (before, after)
        )
    assert effect(found) == "m has other columns, or of another type: day"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (14_107.0, None, "no amount in any row"),
        (None, 3.0, "values of amount, which had none"),
        (0.0, 3.0, "a sum of amount of 3 instead of 0"),
        (4.0, -4.0, "a sum of amount with the other sign"),
        (4.0, 400.0, "100 times the sum of amount"),
        (4.0, 3.0, "25 % less amount"),
    ],
)
def test_what_becomes_of_a_sum_is_said_in_words(before: float | None, after: float | None, said: str) -> None:
    found = TableChange("m", (), 5, 5, 5, (SumChange("amount", before, after),), ("amount",))
    assert effect(found) == f"m has {said}"

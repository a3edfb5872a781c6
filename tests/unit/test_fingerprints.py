"""What a build was made with, as the operations store keeps it."""

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from reliability_platform.clock import utc_now
from reliability_platform.lab.faults.transform import project_copy
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import build_fingerprints, fingerprints
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.fingerprints.collect import _own, fingerprint_of
from reliability_platform.warehouse.fingerprints.model import BuildFingerprint, BuildInput, InputKind, Part
from reliability_platform.warehouse.fingerprints.store import BuildFingerprints, BuildOrigin
from reliability_platform.warehouse.own_project import OwnProject
from tests.scenarios.bicycles import write_project

MART = "models/marts/agg_daily_revenue.sql"
CHANNEL = "json://alerts.example/hunter2"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a home that is empty."""
    return load_settings(tmp_path / "home")


def by_key(fingerprint: BuildFingerprint) -> dict[tuple[str, str], BuildInput]:
    return {one.key: one for one in fingerprint.inputs}


def test_each_thing_that_decides_about_a_build_is_in_its_fingerprint(settings: Settings) -> None:
    """Models, macros, contracts, checks, settings, versions and the platform's own code."""
    found = by_key(fingerprint_of(settings))
    kinds = {key: one.kind for key, one in found.items()}
    assert kinds["dbt_project", MART] == InputKind.MODEL
    assert kinds["dbt_project", "macros/staging.sql"] == InputKind.MACRO
    assert kinds["dbt_project", "dbt_project.yml"] == InputKind.PROJECT_FILE
    assert kinds["contracts", "orders.yml"] == InputKind.CONTRACT
    assert kinds["soda_checks", "stg_orders.yml"] == InputKind.CHECK
    assert found["settings", "allowed_lateness_days"].value == "3"
    assert found["installation", "duckdb"].value.startswith("1.")
    assert found["installation", "reliability_platform"].kind == InputKind.PLATFORM_CODE
    assert not {"home", "cache", "on_behalf_of"} & {name for part, name in found if part == Part.SETTINGS}


def test_a_changed_model_changes_its_entry_and_that_of_the_deployed_project_alone(settings: Settings) -> None:
    """A copy of the project that is deployed from elsewhere has the same paths."""
    before = by_key(fingerprint_of(settings))
    copy = project_copy(settings, "deployed")
    (copy / MART).write_text((copy / MART).read_text() + "\n-- changed\n")
    after = by_key(fingerprint_of(settings.model_copy(update={"dbt_project": copy})))
    assert before.keys() == after.keys()
    changed = {key for key, one in after.items() if one != before[key]}
    assert changed == {("dbt_project", MART), ("settings", "dbt_project")}


def test_of_an_own_project_each_file_has_an_entry_each_package_one_and_what_it_asks_of_the_environment_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the names that they have there; a variable may be a password, and counts where Jinja asks for it alone."""
    write_project(tmp_path)
    (tmp_path / "layers" / "asks.sql").write_text("select '{{ env_var('CITY_KEY', 'none') }}' as key")
    monkeypatch.setenv("CITY_KEY", "hunter2")
    found = {one.name: one for one in _own(OwnProject(tmp_path))}
    assert found["layers/serve/daily.sql"].kind == InputKind.MODEL
    assert found["jinja/" + next((tmp_path / "jinja").glob("*.sql")).name].kind == InputKind.MACRO
    assert found["lists/stations.csv"].kind == InputKind.SEED
    assert found["dbt_project.yml"].kind == InputKind.PROJECT_FILE
    assert found["dbt_packages/durations"].kind == InputKind.DBT_PACKAGE
    assert not [name for name in found if name.startswith("dbt_packages/durations/")]
    monkeypatch.setenv("CITY_KEY", "hunter3")
    (tmp_path / "dbt_packages" / "durations" / "macros" / "minutes.sql").write_text(
        "{% macro minutes() %}2{% endmacro %}"
    )
    after = {one.name: one for one in _own(OwnProject(tmp_path))}
    assert {name for name, one in after.items() if one != found[name]} == {"CITY_KEY", "dbt_packages/durations"}
    assert len(after["CITY_KEY"].digest) == 4


def test_a_file_that_is_written_to_twice_within_a_moment_is_read_twice(settings: Settings) -> None:
    """A file system that counts in seconds shows the same time and size for both."""
    copy = project_copy(settings, "deployed")
    deployed = settings.model_copy(update={"dbt_project": copy})
    digests = []
    for text in ("select 1 as one", "select 2 as two"):
        (copy / MART).write_text(text)
        now = time.time_ns()
        os.utime(copy / MART, ns=(now, now))
        digests.append(by_key(fingerprint_of(deployed))["dbt_project", MART].digest)
    assert len(set(digests)) == 2


def test_what_is_no_file_or_has_an_odd_name_stops_no_build(settings: Settings) -> None:
    """A dangling link, a pipe, a name that is no UTF-8, a file that cannot be read."""
    copy = project_copy(settings, "deployed")
    (copy / "models" / "link.sql").symlink_to("nowhere.sql")
    os.mkfifo(copy / "models" / "pipe.sql")
    (copy / "models" / os.fsdecode(b"odd\xff\n.sql")).write_text("select 1")
    fingerprint = fingerprint_of(settings.model_copy(update={"dbt_project": copy}))
    found = by_key(fingerprint)
    assert found["dbt_project", "models/link.sql"].digest == found["dbt_project", "models/pipe.sql"].digest == ""
    assert BuildFingerprint.read(fingerprint.content) == fingerprint


def test_of_a_setting_that_may_be_a_secret_only_that_it_changed_is_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operations store is copied into snapshots and read by others."""
    before = by_key(fingerprint_of(settings))
    monkeypatch.setenv("RELIABILITY_ALERT_URLS", CHANNEL)
    fingerprint = fingerprint_of(load_settings(settings.home))
    after = by_key(fingerprint)
    assert {key for key, one in after.items() if one != before[key]} == {("settings", "alert_urls")}
    assert "hunter2" not in fingerprint.content
    assert after["settings", "alert_urls"].value == ""
    assert len(after["settings", "alert_urls"].digest) == 4, "a longer one could be found by trying"


def test_builds_with_the_same_inputs_share_one_content(settings: Settings) -> None:
    """A thousand builds of an unchanged project cost a thousand short rows."""
    engine = operations_engine(settings)
    store, fingerprint = BuildFingerprints(engine), fingerprint_of(settings)
    for number in (1, 2):
        origin = BuildOrigin(number, fingerprint.digest, "erika", "command line", f"run-{number}", None)
        store.record(origin, fingerprint, utc_now())
    with engine.connect() as connection:
        rows = [connection.scalar(select(func.count()).select_from(one)) for one in (fingerprints, build_fingerprints)]
    assert rows == [1, 2]
    origin = store.origin(2) or pytest.fail("it was not kept")
    assert (origin.started_by, origin.run) == ("erika", "run-2")
    assert store.read(origin.fingerprint) == fingerprint
    assert store.origin(3) is None


def test_a_fingerprint_is_cheap_where_nothing_changed(settings: Settings) -> None:
    """Each build takes one; 8 ms of CPU on two shared cores, where the files were looked at before."""
    fingerprint_of(settings)
    spent = []
    for _ in range(5):
        began = time.process_time()
        assert fingerprint_of(settings).digest
        spent.append(time.process_time() - began)
    assert min(spent) < 0.03

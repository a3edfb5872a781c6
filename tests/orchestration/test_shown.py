"""What the UI shows of the platform's parts: each says what it is and does, and none says what it does not do."""

from pathlib import Path

import dagster as dg
import pytest

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.orchestration.audit_assets import AUDITED, HOLDS
from reliability_platform.orchestration.bronze_assets import admissions, bronze_assets
from reliability_platform.orchestration.catalog import COLUMNS, as_owner
from reliability_platform.orchestration.dbt_assets import dbt_models
from reliability_platform.orchestration.definitions import defs
from reliability_platform.orchestration.landing_assets import landing_assets, reference
from reliability_platform.orchestration.local import QUIET
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.settings import load_settings
from tests.ground import day

GRAPH = defs.resolve_asset_graph()


def test_everything_that_the_ui_lists_says_what_it_is() -> None:
    """Tests of dbt had "No description provided", models showed their SQL as raw Markdown, two jobs said nothing."""
    said = {key.to_user_string(): GRAPH.get(key).description for key in GRAPH.get_all_asset_keys()}
    said |= {key.name: GRAPH.get_check_spec(key).description for key in GRAPH.asset_check_keys}
    said |= {job.name: job.description for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    said |= {one.name: one.description for one in [*(defs.sensors or ()), *(defs.schedules or ())]}
    assert len(said) > 200
    assert {name for name, words in said.items() if not words} == set()
    assert {name for name, words in said.items() if words and ("```" in words or "####" in words)} == set()


@pytest.mark.parametrize(
    "said", ["unknown", "data@example.com", "team:data", "Ops & Co", "ops@localhost", "Zoë <zoe@example.com>"]
)
def test_dagster_takes_whatever_a_contract_calls_the_owner(said: str) -> None:
    """`sources add --yes` proposes `unknown`; with it no command that needs Dagster worked in that project."""
    [owner] = dg.AssetSpec("one", owners=[as_owner(said)]).owners
    assert said.removeprefix("team:") in owner


def test_a_check_says_whether_it_holds_publication() -> None:
    """Its page calls it non-blocking, in Dagster's sense; that alone reads as if it held nothing."""
    for key in GRAPH.asset_check_keys:
        if key.name in AUDITED:
            assert (HOLDS in (GRAPH.get_check_spec(key).description or "")) == CHECKS[key.name].blocking, key.name
    assert all("none of its landing days is published" in str(spec.description) for spec in dbt_models.check_specs)


def test_records_of_admission_are_shown_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The asset that all models of quarantine read showed a dash, as if nobody had ever written it."""
    settings = load_settings(tmp_path / "home")
    Simulation(seed=3, events_per_day=40).save(settings)
    monkeypatch.setenv("RELIABILITY_HOME", str(settings.home))
    with dg.instance_for_test() as instance:
        parts = [reference, landing_assets[0], bronze_assets[0], admissions]
        assert dg.materialize(
            parts, instance=instance, partition_key=str(day(1)), run_config=QUIET, resources=RESOURCES
        ).success
        written = instance.get_latest_materialization_event(admissions.key)
        loaded = instance.get_latest_materialization_event(dg.AssetKey(["reference", "merchants"]))
    assert written is not None and written.asset_materialization is not None
    assert written.asset_materialization.partition is None
    assert written.asset_materialization.metadata["records"].value == 4
    assert loaded is not None and loaded.asset_materialization is not None
    columns = loaded.asset_materialization.metadata[COLUMNS].value
    assert isinstance(columns, dg.TableSchema)
    assert [one.name for one in columns.columns] == ["merchant_id", "category", "country"]


def test_every_asset_says_whose_it_is_and_every_table_what_columns_it_has() -> None:
    """A catalogue that cannot say whom to ask is a list of names."""
    graph = defs.resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    assert {name: node.group_name for name, node in nodes.items() if not node.owners or not node.kinds} == {}
    tables = {"landing", "bronze", "staging", "quarantine", "silver", "gold", "reconciliation", "published"}
    bare = [name for name, node in nodes.items() if node.group_name in tables and not node.metadata.get(COLUMNS)]
    assert not bare, "and reference tables say theirs when they are loaded"

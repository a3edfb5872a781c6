"""Declared or refused: catalogues, files and documents agree."""

import ast
import importlib.metadata
import re

import dagster as dg
import yaml
from click.testing import CliRunner

from reliability_platform.checks.catalogue import CHECKS, MART_SOURCES
from reliability_platform.checks.history import history_checks
from reliability_platform.checks.native import native_checks
from reliability_platform.checks.profile import profile_checks
from reliability_platform.checks.soda import names_in_files
from reliability_platform.cli.doctor import locked_versions
from reliability_platform.cli.main import COMMANDS, cli
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.lab.faults.plan import load_plan, plan_names
from reliability_platform.lineage.graph import data_graph, node_of, upstream
from reliability_platform.orchestration.audit_assets import asset_key_of
from reliability_platform.orchestration.definitions import defs
from reliability_platform.settings import DBT_PROJECT, PROJECT_ROOT, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts
from tests.conventions.code import MODULES, ROOT, nodes_of


def test_every_soda_check_is_declared_and_every_declared_one_is_in_a_file() -> None:
    """A check that nobody declared has no meaning; a declared one without a file never judges."""
    assert names_in_files() == {name for name, spec in CHECKS.items() if spec.engine == "soda"}


def test_every_native_check_is_declared_and_written() -> None:
    """The catalogue and the SQL agree."""
    declared = {name for name, spec in CHECKS.items() if spec.engine == "native"}
    assert set(native_checks(load_settings())) | set(history_checks(SOURCES)) | profile_checks(SOURCES) == declared


def test_every_failure_class_that_a_check_raises_is_declared() -> None:
    """From check to runbook to healing without a gap; what the files of the classes name, `test_failure_classes` holds."""
    used = {spec.failure_class for spec in CHECKS.values()} | {"check_not_evaluated"}
    assert used <= set(CLASSES)


def test_incidents_name_no_failure_class_in_their_code() -> None:
    """What is special about a class is a field of its file: a branch on its name is found by nobody who adds one."""
    for path in (one for one in MODULES if ROOT / "incidents" in one.parents):
        texts = {node.value for node in nodes_of(path) if isinstance(node, ast.Constant)}
        assert not texts & CLASSES.keys(), path


def test_every_fault_is_known_by_a_class_that_some_check_can_raise() -> None:
    """A fault that no check could see would be a fault of the platform."""
    raised = {spec.failure_class for spec in CHECKS.values()}
    for fault in CATALOGUE.values():
        assert set(fault.magnitudes) == {"small", "medium", "large"}
        if fault.is_control:
            continue
        assert fault.expected_class in raised, fault.name
        declared = CLASSES[fault.expected_class]
        if not declared.severity_by_impact:  # there it follows from how much of the numbers is hit
            assert declared.severity == fault.expected_severity, fault.name


def test_the_plans_that_come_with_the_platform_load() -> None:
    """A plan that ships broken helps nobody; showcase and subtle hit every fault once."""
    assert {"clean", "showcase", "subtle"} <= set(plan_names())
    for name in plan_names():
        load_plan(name)
    every = [one.fault for name in ("showcase", "subtle") for one in load_plan(name).injections]
    assert sorted(every) == sorted(CATALOGUE)


def test_every_check_sits_on_an_asset() -> None:
    """A check whose dataset is no asset would show nowhere."""
    keys = defs.resolve_asset_graph().get_all_asset_keys()
    for spec in CHECKS.values():
        if spec.engine in ("soda", "native"):
            assert asset_key_of(spec.dataset) in keys, spec.name


def test_the_marts_of_the_catalogue_are_those_of_dbt() -> None:
    """Which sources a mart is made from is dbt's to say."""
    ensure_manifest()
    assert {mart.name: set(mart.sources) for mart in marts(ensure_manifest())} == {
        name: set(sources) for name, sources in MART_SOURCES.items()
    }


def test_every_model_has_a_yml_of_its_own() -> None:
    """One yml beside each sql, named alike, that describes the model."""
    for sql in (DBT_PROJECT / "models").rglob("*.sql"):
        declared = yaml.safe_load(sql.with_suffix(".yml").read_text())["models"]
        assert [model["name"] for model in declared] == [sql.stem]
        assert declared[0]["description"].strip()


def test_what_is_installed_is_what_is_locked() -> None:
    """The lock is the truth; DuckDB is a current 1.5, whatever one package's metadata says."""
    locked = locked_versions()
    assert len(locked) > 100
    for name, versions in locked.items():
        try:
            assert importlib.metadata.version(name) in versions, name
        except importlib.metadata.PackageNotFoundError:
            continue  # for another Python or platform
    assert importlib.metadata.version("duckdb").startswith("1.5.")
    text = (PROJECT_ROOT / "requirements.lock").read_text()
    assert all(re.match(r"^[a-z0-9A-Z._-]+==[^ ]+( ; .+)?$", line) for line in text.splitlines())


def test_every_command_has_help() -> None:
    """The reference page is made of it."""
    for name in COMMANDS:
        result = CliRunner().invoke(cli, [name, "--help"])
        assert result.exit_code == 0, result.output


def test_dagster_can_load_all_of_it() -> None:
    """A job and an asset of one name would keep the whole code location from loading, and nothing else would say so."""
    dg.Definitions.validate_loadable(defs)


def test_a_check_concerns_the_sources_from_which_its_dataset_is_made() -> None:
    """Symptoms join a cause by the sources that their checks concern: these must be what the lineage says."""
    graph = data_graph(ensure_manifest())
    for spec in CHECKS.values():
        node = node_of(spec.dataset)
        if node in graph:
            made_of = {one.partition("/")[2] for one in upstream(graph, [node]) if one.startswith("source/")}
            assert set(spec.sources) <= made_of, spec.name

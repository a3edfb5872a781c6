"""The dbt project as one who knows dbt expects it: described to the last column, configured by folder, grouped, tested."""

from pathlib import Path
from typing import Any

import pytest

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.generation import Change, planned
from reliability_platform.lineage.columns import columns_of
from reliability_platform.settings import DBT_PROJECT, PROJECT
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts, read_manifest

SQL = sorted((DBT_PROJECT / "models").rglob("*.sql"))
WITHOUT_LOGIC = {"dim_currency_rates", "dim_merchants"}
"""They read a file."""
CALLED_BY_DBT = {"get_where_subquery"}
"""Hooks of dbt's own that the project overrides."""
UNIT_TESTED_SILVER = "int_payments__deduplicated"
"""One of silver stands for all: they are generated from one template."""
GENERATED = "{# Generated from contracts"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return read_manifest(ensure_manifest())


def _models(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


def test_every_column_of_every_model_and_source_is_described(manifest: dict[str, Any]) -> None:
    """10 of 211 columns were: nobody could tell from the documentation what `duplicate_rows` counts."""
    described = _models(manifest) | {f"{one['source_name']}/{one['name']}": one for one in manifest["sources"].values()}
    assert len(described) == len(SQL) + len(manifest["sources"])
    for name, node in described.items():
        assert node["description"].startswith("Grain: ") or node["description"].startswith("Dead letters. Grain: "), (
            name
        )
        assert list(node["columns"]) == columns_of(ensure_manifest(), name), name
        for column in node["columns"].values():
            assert column["description"].strip(), f"{name}.{column['name']}"


def test_what_is_published_is_public_and_nothing_else_is(manifest: dict[str, Any]) -> None:
    """A model that anybody may read is one that nobody may change."""
    models = _models(manifest)
    public = {name for name, node in models.items() if node["access"] == "public"}
    assert public == {mart.name for mart in marts(ensure_manifest())}
    for name, node in models.items():
        assert node["group"], name
        assert not name.startswith(("stg_", "qtn_", "hld_", "rec_")) or node["access"] == "private", name


def test_a_model_is_configured_by_its_folder_or_its_yml() -> None:
    """Nine lines of configuration stood in each of five marts, and were to be changed five times."""
    assert not [path.name for path in SQL if "config(" in path.read_text()]


def test_each_piece_of_logic_has_a_unit_test(manifest: dict[str, Any]) -> None:
    """On hand-made rows: a build of clean days meets no contradiction, no replay and no difference."""
    tested = {one["model"] for one in manifest["unit_tests"].values()}
    silver = {f"int_{source}__deduplicated" for source in SOURCES}
    assert set(_models(manifest)) - tested == WITHOUT_LOGIC | silver - {UNIT_TESTED_SILVER}


def test_what_follows_from_the_contracts_is_as_they_say() -> None:
    """A column that a contract gained would be missing from staging, dead letters and the search for contradictions."""
    assert [one for one in planned(PROJECT, CONTRACTS) if one.change is not Change.SAME] == []


def test_each_macro_is_described(manifest: dict[str, Any]) -> None:
    """In `dbt docs` a macro without a description is a riddle; the variants of a dialect are not shown there."""
    own = [one for one in manifest["macros"].values() if one["package_name"] == "reliability_platform"]
    assert [one["name"] for one in own if not one["description"]] == []
    assert {one["name"] for one in own if not one["docs"]["show"]} == {
        one["name"] for one in own if one["name"].startswith(("default__", "spark__"))
    }


def test_each_macro_is_small_and_called() -> None:
    """An 85-line macro was the whole of four models: nobody saw what a model does without it."""
    calls = "\n".join(path.read_text() for path in DBT_PROJECT.rglob("*") if path.suffix in (".sql", ".yml"))
    for path in sorted((DBT_PROJECT / "macros").glob("*.sql")):
        for macro in path.read_text().split("{% macro ")[1:]:
            # dbt calls the variant of a dialect by its plain name.
            name = macro.split("(")[0].removeprefix("default__").removeprefix("spark__")
            if GENERATED in path.read_text():
                continue  # lists of columns
            length = macro.split("{%- endmacro")[0].split("{% endmacro")[0].count("\n")
            assert length <= 30, f"{name} of {Path(path).name} has {length} lines"
            if name in CALLED_BY_DBT:
                continue
            assert f"{name}(" in calls.replace(f"macro {name}(", "").replace(f"__{name}(", ""), (
                f"{name} is called by nobody"
            )

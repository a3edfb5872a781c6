"""What an own dbt project is made of, and what it lacks, as its files say before dbt reads them."""

import json
from pathlib import Path

import duckdb
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.generation import FedTable, OwnReads, generated_files
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.settings import DBT_PROJECT
from reliability_platform.warehouse import dbt_manifest, own_project
from reliability_platform.warehouse.marts import marts, read_manifest
from reliability_platform.warehouse.own_lacks import _models, lacks_before_parsing, refuse_before_parsing
from reliability_platform.warehouse.own_project import PACKAGE, OwnProject
from reliability_platform.warehouse.snapshots.soundness import read_through
from tests.scenarios.bicycles import write_project


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """The bicycles, with what lies beside a project in a repository."""
    write_project(tmp_path)
    for name in (".venv/lib/x.sql", "city.duckdb", "target/manifest.json", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("not read")
    return tmp_path


def test_the_project_that_is_run_is_theirs_with_the_platforms_as_a_package(theirs: Path) -> None:
    """A virtual environment or a developer's warehouse would be copied with each change; a package that is a link to a folder
    would be left out."""
    made = OwnProject(theirs).with_platform(DBT_PROJECT)
    assert made["dbt_project.yml"] == theirs / "dbt_project.yml"
    assert made["profiles.yml"] == DBT_PROJECT / "profiles.yml"
    assert (
        made[f"dbt_packages/{PACKAGE}/models/staging/stg_orders.sql"] == DBT_PROJECT / "models/staging/stg_orders.sql"
    )
    assert "dbt_packages/durations/macros/minutes.sql" in made
    assert f"jinja/{PACKAGE}__source.sql" in made
    assert not [name for name in made if name.startswith((".venv", "target", "city", "README"))]


def test_a_seed_gives_way_to_what_is_delivered_in_its_place(theirs: Path) -> None:
    """With both, dbt would load the file over what was admitted."""
    (theirs / "lists" / "stg_orders.csv").write_text("order_id\n1\n")
    own = OwnProject(theirs)
    assert own.seeds() == ["stations", "stg_orders"]
    assert "lists/stg_orders.csv" not in own.with_platform(DBT_PROJECT)
    assert "lists/stations.csv" in own.with_platform(DBT_PROJECT)


def test_sources_are_known_with_the_places_that_their_yml_says(theirs: Path) -> None:
    """A table under another name than its models ask for would not be found."""
    own = OwnProject(theirs)
    assert own.sources()["depot.rides"] == ("depot_raw", "ride_log")
    assert own.sources()["depot.bikes"] == ("depot_raw", "bikes")
    assert (own.called("bikes"), own.called("stations"), own.called("nothing")) == ("depot.bikes", "stations", None)


def test_what_feeds_a_source_lies_where_that_source_lies() -> None:
    """Under its schema and name, with the columns as the producer calls them; the others of the warehouse stay away."""
    reads = OwnReads(
        [FedTable("bikes", "depot.bikes", {"bike": "bike", "frame_size": "frameSize"})],
        {"depot.bikes": ("depot_raw", "bike_list")},
    )
    files = generated_files(CONTRACTS, own=reads)
    text = files["dbt_project/models/feeds/src_bikes.sql"]
    assert "schema='depot_raw'" in text
    assert "alias='bike_list'" in text
    assert "bike,\n" in text
    assert '"frame_size" as "frameSize"' in text
    assert "read_reference('bikes')" in text
    assert "'depot.bikes': 'src_bikes'" in files["dbt_project/macros/contracts.sql"]
    assert "generate_schema_name" in files["dbt_project/macros/contracts.sql"]


@pytest.mark.parametrize(
    ("file", "before", "after", "told"),
    [
        ("dbt_project.yml", "<2.0.0", "<1.9.0", "bicycles asks for dbt >=1.8.0, <1.9.0, and dbt "),
        ("profiles.yml", "duckdb, path", "postgres, path", "the profile of bicycles is of postgres"),
        ("packages.yml", "packages:", "packages:\n  - local: other", "declares 2 packages and has 1 installed: run `dbt deps`"),
        ("jinja/generate_schema_name.sql", "{% macro generate", "{%- macro source(a, b) %}{% endmacro %}{% macro generate",
         "jinja/generate_schema_name.sql overrides the macro `source`"),
        ("layers/clean/rides_clean.sql", "select", "select", ""),
    ],
)  # fmt: skip
def test_what_its_files_lack_is_said_in_one_line(theirs: Path, file: str, before: str, after: str, told: str) -> None:
    """dbt's own words name neither the cause nor the cure, and it would take SQL of another engine for DuckDB's."""
    path = theirs / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    said = [one.says for one in lacks_before_parsing(OwnProject(theirs), None) if one.is_fatal]
    assert [told in one for one in said] == [True] * bool(told)
    if told:
        with pytest.raises(UsageError, match=r"bicycles|jinja"):
            refuse_before_parsing(OwnProject(theirs), None)


def test_a_model_of_theirs_that_is_called_like_one_of_the_platforms_is_named_with_the_contract(theirs: Path) -> None:
    """dbt would find two tables in one place, or the one hide the other."""
    (theirs / "layers" / "stg_orders.sql").write_text("select 1 as one\n")
    [lack] = lacks_before_parsing(OwnProject(theirs), DBT_PROJECT)
    assert lack.is_fatal
    assert "the contract orders would make a model stg_orders, and bicycles has one, too" in lack.says
    assert "as raw_orders" in lack.says


def test_a_folder_without_a_project_is_none(tmp_path: Path) -> None:
    """A path to the repository instead of the project in it."""
    with pytest.raises(EnvironmentUnusableError, match="is no dbt project"):
        OwnProject(tmp_path)


def test_a_warehouse_with_several_schemas_is_sound(tmp_path: Path) -> None:
    """Tables were read by their names alone: the first one outside of `main` made a sound warehouse a damaged one, and no
    snapshot of it was taken."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema serve")
        connection.execute("create table serve.daily as select 1 as one")
        connection.execute("create table main.daily as select 2 as two")
    assert read_through(tmp_path / "warehouse.duckdb") == 2


def test_what_it_asks_of_the_environment_is_part_of_what_was_parsed(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schema by `env_var` would stay that of the first run: what dbt has parsed is kept by the files alone."""
    monkeypatch.setattr(dbt_manifest, "OWN_DBT_PROJECT", theirs)
    file = theirs / "layers" / "clean" / "rides_clean.sql"
    file.write_text("select 1 as one -- {{ env_var('CITY_SCHEMA', 'city') }}\n")

    def digest(value: str) -> str:
        monkeypatch.setenv("CITY_SCHEMA", value)
        return dbt_manifest._digest_of([("rides_clean.sql", file)])

    assert digest("north") == digest("north")
    assert digest("north") != digest("south")


def test_of_a_model_with_versions_the_latest_is_published_and_each_has_the_name_of_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any project with two versions of a model was refused: the platform knew a table by what dbt calls all of them."""
    monkeypatch.setattr(own_project, "OWN_DBT_PROJECT", tmp_path)

    def model(name: str, version: int | None = None, latest: int | None = None) -> dict[str, object]:
        return {
            "resource_type": "model",
            "name": name,
            "alias": f"{name}_v{version}" if version else name,
            "version": version,
            "latest_version": latest,
            "package_name": "theirs",
            "original_file_path": f"models/{name}.sql",
            "schema": "serve",
            "config": {"materialized": "table", "meta": {"published": True}},
        }

    nodes = {"model.theirs.orders": model("orders")}
    nodes |= {f"model.theirs.customers.v{one}": model("customers", one, 2) for one in (1, 2, 3)}
    path = tmp_path / "manifest.json"
    no_edges: dict[str, list[str]] = {key: [] for key in nodes}
    path.write_text(
        json.dumps(
            {
                "nodes": nodes,
                "sources": {},
                "exposures": {},
                "parent_map": no_edges,
                "child_map": no_edges,
                "metadata": {"project_name": "theirs"},
            }
        )
    )
    assert [(one.name, one.relation) for one in marts(path)] == [
        ("customers_v2", '"serve"."customers_v2"'),
        ("orders", '"serve"."orders"'),
    ]
    names = [node["name"] for node in read_manifest(path)["nodes"].values()]
    assert names == ["orders", "customers_v1", "customers_v2", "customers_v3"]
    assert list(_models(read_manifest(path)["nodes"].values())) == []
    assert [one.says.split(":")[0] for one in _models([nodes["model.theirs.orders"]] * 2)] == [
        "two models are called orders"
    ]


def test_a_model_in_microbatches_is_refused_with_the_reason() -> None:
    """Its batches would hold all rows each, for what it reads is filtered by a column that no contract passes on."""
    [lack] = _models([{"name": "rides", "config": {"incremental_strategy": "microbatch"}}])
    assert lack.is_fatal
    assert "rides is built in microbatches of its event time" in lack.says
    assert "in which rows of any day may come" in lack.says

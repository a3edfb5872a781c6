"""Models that only dbt can build: in Python, or by Jinja that asks the data."""

from pathlib import Path

import pytest

from reliability_platform.mutation.session import Tested, Wanted, mutate
from reliability_platform.mutation.text_report import text_report

ROWS = "".join(f"{n},{'card' if n % 3 else 'cash'},{n}\n" for n in range(1, 41))
FILES = {
    "dbt_project.yml": "{name: till, profile: till}",
    "profiles.yml": "till: {target: dev, outputs: {dev: {type: duckdb, path: till.duckdb}}}",
    "seeds/raw_sales.csv": f"id,paid_by,amount\n{ROWS}",
    "models/stg_sales.sql": "{{ config(materialized='view') }} select * from {{ ref('raw_sales') }}",
    "models/doubled.py": "def model(dbt, session):\n"
    "    dbt.config(materialized='table')\n"
    "    sales = dbt.ref('stg_sales')\n"
    "    return sales.project('id, paid_by, 2 * amount as amount')\n",
    "models/wide.sql": "-- depends_on: {{ source('nowhere', 'till') }}\n{% set labels = run_query('select distinct paid_by from ' ~ ref('stg_sales') ~ ' order by 1') %}"
    "select 1 as one{% if execute %}{% for label in labels.columns[0].values() %}"
    ", sum(amount) filter (where paid_by = '{{ label }}') as paid_{{ label }}"
    "{% endfor %}{% endif %} from {{ ref('doubled') }}",
    "models/direct.sql": "select sum(amount) as total from {{ ref('stg_sales') }}",
    "models/sources.yml": "sources: [{name: nowhere, tables: [{name: till}]}]",
    "models/schema.yml": "models: [{name: doubled, columns: [{name: id, data_tests: [not_null]}]}]",
}


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Tested:
    """The project, and 30 of its mutants."""
    folder: Path = tmp_path_factory.mktemp("till")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    tested = mutate(Wanted(folder, most=30, journal=tmp_path_factory.mktemp("journal")))
    assert not (folder / "till.duckdb").exists()
    return tested


def test_nothing_is_left_out_that_dbt_can_build(tested: Tested) -> None:
    """A Python model, and one whose columns are the labels in the data. A source that is declared and not there is no input."""
    assert [one.name for one in tested.project.left_out] == ["nowhere.till"]
    by_dbt = {one.name: one.through_dbt for one in tested.project.models if one.through_dbt}
    assert by_dbt == {"doubled": "it is written in Python", "wide": "it asks the data while it is compiled"}


def test_a_mutant_reaches_consumers_through_python_and_jinja(tested: Tested) -> None:
    """The broken label is a column of the model that asks for labels; a test of the Python model notices nulls."""
    outcomes = {one.mutant.key: one for one in tested.outcomes}
    label = next(one for key, one in outcomes.items() if "unknown_enum" in key)
    (wide,) = [one for one in label.changes if one.model == "wide"]
    assert "paid_unheard_of" in wide.columns
    nulls = next(one for key, one in outcomes.items() if key.startswith("raw_sales id null_spike"))
    assert [key.split(".")[2] for key, _ in nulls.tests] == ["not_null_doubled_id"]
    assert {"doubled", "wide"} <= {name for one in outcomes.values() for name in one.models}


def test_what_dbt_built_is_said_with_its_cost(tested: Tested) -> None:
    """Mutants that change nothing above these models do not go through dbt."""
    through = [one for one in tested.outcomes if one.dbt_seconds]
    assert 0 < len(through) < len(tested.outcomes)
    assert all(0 < one.dbt_seconds <= one.seconds for one in through)
    assert any(line.startswith(f"{len(through)} mutants went through dbt itself, ") for line in text_report(tested))

"""Models that only dbt can build: in Python, or by Jinja that asks the data."""

from pathlib import Path

import pytest

from reliability_platform.mutation.session import Tested, Wanted, mutate
from reliability_platform.mutation.text_report import text_report

pytestmark = pytest.mark.exhaustive  # 20 s of dbt: a mutant that dbt itself builds takes one to two seconds
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
    "models/sources.yml": "sources: [{name: nowhere, tables: [{name: till}]},"
    " {name: files, config: {meta: {external_location: 'delivered/{name}.csv'}}, tables: [{name: staff}]}]",
    "delivered/staff.csv": "id,wage\n1,10\n2,20\n3,40\n",
    "delivered/rates.csv": "rate\n1\n2\n",
    "models/paid.py": "def model(dbt, session):\n"
    "    return dbt.source('files', 'staff').aggregate('sum(wage) as wages')\n",
    "models/rates.sql": "{% set highest = run_query("
    """ "select coalesce(max(rate), 0) from read_csv('delivered/rates.csv')") %}"""
    "select {{ highest.columns[0].values()[0] if execute else 0 }} as highest, count(*) as counted"
    " from read_csv('delivered/rates.csv')",
    "models/schema.yml": "models: [{name: doubled, columns: [{name: paid_by, data_tests: [not_null]}]}]",
}


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Tested:
    """The project, and 24 of its mutants."""
    folder: Path = tmp_path_factory.mktemp("till")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    tested = mutate(Wanted(folder, most=24, journal=tmp_path_factory.mktemp("journal")))
    assert not (folder / "till.duckdb").exists()
    return tested


def test_nothing_is_left_out_that_dbt_can_build(tested: Tested) -> None:
    """A Python model, and one whose columns are the labels in the data. A source that is declared and not there is no input."""
    assert [one.name for one in tested.project.left_out] == ["nowhere.till"]
    by_dbt = {one.name: one.through_dbt for one in tested.project.models if one.through_dbt}
    python, asks = "it is written in Python", "it asks the data while it is compiled"
    assert by_dbt == {"doubled": python, "paid": python, "wide": asks, "rates": asks}


def test_a_mutant_reaches_consumers_through_python_and_jinja(tested: Tested) -> None:
    """The broken label is a column of the model that asks for labels; a test of the Python model notices nulls."""
    outcomes = {one.mutant.key: one for one in tested.outcomes}
    label = next(one for key, one in outcomes.items() if "unknown_enum" in key)
    (wide,) = [one for one in label.changes if one.model == "wide"]
    assert "paid_unheard_of" in wide.columns
    nulls = next(one for key, one in outcomes.items() if key.startswith("raw_sales paid_by null_spike"))
    assert [key.split(".")[2] for key, _ in nulls.tests] == ["not_null_doubled_paid_by"]
    assert {"doubled", "wide"} <= {name for one in outcomes.values() for name in one.models}


def _sums(tested: Tested, key: str) -> dict[str, tuple[float | None, float | None]]:
    (outcome,) = [one for one in tested.outcomes if one.mutant.key == key]
    return {
        f"{change.model}.{one.column}": (one.before, one.after) for change in outcome.changes for one in change.measures
    }


def test_a_view_that_dbt_built_shows_the_broken_rows(tested: Tested) -> None:
    """`wide` is one. A view names the database that it was made in, and read from here that is the clean one."""
    found = _sums(tested, "raw_sales volume_drop half")
    (before, after) = found["wide.paid_card"]
    assert before == 1094 and after is not None and 300 < after < 800


def test_mutants_of_files_go_through_dbt(tested: Tested) -> None:
    """Of a source's file to a Python model; of one that a query names to that query, and to what is asked while it is compiled."""
    assert _sums(tested, "files.staff duplicate_retry_storm one")["paid.wages"] == (70, 110)
    assert _sums(tested, "rates.csv rate null_spike all")["rates.highest"] == (2, 0)
    assert _sums(tested, "rates.csv duplicate_retry_storm all")["rates.counted"] == (2, 4)


def test_what_dbt_built_is_said_with_its_cost(tested: Tested) -> None:
    """Mutants that change nothing above these models do not go through dbt."""
    through = [one for one in tested.outcomes if one.dbt_seconds]
    assert 0 < len(through) < len(tested.outcomes)
    assert all(0 < one.dbt_seconds <= one.seconds for one in through)
    assert any(line.startswith(f"{len(through)} mutants went through dbt itself, ") for line in text_report(tested))

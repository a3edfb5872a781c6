"""What a mart must add up to stands beside its measures, and the model that compares it is made of that."""

from pathlib import Path

import duckdb
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.generation import Change, OwnReads, planned
from reliability_platform.contracts.reconciliation import comparisons, declared_measures
from reliability_platform.errors import UsageError
from reliability_platform.settings import PROJECT_ROOT
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts, numbers_of

MODEL = "dbt_project/models/reconciliation/rec_silver__vs__gold.sql"
MART = """\
models:
  - name: agg_daily_orders
    columns:
      - {name: event_date, data_type: date}
      - {name: orders, data_type: bigint, config: {meta: {adds_up: {of: orders, value: count(*)}}}}
      - {name: web_share, meta: {adds_up: {of: orders, value: "count(*) filter (where channel = 'web')", times: orders}}}
      - name: in_eur
        config: {meta: {adds_up: {of: orders, value: sum(silver.amount * dim_rates.rate), with: {dim_rates: silver.currency = dim_rates.currency}}}}
"""  # fmt: skip


def project(folder: Path, text: str = MART) -> Path:
    """A project with one mart."""
    marts = folder / "dbt_project" / "models" / "marts"
    marts.mkdir(parents=True)
    (marts / "agg_daily_orders.yml").write_text(text)
    return folder


def test_the_model_compares_each_measure_that_is_declared(tmp_path: Path) -> None:
    """The one big file had to be written by hand for each mart; a mart that nobody had put there was never added up."""
    [text] = [one.text for one in planned(project(tmp_path), CONTRACTS) if one.path == MODEL]
    assert text is not None
    query = text.partition("\n")[2].partition("compared as (")[0].rstrip().rstrip(",")
    for model in ("int_orders__deduplicated", "dim_rates", "agg_daily_orders"):
        query = query.replace(f"{{{{ ref('{model}') }}}}", model)
    with duckdb.connect() as connection:
        connection.execute(
            "create table int_orders__deduplicated as select * from (values (date '2026-01-05', 'web', 10, 'EUR'), "
            "(date '2026-01-05', 'app', 20, 'USD')) as rows (event_date, channel, amount, currency)"
        )
        connection.execute(
            "create table dim_rates as select * from (values ('EUR', 1), ('USD', 2)) as r (currency, rate)"
        )
        connection.execute(
            "create table agg_daily_orders as select date '2026-01-05' as event_date, 2 as orders, 0.5 as web_share, "
            "50 as in_eur"
        )
        sides = [
            *(one.silver for one in comparisons(declared_measures(tmp_path, CONTRACTS))),
            "sums_of_agg_daily_orders",
        ]
        found = [connection.execute(f"{query} select * exclude (event_date) from {one}").fetchall() for one in sides]
    assert [[float(value) for value in rows[0]] for rows in found] == [[2, 1], [50], [2, 1, 50]]
    assert "differences(\n        'orders', 'agg_daily_orders', 'orders_for_agg_daily_orders_2'" in text


def test_a_model_of_an_own_dbt_project_says_what_it_adds_up_to_in_its_own_yml(tmp_path: Path) -> None:
    """Nothing compared the numbers of an own project with silver. Its columns are called as it likes, and which of them has
    the day, if any does, only dbt knows."""
    theirs = tmp_path / "models.yml"
    theirs.write_text(
        "models:\n  - name: totals\n    columns:\n"
        "      - {name: Number of Orders, config: {meta: {adds_up: {of: orders, value: count(*)}}}}\n"
    )
    plan = planned(tmp_path / "around", CONTRACTS, OwnReads(declared=[theirs]))
    [text] = [one.text for one in plan if one.path == MODEL]
    assert text is not None
    assert "{{ own_day('totals', 'event_date') }} as event_date,\n        count(*) as \"Number of Orders\"" in text
    assert '{{ own_day(\'totals\') }} as event_date,\n        sum("Number of Orders") as "Number of Orders"' in text
    assert text.count("group by 1") == 2
    theirs.write_text(theirs.read_text().replace("of: orders", "of: ordrs"))
    with pytest.raises(UsageError, match=r"models.yml, line 4: adds_up of totals.Number of Orders is of 'ordrs'"):
        planned(tmp_path / "around", CONTRACTS, OwnReads(declared=[theirs]))


def test_a_project_that_declares_nothing_has_no_such_model(tmp_path: Path) -> None:
    """And one that declares nothing any more loses it: it would compare nothing."""
    made = project(tmp_path)
    for one in planned(made, CONTRACTS):
        if one.path == MODEL and one.text is not None:
            (made / MODEL).parent.mkdir(parents=True)
            (made / MODEL).write_text(one.text)
    (made / "dbt_project/models/marts/agg_daily_orders.yml").write_text("models: []\n")
    assert [one.change for one in planned(made, CONTRACTS) if one.path == MODEL] == [Change.GONE]


def test_every_number_of_every_mart_of_the_shop_is_added_up() -> None:
    """A measure without a declaration would be published though nothing compares it."""
    declared = {(one.mart, one.name) for one in declared_measures(PROJECT_ROOT, CONTRACTS)}
    manifest = ensure_manifest()
    assert declared == {(mart.name, column) for mart in marts(manifest) for column in numbers_of(mart.name, manifest)}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("of: orders, value: count(*)", "of: ordrs, value: count(*)", "no source"),
        ("of: orders, value: count(*)", "of: orders", "with which value"),
        ("times: orders", "base: orders", "knows no 'base'"),
        ("with: {dim_rates: silver.currency = dim_rates.currency}", "with: dim_rates", "each on a condition"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused_in_one_line(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    """dbt would have failed at the generated SQL, far from what is wrong."""
    assert before in MART
    with pytest.raises(UsageError, match=words) as refused:
        declared_measures(project(tmp_path, MART.replace(before, after, 1)), CONTRACTS)
    assert "agg_daily_orders.yml" in str(refused.value) and "\n" not in str(refused.value)

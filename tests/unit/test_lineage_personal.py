"""What a contract calls personal is published only where the mart says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from reliability_platform.cli.main import cli
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.errors import ExitCode
from reliability_platform.lineage import personal
from reliability_platform.lineage.columns import column_lineage
from reliability_platform.lineage.personal import (
    PersonalDataPublishedError,
    ensure_personal_data_declared,
    undeclared_personal_columns,
)
from reliability_platform.lineage.tracing import inputs_of
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

TABLES = {"people": ["name", "born", "salary", "city"]}


@pytest.fixture(scope="module")
def manifest() -> Path:
    path = ensure_manifest()
    column_lineage(path)
    return path


def personal_too(source: str, column: str) -> Contract:
    """The contract, if it called a column personal as well."""
    contract = CONTRACTS[source]
    columns = tuple(replace(one, pii=one.pii or one.name == column) for one in contract.columns)
    return replace(contract, columns=columns)


def calls_personal(monkeypatch: pytest.MonkeyPatch, source: str, column: str) -> None:
    """As the contract would."""
    monkeypatch.setitem(CONTRACTS, source, personal_too(source, column))


def test_the_marts_of_the_shop_publish_no_personal_data_without_saying_so(manifest: Path) -> None:
    """Nobody had said that the customers of each day may be read by name of their number."""
    assert undeclared_personal_columns(manifest) == []


def test_a_mart_that_shows_personal_data_is_not_published(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column was classified later than the mart was written; it went on being published, through two models."""
    calls_personal(monkeypatch, "payments", "method")
    with pytest.raises(PersonalDataPublishedError) as refused:
        ensure_personal_data_declared(manifest)
    assert "agg_daily_payments.method would publish payments.method" in str(refused.value)
    assert "config: {meta: {personal: true}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_pipeline_of_ones_own_hears_of_it_before_anything_runs(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`generate --check` ended with 0, and the publication of the next morning was stopped."""
    assert manifest.exists()
    good = CliRunner().invoke(cli, ["generate", "--check", "--json"], standalone_mode=False)
    assert (good.return_value, json.loads(good.stdout)["personal_data"]) == (ExitCode.OK, [])
    # As if what was generated knew it already: with the contract alone the generated files would be other ones.
    monkeypatch.setattr(personal, "CONTRACTS", {**CONTRACTS, "payments": personal_too("payments", "method")})
    bad = CliRunner().invoke(cli, ["generate", "--check"], standalone_mode=False)
    assert bad.return_value is ExitCode.NOT_HEALED
    assert "agg_daily_payments.method would publish payments.method" in bad.stdout


def test_what_only_counts_or_joins_personal_data_shows_none(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum of quantities is of many orders, and a merchant's category is no merchant."""
    for column in ("quantity", "merchant_id", "event_time"):
        calls_personal(monkeypatch, "orders", column)
    found = {(one.mart, one.column) for one in undeclared_personal_columns(manifest)}
    assert found == {(mart, "event_date") for mart in ("agg_daily_revenue", "fct_customer_days")}


@pytest.mark.parametrize(
    ("expression", "shows"),
    [
        ("name", True),
        ("upper(name) || city", True),
        ("max(name)", True),
        ("coalesce(name, 'nobody')", True),
        ("any_value(born)", True),
        ("sha256(name)", False),
        ("md5(name || city)", False),
        ("count(distinct name)", False),
        ("sum(salary)", False),
        ("max(born > date '2000-01-01')", False),
        ("count(*) filter (where name is not null)", False),
        ("max(case when name = 'x' then 1 else 0 end)", False),
        ("coalesce(max(name), sha256(name))", True),
    ],
)
def test_a_value_shows_unless_it_is_digested_counted_or_compared(expression: str, shows: bool) -> None:
    """By the SQL that people write."""
    inputs = inputs_of(f"select {expression} as made from people group by all", TABLES)["made"]
    seen = {one.column for one in inputs if one.kind == "direct" and not one.is_covered} - {"city"}
    assert bool(seen) is shows

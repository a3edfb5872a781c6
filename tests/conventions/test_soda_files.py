"""The Soda files check what the contracts and the marts hold."""

from typing import Any

import pytest
import yaml

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.settings import DBT_PROJECT, SODA_CHECKS

MARTS = sorted(
    path.stem for path in (DBT_PROJECT / "models" / "marts").glob("*.sql") if path.stem.startswith(("agg_", "fct_"))
)


def _checks(dataset: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """By name: what is measured, and the rest of the check."""
    document = yaml.safe_load((SODA_CHECKS / f"{dataset}.yml").read_text())
    lists = [checks for section, checks in document.items() if section.startswith("checks for")]
    pairs = [pair for checks in lists for check in checks for pair in check.items()]
    return {body["name"]: (measured, body) for measured, body in pairs}


def _required(dataset: str) -> set[str]:
    return set(_checks(dataset)[f"{dataset}__schema"][1]["fail"]["when required column missing"])


@pytest.mark.parametrize("source", SOURCES)
def test_each_rule_of_a_contract_is_a_check_of_its_staging_table(source: str) -> None:
    """A column that a contract gained would be delivered empty, and no check would say so."""
    dataset, contract = f"stg_{source}", CONTRACTS[source]
    checks = _checks(dataset)
    assert {column.name for column in contract.columns} <= _required(dataset)
    for column in contract.columns:
        if column.required and not column.json:
            assert f"missing_percent({column.name})" in checks[f"{dataset}__missing_{column.name}"][0]
        if column.valid_values:
            assert checks[f"{dataset}__valid_{column.name}"][1]["valid values"] == list(column.valid_values)
        if column.maximum is not None:
            found = checks[f"{dataset}__range_{column.name}"][1]
            assert (found["valid min"], found["valid max"]) == (float(column.minimum or 0), float(column.maximum))


@pytest.mark.parametrize("mart", MARTS)
def test_each_measure_of_a_mart_is_checked(mart: str) -> None:
    """Five measures of two marts could have been negative or null without a word."""
    (model,) = yaml.safe_load((DBT_PROJECT / "models" / "marts" / f"{mart}.yml").read_text())["models"]
    columns = {column["name"]: column["data_type"] for column in model["columns"]}
    assert set(columns) == _required(mart)
    measures = set(columns) - set(model["config"]["unique_key"])
    checks = _checks(mart)
    said = checks[f"{mart}__possible_measures"][1]["impossible_rows expression"]
    shares = {name for name in measures if name.endswith("_share")}
    for name in measures - shares:
        assert f"{name} < 0 or {name} is null" in said, name
    for name in shares:
        assert f"invalid_count({name})" in checks[f"{mart}__share_within_bounds"][0]

"""A dbt project as a careful team would write it on the landed files: staging, silver, five marts, and every rule that the
contracts declare as a test of dbt, or as a check of Soda. Nothing in it is the platform's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import Column, Contract
from tests.bench.floor import MARTS

PROFILE = {
    "team": {
        "target": "warehouse",
        "outputs": {
            "warehouse": {
                "type": "duckdb",
                "path": "{{ env_var('TEAM_WAREHOUSE') }}",
                "threads": 2,
                "settings": {"TimeZone": "UTC", "enable_progress_bar": False},
            }
        },
    }
}
STAGING = """
{{{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='landing_date') }}}}
select {columns}, landing_date::date as landing_date, filename as file, file_row_number as row_number, event_time::date as event_date
from read_parquet(
    '{{{{ env_var("TEAM_LANDING") }}}}/{source}/landing_date={{{{ var("days") }}}}/*.parquet',
    hive_partitioning = true, filename = true, file_row_number = true, union_by_name = true
)
"""
SILVER = """
{{{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key={key}) }}}}
select * from {{{{ ref('stg_{source}') }}}}
{{% if is_incremental() %}}
where ({key_list}) in (select {key_list} from {{{{ ref('stg_{source}') }}}} where landing_date = '{{{{ var("day") }}}}')
{{% endif %}}
qualify row_number() over (partition by {key_list} order by landing_date, file, row_number) = 1
"""
ON_THE_DAY = "landing_date = '{{ var(\"day\") }}'"
REFERENCES = ("customers", "merchants", "products", "currency_rates")


def write_project(folder: Path, packages: dict[str, Path]) -> None:
    """The project below `folder`; with Elementary's tests if it is among the packages, which are linked."""
    with_elementary = "elementary" in packages
    settings: dict[str, Any] = {
        "name": "team",
        "version": "1.0.0",
        "profile": "team",
        "flags": {"send_anonymous_usage_stats": False},
        "models": {"team": {"+materialized": "table"}},
        "vars": {"day": "2026-01-01", "days": "*"},
    }
    if with_elementary:
        settings["models"]["elementary"] = {"+schema": "elementary"}
        settings["vars"]["elementary"] = {"disable_freshness_anomalies": False}
    _write(folder / "dbt_project.yml", settings)
    _write(folder / "profiles.yml", PROFILE)
    (folder / "dbt_packages").mkdir(parents=True)
    for name, place in packages.items():
        (folder / "dbt_packages" / name).symlink_to(place)
    _write(folder / "packages.yml", {"packages": [{"local": f"dbt_packages/{name}"} for name in packages]})
    models = folder / "models"
    for name in REFERENCES:
        _sql(
            models / f"{name}.sql",
            f"select * from read_parquet('{{{{ env_var(\"TEAM_REFERENCE\") }}}}/{name}.parquet')",
        )
    for source in SOURCES:
        contract = CONTRACTS[source]
        columns = ", ".join(f"{one.name}::{one.type} as {one.name}" for one in contract.columns)
        _sql(models / f"stg_{source}.sql", STAGING.format(source=source, columns=columns))
        key = ", ".join(contract.key)
        _sql(models / f"int_{source}.sql", SILVER.format(source=source, key=list(contract.key), key_list=key))
    for name, sql in MARTS.items():
        _sql(models / f"mart_{name}.sql", _mart(sql))
    said = [_staging_tests(CONTRACTS[source], with_elementary) for source in SOURCES]
    said += [{"name": f"int_{source}", "columns": list(_keys(CONTRACTS[source]))} for source in SOURCES]
    _write(models / "tests.yml", {"version": 2, "models": said})
    _sql(
        folder / "tests" / "generic" / "holds.sql",
        "{% test holds(model, condition) %}select * from {{ model }} where not ({{ condition }}){% endtest %}",
    )


def _mart(sql: str) -> str:
    """The floor's own query over models of dbt; a number of a column is given a name."""
    for source in SOURCES:
        sql = sql.replace(f"from {source} ", f"from {{{{ ref('int_{source}') }}}} as {source} ").replace(
            f"as {source} as ", "as "
        )
    sql = sql.replace("join merchants ", "join {{ ref('merchants') }} ").replace(
        "join rates ", "join {{ ref('currency_rates') }} as rates "
    )
    return sql.replace("{dates}", "true")


def _staging_tests(contract: Contract, with_elementary: bool) -> dict[str, Any]:
    columns = [{"name": one.name, "data_tests": list(_tests_of(one))} for one in contract.columns]
    tests: list[Any] = [
        {"holds": {"condition": condition, "config": {"where": ON_THE_DAY}}} for condition in _ranges(contract)
    ]
    if with_elementary:
        tests += list(_anomalies(contract))
    return {"name": f"stg_{contract.source}", "columns": columns, "data_tests": tests}


def _tests_of(column: Column) -> Iterator[Any]:
    where = {"config": {"where": ON_THE_DAY}}
    if column.required:
        yield {"not_null": where}
    if column.valid_values:
        yield {"accepted_values": {"values": list(column.valid_values), **where}}
    if column.references is not None and column.references.table in REFERENCES:
        to = {"to": f"ref('{column.references.table}')", "field": column.references.column}
        yield {"relationships": {**to, **where}}


def _ranges(contract: Contract) -> Iterator[str]:
    for one in contract.columns:
        if one.minimum is not None:
            yield f"{one.name} is null or {one.name} >= {one.minimum}"
        if one.maximum is not None:
            yield f"{one.name} is null or {one.name} <= {one.maximum}"
        if one.json:
            yield f"json_valid({one.name})"
    yield "event_time < landing_date + interval 1 day"


def _anomalies(contract: Contract) -> Iterator[Any]:
    """What Elementary's guide has on every table: volume, freshness, all columns, schema, and labels as dimensions."""
    by_day = {"timestamp_column": "landing_date"}
    yield {"elementary.volume_anomalies": by_day}
    yield {"elementary.all_columns_anomalies": by_day}
    yield {"elementary.schema_changes": {}}
    yield {
        "elementary.event_freshness_anomalies": {
            "event_timestamp_column": "event_time",
            "update_timestamp_column": "landing_date",
        }
    }
    labels = [one.name for one in contract.columns if one.valid_values]
    for label in labels:
        yield {"elementary.dimension_anomalies": {**by_day, "dimensions": [label]}}


def _keys(contract: Contract) -> Iterator[dict[str, Any]]:
    for name in contract.key if len(contract.key) == 1 else ():
        yield {"name": name, "data_tests": [{"unique": {"config": {"where": ON_THE_DAY}}}, "not_null"]}


def write_soda(folder: Path) -> None:
    """The same rules as checks of Soda, with the volume that a team would put down after a month of looking."""
    checks: dict[str, Any] = {}
    for source in SOURCES:
        contract = CONTRACTS[source]
        table = f"stg_{source}"
        checks[f"filter {table} [day]"] = {"where": "landing_date = DATE '${DAY}'"}
        checks[f"checks for {table} [day]"] = list(_soda_checks(contract))
        checks[f"checks for int_{source}"] = [f"duplicate_count({', '.join(contract.key)}) = 0"]
    _write(folder / "checks.yml", checks)
    connection = {"type": "duckdb", "path": "${TEAM_WAREHOUSE}", "read_only": True}
    _write(folder / "configuration.yml", {"data_source warehouse": connection})


def _soda_checks(contract: Contract) -> Iterator[Any]:
    yield "row_count > 0"
    for one in contract.columns:
        if one.required:
            yield f"missing_count({one.name}) = 0"
        if one.valid_values:
            yield {f"invalid_count({one.name}) = 0": {"valid values": list(one.valid_values)}}
        limits = {"valid min": one.minimum, "valid max": one.maximum}
        if given := {name: value for name, value in limits.items() if value is not None}:
            yield {f"invalid_count({one.name}) = 0": given}
        if one.references is not None and one.references.table in REFERENCES:
            query = (
                f"select {one.name} from stg_{contract.source} where landing_date = DATE '${{DAY}}' and {one.name} is not null "
                f"and {one.name} not in (select {one.references.column} from {one.references.table})"
            )
            yield {"failed rows": {"name": f"{one.name} is unknown", "fail query": query}}
        if one.json:
            query = f"select * from stg_{contract.source} where landing_date = DATE '${{DAY}}' and not json_valid({one.name})"
            yield {"failed rows": {"name": f"{one.name} is no JSON", "fail query": query}}
    query = f"select * from stg_{contract.source} where landing_date = DATE '${{DAY}}' and event_time >= landing_date + interval 1 day"
    yield {"failed rows": {"name": "event_time is in the future", "fail query": query}}


def _sql(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.strip() + "\n")


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

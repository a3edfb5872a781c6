"""The contract of each source: columns, types, key, event time, allowed values, schedule, deadline, owner.

Declared in one YAML file per source beside this module, in the field names of the Open Data Contract Standard v3
(https://bitol-io.github.io/open-data-contract-standard/). Admission and checks read the contract, never the source.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

ARROW_TYPES = {
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "VARCHAR": pa.string(),
    "TIMESTAMP": pa.timestamp("us"),
    "DATE": pa.date32(),
    "DECIMAL(12,2)": pa.decimal128(12, 2),
}


@dataclass(frozen=True)
class Column:
    """One column as the contract promises it."""

    name: str
    type: str
    """DuckDB's name of the type."""
    required: bool
    valid_values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    references: str | None = None
    """`table.column` of the reference data."""
    pii: bool = False
    json: bool = False


@dataclass(frozen=True)
class Contract:
    """What a source promises."""

    source: str
    key: str
    event_time: str
    columns: tuple[Column, ...]
    batches_per_day: int
    deadline_minutes: int
    owner: str
    critical: bool
    announced: tuple[str, ...] = ()
    """Nullable columns that will come: rescued without a word until the contract takes them in."""

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """The columns as Arrow types, in the contract's order."""
        return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in self.columns])


def _column(declared: dict[str, Any]) -> Column:
    rules = {rule["rule"]: rule for rule in declared.get("quality", [])}
    low, high = rules.get("range", {}).get("mustBeBetween", (None, None))
    return Column(
        name=declared["name"],
        type=declared["physicalType"],
        required=declared.get("required", False),
        valid_values=tuple(rules.get("validValues", {}).get("validValues", ())),
        minimum=low,
        maximum=high,
        references=next((link["to"] for link in declared.get("relationships", [])), None),
        pii=declared.get("classification") == "personal",
        json="jsonObject" in rules,
    )


def read_contract(path: Path) -> Contract:
    """Read one contract file."""
    declared = yaml.safe_load(path.read_text())
    schema = declared["schema"][0]
    sla = {item["property"]: item["value"] for item in declared["slaProperties"]}
    custom = {item["property"]: item["value"] for item in declared["customProperties"]}
    return Contract(
        source=schema["name"],
        key=next(column["name"] for column in schema["properties"] if column.get("primaryKey")),
        event_time=custom["eventTime"],
        columns=tuple(_column(column) for column in schema["properties"]),
        batches_per_day=sla["frequency"],
        deadline_minutes=sla["latency"],
        owner=declared["team"][0]["username"],
        critical=custom["critical"],
        announced=tuple(custom.get("announcedColumns", ())),
    )


CONTRACTS = {
    contract.source: contract
    for contract in (read_contract(path) for path in sorted(Path(__file__).parent.glob("*.yml")))
}

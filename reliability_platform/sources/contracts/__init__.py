"""The contract of each source: columns, types, key, event time, allowed values, schedule, deadline, owner.

Declared in one YAML file per source beside this module, in the field names of the Open Data Contract Standard v3
(https://bitol-io.github.io/open-data-contract-standard/). Admission and checks read the contract, never the source.

A column may say under which other names it comes, and in which zone moments are meant that name none:

    {name: customer_id, …, customProperties: [{property: aliases, value: [user_id]}]}
    {name: event_time, …, logicalTypeOptions: {defaultTimezone: Europe/Berlin}}

A file under a declared alias is read as the column at once. Moments without a zone are UTC where they come as
timestamps, and nobody's where they come as text, unless the column declares its zone.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pyarrow as pa

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.sources.rejections import Rejection, rejections
from reliability_platform.yaml_text import read_yaml

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
    aliases: tuple[str, ...] = ()
    """Other names under which the producer may send it."""
    zone: str | None = None
    """The zone of moments that name none."""


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

    @cached_property
    def rejections(self) -> dict[str, Rejection]:
        """What each code says for which staging rejects a row."""
        return rejections(self.arrow_schema.names)

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Each declared alias, and the column that it stands for."""
        return {alias: column.name for column in self.columns for alias in column.aliases}

    @cached_property
    def zones(self) -> dict[str, str]:
        """The columns that declare the zone of moments without one."""
        return {column.name: column.zone for column in self.columns if column.zone is not None}


def _column(declared: dict[str, Any]) -> Column:
    rules = {rule["rule"]: rule for rule in declared.get("quality", [])}
    low, high = rules.get("range", {}).get("mustBeBetween", (None, None))
    custom = {item["property"]: item["value"] for item in declared.get("customProperties", [])}
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
        aliases=_names(custom.get("aliases", [])),
        zone=declared.get("logicalTypeOptions", {}).get("defaultTimezone"),
    )


def _names(declared: Any) -> tuple[str, ...]:
    """Aliases as a list of names; a single name is not taken apart into its letters."""
    if not isinstance(declared, list) or not all(isinstance(name, str) and name for name in declared):
        raise ValueError(f"aliases are a list of names, not {declared!r}")
    return tuple(declared)


def _objections(contract: Contract) -> list[str]:
    """What a contract says about names and zones that cannot be meant."""
    taken = Counter([*contract.arrow_schema.names, *contract.announced])
    taken.update(alias for column in contract.columns for alias in column.aliases)
    found = [f"{name} stands for more than one column" for name, times in taken.items() if times > 1]
    for name, zone in contract.zones.items():
        if zone not in available_timezones():
            found.append(f"{name} has the zone {zone!r}, which does not exist")
        if not pa.types.is_timestamp(contract.arrow_schema.field(name).type):
            found.append(f"{name} has a zone, and is no TIMESTAMP")
    return found


def read_contract(path: Path) -> Contract:
    """Read one contract file. Raises `EnvironmentUnusableError` if its names or zones contradict each other."""
    try:
        contract = _read(read_yaml(path.read_text()))
    except ValueError as error:
        raise EnvironmentUnusableError(f"{path}: {error}.") from None
    objections = _objections(contract)
    if objections:
        raise EnvironmentUnusableError(f"{path}: {'; '.join(objections)}.")
    return contract


def _read(declared: Any) -> Contract:
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

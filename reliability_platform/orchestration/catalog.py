"""What the catalog of the UI says of the assets that dbt does not make: whose they are, and what columns they have."""

import re
from typing import Any

import dagster as dg
import pyarrow as pa

from reliability_platform.contracts import CONTRACTS

COLUMNS = "dagster/column_schema"
"""The metadata in which Dagster looks for the columns of a table."""
_MAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")
"""What Dagster takes for a mail address."""
PLATFORM_OWNERS = ["data-platform@example.com"]
"""Of what the platform tells about itself; as the dbt project says of its own layers."""


def columns_of(source: str) -> dict[str, Any]:
    """Metadata: the columns that the contract of a source promises."""
    columns = [
        dg.TableColumn(one.name, one.type, constraints=dg.TableColumnConstraints(nullable=not one.required))
        for one in CONTRACTS[source].columns
    ]
    return {COLUMNS: dg.TableSchema(columns)}


def columns_in(schema: pa.Schema) -> dict[str, Any]:
    """Metadata: the columns that files of the platform have."""
    return {COLUMNS: dg.TableSchema([dg.TableColumn(field.name, str(field.type)) for field in schema])}


def owners_of(source: str) -> list[str]:
    """Whoever answers for a source, by its contract."""
    return [as_owner(CONTRACTS[source].owner)]


def as_owner(said: str) -> str:
    """An owner as Dagster takes one: a mail address, else a team. A name that is neither stopped every run."""
    return said if _MAIL.fullmatch(said) else f"team:{said.removeprefix('team:')}"

"""What the catalog of the UI says of the assets that dbt does not make: whose they are, and what columns they have."""

from typing import Any

import dagster as dg

from reliability_platform.contracts import CONTRACTS

COLUMNS = "dagster/column_schema"
"""The metadata in which Dagster looks for the columns of a table."""
PLATFORM_OWNERS = ["data-platform@example.com"]
"""Of what the platform tells about itself; as the dbt project says of its own layers."""


def columns_of(source: str) -> dict[str, Any]:
    """Metadata: the columns that the contract of a source promises."""
    columns = [
        dg.TableColumn(one.name, one.type, constraints=dg.TableColumnConstraints(nullable=not one.required))
        for one in CONTRACTS[source].columns
    ]
    return {COLUMNS: dg.TableSchema(columns)}


def owners_of(source: str) -> list[str]:
    """Whoever answers for a source, by its contract."""
    return [CONTRACTS[source].owner]

"""The operations store: check results, incidents, ledgers. Its tables, and the one way to open it."""

from reliability_platform.operations.engine import (
    dagster_engine,
    dagster_schema,
    operations_engine,
    store_error,
    store_url,
    unusable_folder,
)

__all__ = ["dagster_engine", "dagster_schema", "operations_engine", "store_error", "store_url", "unusable_folder"]

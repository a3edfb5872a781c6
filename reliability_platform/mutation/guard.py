"""A dbt-duckdb plugin that lets DuckDB reach nothing but the private copy and the files that the project reads.

Named in the private profile alone. It acts once extensions are loaded and before databases are attached; DuckDB refuses to
have its external access enabled again while it runs, so no hook and no model can undo it.
"""

from collections.abc import Sequence
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from reliability_platform.mutation.sql_text import literal


def confine(connection: duckdb.DuckDBPyConnection, folders: Sequence[str], files: Sequence[str]) -> None:
    """Let the database of this connection open nothing outside of these folders and files from now on."""
    connection.execute(f"set allowed_directories = [{', '.join(map(literal, folders))}]")
    connection.execute(f"set allowed_paths = [{', '.join(map(literal, files))}]")
    connection.execute("set enable_external_access = false")


class GuardPlugin(BasePlugin):  # type: ignore[misc]
    """Its configuration has `folders` and `files`, both as absolute paths."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Called by dbt-duckdb with the configuration."""
        self._folders, self._files = plugin_config["folders"], plugin_config["files"]

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Called by dbt-duckdb once it has connected."""
        confine(conn, self._folders, self._files)


Plugin = GuardPlugin
"""The name that dbt-duckdb looks for."""

"""Makes every dbt process take the warehouse lease before it opens the DuckDB file, and find there by what rules the
platform builds, from the shell too.

Named in `dbt_project/profiles.yml`. Inside the platform the caller holds the lease already; in a `dbt` started from
the shell the lease lasts as long as the process.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags
from duckdb.func import FunctionNullHandling
from duckdb.sqltypes import VARCHAR

from reliability_platform.home_path import checked
from reliability_platform.json_text import fault_of
from reliability_platform.settings import keep_private, load_settings
from reliability_platform.warehouse.build_rules import note_build_rules
from reliability_platform.warehouse.corrected import note_corrected
from reliability_platform.warehouse.dbt_manifest import DUCKDB
from reliability_platform.warehouse.fitting import fit_tables
from reliability_platform.warehouse.lease import is_held, take_lease
from reliability_platform.warehouse.spark.tables import keep_as_tables


def _landing_days() -> tuple[date, date]:
    """Those of this invocation, both included, as the macros `window_start` and `window_end` tell them; all if none are given."""
    flags = get_flags()  # type: ignore[no-untyped-call]
    first, end = (getattr(flags, name, None) for name in ("EVENT_TIME_START", "EVENT_TIME_END"))
    return (first.date() if first else date.min, end.date() - timedelta(days=1) if end else date.max)


class Plugin(BasePlugin):  # type: ignore[misc]
    """The class that dbt-duckdb looks for."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Called by dbt-duckdb once it has connected: what staging asks for and SQL cannot say."""
        note_build_rules(self._settings, conn)
        note_corrected(self._settings, conn, *_landing_days())
        if self._settings.engine == DUCKDB:
            keep_as_tables(conn)
            fit_tables(self._settings, conn)
        conn.create_function("json_fault", fault_of, [VARCHAR], VARCHAR, null_handling=FunctionNullHandling.SPECIAL)

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Called by dbt-duckdb right before it connects."""
        del config
        home = checked(Path(creds.path).parent)
        # Whoever starts dbt from the shell is told of a misspelt setting, too.
        self._settings = settings = load_settings(home)
        keep_private(settings)
        if not is_held(settings):
            take_lease(settings)

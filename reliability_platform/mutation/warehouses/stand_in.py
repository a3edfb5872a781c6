"""What stands in for the adapter of another warehouse: DuckDB's adapter under its name.

So `target.type` is what the project expects, macros are dispatched to its own for that warehouse first, then to DuckDB's, and
all of dbt's materializations work; each query is translated where dbt puts it into a statement. No connection is made.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from reliability_platform.mutation.sql_text import quoted
from reliability_platform.mutation.warehouses.translation import DIALECTS, NoCounterpartError, Translations

VERSION = "1.11.0"
ASKS = re.compile(r"\s*(/\*.*?\*/\s*)?(select|with)\b", re.IGNORECASE | re.DOTALL)
AS_DBT_DOES = ("snowflake", "redshift", "databricks", "spark")
"""Warehouses whose date functions are those that dbt's own macros write by default."""


@contextmanager
def stood_in(kind: str, folder: Path) -> Iterator[Translations]:
    """Let DuckDB's adapter be found as that of `kind` by this process. `folder` is for the macros that go with it."""
    from dbt.adapters.base.plugin import AdapterPlugin
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import FACTORY

    translations = Translations(DIALECTS.get(kind, "duckdb"))
    manager = type("StandInConnections", (DuckDBConnectionManager,), {"TYPE": kind, "_ENV": None})
    plugin = AdapterPlugin(
        adapter=_adapter(kind, manager, translations),
        credentials=_credentials(kind),
        include_path=str(_macros(kind, folder)),
        dependencies=["duckdb"],
    )
    name = f"dbt.adapters.{kind}"
    modules = {name: ModuleType(name), f"{name}.__version__": ModuleType(f"{name}.__version__")}
    modules[name].Plugin = plugin  # type: ignore[attr-defined]
    modules[f"{name}.__version__"].version = VERSION  # type: ignore[attr-defined]
    before = {each: sys.modules.get(each) for each in modules}
    sys.modules.update(modules)
    try:
        yield translations
    finally:
        FACTORY.reset_adapters()  # type: ignore[no-untyped-call]
        FACTORY.plugins.pop(kind, None)
        FACTORY.packages.pop(plugin.project_name, None)
        for each, module in before.items():
            if module is None:
                sys.modules.pop(each, None)
            else:
                sys.modules[each] = module


def _adapter(kind: str, manager: Any, translations: Translations) -> Any:
    from dbt.adapters.base.meta import available
    from dbt.adapters.duckdb.impl import DuckDBAdapter
    from dbt_common.exceptions import DbtRuntimeError

    class StandInAdapter(DuckDBAdapter):  # type: ignore[misc]
        """DuckDB's, which translates what its macros give it."""

        ConnectionManager = manager

        @available  # type: ignore[untyped-decorator]
        def translated(self, sql: str) -> str:
            """The query for DuckDB."""

            try:
                return translations.of(sql, self._runs)
            except NoCounterpartError as error:
                raise DbtRuntimeError(str(error)) from None

        def execute(self, sql: str, auto_begin: bool = False, fetch: bool = False, limit: int | None = None) -> Any:
            """What a macro asks the database, as the bounds of a date spine, is translated where it does not run as it is."""
            if fetch and ASKS.match(sql) and not self._runs(sql):
                with suppress(NoCounterpartError):
                    sql = translations.of(sql, self._runs)
            return super().execute(sql, auto_begin, fetch, limit)

        @staticmethod
        def _runs(sql: str) -> bool:
            if manager._ENV is None or manager._ENV.conn is None:
                return True  # nothing of the project was asked yet
            # Beside the connection of the model, whose transaction a query that does not run would end.
            with manager._ENV.conn.cursor() as cursor:
                try:
                    cursor.execute(f"explain {sql}")
                except Exception:
                    return False
            return True

        @available  # type: ignore[untyped-decorator]
        def load_rows(self, relation: str, table: Any) -> None:
            """Load a seed as dbt has read it: DuckDB refuses files with short rows, which other warehouses get."""
            values = [[None if one is None else str(one) for one in column.values()] for column in table.columns]
            if len(table.rows):
                lists = ", ".join(["unnest(?::varchar[])"] * len(values))
                names = ", ".join(map(quoted, table.column_names))
                self.add_query(
                    f"insert into {relation} ({names}) select {lists}", bindings=values, abridge_sql_log=True
                )

    # dbt finds the module of an adapter by the name of its class.
    StandInAdapter.__name__ = f"{kind.capitalize()}Adapter"
    return StandInAdapter


def _credentials(kind: str) -> Any:
    from dbt.adapters.duckdb.credentials import DuckDBCredentials

    @dataclass
    class StandInCredentials(DuckDBCredentials):  # type: ignore[misc]
        """DuckDB's, under another name; what a project may ask its target for is there and empty."""

        @property
        def type(self) -> str:
            return kind

        def connection_info(self, *, with_aliases: bool = False) -> Iterator[tuple[str, Any]]:
            yield from dict.fromkeys(("account", "warehouse", "role", "user", "host", "location"), "").items()
            yield from (("project", self.database), ("dataset", self.schema))
            yield from super().connection_info(with_aliases=with_aliases)

    return StandInCredentials


def _macros(kind: str, folder: Path) -> Path:
    """The package of macros that dbt looks through first for this adapter."""
    written = [Path(__file__).with_name("stand_in.sql.j2").read_text(encoding="utf-8")]
    dates = "as_dbt_does" if kind in AS_DBT_DOES else kind
    path = Path(__file__).with_name(f"dates_{dates}.sql.j2")
    written += [path.read_text(encoding="utf-8")] if path.exists() else []
    package = folder / "stand_in" / kind  # dbt takes its name for that of the package
    (package / "macros").mkdir(parents=True)
    (package / "dbt_project.yml").write_text(
        f"name: dbt_{kind}\nversion: 1.0\nconfig-version: 2\nmacro-paths: [macros]\n"
    )
    (package / "macros" / "stand_in.sql").write_text("\n".join(written).replace("KIND__", f"{kind}__"))
    return package

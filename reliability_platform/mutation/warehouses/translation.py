"""SQL of another warehouse as SQL of DuckDB, by sqlglot; what has no counterpart raises, with the construct."""

import re
from collections.abc import Callable

from reliability_platform.counted import counted
from reliability_platform.formats import printable

DIALECTS = {
    **{one: one for one in ("snowflake", "bigquery", "redshift", "postgres", "databricks", "spark", "trino", "athena", "clickhouse")},
    **{one: one for one in ("mysql", "oracle", "starrocks", "materialize", "risingwave", "dremio", "doris", "teradata", "exasol")},
    **dict.fromkeys(("sqlserver", "synapse", "fabric"), "tsql"),
    "singlestore": "singlestore",
}  # fmt: skip
"""Adapters of dbt → sqlglot's names of what they speak."""
BACKTICKED = frozenset({"bigquery", "databricks", "spark", "mysql", "starrocks", "doris", "singlestore", "clickhouse"})
"""Dialects in which a double quote begins a text: relations, as DuckDB's adapter renders them, are quoted otherwise first."""
RELATION = re.compile(r'"([^"\n`]+)"\."([^"\n`]+)"\."([^"\n`]+)"')
MAX_REASON = 200


class NoCounterpartError(Exception):
    """A query that cannot be translated; its text says which construct."""


def translate(sql: str, dialect: str) -> str:
    """One query. Raises `NoCounterpartError`."""
    from sqlglot import ErrorLevel, parse
    from sqlglot.errors import SqlglotError

    if dialect in BACKTICKED:
        sql = RELATION.sub(r"`\1`.`\2`.`\3`", sql)
    try:
        found = [one for one in parse(sql, read=dialect) if one is not None]
        if len(found) != 1:
            raise NoCounterpartError(f"{len(found)} statements where one is expected")
        return found[0].sql("duckdb", unsupported_level=ErrorLevel.RAISE, comments=False)
    except SqlglotError as error:
        said = printable(" ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split()), MAX_REASON)
        raise NoCounterpartError(f"it cannot be translated from {dialect}: {said}") from None
    except RecursionError:
        raise NoCounterpartError(f"it cannot be translated from {dialect}: it is nested too deep") from None


class Translations:
    """What the queries of one project became, by their text."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.as_written: set[str] = set()
        """Queries that run in DuckDB as they are, and not as they were translated."""
        self._found: dict[str, str] = {}

    @property
    def said(self) -> str:
        """For people."""
        translated = len(self._found) - len(self.as_written)
        same = f"; {counted(len(self.as_written), 'query')} could be run as written alone" if self.as_written else ""
        return f"{counted(translated, 'query')} translated from {self.dialect} to DuckDB{same}"

    def of(self, sql: str, runs: Callable[[str], bool] = lambda _: True) -> str:
        """The query for DuckDB: translated, or as it is written if only that runs. Raises `NoCounterpartError`."""
        key = sql.strip()
        if key not in self._found:
            try:
                translated = translate(key, self.dialect)
            except NoCounterpartError:
                if not runs(key):
                    raise
                translated = key
                self.as_written.add(key)
            if translated != key and not runs(translated) and runs(key):
                translated = key
                self.as_written.add(key)
            self._found[key] = translated
        return self._found[key]

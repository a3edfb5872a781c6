"""A statement of Spark as the guard of statements reads it, and what Spark can write to without naming a table."""

import re
from collections.abc import Callable

from sqlglot import TokenType
from sqlglot.dialects.spark import Spark as SparkSql
from sqlglot.errors import TokenError

from reliability_platform.mutation.errors import ServerStatementError
from reliability_platform.mutation.servers.statement_guard import MAX_SHOWN, READS, refuse_foreign

SPARK_READS = READS | {"describe", "desc", "use", "refresh", "cache", "uncache", "list"}
FORMATS = frozenset(("parquet", "orc", "avro", "csv", "json", "text", "hive", "delta", "iceberg", "hudi"))
"""Kinds of tables whose rows lie in the folder of their schema; of another kind, as `jdbc`, they lie elsewhere."""
ELSEWHERE = re.compile(r"\blocation ''|\boptions \([^)]*\bpath\b", re.IGNORECASE)
KIND = re.compile(r"\busing (\w+)", re.IGNORECASE)
OVERWRITES = re.compile(r"\binsert overwrite (?:table )?", re.IGNORECASE)


def refuse_foreign_of_spark(sql: str, is_own: Callable[[str, list[str]], bool]) -> None:
    """Raise `ServerStatementError` for a statement that would change what is not the run's; `is_own` as in `refuse_foreign`."""
    try:
        plain = _plain(sql)
    except TokenError:
        raise ServerStatementError(f"what it would change cannot be told: {sql.strip()[:MAX_SHOWN]!r}") from None
    refuse_foreign(OVERWRITES.sub("insert into ", plain), is_own, SPARK_READS)
    if plain.lower().startswith(("create", "alter", "replace")):
        kind = KIND.search(plain)
        if ELSEWHERE.search(plain) or (kind is not None and kind.group(1).lower() not in FORMATS):
            raise ServerStatementError(
                f"it would write to a place outside of the run's own schemas: {plain[:MAX_SHOWN]!r}"
            )


def _plain(sql: str) -> str:
    """Without comments and the content of texts, names in double quotes, and a space between words."""
    words = []
    for token in SparkSql().tokenize(sql):
        if token.token_type == TokenType.IDENTIFIER:
            words.append('"' + re.sub(r"\W", "_", token.text) + '"')
        elif token.token_type == TokenType.STRING:
            # The name of an option can be written as a text.
            words.append("path" if token.text.lower() == "path" else "''")
        else:
            words.append(token.text)
    return " ".join(words)

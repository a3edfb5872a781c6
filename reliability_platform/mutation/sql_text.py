"""SQL as text: quoting, the relations that a compiled query names, and the files that it reads."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

READERS = frozenset(
    {"read_csv", "read_csv_auto", "read_parquet", "parquet_scan", "read_json", "read_json_auto", "read_ndjson"}
)
"""DuckDB's functions that read files as tables."""


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Query:
    """A compiled query, cut where it names relations: text, relation, text, relation, …, text."""

    parts: tuple[str, ...]

    @classmethod
    def of(cls, sql: str, relations: Iterable[str]) -> "Query":
        """Cut `sql` at these relations, as dbt has rendered them."""
        names = sorted(relations, key=len, reverse=True)
        if not names:
            return cls((sql,))
        # A name that goes on, as `db.main.orders_old` does after `db.main.orders`, is another one.
        pattern = "|".join(re.escape(one) + ("" if one[-1] in "\"')" else r"(?!\w)") for one in names)
        return cls(tuple(re.split(f"({pattern})", sql)))

    @property
    def named(self) -> frozenset[str]:
        """The relations that it reads."""
        return frozenset(self.parts[1::2])

    def reading(self, instead: Mapping[str, str]) -> str:
        """The query with other relations in the place of some."""
        return "".join(instead.get(part, part) if at % 2 else part for at, part in enumerate(self.parts))


def file_reads(sql: str) -> list[str]:
    """The calls of `read_csv('…')` and their like in a query, and files that it names in place of a table, as they are written."""
    from sqlglot import TokenType
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.errors import TokenError

    try:
        tokens = DuckDB().tokenize(sql)
    except TokenError:
        return []
    found = []
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        if following is None:
            break
        if token.token_type in (TokenType.FROM, TokenType.JOIN) and following.token_type == TokenType.STRING:
            found.append(sql[following.start : following.end + 1])
        elif token.text.lower() in READERS and following.token_type == TokenType.L_PAREN:
            depth = 0
            for end in tokens[at + 1 :]:
                depth += (end.token_type == TokenType.L_PAREN) - (end.token_type == TokenType.R_PAREN)
                if depth == 0:
                    found.append(sql[token.start : end.end + 1])
                    break
    return list(dict.fromkeys(found))

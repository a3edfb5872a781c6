"""Tables of sources where they are, sampled into copies, in any server. Distinct values are counted of columns that are named as
keys alone: those of all others would take as long as all the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reliability_platform.mutation.columns import NAMED_AS_KEY, ColumnFacts, InputTable, kind_of
from reliability_platform.mutation.servers.server import NativeServer
from reliability_platform.mutation.sql_text import quoted


class TablesToSample:
    """`originals` are copy → original."""

    def __init__(self, server: NativeServer, originals: Mapping[str, str]) -> None:
        self._server, self._originals = server, originals

    def learn(self, relation: str) -> InputTable:
        """Look at the original."""
        original = self._originals[relation]
        types = {name: self._server.duckdb_type(kind).upper() for name, kind in self._server.columns(original).items()}
        keys = [name for name in types if NAMED_AS_KEY.search(name)]
        counts = "".join(f", count({quoted(one)}), count(distinct {quoted(one)})" for one in keys)
        rows, *rest = self.row(f"select count(*){counts} from {original}")
        counted = dict(zip(keys, zip(rest[::2], rest[1::2], strict=True), strict=True))
        columns = (
            ColumnFacts(name, kind, kind_of(kind), rows, *counted.get(name, (rows, 0))) for name, kind in types.items()
        )
        return InputTable(original, rows, tuple(columns))

    def row(self, query: str) -> Sequence[Any]:
        """The first row of a query that has one."""
        return self._server.first_row(query)

    def hashed_below(self, share: float, salt: int, values: Sequence[str], otherwise: Sequence[str]) -> str:
        """A condition that holds for such a share of all values."""
        key = self._server.hashed(values, salt)
        if otherwise:
            key = f"case when {values[0]} is null then {self._server.hashed(otherwise, salt)} else {key} end"
        return f"{key} < {int((share - 0.5) * 2**64)}"

    def replace(self, table: InputTable, relation: str, kept: str) -> str:
        """Copy what is kept."""
        self._server.copy_in(table.relation, relation, kept)
        return table.relation

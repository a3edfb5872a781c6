"""The tables of one mutant in Spark. There is no transaction: it lives in schemas of its own, which are dropped."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from reliability_platform.mutation.errors import ServerStatementError
from reliability_platform.mutation.readings import DECIMALS, Fingerprint, read_fingerprint
from reliability_platform.mutation.servers.spark.connection import SparkConnection
from reliability_platform.mutation.servers.spark.values import FLOATS, as_json, columns_of, hashed, named, value_of


class SparkSession:
    """The tables of one mutant."""

    def __init__(
        self, connection: SparkConnection, schema: str, create_schema: Callable[[SparkConnection, str], None]
    ) -> None:
        self._connection, self._schema, self._create_schema = connection, schema, create_schema
        self._taken: list[set[str]] = []
        """Names of the tables in each schema of this mutant."""
        connection.begin(schema)

    def place(self, schema: str, identifier: str) -> str:
        """In the first schema of this mutant that has no such table: to make one and drop it takes as long as a table."""
        del schema
        name = identifier.strip("`").lower()
        at = next((at for at, taken in enumerate(self._taken) if name not in taken), len(self._taken))
        own = f"{self._schema}_{at + 1}"
        if at == len(self._taken):
            self._create_schema(self._connection, own)
            self._taken.append(set())
        self._taken[at].add(name)
        return f"{named(own)}.{named(name)}"

    def load(self, place: str, columns: Mapping[str, str], rows: pa.Table) -> None:
        """As JSON in the text of the statement, in base64, in which no character means anything to Spark."""
        cells = [f"c{at}" for at in range(len(columns))]
        schema = f"array<struct<{','.join(f'{one}:string' for one in cells)}>>"
        values = ", ".join(value_of(one, *column) for one, column in zip(cells, columns.items(), strict=True))
        texts = as_json(rows.rename_columns(cells), cells)
        parts = [f"select inline(from_json(decode(unbase64('{one}'), 'UTF-8'), '{schema}'))" for one in texts]
        self._connection.do(f"create table {place} using parquet as select {values} from ({' union all '.join(parts)})")

    def create(self, place: str, query: str, clean: str, *, has_contract: bool) -> None:
        """With a contract, of the columns of the clean table. What Delta's constraints refuse is not."""
        self._connection.do(f"create table {place} using parquet as {query}")
        if has_contract:
            wanted, found = (columns_of(self._connection, one) for one in (clean, place))
            if found != wanted:
                other = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
                raise ServerStatementError(f"This model has an enforced contract that failed: {', '.join(other)}")

    def drop(self, place: str) -> None:
        """It goes with its schema."""

    def row(self, query: str) -> Sequence[Any]:
        """The first row of a query that has one."""
        return next(iter(self._connection.rows(query)), ())

    def fingerprint(self, relation: str, without: Iterable[str] = ()) -> Fingerprint:
        """By hashes of its texts."""
        columns = [one for one in columns_of(self._connection, relation).items() if one[0] not in without]
        values = [
            f"cast(round({named(name)}, {DECIMALS}) as string)" if kind in FLOATS else self.comparable(name)
            for name, kind in columns
        ]
        return read_fingerprint(self.row, relation, [(name, kind.upper()) for name, kind in columns], values, hashed)

    def comparable(self, column: str) -> str:
        """As a text, whatever it is."""
        return f"cast({named(column)} as string)"

    def total(self, column: str) -> str:
        """As a double."""
        return f"cast(sum({named(column)}) as double)"

    def interrupt(self) -> None:
        """In a server the statement that runs is the last one; in a session it ends."""
        self._connection.interrupt()

    def undo(self) -> None:
        """Drop all that it has made."""
        self._connection.begin("")
        for at, _ in enumerate(self._taken):
            self._connection.do(f"drop schema if exists {named(f'{self._schema}_{at + 1}')} cascade")

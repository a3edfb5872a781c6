"""The tables of one mutant in PostgreSQL, in one transaction that is rolled back: nothing of it is ever seen by others or left."""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.csv

from reliability_platform.mutation.errors import ServerStatementError
from reliability_platform.mutation.readings import DECIMALS, Fingerprint, read_fingerprint, total_of
from reliability_platform.mutation.servers.postgresql.connection import columns_of, translated
from reliability_platform.mutation.servers.postgresql.values import FLOATS, as_text, hashed
from reliability_platform.mutation.sql_text import quoted


class PostgresqlSession:
    """The tables of one mutant, in a transaction."""

    def __init__(
        self, connection: Any, catalog: str, schema: str, unique_indexes: Callable[[str], Sequence[str]]
    ) -> None:
        self._connection, self._catalog, self._schema = connection, catalog, schema
        self._unique_indexes = unique_indexes
        """What those of a table of the clean build are over: they refuse rows."""
        self._cursor = connection.cursor()
        self._schemas: dict[str, str] = {}
        self.was_interrupted = False

    def begin(self) -> None:
        """To be able to go on after a statement that fails."""
        self._cursor.execute("savepoint before_statement")

    def place(self, schema: str, identifier: str) -> str:
        """Where a table of this mutant is to be, in the place of that of a schema."""
        if schema not in self._schemas:
            self._schemas[schema] = f"{self._schema}_{len(self._schemas) + 1}"
            self._execute(f"create schema {quoted(self._schemas[schema])}")
        return ".".join(map(quoted, (self._catalog, self._schemas[schema], identifier)))

    def load(self, place: str, columns: Mapping[str, str], rows: pa.Table) -> None:
        """Through a file of CSV, in which texts are quoted and null is not."""
        self._execute(f"create table {place} ({', '.join(f'{quoted(name)} {kind}' for name, kind in columns.items())})")
        with tempfile.TemporaryFile() as file:
            pyarrow.csv.write_csv(rows, file, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
            file.seek(0)
            with translated(self._cursor):
                self._cursor.copy_expert(f"copy {place} from stdin with (format csv)", file)

    def create(self, place: str, query: str, clean: str, *, has_contract: bool) -> None:
        """With the unique indexes of the clean table and, with a contract, its constraints."""
        if has_contract:
            self._create_like(clean, place, query)
            return
        self._execute(f"create table {place} as {query}")
        for one in self._unique_indexes(clean):
            self._execute(f"create unique index on {place} using {one}")

    def _create_like(self, clean: str, place: str, query: str) -> None:
        self._execute(f"create table {place} (like {clean} including all)")
        wanted = columns_of(self._cursor, place)
        aside = f'{place[:-1]}__found"'
        self._execute(f"create table {aside} as select * from ({query}\n) as found with no data")
        found = columns_of(self._cursor, aside)
        if found != wanted:
            other = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
            raise ServerStatementError(f"This model has an enforced contract that failed: {', '.join(other)}")
        names = ", ".join(map(quoted, wanted))
        self._execute(f"insert into {place} ({names}) select {names} from ({query}\n) as found")

    def drop(self, place: str) -> None:
        """Remove a table of this mutant."""
        self._execute(f"drop table {place}")

    def row(self, query: str) -> Sequence[Any]:
        """The first row of a query that has one."""
        self._execute(query)
        return self._cursor.fetchone() or ()

    def fingerprint(self, relation: str, without: Iterable[str] = ()) -> Fingerprint:
        """What a table holds."""
        columns = [one for one in columns_of(self._cursor, relation).items() if one[0] not in without]
        values = [
            f"round({quoted(name)}::numeric, {DECIMALS})::text" if kind in FLOATS else as_text(name)
            for name, kind in columns
        ]
        named = [(name, kind.upper()) for name, kind in columns]
        return read_fingerprint(self.row, relation, named, values, hashed)

    def comparable(self, column: str) -> str:
        """As a text, whatever it is."""
        return as_text(column)

    def total(self, column: str) -> str:
        """As a double."""
        return total_of(column)

    def interrupt(self) -> None:
        """End what runs. Called by another thread."""
        self.was_interrupted = True
        with suppress(Exception):
            self._connection.cancel()

    def _execute(self, sql: str) -> None:
        with translated(self._cursor):
            self._cursor.execute(f"release before_statement; savepoint before_statement; {sql}")

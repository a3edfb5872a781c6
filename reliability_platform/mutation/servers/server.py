"""What a warehouse has to be able to do for a project to be built in it: its tables, a mutant tried and undone, and a guard.

Rows travel as Arrow tables of texts, with null for null: both sides read the text of a value by their own types. A warehouse is
a module beside this one, and an entry in `native_run.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pyarrow as pa

from reliability_platform.mutation.readings import Fingerprint
from reliability_platform.mutation.servers.run_schemas import RunSchemas


class ServerSession(Protocol):
    """The tables of one mutant. A statement that fails raises `ServerStatementError`, and the session goes on."""

    def place(self, schema: str, identifier: str) -> str:
        """Where a table of this mutant is to be, in the place of that of a schema."""

    def load(self, place: str, columns: Mapping[str, str], rows: pa.Table) -> None:
        """A table of these columns, with the server's types."""

    def create(self, place: str, query: str, clean: str, *, has_contract: bool) -> None:
        """A table from a query, refused where that of the clean build would refuse its rows or, with a contract, its columns."""

    def drop(self, place: str) -> None:
        """Remove a table of this mutant."""

    def row(self, query: str) -> Sequence[Any]:
        """The first row of a query that has one."""

    def fingerprint(self, relation: str, without: Iterable[str] = ()) -> Fingerprint:
        """What a table holds, without some columns."""

    def comparable(self, column: str) -> str:
        """What two rows are compared by, of a column."""

    def total(self, column: str) -> str:
        """The sum of a column of numbers, as a float."""

    def interrupt(self) -> None:
        """End what runs, with `ServerInterruptedError`. Called by another thread."""


class NativeServer(Protocol):
    """One server, as the profile's adapter reaches it, with the schemas of one run in it.

    Raises `ProjectUnusableError` where it cannot be reached or stops, which says nothing of a statement.
    """

    catalog: str
    """Under which name our DuckDB has copies of the inputs: where queries name a database, that one."""

    def __init__(self, adapter: Any, schemas: RunSchemas) -> None:
        """Connect, with a sign of life that other runs see."""

    @property
    def refused(self) -> Mapping[str, None]:
        """What statements of dbt would have changed that is not the run's, in their order."""

    def prepare(self, manifest: Any) -> list[str]:
        """Change what a parsed project says of where and how tables are kept. Returns what was changed, for people."""

    def create(self, schemas: Iterable[str]) -> None:
        """Make schemas of the run."""

    def sweep(self) -> list[str]:
        """Drop what killed runs have left. Returns what cannot be, for people."""

    def close(self) -> list[str]:
        """Drop what this run has made, whatever still goes on in it. Returns what cannot be dropped, for people."""

    def guarding(self) -> AbstractContextManager[None]:
        """Let the connections of dbt change nothing but the run's own schemas."""

    def columns(self, relation: str) -> dict[str, str]:
        """Names and types of the server."""

    def duckdb_type(self, name: str) -> str:
        """What DuckDB takes values of a type of the server for."""

    def server_type(self, name: str) -> str:
        """What the server takes values of a type of DuckDB for."""

    def unreadable(self, relation: str) -> str:
        """Why a table or view cannot be read; empty where it can."""

    def copy_in(self, original: str, copy: str, kept: str = "true") -> None:
        """Copy the rows of a table of the user's, called `clean`, that a condition keeps into one of the run's.

        The condition is DuckDB's SQL, as are the queries of `first_row`.
        """

    def first_row(self, query: str) -> Sequence[Any]:
        """Of a query that has one, and changes nothing."""

    def hashed(self, values: Sequence[str], salt: int) -> str:
        """A number between -2⁶³ and 2⁶³ of some values, one of them null or not."""

    def rows(self, relation: str) -> pa.Table:
        """All rows of a table of the run's."""

    def session(self, room: str) -> AbstractContextManager[ServerSession]:
        """For one mutant; what it has made is gone afterwards."""

"""PostgreSQL as a place to build a project in: copies of its inputs, the tables of mutants, and what is left of killed runs.

A run holds an advisory lock as long as it lives: schemas of a run whose lock is free are of one that was killed.
"""

import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
import pyarrow.csv

from reliability_platform.mutation.errors import ProjectUnusableError, ServerStatementError
from reliability_platform.mutation.servers.column_types import type_as
from reliability_platform.mutation.servers.postgresql.connection import columns_of, translated
from reliability_platform.mutation.servers.postgresql.mutant_session import PostgresqlSession
from reliability_platform.mutation.servers.postgresql.values import DUCKDB_TYPES, POSTGRESQL_TYPES, hashed
from reliability_platform.mutation.servers.run_schemas import COMMENT, OF_A_RUN, RunSchemas
from reliability_platform.mutation.servers.statement_guard import refuse_foreign
from reliability_platform.mutation.sql_text import literal, quoted

LOCKS = 0x6D757461
"""The first half of the keys of our advisory locks ("muta"); the second is the run."""
WAITS = "select set_config(name, '0', false) from pg_settings where name in ('idle_session_timeout', 'idle_in_transaction_session_timeout')"
"""A server may end connections that are idle: ours are, for as long as dbt builds or a mutant is made in DuckDB."""
MAX_DECIMALS = 38
"""Digits of DuckDB's decimals; PostgreSQL has more."""


class Postgresql:
    """One server, as the profile's adapter reaches it."""

    def __init__(self, adapter: Any, schemas: RunSchemas) -> None:
        """Connect, and hold the lock of this run. Raises `ProjectUnusableError` where the server cannot be reached."""
        self._adapter, self._schemas = adapter, schemas
        self._credentials = adapter.config.credentials
        self.catalog = str(self._credentials.database)
        self.refused: dict[str, None] = {}
        """What statements of dbt would have changed that is not the run's, in their order."""
        self._free: list[Any] = []
        self._unique: dict[str, list[str]] = {}
        self._sessions: set[PostgresqlSession] = set()
        self._alone = threading.Lock()
        self._connect_unguarded = type(adapter).ConnectionManager.open
        self._own = self._connect(autocommit=True)
        self._run("select pg_advisory_lock(%s, %s)", [LOCKS, _second(schemas.run)])

    def prepare(self, manifest: Any) -> list[str]:
        """All is kept in the schemas."""
        del manifest
        return []

    # The run's schemas

    def create(self, schemas: Iterable[str]) -> None:
        """Make schemas of the run. Raises `ProjectUnusableError` where the user may not."""
        for schema in schemas:
            try:
                self._run(f"create schema {quoted(schema)}")
                self._run(f"comment on schema {quoted(schema)} is {literal(COMMENT)}")
            except ServerStatementError:
                user = self._credentials.user
                raise ProjectUnusableError(
                    f"The user {user} may create no schema in {self.catalog}: grant create on database {self.catalog} to {user}."
                ) from None

    def sweep(self) -> list[str]:
        """Drop what killed runs have left. Returns what cannot be, for people."""
        return self._drop(lambda run: run != self._schemas.run and self._is_dead(run))

    def close(self) -> list[str]:
        """Drop what this run has made, whatever still goes on in it. Returns what cannot be dropped, for people."""
        for session in list(self._sessions):
            session.interrupt()
        if self._own.closed:
            self._own = self._connect(autocommit=True)
        left = self._drop(lambda run: run == self._schemas.run)
        for connection in (*self._free, self._own):
            connection.close()
        return left

    def _drop(self, is_meant: Any) -> list[str]:
        found = self._run(
            "select nspname from pg_namespace where obj_description(oid, 'pg_namespace') = %s order by 1", [COMMENT]
        )
        runs: dict[str, list[str]] = {}
        for (schema,) in found:
            matched = OF_A_RUN.fullmatch(schema)
            if matched is not None:
                runs.setdefault(matched.group(1), []).append(schema)
        left = []
        for run, schemas in runs.items():
            if is_meant(run):
                for schema in schemas:
                    try:
                        self._run(f"drop schema {quoted(schema)} cascade")
                    except ServerStatementError as error:
                        left.append(f"the schema {schema} of an ended run could not be dropped ({error})")
        return left

    def _is_dead(self, run: str) -> bool:
        keys = [LOCKS, _second(run)]
        ((is_free,),) = self._run("select pg_try_advisory_lock(%s, %s)", keys)
        if is_free:
            self._run("select pg_advisory_unlock(%s, %s)", keys)
        return bool(is_free)

    # What dbt may do

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Let the connections of dbt change nothing but the run's own schemas."""
        import psycopg2.extensions

        server, manager, connect = self, type(self._adapter).ConnectionManager, self._connect_unguarded

        class GuardedCursor(psycopg2.extensions.cursor):  # type: ignore[misc]
            """Looks at each statement first."""

            def execute(self, query: Any, parameters: Any = None) -> None:
                try:
                    refuse_foreign(str(query), lambda kind, parts: server._is_own(kind, parts, self.connection))
                except ServerStatementError as error:
                    server.refused[str(error)] = None
                    raise
                super().execute(query, parameters)

        def open_guarded(_: Any, connection: Any) -> Any:
            opened = connect(connection)
            opened.handle.cursor_factory = GuardedCursor
            return opened

        manager.open = classmethod(open_guarded)
        try:
            yield
        finally:
            manager.open = connect

    def _is_own(self, kind: str, parts: Sequence[str], connection: Any) -> bool:
        if kind == "schema":
            return parts[-1] in self._schemas
        if len(parts) > 1:
            return parts[-2] in self._schemas
        # A bare name is what the path of the session says: a temporary table, or something of the user's.
        import psycopg2.extensions

        with connection.cursor(cursor_factory=psycopg2.extensions.cursor) as cursor:
            cursor.execute("select relpersistence from pg_class where oid = to_regclass(%s)", [quoted(parts[-1])])
            return (cursor.fetchone() or ("",))[0] == "t"

    # Tables

    def columns(self, relation: str) -> dict[str, str]:
        """Names and types of PostgreSQL."""
        return columns_of(self._own.cursor(), relation)

    def duckdb_type(self, name: str) -> str:
        """All but these are texts."""
        found = type_as(DUCKDB_TYPES, name, "varchar")
        digits = re.fullmatch(r"decimal\((\d+),(\d+)\)", found)
        return "double" if digits is not None and int(digits.group(1)) > MAX_DECIMALS else found

    def server_type(self, name: str) -> str:
        """All but these are texts."""
        return type_as(POSTGRESQL_TYPES, name, "text")

    def _unique_indexes(self, relation: str) -> list[str]:
        """What the unique indexes of a table of the clean build are over: they refuse rows."""
        if relation not in self._unique:
            sql = "select pg_get_indexdef(indexrelid) from pg_index where indrelid = %s::regclass and indisunique"
            self._unique[relation] = [str(one).partition(" USING ")[2] for (one,) in self._run(sql, [relation])]
        return self._unique[relation]

    def unreadable(self, relation: str) -> str:
        """Why a table or view cannot be read; empty where it can."""
        try:
            self._run(f"select 1 from {relation} limit 0")
        except ServerStatementError as error:
            return str(error)
        return ""

    def copy_in(self, original: str, copy: str, kept: str = "true") -> None:
        """Copy the rows of a table of the user's, called `clean`, that a condition keeps into one of the run's."""
        self._run(f"create table {copy} as select * from {original} as clean where {kept}")

    def first_row(self, query: str) -> Sequence[Any]:
        """Of a query that has one, in a transaction that changes nothing."""
        with self._alone, translated(), self._own.cursor() as cursor:
            try:
                cursor.execute(f"begin read only; {query}")
                return cursor.fetchone() or ()
            finally:
                cursor.execute("rollback")

    def hashed(self, values: Sequence[str], salt: int) -> str:
        """Of their texts."""
        return hashed(values, salt)

    def rows(self, relation: str) -> pa.Table:
        """Through a file of CSV, in which a quoted text that is empty is not null."""
        texts = dict.fromkeys(self.columns(relation), pa.string())
        with tempfile.TemporaryFile() as file:
            with translated():
                self._own.cursor().copy_expert(f"copy (select * from {relation}) to stdout with (format csv)", file)
            if not file.tell():
                return pa.schema(list(texts.items())).empty_table()
            file.seek(0)
            return pyarrow.csv.read_csv(
                file,
                pyarrow.csv.ReadOptions(column_names=list(texts)),
                pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                pyarrow.csv.ConvertOptions(
                    column_types=texts, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
                ),
            )

    # Mutants

    @contextmanager
    def session(self, room: str) -> Iterator[PostgresqlSession]:
        """For one mutant; what it has made is gone afterwards."""
        connection = self._free.pop() if self._free else self._connect()
        session = PostgresqlSession(connection, self.catalog, self._schemas.of_room(room), self._unique_indexes)
        self._sessions.add(session)
        try:
            session.begin()
            yield session
        finally:
            self._sessions.discard(session)
            with suppress(Exception):
                connection.rollback()
            if session.was_interrupted:
                # The request to end may come after the statement, and would end one of the next mutant.
                connection.close()
            elif not connection.closed:
                self._free.append(connection)

    def _connect(self, *, autocommit: bool = False) -> Any:
        from dbt.adapters.contracts.connection import Connection, ConnectionState
        from dbt_common.exceptions import DbtBaseException

        connection = Connection(
            type=self._credentials.type,
            name="reliability mutate",
            state=ConnectionState.INIT,
            credentials=self._credentials,
        )
        try:
            self._connect_unguarded(connection)
        except DbtBaseException as error:
            said = " ".join(str(error).split())[:300]
            raise ProjectUnusableError(
                f"The server of the profile cannot be used: {said} — `dbt debug` shows what is asked for."
            ) from None
        with connection.handle.cursor() as cursor:
            cursor.execute(WAITS)
        connection.handle.commit()  # the role of the profile, which a mutant that is rolled back would take along
        connection.handle.autocommit = autocommit
        return connection.handle

    def _run(self, sql: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        with self._alone, translated(), self._own.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []


def _second(run: str) -> int:
    """A run as a signed number of 32 bits."""
    return int.from_bytes(bytes.fromhex(run), signed=True)

"""PostgreSQL as a place to build a project in: copies of its inputs, the tables of mutants, and what is left of killed runs.

A mutant lives in one transaction that is rolled back, so nothing of it is ever seen by others or left behind. A run holds an
advisory lock as long as it lives: schemas of a run whose lock is free are of one that was killed.
"""

import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
import pyarrow.csv

from reliability_platform.mutation.errors import (
    ProjectUnusableError,
    ServerInterruptedError,
    ServerStatementError,
)
from reliability_platform.mutation.readings import DECIMALS, Fingerprint, read_fingerprint, total_of
from reliability_platform.mutation.servers.column_types import type_as
from reliability_platform.mutation.servers.run_schemas import COMMENT, OF_A_RUN, RunSchemas
from reliability_platform.mutation.servers.statement_guard import refuse_foreign
from reliability_platform.mutation.sql_text import literal, quoted

LOCKS = 0x6D757461
"""The first half of the keys of our advisory locks ("muta"); the second is the run."""
WAITS = "select set_config(name, '0', false) from pg_settings where name in ('idle_session_timeout', 'idle_in_transaction_session_timeout')"
"""A server may end connections that are idle: ours are, for as long as dbt builds or a mutant is made in DuckDB."""
CANCELLED = "57014"
SERVER_TROUBLE = ("08", "53", "57", "58", "XX")
"""Classes of SQLSTATE that say nothing of the statement: the connection, room, an operator, the system."""
DUCKDB_TYPES: tuple[tuple[str, str], ...] = (
    (r"smallint|integer|bigint|real|boolean|date|uuid|interval|double precision", "{0}"),
    (r"numeric\((\d+),(\d+)\)", "decimal({1},{2})"),
    (r"numeric", "double"),
    (r"timestamp\(?\d*\)? ?without time zone", "timestamp"),
    (r"timestamp\(?\d*\)? ?with time zone", "timestamptz"),
    (r"time\(?\d*\)? ?without time zone", "time"),
    (r"jsonb?", "json"),
)
"""Types of PostgreSQL as DuckDB's; all others are texts there."""
POSTGRESQL_TYPES: tuple[tuple[str, str], ...] = (
    (r"TINYINT|SMALLINT|UTINYINT", "smallint"),
    (r"INTEGER|USMALLINT", "integer"),
    (r"BIGINT|UINTEGER", "bigint"),
    (r"U?HUGEINT|UBIGINT", "numeric"),
    (r"DECIMAL.*", "{0}"),
    (r"FLOAT", "real"),
    (r"DOUBLE", "double precision"),
    (r"BOOLEAN|DATE|TIMESTAMP|TIME|UUID|INTERVAL", "{0}"),
    (r"TIMESTAMP WITH TIME ZONE", "timestamptz"),
    (r"JSON", "jsonb"),
)
"""Types of DuckDB, for columns that a fault has added or given another type; all others become texts."""
FLOATS = ("double precision", "real")
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
        return _columns(self._own.cursor(), relation)

    def duckdb_type(self, name: str) -> str:
        """All but these are texts."""
        found = type_as(DUCKDB_TYPES, name, "varchar")
        digits = re.fullmatch(r"decimal\((\d+),(\d+)\)", found)
        return "double" if digits is not None and int(digits.group(1)) > MAX_DECIMALS else found

    def server_type(self, name: str) -> str:
        """All but these are texts."""
        return type_as(POSTGRESQL_TYPES, name, "text")

    def unique(self, relation: str) -> list[str]:
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
        with self._alone, _translated(), self._own.cursor() as cursor:
            try:
                cursor.execute(f"begin read only; {query}")
                return cursor.fetchone() or ()
            finally:
                cursor.execute("rollback")

    def hashed(self, values: Sequence[str], salt: int) -> str:
        """Of their texts."""
        return _hashed(values, salt)

    def rows(self, relation: str) -> pa.Table:
        """Through a file of CSV, in which a quoted text that is empty is not null."""
        texts = dict.fromkeys(self.columns(relation), pa.string())
        with tempfile.TemporaryFile() as file:
            with _translated():
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
    def session(self, room: str) -> Iterator["PostgresqlSession"]:
        """For one mutant; what it has made is gone afterwards."""
        connection = self._free.pop() if self._free else self._connect()
        session = PostgresqlSession(self, connection, self._schemas.of_room(room))
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
        with self._alone, _translated(), self._own.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []


class PostgresqlSession:
    """The tables of one mutant, in a transaction."""

    def __init__(self, server: Postgresql, connection: Any, schema: str) -> None:
        self._server, self._connection, self._schema = server, connection, schema
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
        return ".".join(map(quoted, (self._server.catalog, self._schemas[schema], identifier)))

    def load(self, place: str, columns: Mapping[str, str], rows: pa.Table) -> None:
        """Through a file of CSV, in which texts are quoted and null is not."""
        self._execute(f"create table {place} ({', '.join(f'{quoted(name)} {kind}' for name, kind in columns.items())})")
        with tempfile.TemporaryFile() as file:
            pyarrow.csv.write_csv(rows, file, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
            file.seek(0)
            with _translated(self._cursor):
                self._cursor.copy_expert(f"copy {place} from stdin with (format csv)", file)

    def create(self, place: str, query: str, clean: str, *, has_contract: bool) -> None:
        """With the unique indexes of the clean table and, with a contract, its constraints."""
        if has_contract:
            self._create_like(clean, place, query)
            return
        self._execute(f"create table {place} as {query}")
        for one in self._server.unique(clean):
            self._execute(f"create unique index on {place} using {one}")

    def _create_like(self, clean: str, place: str, query: str) -> None:
        self._execute(f"create table {place} (like {clean} including all)")
        wanted = _columns(self._cursor, place)
        aside = f'{place[:-1]}__found"'
        self._execute(f"create table {aside} as select * from ({query}\n) as found with no data")
        found = _columns(self._cursor, aside)
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
        columns = [one for one in _columns(self._cursor, relation).items() if one[0] not in without]
        values = [
            f"round({quoted(name)}::numeric, {DECIMALS})::text" if kind in FLOATS else as_text(name)
            for name, kind in columns
        ]
        named = [(name, kind.upper()) for name, kind in columns]
        return read_fingerprint(self.row, relation, named, values, _hashed)

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
        with _translated(self._cursor):
            self._cursor.execute(f"release before_statement; savepoint before_statement; {sql}")


def as_text(name: str) -> str:
    """A value that can be compared and hashed, of any type."""
    return f"{quoted(name)}::text"


def _hashed(values: Sequence[str], salt: int = 0) -> str:
    """A number between -2⁶³ and 2⁶³."""
    # A row of one value is a text too, in which null differs from all.
    return f"hashtextextended(row({', '.join(values)})::text, {salt})::numeric"


def _columns(cursor: Any, relation: str) -> dict[str, str]:
    with _translated():
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
            [relation],
        )
        return {str(name): str(kind) for name, kind in cursor.fetchall()}


def _second(run: str) -> int:
    """A run as a signed number of 32 bits."""
    return int.from_bytes(bytes.fromhex(run), signed=True)


@contextmanager
def _translated(cursor: Any = None) -> Iterator[None]:
    """Errors of the driver as ours; in a transaction, which then goes on.

    Raises `ProjectUnusableError` for what says nothing of the statement: a lost connection, a full disk.
    """
    import psycopg2

    try:
        yield
    except psycopg2.Error as error:
        # The first line alone: what follows can hold the values of a row.
        said = (str(error).strip().splitlines() or ["it gave no reason"])[0][:300]
        state = error.pgcode or ""
        if state == CANCELLED:
            raise ServerInterruptedError(said) from None
        if not state or state.startswith(SERVER_TROUBLE):
            raise ProjectUnusableError(
                f"The server stopped working for us: {said} — run it again, it goes on where it was."
            ) from None
        if cursor is not None:
            cursor.execute("rollback to savepoint before_statement")
        raise ServerStatementError(said) from None

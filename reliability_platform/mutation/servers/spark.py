"""Apache Spark as a place to build a project in: copies of its inputs, the tables of mutants, and what is left of killed runs.

All goes through the connection that dbt's adapter makes of the profile, be it a session of this process or a server. Spark has
no transaction: a mutant lives in a schema of its own that is dropped. Nor has it a lock: the comment of a schema says which
process made it, by the claim of the private folder of that process, and on which machine.
"""

import os
import platform
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from reliability_platform.locks import unclaimed
from reliability_platform.mutation.errors import ProjectUnusableError, ServerInterruptedError, ServerStatementError
from reliability_platform.mutation.readings import DECIMALS, Fingerprint, read_fingerprint
from reliability_platform.mutation.servers.column_types import type_as
from reliability_platform.mutation.servers.run_schemas import COMMENT, OF_A_RUN, PREFIX, RunSchemas
from reliability_platform.mutation.servers.spark_guard import refuse_foreign_of_spark

HELD = re.compile(rf"{re.escape(COMMENT)} Held by (?P<claim>.*) on (?P<machine>.*) since (?P<since>\d+)\.")
LONGEST_RUN_SECONDS = 2 * 86_400
"""Whether a process of another machine lives cannot be seen: its schemas are taken for left when they are older."""
POLL_SECONDS = 0.05
"""Between two questions whether a statement has ended. dbt asks a server every 5 s, which is longer than most of ours take."""
ROWS_A_TEXT = 20_000
"""Rows of an input are handed over as JSON in the text of a statement, so many in each."""
DUCKDB_TYPES: tuple[tuple[str, str], ...] = (
    (r"boolean|tinyint|smallint|int|bigint|float|double|date|decimal\(\d+,\d+\)", "{0}"),
    (r"timestamp(_ntz|_ltz)?", "timestamp"),
)
"""Types of Spark as DuckDB's; all others are texts there."""
SPARK_TYPES: tuple[tuple[str, str], ...] = (
    (r"TINYINT|SMALLINT|BIGINT|DECIMAL.*|FLOAT|DOUBLE|BOOLEAN|DATE", "{0}"),
    (r"UTINYINT", "smallint"),
    (r"INTEGER|USMALLINT", "int"),
    (r"UINTEGER", "bigint"),
    (r"U?HUGEINT|UBIGINT", "decimal(38,0)"),
    (r"TIMESTAMP.*", "timestamp"),
)
"""Types of DuckDB, for columns that a fault has added or given another type; all others become texts."""
NESTED = re.compile(r"(array|map|struct)<.*")
FLOATS = ("double", "float")
SAID = re.compile(r"\[[A-Z][A-Z0-9_.]+\][^\n]*")
"""What went wrong, in the trace of a stage that failed."""
LOST = re.compile(
    r"Connection refused|Broken pipe|Connection reset|TSocket|Py4JNetworkError|stopped SparkContext", re.IGNORECASE
)
SESSION = "session"


class Spark:
    """One Spark, as the profile's adapter reaches it."""

    catalog = "inputs"

    def __init__(self, adapter: Any, schemas: RunSchemas) -> None:
        self._adapter, self._schemas = adapter, schemas
        self._credentials = adapter.config.credentials
        self.refused: dict[str, None] = {}
        self._connect_unguarded = type(adapter).ConnectionManager.open
        self._free: list[_Connection] = []
        self._sessions: set[SparkSession] = set()
        self._own = self._connect()

    def prepare(self, manifest: Any) -> list[str]:
        """Let all tables lie in the folders of their schemas: a folder that a model names is one of the user's.

        Raises `ProjectUnusableError` for names in backticks, which DuckDB cannot read.
        """
        for one in (*manifest.nodes.values(), *manifest.sources.values()):
            if "`" in (getattr(one, "relation_name", None) or ""):
                raise ProjectUnusableError(
                    f"{one.name} is named in backticks, which --native cannot break: leave its `quoting` out of the project."
                )
        placed = [node for node in manifest.nodes.values() if node.config.get("location_root") is not None]
        for node in placed:
            node.config["location_root"] = None
        return [f"{node.name} is not written to its location_root" for node in placed]

    # The run's schemas

    def create(self, schemas: Iterable[str]) -> None:
        """Each says whose it is. Raises `ProjectUnusableError` where the user may not."""
        for schema in schemas:
            try:
                self.create_schema(self._own, schema)
            except ServerStatementError as error:
                raise ProjectUnusableError(
                    f"The user of the profile may create no schema in Spark ({error}): --native needs that."
                ) from None

    def create_schema(self, connection: "_Connection", schema: str) -> None:
        """Make one, with a comment that says whose it is."""
        held = f"{COMMENT} Held by {self._schemas.claim} on {platform.node()} since {int(time.time())}."
        connection.do(f"create schema {named(schema)} comment {_literal(held)}")

    def sweep(self) -> list[str]:
        """Those of processes of this machine that are gone, and of others after two days."""
        return self._drop(lambda run, comment: run != self._schemas.run and _is_dead(comment))

    def close(self) -> list[str]:
        """Sessions that still go on are ended."""
        for session in list(self._sessions):
            session.interrupt()
        left = self._drop(lambda run, _: run == self._schemas.run)
        for connection in (*self._free, self._own):
            connection.close()
        return left

    def _drop(self, is_meant: Callable[[str, str], bool]) -> list[str]:
        left = []
        for schema, *_ in self._own.rows(f"show schemas like '{PREFIX}*'"):
            matched = OF_A_RUN.fullmatch(schema)
            comment = self._comment(schema) if matched is not None else ""
            if matched is not None and HELD.fullmatch(comment) and is_meant(matched.group(1), comment):
                try:
                    self._own.do(f"drop schema {named(schema)} cascade")
                except ServerStatementError as error:
                    left.append(f"the schema {schema} of an ended run could not be dropped ({error})")
        return left

    def _comment(self, schema: str) -> str:
        try:
            described = {str(row[0]): str(row[1]) for row in self._own.rows(f"describe schema {named(schema)}")}
        except ServerStatementError:  # dropped since it was listed
            return ""
        return described.get("Comment", "")

    # What dbt may do

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Each statement is looked at before Spark gets it."""
        server, manager, connect = self, type(self._adapter).ConnectionManager, self._connect_unguarded

        def open_guarded(_: Any, connection: Any) -> Any:
            was_open = connection.state == "open"
            opened = connect(connection)
            if not was_open:
                server.guard(opened.handle)
            return opened

        manager.open = classmethod(open_guarded)
        try:
            yield
        finally:
            manager.open = connect

    def guard(self, handle: Any) -> None:
        """Let a connection of the adapter refuse what would change something of the user's."""
        execute = handle.execute

        def guarded(sql: str, bindings: Any = None) -> None:
            def is_own(kind: str, parts: list[str]) -> bool:
                if kind == "schema":
                    return parts[-1] in self._schemas
                if len(parts) > 1:
                    return parts[-2] in self._schemas
                # A bare name is a temporary view, or something of the user's.
                handle.cursor()
                execute(f"show tables like {_literal(parts[-1])}")
                found = handle.fetchall() or ()
                handle.cursor()
                return any(bool(row[2]) and row[1] == parts[-1] for row in found)

            try:
                refuse_foreign_of_spark(sql, is_own)
            except ServerStatementError as error:
                self.refused[str(error)] = None
                raise
            execute(sql, bindings)

        handle.execute = guarded
        if hasattr(handle, "poll_interval"):
            handle.poll_interval = min(handle.poll_interval, POLL_SECONDS)

    # Tables

    def columns(self, relation: str) -> dict[str, str]:
        """Names and types of Spark."""
        return columns_of(self._own, relation)

    def duckdb_type(self, name: str) -> str:
        """All but these are texts."""
        return type_as(DUCKDB_TYPES, name, "varchar")

    def server_type(self, name: str) -> str:
        """All but these are texts."""
        return type_as(SPARK_TYPES, name, "string").lower()

    def unreadable(self, relation: str) -> str:
        """As Spark says it."""
        try:
            self._own.rows(f"select 1 from {relation} limit 0")
        except ServerStatementError as error:
            return str(error)
        return ""

    def copy_in(self, original: str, copy: str, kept: str = "true") -> None:
        """Of a table of the user's, called `clean`, the rows that a condition keeps."""
        self._own.do(f"create table {copy} using parquet as select * from {original} as clean where {_in_spark(kept)}")

    def first_row(self, query: str) -> Sequence[Any]:
        """Of a query that has one, written for DuckDB."""
        return next(iter(self._own.rows(_in_spark(query))), ())

    def hashed(self, values: Sequence[str], salt: int) -> str:
        """Null leaves a hash as it was, so that it is one is hashed beside it."""
        return f"xxhash64({salt}, {', '.join(f'{one} is null, {one}' for one in values)})"

    def rows(self, relation: str) -> pa.Table:
        """Nested values as JSON, bytes as base64."""
        kinds = self.columns(relation)
        texts = ", ".join(_text_of(name, kind) for name, kind in kinds.items())
        found = self._own.rows(f"select {texts} from {relation}")
        values = list(zip(*found, strict=True)) if found else [()] * len(kinds)
        return pa.table([pa.array(one, pa.string()) for one in values], names=list(kinds))

    # Mutants

    @contextmanager
    def session(self, room: str) -> Iterator["SparkSession"]:
        """In schemas of its own, which are dropped."""
        connection = self._free.pop() if self._free else self._connect()
        session = SparkSession(self, connection, self._schemas.of_room(room))
        self._sessions.add(session)
        try:
            yield session
        finally:
            self._sessions.discard(session)
            with suppress(ServerStatementError):  # what cannot be dropped now is named when the run closes
                session.undo()
            self._free.append(connection)

    def _connect(self) -> "_Connection":
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
            raise ProjectUnusableError(_unusable(error)) from None
        if hasattr(connection.handle, "poll_interval"):
            connection.handle.poll_interval = POLL_SECONDS
        made = _Connection(connection.handle, is_session=str(self._credentials.method) == SESSION)
        with _quiet():  # a session begins with the first statement, and its Java speaks to the terminal for ever
            try:
                made.rows("select 1")
            except ServerStatementError as error:
                raise ProjectUnusableError(_unusable(error)) from None
        return made


class SparkSession:
    """The tables of one mutant."""

    def __init__(self, server: Spark, connection: "_Connection", schema: str) -> None:
        self._server, self._connection, self._schema = server, connection, schema
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
            self._server.create_schema(self._connection, own)
            self._taken.append(set())
        self._taken[at].add(name)
        return f"{named(own)}.{named(name)}"

    def load(self, place: str, columns: Mapping[str, str], rows: pa.Table) -> None:
        """As JSON in the text of the statement, in base64, in which no character means anything to Spark."""
        cells = [f"c{at}" for at in range(len(columns))]
        schema = f"array<struct<{','.join(f'{one}:string' for one in cells)}>>"
        values = ", ".join(_value_of(one, *column) for one, column in zip(cells, columns.items(), strict=True))
        texts = _as_json(rows.rename_columns(cells), cells)
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
        return read_fingerprint(self.row, relation, [(name, kind.upper()) for name, kind in columns], values, _hashed)

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


class _Connection:
    """One of the adapter's, with errors as ours."""

    def __init__(self, handle: Any, *, is_session: bool) -> None:
        self._handle, self._is_session = handle, is_session
        self._alone = threading.Lock()
        self._group, self._was_interrupted = "", False

    def begin(self, group: str) -> None:
        """What follows belongs together, and can be ended together."""
        self._group, self._was_interrupted = group, False

    def do(self, sql: str) -> None:
        """A statement without rows."""
        with self._alone, self._translated():
            self._handle.cursor().execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All of a query."""
        with self._alone, self._translated():
            cursor = self._handle.cursor()
            cursor.execute(sql)
            return [*(cursor.fetchall() or ())]

    def interrupt(self) -> None:
        """Called by another thread."""
        self._was_interrupted = True
        context = self._context()
        if context is not None:
            context.cancelJobGroup(self._group)

    def close(self) -> None:
        """A session stays: it is that of the process."""
        with suppress(Exception):
            self._handle.close()

    def _context(self) -> Any:
        if not self._is_session:
            return None
        from pyspark import SparkContext

        return SparkContext._active_spark_context

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raises `ProjectUnusableError` for what says nothing of the statement: a lost connection."""
        if self._was_interrupted:
            raise ServerInterruptedError("its time is over")
        context = self._context()
        if context is not None:
            context.setJobGroup(self._group or "reliability mutate", "reliability mutate", True)
        try:
            yield
        except Exception as error:
            if self._was_interrupted:
                raise ServerInterruptedError("its time is over") from None
            said = _said(error)
            if LOST.search(f"{type(error).__name__} {error}"):
                raise ProjectUnusableError(
                    f"Spark stopped working for us: {said} — run it again, it goes on where it was."
                ) from None
            raise ServerStatementError(said) from None


def named(name: str) -> str:
    """An identifier."""
    return "`" + name.replace("`", "``") + "`"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _in_spark(sql: str) -> str:
    """A query or a condition of ours, written for DuckDB."""
    import sqlglot

    return sqlglot.parse_one(sql, read="duckdb").sql("spark")


def columns_of(connection: _Connection, relation: str) -> dict[str, str]:
    """Names and types, without what `describe` says of partitions below them."""
    found: dict[str, str] = {}
    for name, kind, *_ in connection.rows(f"describe {relation}"):
        if not name or name.startswith("#"):
            break
        found[str(name)] = str(kind)
    return found


def _text_of(name: str, kind: str) -> str:
    if NESTED.fullmatch(kind):
        return f"to_json({named(name)})"
    return f"base64({named(name)})" if kind == "binary" else f"cast({named(name)} as string)"


def _value_of(cell: str, name: str, kind: str) -> str:
    value = f"cast({cell} as {kind})"
    if NESTED.fullmatch(kind):
        value = f"from_json({cell}, {_literal(kind)}, map('mode', 'FAILFAST'))"
    elif kind == "binary":
        value = f"unbase64({cell})"
    return f"{value} as {named(name)}"


def _as_json(rows: pa.Table, cells: Sequence[str]) -> list[str]:
    """Texts in base64, each a list of objects."""
    cell = ", ".join(f"'{one}': {one}" for one in cells)
    with duckdb.connect() as connection:
        texts = []
        for start in range(0, max(rows.num_rows, 1), ROWS_A_TEXT):
            connection.register("part", rows.slice(start, ROWS_A_TEXT))
            query = f"select base64(encode(coalesce(to_json(list({{{cell}}}))::varchar, '[]'))) from part"
            texts += [str(one) for (one,) in connection.execute(query).fetchall()]
    return texts


def _hashed(values: Sequence[str]) -> str:
    """A number between -2⁶³ and 2⁶³. Null leaves a hash as it was, so that it is one is hashed beside it."""
    return f"cast(xxhash64({', '.join(f'{one} is null, {one}' for one in values)}) as decimal(20, 0))"


def _is_dead(comment: str) -> bool:
    held = HELD.fullmatch(comment)
    if held is None:
        return False
    if held["machine"] != platform.node():
        return time.time() - int(held["since"]) > LONGEST_RUN_SECONDS
    try:
        with unclaimed(Path(held["claim"])) as descriptor:
            return descriptor is not None
    except OSError:  # the folder is gone, and its process with it
        return True


def _said(error: Exception) -> str:
    text = str(error).strip() or "it gave no reason"
    found = SAID.findall(text)
    return (found[-1] if found else text.splitlines()[0])[:300]


def _unusable(error: Exception) -> str:
    return (
        f"Spark of the profile cannot be used: {' '.join(_said(error).split())} — `dbt debug` shows what is asked for."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """What is started here has no standard error."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)

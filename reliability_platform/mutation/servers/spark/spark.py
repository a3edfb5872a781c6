"""Apache Spark as a place to build a project in: copies of its inputs, the tables of mutants, and what is left of killed runs.

All goes through the connection that dbt's adapter makes of the profile, be it a session of this process or a server. Spark has
no lock: the comment of a schema says which process made it, by the claim of the private folder of that process, and on which
machine.
"""

import os
import platform
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from reliability_platform.locks import unclaimed
from reliability_platform.mutation.errors import ProjectUnusableError, ServerStatementError
from reliability_platform.mutation.servers.column_types import type_as
from reliability_platform.mutation.servers.run_schemas import COMMENT, OF_A_RUN, PREFIX, RunSchemas
from reliability_platform.mutation.servers.spark.connection import SESSION, SparkConnection, said_by_spark
from reliability_platform.mutation.servers.spark.guard import refuse_foreign_of_spark
from reliability_platform.mutation.servers.spark.mutant_session import SparkSession
from reliability_platform.mutation.servers.spark.values import (
    DUCKDB_TYPES,
    SPARK_TYPES,
    columns_of,
    named,
    text_literal,
    text_of,
)

HELD = re.compile(rf"{re.escape(COMMENT)} Held by (?P<claim>.*) on (?P<machine>.*) since (?P<since>\d+)\.")
LONGEST_RUN_SECONDS = 2 * 86_400
"""Whether a process of another machine lives cannot be seen: its schemas are taken for left when they are older."""
POLL_SECONDS = 0.05
"""Between two questions whether a statement has ended. dbt asks a server every 5 s, which is longer than most of ours take."""


class Spark:
    """One Spark, as the profile's adapter reaches it."""

    catalog = "inputs"

    def __init__(self, adapter: Any, schemas: RunSchemas) -> None:
        self._adapter, self._schemas = adapter, schemas
        self._credentials = adapter.config.credentials
        self.refused: dict[str, None] = {}
        self._connect_unguarded = type(adapter).ConnectionManager.open
        self._free: list[SparkConnection] = []
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
                self._create_schema(self._own, schema)
            except ServerStatementError as error:
                raise ProjectUnusableError(
                    f"The user of the profile may create no schema in Spark ({error}): --native needs that."
                ) from None

    def _create_schema(self, connection: SparkConnection, schema: str) -> None:
        """Make one, with a comment that says whose it is."""
        held = f"{COMMENT} Held by {self._schemas.claim} on {platform.node()} since {int(time.time())}."
        connection.do(f"create schema {named(schema)} comment {text_literal(held)}")

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
                execute(f"show tables like {text_literal(parts[-1])}")
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
        texts = ", ".join(text_of(name, kind) for name, kind in kinds.items())
        found = self._own.rows(f"select {texts} from {relation}")
        values = list(zip(*found, strict=True)) if found else [()] * len(kinds)
        return pa.table([pa.array(one, pa.string()) for one in values], names=list(kinds))

    # Mutants

    @contextmanager
    def session(self, room: str) -> Iterator[SparkSession]:
        """In schemas of its own, which are dropped."""
        connection = self._free.pop() if self._free else self._connect()
        session = SparkSession(connection, self._schemas.of_room(room), self._create_schema)
        self._sessions.add(session)
        try:
            yield session
        finally:
            self._sessions.discard(session)
            with suppress(ServerStatementError):  # what cannot be dropped now is named when the run closes
                session.undo()
            self._free.append(connection)

    def _connect(self) -> SparkConnection:
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
        made = SparkConnection(connection.handle, is_session=str(self._credentials.method) == SESSION)
        with _quiet():  # a session begins with the first statement, and its Java speaks to the terminal for ever
            try:
                made.rows("select 1")
            except ServerStatementError as error:
                raise ProjectUnusableError(_unusable(error)) from None
        return made


def _in_spark(sql: str) -> str:
    """A query or a condition of ours, written for DuckDB."""
    import sqlglot

    return sqlglot.parse_one(sql, read="duckdb").sql("spark")


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


def _unusable(error: Exception) -> str:
    return f"Spark of the profile cannot be used: {' '.join(said_by_spark(error).split())} — `dbt debug` shows what is asked for."


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

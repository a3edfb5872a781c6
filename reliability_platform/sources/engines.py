"""Databases that can be asked: each opened for one consistent read, of which nothing is written; its rows come in pieces.

What goes wrong is told by what it is, in words of ours: a message of a database quotes values, and how it was reached.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from os.path import expandvars
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.parse import quote

import duckdb
import pyarrow as pa

from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.query import parameters, with_parameters
from reliability_platform.contracts.servers import Server
from reliability_platform.credentials import secret
from reliability_platform.errors import EnvironmentUnusableError, SourceUnavailableError
from reliability_platform.parquet import identifier
from reliability_platform.settings import PROJECT

ROWS_AT_ONCE = 20_000
CONNECT_SECONDS = 10
Values = Mapping[str, Any]


@dataclass(frozen=True)
class QueryResult:
    """The rows of a query: which columns it has, and pieces of them."""

    schema: pa.Schema
    pieces: Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Opened:
    """A database, open for one consistent read."""

    ask: Callable[[str, Values], QueryResult]
    stop: Callable[[], object]
    """Ends what is being asked, from another thread."""


@contextmanager
def opened(server: Server, contract: Contract, seconds: float) -> Iterator[Callable[[str, Values], QueryResult]]:
    """What asks the database of a server: SQL with `:name` for each parameter, and their values. All that is asked is of
    one moment, and has so many seconds. Raises `SourceUnavailableError`."""
    engine = _ENGINES[server.engine]
    is_late = False
    try:
        with engine.opened(server, contract) as found:

            def stop() -> None:
                nonlocal is_late
                is_late = True
                found.stop()

            clock = Timer(seconds, stop)
            clock.daemon = True
            clock.start()
            try:
                yield found.ask
            finally:
                clock.cancel()
    except engine.errors() as error:
        why = f"has not answered within {seconds:g} s" if is_late else engine.why(error, contract)
        raise SourceUnavailableError(f"{_named(server)} {why}.") from None


def _named(server: Server) -> str:
    if server.engine == "postgresql":
        return f"The PostgreSQL database {server.address} at {server.host or 'this machine'}, which {server.name or 'the contract'} names,"
    return f"The {'SQLite' if server.engine == 'sqlite' else 'DuckDB'} database {server.address}"


def _file_of(server: Server) -> Path:
    return PROJECT / expandvars(Path(server.address).expanduser())


def _quoted_in(message: str, contract: Contract) -> str:
    """The first name in a message that the contract itself has: a column or a table that is missing."""
    ours = {contract.table, *contract.arrow_schema.names, *re.findall(r"\w+", contract.query or "")}
    ours |= {part for one in ours for part in one.split(".")}
    words = re.findall(r"[\"'`]([^\"'`]+)[\"'`]|\bname (\S+?)!|\b(?:table|column): (\S+)", message)
    found = next((one for word in words for name in word for one in (name, name.rpartition(".")[2]) if one in ours), "")
    return f" {found}" if found else ""


NO_TABLE, NO_COLUMN = (
    "has no table{name}: look at physicalName and query",
    "has no column{name} that the query asks for",
)
REFUSED = "refuses the user, or the credentials"
AWAY = "does not answer: look whether it runs and whether its address is right"
HELD = "is held by another program"
OTHER = "fails at the query ({name})"


# DuckDB


@contextmanager
def _duckdb(server: Server, _: Contract) -> Iterator[Opened]:
    path = _file_of(server)
    if not path.is_file():
        raise duckdb.IOException("no such file")
    with duckdb.connect(str(path), read_only=True, config={"threads": 2}) as connection:
        connection.execute("set timezone = 'UTC'; begin transaction")

        def ask(query: str, values: Values) -> QueryResult:
            used = {name: values[name] for name in parameters(query)}  # it refuses those that a query does not use
            reader = connection.execute(with_parameters(query, lambda name: f"${name}"), used).to_arrow_reader(
                ROWS_AT_ONCE
            )
            return QueryResult(reader.schema, _read(reader))

        yield Opened(ask, connection.interrupt)


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (pa.ArrowException, OSError, RuntimeError) as error:  # what DuckDB meets on the way comes as Arrow's
        raise duckdb.Error(str(error)) from None


def _why_duckdb(error: Exception, contract: Contract) -> str:
    said = str(error)
    if isinstance(error, duckdb.IOException):
        return HELD if "lock" in said else AWAY
    if isinstance(error, duckdb.CatalogException):
        return NO_TABLE.format(name=_quoted_in(said, contract))
    if isinstance(error, duckdb.BinderException):
        return NO_COLUMN.format(name=_quoted_in(said, contract))
    return OTHER.format(name=type(error).__name__)


# SQLite


@contextmanager
def _sqlite(server: Server, contract: Contract) -> Iterator[Opened]:
    """Its values have types of their own, whatever a table declares: all come as texts, and are read as those of CSV are."""
    path = _file_of(server)
    booleans = frozenset(one.name for one in contract.columns if one.type == "BOOLEAN")
    with closing(
        sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=CONNECT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
    ) as connection:
        connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")
        connection.execute("begin")

        def ask(query: str, values: Values) -> QueryResult:
            cursor = connection.execute(query, {name: _as_text(value) for name, value in values.items()})
            schema = pa.schema([(one[0], pa.string()) for one in cursor.description])
            return QueryResult(
                schema, _pieces(cursor.fetchmany, schema, [_text_of(one, booleans) for one in schema.names])
            )

        yield Opened(ask, connection.interrupt)


def _as_text(value: Any) -> Any:
    """A moment as the functions of SQLite write it."""
    return (
        value.isoformat(" ", "seconds")
        if isinstance(value, datetime)
        else str(value)
        if isinstance(value, date)
        else value
    )


def _text_of(column: str, booleans: frozenset[str]) -> Callable[[Any], str | None]:
    if column in booleans:
        return lambda value: {0: "false", 1: "true", None: None}.get(value, str(value))
    return _text


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)


def _why_sqlite(error: Exception, contract: Contract) -> str:
    said = str(error)
    if "no such table" in said:
        return NO_TABLE.format(name=_quoted_in(said, contract))
    if "no such column" in said:
        return NO_COLUMN.format(name=_quoted_in(said, contract))
    if "unable to open" in said or "not a database" in said:
        return AWAY
    return HELD if "locked" in said else OTHER.format(name=type(error).__name__)


# PostgreSQL


_TYPES = {
    16: pa.bool_(), 21: pa.int16(), 23: pa.int32(), 20: pa.int64(), 700: pa.float32(), 701: pa.float64(), 17: pa.binary(),
    1082: pa.date32(), 1083: pa.time64("us"), 1114: pa.timestamp("us"), 1184: pa.timestamp("us", "UTC"),
}  # fmt: skip
"""By the number that PostgreSQL has for a type; what is not here comes as text."""
_NUMERIC = 1700
_SQLSTATES = (
    ("28", REFUSED), ("42501", REFUSED), ("42P01", NO_TABLE), ("42703", NO_COLUMN), ("08", AWAY), ("57P", AWAY),
)  # fmt: skip
_AT_THE_DOOR = (
    ("authentication failed", REFUSED),
    ("no password", REFUSED),
    ("root certificate file", "cannot be verified: its caFile is not there"),
    ("certificate", "shows no certificate that can be verified: name the file of its authority as caFile"),
    ("signature failure", "shows no certificate that can be verified: name the file of its authority as caFile"),
    ("SSL error", "does not speak TLS as it is spoken here: let its administrator look at its versions of TLS"),
    ("does not support SSL", "does not speak TLS: let it, or say tls: false to speak in the clear"),
)
"""What is said before a session begins has no SQLSTATE."""


@contextmanager
def _postgresql(server: Server, _: Contract) -> Iterator[Opened]:
    import psycopg

    is_plain = not server.tls or (server.is_local and server.ca_file is None)
    tls: dict[str, Any] = (
        {"sslmode": "prefer" if server.tls else "disable"}
        if is_plain
        else {"sslmode": "verify-full", "sslrootcert": server.ca_file or "system"}
    )
    with psycopg.connect(
        host=server.host or None,
        port=server.port,
        dbname=server.address,
        user=server.user,
        password=secret(server.credentials).get_secret_value() if server.credentials else None,
        connect_timeout=CONNECT_SECONDS,
        application_name="reliability-platform",
        passfile="/dev/null",  # what counts stands in the contract
        **tls,
    ) as connection:
        for kind in ("json", "jsonb"):
            connection.adapters.register_loader(kind, psycopg.types.string.TextLoader)
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("set local timezone = 'UTC'")
        numbers = count()

        def ask(query: str, values: Values) -> QueryResult:
            cursor = connection.cursor(name=f"delivery_{next(numbers)}")  # on the server: not all rows at once
            cursor.itersize = ROWS_AT_ONCE
            cursor.execute(with_parameters(query.replace("%", "%%"), lambda name: f"%({name})s"), dict(values))
            schema = pa.schema([(one.name, _type_of(one)) for one in cursor.description or ()])
            return QueryResult(
                schema, _pieces(cursor.fetchmany, schema, [_reader(one.type) for one in schema], cursor.close)
            )

        yield Opened(ask, connection.cancel)


def _type_of(column: Any) -> pa.DataType:
    if (
        column.type_code == _NUMERIC
        and column.precision is not None
        and 0 <= (column.scale or 0) <= column.precision <= 38
    ):
        return pa.decimal128(column.precision, column.scale or 0)
    return _TYPES.get(column.type_code, pa.string())


def _reader(kind: pa.DataType) -> Callable[[Any], Any] | None:
    if pa.types.is_string(kind):
        return _text
    return _finite if pa.types.is_decimal(kind) else None


def _finite(value: Any) -> Any:
    """A number; NaN, which PostgreSQL has among its decimals, is none."""
    return None if isinstance(value, Decimal) and not value.is_finite() else value


def _errors_of_postgresql() -> tuple[type[Exception], ...]:
    try:
        import psycopg
    except ImportError:
        raise EnvironmentUnusableError(
            "A source in PostgreSQL needs psycopg: install the platform with its extra `postgres`."
        ) from None
    return (psycopg.Error,)


def _why_postgresql(error: Exception, contract: Contract) -> str:
    state, said = getattr(error, "sqlstate", None), str(error)
    if state is None:
        away = AWAY if type(error).__name__ == "OperationalError" else OTHER.format(name=type(error).__name__)
        return next((why for sign, why in _AT_THE_DOOR if sign in said), away)
    words = next((why for sign, why in _SQLSTATES if state.startswith(sign)), OTHER)
    return words.format(name=f"SQLSTATE {state}" if words == OTHER else _quoted_in(said, contract))


# All


def _pieces(
    fetch: Callable[[int], Sequence[Sequence[Any]]],
    schema: pa.Schema,
    readers: Sequence[Callable[[Any], Any] | None],
    close: Callable[[], None] = lambda: None,
) -> Iterator[pa.RecordBatch]:
    """Rows of Python as pieces of columns."""
    while rows := fetch(ROWS_AT_ONCE):
        columns = zip(*rows, strict=True)
        values = [column if read is None else map(read, column) for column, read in zip(columns, readers, strict=True)]
        yield pa.record_batch(
            [pa.array(list(one), field.type) for one, field in zip(values, schema, strict=True)], schema=schema
        )
    close()


@dataclass(frozen=True)
class _Engine:
    """How one kind of database is opened, and what its errors say."""

    opened: Callable[[Server, Contract], AbstractContextManager[Opened]]
    errors: Callable[[], tuple[type[Exception], ...]]
    why: Callable[[Exception, Contract], str]
    within: str
    """Whether a row happened between two moments, in SQL of the column that says when."""


_BETWEEN = "{at} >= :start and {at} < :end"
_ENGINES = {
    "duckdb": _Engine(_duckdb, lambda: (duckdb.Error,), _why_duckdb, _BETWEEN),
    # Its moments are texts, with a space or a T before the hour: compared as moments, not as texts.
    "sqlite": _Engine(_sqlite, lambda: (sqlite3.Error,), _why_sqlite, _BETWEEN.replace("{at}", "datetime({at})")),
    "postgresql": _Engine(_postgresql, _errors_of_postgresql, _why_postgresql, _BETWEEN),
}


def table_in(server: Server, name: str) -> str:
    """A table in the schema that its name says, or else its server, as SQL."""
    parts = name.split(".") if "." in name or not server.schema else [server.schema, name]
    return ".".join(map(identifier, parts))


def query_of(server: Server, contract: Contract, ask: Callable[[str, Values], QueryResult]) -> str:
    """What brings one batch: the contract's own query, or the rows of its table by their event time, in the order of their
    key, so that the same rows are the same bytes. Raises `SourceUnavailableError` for a table that has not these columns."""
    if contract.query is not None:
        return contract.query
    table = table_in(server, contract.table)
    there = ask(f"select * from {table} limit 0", {}).schema.names
    meant = {column: name for name, column in contract.meant_by(there).items()}
    missing = next((one for one in (contract.event_time, *contract.key) if one not in meant), None)
    if missing is not None:
        raise SourceUnavailableError(f"{_named(server)} {NO_COLUMN.format(name=f' {missing}')}.")
    within = _ENGINES[server.engine].within.format(at=identifier(meant[contract.event_time]))
    return f"select * from {table} where {within} order by {', '.join(identifier(meant[one]) for one in contract.key)}"

"""What all tests share. The process that hands them out loads it as well, and needs nothing of the platform: 2 s of imports
before the first test is looked for, were they made here at once.
"""

import gc
import os
import runpy
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import duckdb
    from alembic.config import Config
    from sqlalchemy import Engine

    from tests.ground import Platform
    from tests.postgresql_server import PostgresqlServer


@pytest.fixture(scope="session")
def outward_calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what this process or one that it starts asks of other hosts, or writes into the installation, is written down;
    it is refused as well.
    """
    log = tmp_path_factory.mktemp("outward") / "calls"
    log.touch()
    folder = str(Path(__file__).parent / "outward")
    os.environ["OUTWARD_CALLS"] = str(log)
    os.environ["PYTHONPATH"] = os.pathsep.join([folder, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]).strip(":")
    runpy.run_path(f"{folder}/sitecustomize.py")
    return log


@pytest.fixture(autouse=True)
def _nothing_goes_out(outward_calls: Path) -> Iterator[None]:
    """Whatever library is underneath: telemetry, update checks, look-ups of names; and a read-only installation works."""
    before = outward_calls.stat().st_size
    yield
    assert outward_calls.read_text()[before:] == ""


@pytest.fixture(autouse=True)
def _homes_of_one_test() -> Iterator[None]:
    """The paths of all homes that a process has opened are looked for in what it says: one in use, a thousand here."""
    from reliability_platform.settings import HOMES

    yield
    HOMES.clear()


LONGEST = (
    "scenarios/test_demo.py",
    "scenarios/test_catalogue.py",
    "scenarios/test_csv_deliveries.py",
    "scenarios/test_live_platform.py",
    "unit/test_evidence.py",
    "dbt/test_mutation.py",
    "dbt/test_order_freedom.py",
    "unit/test_recovery.py",
    "unit/test_damage_matrix.py",
    "dbt/test_dbt_from_the_shell.py",
)
"""Files that take 17 to 90 s of CPU and begin first, or the last worker would run one of them alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all others in their order."""
    places = {str(Path(__file__).parent / name): place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(str(item.path), len(places)))


def pytest_collection_finish() -> None:
    """Dagster and dbt are half a million objects that stay: they are collected never again, and what is new less often. At
    the default of 700 objects the collections took 6 % of a build.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
    _use_one_thread()
    _read_migrations_once()
    _compile_statements_once()
    _make_one_store()
    _make_one_dagster_storage()
    _wait_for_no_disk()


def _wait_for_no_disk() -> None:
    """A landing day waits fifty times until the disk has what was written, 2 ms each, and longer where others write. That
    matters where the power fails, which no test does: a process that is killed leaves what it has written.
    """
    from sqlalchemy import Engine, event

    @event.listens_for(Engine, "connect")
    def _wait_no_longer(connection: Any, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    os.fsync = lambda _file: None


def _use_one_thread() -> None:
    """A day of a test has a few hundred rows: more threads of DuckDB only wait for each other, which took a third of the CPU
    of an audit and a publication. Processes that tests start have as many as DuckDB takes.
    """
    import duckdb

    connect = duckdb.connect

    def connected(*arguments: Any, config: dict[str, Any] | None = None, **more: Any) -> "duckdb.DuckDBPyConnection":
        return connect(*arguments, config={"threads": 1, **(config or {})}, **more)

    duckdb.connect = connected


def _read_migrations_once() -> None:
    """Dagster reads the migrations of its storage thirteen times for each instance that begins: 0.3 of 0.5 s of CPU."""
    from alembic.script import ScriptDirectory

    read: Callable[[Config], ScriptDirectory] = ScriptDirectory.from_config
    known: dict[str | None, ScriptDirectory] = {}

    def from_config(config: "Config") -> ScriptDirectory:
        place = config.get_main_option("script_location")
        if place not in known:
            known[place] = read(config)
        return known[place]

    ScriptDirectory.from_config = from_config  # type: ignore[method-assign,assignment]


def _compile_statements_once() -> None:
    """Each of a thousand homes has an engine of its own, which compiled each statement anew: 4 % of the unit tests. What is
    compiled for a dialect is kept by the dialect itself, so all of SQLite's have to be as one. The platform gives columns of
    Dagster another type once it is asked for its event log: what was compiled before is not for those who come after.
    """
    from sqlalchemy import Engine
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
    from sqlalchemy.util import LRUCache

    packs = "reliability_platform.orchestration.event_log"
    compiled: dict[bool, LRUCache[Any, Any]] = {False: LRUCache(5_000), True: LRUCache(5_000)}
    make = Engine.__init__

    def made(engine: Engine, *arguments: Any, **named: Any) -> None:
        make(engine, *arguments, **named)
        if type(engine.dialect) is SQLiteDialect_pysqlite:
            engine._compiled_cache = compiled[packs in sys.modules]

    Engine.__init__ = made  # type: ignore[method-assign]
    SQLiteDialect_pysqlite.__hash__ = lambda _dialect: hash(SQLiteDialect_pysqlite)  # type: ignore[method-assign]
    SQLiteDialect_pysqlite.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[method-assign,assignment]


def _begin_with(file: Path, content: bytes) -> None:
    """The content at once, unless another thread was first: half a database is a damaged one."""
    half = file.with_name(f"{file.name}.{threading.get_ident()}")
    half.write_bytes(content)
    with suppress(FileExistsError):
        os.link(half, file)
    half.unlink()


def _make_one_store() -> None:
    """A new operations store is a copy of the first one: its 57 statements took 30 ms in each of a thousand homes. What makes
    a store is the subject of `test_schema.py`, which has them made.
    """
    from reliability_platform import operations
    from reliability_platform.operations.schema import ensure_schema

    made: list[bytes] = []

    def ensure(engine: "Engine", *server: Any, **more: Any) -> None:
        file = Path(engine.url.database or "")
        if engine.dialect.name != "sqlite" or file.exists():
            ensure_schema(engine, *server, **more)
        elif made and file.parent.is_dir():
            _begin_with(file, made[0])
        else:
            ensure_schema(engine)
            engine.dispose()  # the last one that closes a store empties its log into it
            made.append(file.read_bytes())

    operations.engine.ensure_schema = ensure  # type: ignore[attr-defined]


def _make_one_dagster_storage() -> None:
    """A new file of Dagster's is a copy of the first one of its kind: making the tables of three took 0.4 s in each instance,
    a third of what the tests of the orchestration took.
    """
    from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage, SqliteEventLogStorage
    from dagster._core.storage.runs import SqliteRunStorage
    from dagster._core.storage.schedules import SqliteScheduleStorage

    first: dict[Callable[..., Any], bytes] = {}

    def copying(make: Callable[..., Any], place: Callable[..., Path]) -> Callable[..., Any]:
        def made(*arguments: Any, **named: Any) -> Any:
            file = place(*arguments, **named)
            is_new = not file.exists()
            if is_new and make in first:
                file.parent.mkdir(parents=True, exist_ok=True)
                _begin_with(file, first[make])
            done = make(*arguments, **named)
            if is_new and make not in first:
                with closing(sqlite3.connect(file)) as store:
                    first[make] = store.serialize()
            return done

        return made

    for storage, name in ((SqliteRunStorage, "runs.db"), (SqliteScheduleStorage, "schedules.db")):
        make = storage.from_local.__func__  # type: ignore[attr-defined]
        by_folder = copying(make, lambda _class, base_dir, *_, name=name, **__: Path(base_dir, name))
        storage.from_local = classmethod(by_folder)  # type: ignore[assignment]
    SqliteEventLogStorage._initdb = copying(  # type: ignore[method-assign]
        SqliteEventLogStorage._initdb, lambda _log, engine, **_: Path(engine.url.database)
    )
    ConsolidatedSqliteEventLogStorage._init_db = copying(  # type: ignore[method-assign]
        ConsolidatedSqliteEventLogStorage._init_db, lambda log: Path(log.get_db_path())
    )


@pytest.fixture(scope="session")
def postgresql_of_the_session() -> "Iterator[PostgresqlServer]":
    """One server for all tests of a worker: up in a second, and each home has a schema of its own in it."""
    from tests.postgresql_server import postgresql_server

    with postgresql_server() as server:
        yield server


@pytest.fixture
def in_postgresql(
    postgresql_of_the_session: "PostgresqlServer", monkeypatch: pytest.MonkeyPatch
) -> "Iterator[PostgresqlServer]":
    """Lets every home of the test have its operations store there. Engines keep connections for the process, and a server
    has a hundred: they are ended with the test.
    """
    postgresql_of_the_session.ensure()
    monkeypatch.setenv("RELIABILITY_OPERATIONS_URL", postgresql_of_the_session.url)
    yield postgresql_of_the_session
    postgresql_of_the_session.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], "Platform"]:
    """Makes homes that have lived: two clean landing days, landed, built, judged and published. Most tests begin with
    that, so it is done once for all workers, and copied. Views of a copy read the bronze of the first until it builds.
    """
    from filelock import FileLock

    from tests.ground import EVENTS, Platform, day

    base = tmp_path_factory.getbasetemp()
    whole = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "lived"
    ready = whole.with_suffix(".ready")

    def copy(home: Path) -> Platform:
        with FileLock(whole.with_suffix(".lock")):
            if not ready.exists():
                shutil.rmtree(whole, ignore_errors=True)  # of a worker that was stopped while it made it
                made = Platform(whole, events_per_day=EVENTS)
                made.run(day(1), day(2))
                made.engine.dispose()  # the last one that closes a store empties its log into it, which would vanish from a copy
                ready.touch()
        shutil.copytree(whole, home, symlinks=True)
        return Platform(home, events_per_day=EVENTS)

    return copy


@pytest.fixture
def platform(tmp_path: Path) -> Callable[..., "Platform"]:
    """Makes platforms: `platform("name", injections=[…])`."""
    from tests.ground import Platform

    def make(name: str = "home", **arguments: object) -> Platform:
        return Platform(tmp_path / name, **arguments)  # type: ignore[arg-type]

    return make

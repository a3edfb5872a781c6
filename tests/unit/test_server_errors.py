"""What a database server says, as one line and an exit code of its kind, known by its SQLSTATE; and what outlives a restart."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import lookup
from sqlalchemy import text

from reliability_platform.causes import DAMAGE, HELD, INTERRUPTED, LIMIT, NO_RIGHTS, NO_ROOM, NO_SUCH_PATH, Cause
from reliability_platform.checks.store import CheckStore
from reliability_platform.errors import EnvironmentUnusableError, ExitCode, HomeBusyError
from reliability_platform.operations import operations_engine
from reliability_platform.operations.server import cause_of_state
from reliability_platform.settings import Settings, load_settings
from tests.postgresql_server import PASSWORD, PostgresqlServer, postgresql_server
from tests.unit.failing import result

CHECK = "bronze_orders__batch_completeness"
COMMAND = "from reliability_platform.cli.main import main; main()"


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("DISK_FULL", NO_ROOM),
        ("OUT_OF_MEMORY", LIMIT),
        ("TOO_MANY_CONNECTIONS", HELD),
        ("LOCK_NOT_AVAILABLE", HELD),
        ("DEADLOCK_DETECTED", HELD),
        ("QUERY_CANCELED", HELD),
        ("READ_ONLY_SQL_TRANSACTION", NO_RIGHTS),
        ("INSUFFICIENT_PRIVILEGE", NO_RIGHTS),
        ("INVALID_PASSWORD", NO_RIGHTS),
        ("INVALID_CATALOG_NAME", NO_SUCH_PATH),
        ("ADMIN_SHUTDOWN", INTERRUPTED),
        ("CRASH_SHUTDOWN", INTERRUPTED),
        ("CANNOT_CONNECT_NOW", INTERRUPTED),
        ("CONNECTION_FAILURE", INTERRUPTED),
        ("DATA_CORRUPTED", DAMAGE),
        ("IO_ERROR", DAMAGE),
        ("UNIQUE_VIOLATION", None),
        ("UNDEFINED_TABLE", None),
        ("SYNTAX_ERROR", None),
    ],
)
def test_each_state_of_the_server_has_a_cause(name: str, cause: Cause | None) -> None:
    """Those of a statement have none: they are faults of ours, or a row that is there already."""
    assert cause_of_state(lookup(name).sqlstate) is cause


@pytest.fixture
def settings(in_postgresql: PostgresqlServer, tmp_path: Path) -> Settings:
    """Of a home whose store is in the server."""
    found = load_settings(tmp_path / "home")
    operations_engine(found)
    return found


def test_a_server_that_may_only_be_read_says_so(settings: Settings) -> None:
    """A standby."""
    engine = operations_engine(settings)
    with (
        pytest.raises(EnvironmentUnusableError, match="SQLSTATE 25006, ReadOnlySqlTransaction") as said,
        engine.begin() as one,
    ):
        one.execute(text("set transaction read only"))
        one.execute(text("insert into homes values ('x')"))
    assert PASSWORD not in str(said.value)
    assert "whether the server is a standby" in str(said.value)


def test_a_lock_that_is_not_given_is_busy(settings: Settings) -> None:
    """Exit code 4: try again."""
    engine = operations_engine(settings)
    with engine.begin() as one:
        one.execute(text("lock table homes"))
        with pytest.raises(HomeBusyError, match="is busy \\(SQLSTATE 55P03"), engine.begin() as other:
            other.execute(text("set local lock_timeout = '50ms'"))
            other.execute(text("select * from homes"))


def test_a_connection_that_is_lost_in_a_transaction_undoes_it_and_the_next_one_has_another(
    settings: Settings, in_postgresql: PostgresqlServer
) -> None:
    """Nothing is half written, and nobody has to start the process again."""
    engine = operations_engine(settings)
    with pytest.raises(EnvironmentUnusableError, match="cannot be reached \\(SQLSTATE 57P01"), engine.begin() as one:
        one.execute(text("insert into homes values ('lost')"))
        in_postgresql.execute("select pg_terminate_backend(%s)", [one.scalar(text("select pg_backend_pid()"))])
        one.execute(text("select 1"))
    with engine.connect() as other:
        assert "lost" not in other.execute(text("select id from homes")).scalars().all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((PASSWORD, f"{PASSWORD}x"), "look at the user, its password"),
        (("/postgres", "/nothing"), "whether there is such a database"),
        (("owner:", "nobody:"), "look at the user"),
        (("127.0.0.1:", "127.0.0.1:1"), "cannot be reached"),
    ],
    ids=["password", "database", "user", "port"],
)
def test_a_server_that_lets_nobody_in_is_one_line_without_the_password(
    postgresql_of_the_session: PostgresqlServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, str],
    told: str,
) -> None:
    """Before a connection the server has no SQLSTATE to give."""
    url = postgresql_of_the_session.url.replace(*change)
    monkeypatch.setenv(
        "RELIABILITY_OPERATIONS_URL", url.replace("127.0.0.1:1", "127.0.0.1:1/x?") if "port" in change else url
    )
    began = time.monotonic()
    with pytest.raises(EnvironmentUnusableError) as said:
        operations_engine(load_settings(tmp_path / "home"))
    assert "RELIABILITY_OPERATIONS_URL" in str(said.value)
    assert told in str(said.value)
    assert PASSWORD not in str(said.value)
    assert "\n" not in str(said.value)
    assert time.monotonic() - began < 8


def test_two_commands_at_once_write_all_that_they_have_to_say(settings: Settings) -> None:
    """Two persons pause a source at the same moment."""
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, "sources", "pause", source, "--why", source],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "RELIABILITY_HOME": str(settings.home)},
        )
        for source in ("orders", "payments")
    ]  # fmt: skip
    told = [one.communicate(timeout=120) for one in commands]
    assert [one.returncode for one in commands] == [ExitCode.OK, ExitCode.OK], told
    with operations_engine(settings).connect() as connection:
        assert set(connection.execute(text("select name from pauses")).scalars()) == {"orders", "payments"}


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresqlServer]:
    """One that a test may stop."""
    with postgresql_server(durable=True) as server:
        monkeypatch.setenv("RELIABILITY_OPERATIONS_URL", server.url)
        yield server


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT], ids=["crash", "shutdown"])
def test_a_process_waits_for_a_server_that_restarts(
    own_server: PostgresqlServer, tmp_path: Path, how: signal.Signals
) -> None:
    """What was committed is there, and the next transaction is made as if nothing had been."""
    store = CheckStore(operations_engine(load_settings(tmp_path / "home")))
    store.record([result(CHECK, 1)])
    own_server.stop(how)
    again = threading.Timer(1, own_server.start)
    again.start()
    store.record([result(CHECK, 2)])
    again.join()
    assert len(store.latest()) == 2


def test_the_server_for_tests_is_what_it_says(own_server: PostgresqlServer) -> None:
    """One that asks for no password would prove nothing of passwords."""
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(own_server.url.replace(PASSWORD, "wrong"))

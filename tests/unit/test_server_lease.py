"""The lease in a database server: one holder among all processes, and one that was stopped writes nothing after it was overtaken."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reliability_platform.checks.store import CheckStore
from reliability_platform.errors import HomeBusyError
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.lease import confirm_lease, is_held, warehouse_lease
from tests.postgresql_server import PostgresqlServer, postgresql_server

HOLDER = """
import sys
from pathlib import Path
from reliability_platform.checks.store import CheckStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.lease import open_when_free, warehouse_lease
from tests.unit.failing import result

def say(*words):
    print(*words, flush=True)

def attempt(name, write):
    try:
        write()
        say(name, "done")
    except Exception as error:
        say(name, type(error).__name__, error)

settings = load_settings(Path(sys.argv[1]))
store = CheckStore(operations_engine(settings))
write_row = lambda: store.record([result("bronze_orders__batch_completeness")])
write_warehouse = lambda: open_when_free(settings, read_only=False).execute("create or replace table t as select 1 as n")
try:
    with warehouse_lease(settings):
        attempt("row", write_row)
        say("held")
        while sys.stdin.readline().strip() == "write":
            attempt("row", write_row)
            attempt("warehouse", write_warehouse)
        say("ends")
except Exception as error:
    say(type(error).__name__)
"""


@pytest.fixture
def settings(in_postgresql: PostgresqlServer, tmp_path: Path) -> Settings:
    """Of a home whose store is in the server."""
    found = load_settings(tmp_path / "home")
    operations_engine(found)
    return found


class Holder:
    """A process of another host that holds the lease of a home."""

    def __init__(self, settings: Settings) -> None:
        environment = {**os.environ, "RELIABILITY_LEASE_SILENCE_SECONDS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(settings.home)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert self.hears() == "row done"
        assert self.hears() == "held"

    def hears(self) -> str:
        """Its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def told(self, words: str) -> None:
        """Say something to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()


@pytest.fixture
def holder() -> Iterator[Callable[[Settings], Holder]]:
    """Makes holders; each is killed afterwards."""
    made: list[Holder] = []

    def make(settings: Settings) -> Holder:
        made.append(Holder(settings))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait(60)


def waiting(settings: Settings, seconds: float, silence: float = 1) -> Settings:
    """For whoever waits so long, and takes a holder for gone after a second without a word."""
    return settings.model_copy(update={"lease_timeout_seconds": seconds, "lease_silence_seconds": silence})


def test_the_lease_is_one_for_all_processes(settings: Settings, holder: Callable[[Settings], Holder]) -> None:
    """Two hosts that mount one home would both write its warehouse; a holder that speaks keeps it however long it works."""
    other = holder(settings)
    with (
        pytest.raises(HomeBusyError, match="Another process has held the warehouse for 2 s"),
        warehouse_lease(waiting(settings, 2.5)),
    ):
        pass
    other.told("end")
    assert other.hears() == "ends"
    with warehouse_lease(waiting(settings, 10)), warehouse_lease(waiting(settings, 10)):
        assert is_held(waiting(settings, 10))
        confirm_lease(waiting(settings, 10))
    assert not is_held(waiting(settings, 10))
    assert not settings.lease.exists()


def test_a_holder_that_was_killed_has_let_go(settings: Settings, holder: Callable[[Settings], Holder]) -> None:
    """At once: its connection ends with it."""
    holder(settings).process.kill()
    began = time.monotonic()
    with warehouse_lease(waiting(settings, 30, silence=60)):
        assert time.monotonic() - began < 10


def test_a_holder_that_was_stopped_is_overtaken_and_refused_when_it_wakes(
    settings: Settings, holder: Callable[[Settings], Holder]
) -> None:
    """It goes on in the middle of its work, hours later, and nothing tells it that another has been there."""
    asleep = holder(settings)
    asleep.process.send_signal(signal.SIGSTOP)
    engine, before = operations_engine(settings), CheckStore(operations_engine(settings)).last_id()
    with warehouse_lease(waiting(settings, 30)):
        asleep.told("write")
        asleep.process.send_signal(signal.SIGCONT)
        assert asleep.hears().startswith("row HomeBusyError Another process has taken the warehouse over")
        assert asleep.hears().startswith("warehouse HomeBusyError Another process has taken the warehouse over")
    asleep.told("write")  # it is no holder again because the other one has ended
    assert asleep.hears().startswith("row HomeBusyError")
    assert asleep.hears().startswith("warehouse HomeBusyError")
    assert CheckStore(engine).last_id() <= before + 2  # numbers are given out, rows are not
    assert len(CheckStore(engine).latest()) == 1
    assert not settings.warehouse.exists()


@pytest.mark.exhaustive  # 5 s
def test_a_holder_whose_connection_was_cut_goes_on_if_nobody_was_there(
    settings: Settings, in_postgresql: PostgresqlServer, holder: Callable[[Settings], Holder]
) -> None:
    """A network that drops idle connections, or an administrator."""
    other = holder(settings)
    in_postgresql.execute(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = 5715004"
    )
    other.told("write")
    assert [other.hears(), other.hears()] == ["row done", "warehouse done"]
    with pytest.raises(HomeBusyError), warehouse_lease(waiting(settings, 0.3, silence=60)):
        pass


@pytest.mark.exhaustive  # 10 s
def test_a_holder_goes_on_after_the_server_has_crashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: Callable[[Settings], Holder]
) -> None:
    """All locks of sessions are gone then; what was committed is not."""
    with postgresql_server(durable=True) as server:
        monkeypatch.setenv("RELIABILITY_OPERATIONS_URL", server.url)
        settings = load_settings(tmp_path / "home")
        other = holder(settings)
        server.stop()
        other.told("write")
        time.sleep(0.5)
        server.start()
        assert [other.hears(), other.hears()] == ["row done", "warehouse done"]
        assert CheckStore(operations_engine(settings)).last_id() >= 2

"""Events on their way to an endpoint: nothing lost, in order, the pipeline never kept waiting."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from reliability_platform.cli.main import cli
from reliability_platform.errors import ExitCode
from reliability_platform.openlineage_events.delivery import deliver
from reliability_platform.openlineage_events.emitter import emit, finish
from reliability_platform.openlineage_events.spool import EventSpool
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings
from tests.unit.lineage_made import KEY, endpoint, event, numbered, sending_home

JOBS = [f"job.{number}" for number in range(20)]


def _spool(settings: Settings) -> EventSpool:
    return EventSpool(operations_engine(settings))


def _closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_healthy_endpoint_gets_everything_in_order(tmp_path: Path) -> None:
    """Sent beside the pipeline, with the key, and nothing is left."""
    with endpoint() as server:
        settings = sending_home(tmp_path, server.url, timeout_seconds=10)
        for one in numbered(20):
            emit(settings, [one])
        finish(settings)
        assert server.jobs() == JOBS
        assert server.received[0] == event("job.0")
        assert set(server.paths) == {"/api/v1/lineage"}
        assert server.keys == {f"Bearer {KEY}"}
        assert _spool(settings).waiting() == 0
    assert not settings.lineage_events.exists()


def test_an_url_with_a_path_is_the_endpoint_itself(tmp_path: Path) -> None:
    """Not every receiver is at the usual place."""
    with endpoint() as server:
        settings = sending_home(tmp_path, server.url + "/custom/lineage")
        _spool(settings).put(numbered(1))
        assert deliver(settings, _spool(settings)).delivered == 1
        assert server.paths == ["/custom/lineage"]


def test_a_hanging_endpoint_costs_one_timeout_and_loses_nothing(tmp_path: Path) -> None:
    """Emitting never waits for the network; after the first failure nobody asks again for a while."""
    with endpoint() as server:
        server.answer = lambda _: None
        settings = sending_home(tmp_path, server.url, timeout_seconds=0.4)
        emit(settings, numbered(1))  # makes the tables
        began = time.monotonic()
        for one in numbered(20)[1:]:
            emit(settings, [one])
        finish(settings)
        finish(settings)
        assert time.monotonic() - began < 4  # waiting for each would be 8
        time.sleep(0.5)
        emit(settings, numbered(1))
        began = time.monotonic()
        finish(settings)
        assert time.monotonic() - began < 0.4
        assert server.asked == ["job.0"]
        assert _spool(settings).waiting() == 21


def test_a_slow_endpoint_is_not_waited_for(tmp_path: Path) -> None:
    """It answers each time just before the timeout: the run goes on, and the rest is sent by whoever comes next."""
    with endpoint() as server:
        server.answer = lambda _: 201 if time.sleep(0.3) is None else 500
        settings = sending_home(tmp_path, server.url, timeout_seconds=0.5)
        began = time.monotonic()
        for one in numbered(20):
            emit(settings, [one])
        finish(settings)
        assert time.monotonic() - began < 4  # sending takes 6
        assert _spool(settings).waiting() > 0
        server.answer = lambda _: 201
        while _spool(settings).waiting():
            time.sleep(0.05)
        assert server.jobs() == JOBS


@pytest.mark.parametrize("status", [500, 503, 429, 401, 403, 404, 302])
def test_an_endpoint_in_trouble_keeps_events_waiting_until_it_is_back(tmp_path: Path, status: int) -> None:
    """A wrong key, a wrong address or an overloaded server say nothing about the event: not one is set aside."""
    with endpoint() as server:
        settings, answers = sending_home(tmp_path, server.url), iter([201, 201])
        server.answer = lambda _: next(answers, status)
        spool = _spool(settings)
        spool.put(numbered(20))
        done = deliver(settings, spool)
        assert (done.delivered, done.set_aside) == (2, 0)
        assert done.problem == ("TooManyRedirects" if status == 302 else f"HTTP {status}")
        assert (spool.waiting(), spool.dead_letters()) == (18, {})
        assert len(server.asked) == 3
        server.answer = lambda _: 200
        assert deliver(settings, spool).delivered == 18
        assert server.jobs() == JOBS


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_event_that_the_endpoint_refuses_holds_up_no_other(tmp_path: Path, status: int) -> None:
    """It lies aside with the reason, and can be sent again at its old place."""
    with endpoint() as server:
        settings = sending_home(tmp_path, server.url)
        server.answer = lambda body: status if body["job"]["name"] in ("job.3", "job.7") else 201
        spool = _spool(settings)
        spool.put(numbered(20))
        done = deliver(settings, spool)
        assert (done.delivered, done.set_aside, done.problem) == (18, 2, None)
        assert spool.dead_letters() == {f"HTTP {status}": 2}
        assert server.jobs() == [job for job in JOBS if job not in ("job.3", "job.7")]
        server.answer = lambda _: 201
        assert spool.put_back() == 2
        assert deliver(settings, spool).delivered == 2
        assert server.jobs()[-2:] == ["job.3", "job.7"]


def test_a_closed_port_costs_nothing(tmp_path: Path) -> None:
    """The commonest failure: the server is not there."""
    settings = sending_home(tmp_path, _closed_port(), timeout_seconds=5)
    began = time.monotonic()
    emit(settings, numbered(20))
    finish(settings)
    assert time.monotonic() - began < 5
    assert _spool(settings).waiting() == 20


def test_two_senders_at_once_send_each_event_once_and_in_order(tmp_path: Path) -> None:
    """One takes its turn, the other finds nothing left."""
    with endpoint() as server:
        settings = sending_home(tmp_path, server.url, timeout_seconds=10)
        _spool(settings).put(numbered(20))
        senders = [threading.Thread(target=deliver, args=(settings, _spool(settings))) for _ in range(3)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert server.jobs() == JOBS


KILLED = """
import os, signal, sys, time
from pathlib import Path
from tests.unit.lineage_made import numbered, sending_home
from reliability_platform.openlineage_events.emitter import emit
settings = sending_home(Path(sys.argv[1]), sys.argv[2], timeout_seconds=30)
for one in numbered(20):
    emit(settings, [one])
print("spooled", flush=True)
time.sleep(60)
"""


def _child(program: str, *arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(one for one in sys.path if one)
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_killed_while_sending_nothing_is_lost(tmp_path: Path) -> None:
    """The kernel takes the lock from the dead; the next sender begins where delivery was not certain."""
    with endpoint() as server:
        server.answer = lambda body: None if body["job"]["name"] == "job.5" else 201
        child = _child(KILLED, str(tmp_path), server.url)
        assert child.stdout is not None
        assert child.stdout.readline() == "spooled\n"
        while "job.5" not in server.asked:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        server.answer = lambda _: 201
        settings = sending_home(tmp_path, server.url)
        assert deliver(settings, _spool(settings)).delivered == 15
        assert server.jobs() == JOBS


ENDING = """
import sys
from pathlib import Path
from tests.unit.lineage_made import numbered, sending_home
from reliability_platform.openlineage_events.emitter import emit
for one in numbered(20):
    emit(sending_home(Path(sys.argv[1]), sys.argv[2], timeout_seconds=30), [one])
"""


def test_two_processes_that_end_at_once_send_all_before_they_go(tmp_path: Path) -> None:
    """The last events of a run are not left behind; those of each process arrive in their order."""
    with endpoint() as server:
        children = [_child(ENDING, str(tmp_path), server.url) for _ in range(2)]
        assert [child.wait() for child in children] == [0, 0]
        assert sorted(server.jobs()) == sorted(JOBS * 2)
        firsts = [server.jobs().index(job) for job in JOBS]
        assert firsts == sorted(firsts)


def test_no_secret_in_any_log_or_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not at the most talkative level, not when it fails, not in the store."""
    caplog.set_level(logging.DEBUG)
    with endpoint() as server:
        for url, status in ((server.url, 201), (server.url, 500), (server.url, 400), (_closed_port(), 0)):
            server.answer = lambda _, status=status: status
            settings = sending_home(tmp_path, url)
            emit(settings, numbered(3))
            finish(settings)
            deliver(settings, _spool(settings))
    assert server.keys == {f"Bearer {KEY}"}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY not in caplog.text + "".join(capsys.readouterr())
    assert KEY.encode() not in written


def test_the_command_says_what_waits_sends_and_validates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit codes: 0 all is well, 1 something is left or invalid, 2 no endpoint to send to."""

    def command(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["openlineage", *words, "--home", str(tmp_path)], standalone_mode=False)
        if result.exception is not None:
            return getattr(result.exception, "exit_code", ExitCode.INTERNAL), str(result.exception)
        return result.return_value or ExitCode.OK, result.output

    (tmp_path / "landing").mkdir()
    assert "No endpoint is set" in command("status")[1]
    assert command("send")[0] == ExitCode.USAGE
    with endpoint() as server:
        settings = sending_home(tmp_path, server.url)
        spool = _spool(settings)
        emit(settings.model_copy(update={"openlineage_url": None}), numbered(2))
        spool.put(numbered(3))
        monkeypatch.setenv("RELIABILITY_OPENLINEAGE_URL", server.url)
        assert command("validate") == (ExitCode.OK, "5 events, 0 invalid.\n")
        server.answer = lambda body: 400 if body["job"]["name"] == "job.1" else 201
        assert command("send") == (ExitCode.NOT_HEALED, "2 sent, 1 refused, 0 still wait.\n")
        code, text = command("status")
        assert (code, "1 refused by the endpoint (HTTP 400)" in text, "2 events" in text) == (ExitCode.OK, True, True)
        server.answer = lambda _: 201
        assert command("send", "--again") == (ExitCode.OK, "1 sent, 0 refused, 0 still wait.\n")
        spool.put([{**event(), "eventTime": "yesterday"}])
        code, text = command("validate")
        assert code == ExitCode.NOT_HEALED
        assert "eventTime" in text
        assert "6 events" not in text

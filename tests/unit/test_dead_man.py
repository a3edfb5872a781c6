"""The dead man's switch is asked while everybody is at home, and whatever its server does breaks nothing and tells nothing."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reliability_platform.errors import UsageError
from reliability_platform.service import dead_man
from reliability_platform.service.queries.heartbeats import DaemonHeartbeat, Heartbeats
from reliability_platform.settings import load_settings

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
SECRET = "s3cr3t-41f0"  # noqa: S105 - recognisable, and nobody's


class Switch:
    """A real HTTP server on loopback that counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/{SECRET}?key={SECRET}"


@pytest.fixture
def switch() -> Iterator[Switch]:
    one = Switch()
    yield one
    one.server.shutdown()
    one.server.server_close()


def asked(home: Path, monkeypatch: pytest.MonkeyPatch, url: str | None) -> str | None:
    """What is said of one tick."""
    if url is not None:
        monkeypatch.setenv("RELIABILITY_DEAD_MAN_URL", url)
    return dead_man.ping(load_settings(home), NOW)


def test_one_request_a_tick_and_none_without_an_address(
    switch: Switch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(tmp_path, monkeypatch, None) is None
    assert asked(tmp_path, monkeypatch, switch.url) == "The dead man's switch was asked."
    assert switch.asked == [f"/{SECRET}?key={SECRET}"]


def test_it_is_not_asked_while_somebody_is_away(
    switch: Switch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Heartbeats(
        daemons=[DaemonHeartbeat(daemon="SENSOR", last_heartbeat=NOW, beats=False)], sensors=[], schedules=[]
    )
    monkeypatch.setattr(dead_man, "heartbeats", lambda *_: silent)
    said = asked(tmp_path, monkeypatch, switch.url)
    assert said is not None
    assert said.startswith("The dead man's switch is not asked: No daemon has been heard of")
    assert switch.asked == []


@pytest.mark.parametrize("status", [404, 500, 302])
def test_what_it_answers_is_told_without_the_address(
    switch: Switch, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A redirect leads to somebody who was not meant: it is not followed."""
    caplog.set_level(logging.DEBUG)
    switch.status = status
    assert asked(tmp_path, monkeypatch, switch.url) == f"The dead man's switch refused: HTTP {status}."
    assert len(switch.asked) == 1
    assert SECRET not in caplog.text


def test_nobody_there_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    said = asked(tmp_path, monkeypatch, f"http://127.0.0.1:{port}/{SECRET}")
    assert said == "The dead man's switch did not answer: URLError."


def test_a_server_that_never_comes_to_an_end_holds_up_no_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends a byte now and then, so that no silence is too long; the next tick does not begin another one."""
    monkeypatch.setattr(dead_man, "ANSWER_SECONDS", 0.3)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.05):
                    connection.sendall(b"X-A: b\r\n")

        threading.Thread(target=trickle, daemon=True).start()
        url, began = f"http://127.0.0.1:{listener.getsockname()[1]}/{SECRET}", time.monotonic()
        assert asked(tmp_path, monkeypatch, url) == "The dead man's switch has not answered within 0.3 s."
        assert asked(tmp_path, monkeypatch, url) == "The dead man's switch has not answered the last time."
        assert time.monotonic() - began < 3
        over.set()
        assert dead_man._asking is not None
        dead_man._asking.join(10)


def test_the_address_may_stand_in_a_file_and_is_shown_nowhere(
    switch: Switch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "address"
    file.write_text(f"{switch.url}\n")
    assert asked(tmp_path, monkeypatch, f"file:{file}") == "The dead man's switch was asked."
    file.unlink()
    said = asked(tmp_path, monkeypatch, f"file:{file}")
    assert said is not None
    assert said.startswith(f"The dead man's switch is not asked: The file {file}")
    monkeypatch.setenv("RELIABILITY_DEAD_MAN_URL", switch.url)
    assert SECRET not in repr(load_settings(tmp_path))
    monkeypatch.setenv("RELIABILITY_DEAD_MAN_URL", f"ftp://{SECRET}")
    with pytest.raises(UsageError, match="RELIABILITY_DEAD_MAN_URL is not usable") as wrong:
        load_settings(tmp_path)
    assert SECRET not in str(wrong.value)

"""What `reliability dev` leaves behind, where its socket lies, and what it says of a server that ends."""

import json
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from reliability_platform.cli.dev import SOCKET, WEB_SERVER, _address, _folder, _Servers
from reliability_platform.errors import UsageError


def test_the_socket_has_a_place_though_the_temporary_folder_has_a_long_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path of more than 107 bytes is none for a socket: the code server ended with an error of gRPC."""
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with _folder(tmp_path) as folder, socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / SOCKET))
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_what_a_killed_process_left_of_this_home_goes_when_it_is_served_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each kill one more folder stayed; that of another home, which may be served, is left alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, other = _folder(tmp_path / "home"), _folder(tmp_path / "other")
    left, of_another = killed.__enter__(), other.__enter__()
    with _folder(tmp_path / "home"):
        assert (left.exists(), of_another.exists()) == (False, True)


@pytest.mark.parametrize(
    ("ends", "name", "said"),
    [
        ("os.kill(os.getpid(), 9)", "code server", "code server was killed from outside (SIGKILL): start `rel"),
        ("sys.exit(3)", "daemon", "daemon ended with code 3; the lines above say why."),
        ("sys.exit(1)", WEB_SERVER, "web server ended with code 1; the lines above say why. If port 3000 is taken"),
    ],
)
def test_a_server_that_ends_by_itself_is_named_with_how_it_ended(
    tmp_path: Path, ends: str, name: str, said: str
) -> None:
    """Of a code server that was killed the lines above were to say why, and there were none."""
    with _Servers(tmp_path, tmp_path) as servers:
        servers.start("another", sys.executable, "-c", "import time; time.sleep(600)")
        servers.start(name, sys.executable, "-c", f"import os, sys; {ends}")
        assert not servers.wait_for(lambda: False)
        assert said in servers.ending(3000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["", "x" * 300])
def test_an_address_that_is_none_of_this_machine_is_refused_before_anything_starts(host: str) -> None:
    with pytest.raises(UsageError, match="no address of this machine: choose another --host"):
        _address(host)


def test_the_address_is_the_one_that_a_name_stands_for() -> None:
    assert _address("127.0.0.1") == "127.0.0.1"
    assert _address("0.0.0.0") == "0.0.0.0"  # noqa: S104 - asked for


def test_where_lines_are_json_all_that_a_server_prints_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Dagster's runs print text whatever the format of its logs; a collector would drop it, or take it apart wrongly."""
    program = "print('{\"event\": \"one\"}'); print('two \"words\"'); print(chr(27) + '[31mred')"
    with _Servers(tmp_path, tmp_path, as_json=True) as servers:
        servers.start("daemon", sys.executable, "-c", program)
        assert not servers.wait_for(lambda: False)
    found = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [one["event"] for one in found] == ["one", 'two "words"', "\x1b[31mred"]

"""`reliability serve` and `reliability tokens`: what is refused before anything is served, and what is said of a token."""

import json
import socket
from pathlib import Path

import pytest

from reliability_platform.audit_log import AuditLog
from reliability_platform.cli.main import main
from reliability_platform.errors import ExitCode
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a store and nothing in it."""
    operations_engine(load_settings(tmp_path))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str, home: Path) -> str:
    """What a command prints for a program."""
    main([*words, "--json", "--home", str(home)])
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str, home: Path) -> tuple[int, str]:
    """Exit code and line of a command that does nothing."""
    with pytest.raises(SystemExit) as stop:
        main([*words, "--home", str(home)])
    assert isinstance(stop.value.code, int)
    return stop.value.code, capsys.readouterr().err


@pytest.mark.parametrize("host", ["::", "::ffff:0.0.0.0", "192.0.2.7", "data.example.com"])
def test_another_address_than_loopback_is_not_served_before_a_token_is_valid(
    home: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    code, line = refused(capsys, "serve", "--host", host, home=home)
    assert (code, "tokens make" in line, host in line) == (ExitCode.USAGE, True, True)


def test_a_port_that_is_taken_is_told_in_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, line = refused(capsys, "serve", "--port", port, home=home)
    assert (code, port in line, line.count("\n")) == (ExitCode.ENVIRONMENT, True, 1)


def test_a_token_is_shown_once_listed_without_itself_and_revoked(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = json.loads(said(capsys, "tokens", "make", "robot", "--role", "operator", "--days", "7", home=home))
    assert made["token"].startswith("rel_")
    assert len(made["token"]) > 40
    listed = said(capsys, "tokens", "list", home=home)
    assert made["token"] not in listed
    [one] = json.loads(listed)
    assert (one["name"], one["role"], one["valid"]) == ("robot", "operator", True)
    assert json.loads(said(capsys, "tokens", "revoke", "robot", "--why", "moved", home=home))["revoked"] is True
    assert json.loads(said(capsys, "tokens", "revoke", "robot", home=home))["revoked"] is False
    [one] = json.loads(said(capsys, "tokens", "list", home=home))
    assert one["valid"] is False
    log = AuditLog(operations_engine(load_settings(home)))
    told = [(entry.command, entry.what, entry.phase) for entry in log.all()]
    assert told[:2] == [("tokens make", "robot, operator", "begun"), ("tokens make", "robot, operator", "done")]
    assert ("tokens revoke", "robot", "done") in told
    assert log.broken_links() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("make", "robot", "--role", "viewer"), "already"),
        (("make", "a b", "--role", "viewer"), "is no name"),
        (("make", "other", "--role", "king"), "king"),
        (("revoke", "nobody"), "There is no token 'nobody'"),
    ],
)
def test_a_token_that_cannot_be_made_or_revoked_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    said(capsys, "tokens", "make", "robot", "--role", "viewer", home=home)
    code, line = refused(capsys, "tokens", *words, home=home)
    assert (code, told in line) == (ExitCode.USAGE, True), line

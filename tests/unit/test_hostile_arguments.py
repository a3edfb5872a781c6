"""Every command, walked through the tree that click has of them, with arguments and homes that no one should give."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from reliability_platform.cli.main import cli, main
from reliability_platform.errors import ExitCode
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings

WORKING = {("dev",), ("demo",), ("campaign",), ("run",), ("backfill",), ("heal",), ("drill",), ("verify",)}
"""They work for long, or serve, once their arguments are accepted: only what must be refused is tried on them."""
SERVING = {("sources", "serve"), ("serve",)}
WITHOUT_A_HOME: dict[tuple[str, ...], list[tuple[str, ...]]] = {
    ("demo",): [],
    ("campaign",): [],
    ("dev",): [],
    ("run",): [("--dry-run",)],
    ("restore",): [(), ("--damaged",), ("--damaged", "--dry-run"), ("--everything",), ("--aside", "beside")],
}
"""The ways in which commands that may begin a home, or are asked in several, do need one."""
TEXTS = ("x" * 5000, "a\x1b[2Jb\x07", "[bold]no[/nothing]")
DAYS = ("2026-13-01", "", "[bold]", "9999-01-01", "0001-01-01", "2026-02-30")
NUMBERS = ("", "nan", "-1", "1e400", "[bold]")
PATHS = ("", "a\x01b", "x" * 300)
UNDECODABLE = "\udcff"
"""What Python makes of a byte that is no UTF-8."""


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from leaves(found, (*words, name))
    else:
        yield words, command


def kind(parameter: click.Parameter) -> str:
    return type(parameter.type).__name__


def hostile(words: tuple[str, ...], parameter: click.Parameter) -> tuple[str, ...]:
    if getattr(parameter, "is_flag", False):
        return ()
    if kind(parameter) == "Day":
        return DAYS
    if kind(parameter) == "FilePath":
        return PATHS if parameter.name != "home" or words in WORKING | SERVING else PATHS[:1]  # one option for all
    if isinstance(parameter.type, click.IntRange | click.FloatRange):
        return NUMBERS
    return () if words in WORKING | SERVING else TEXTS


def valid(parameter: click.Parameter) -> str:
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    return {"Day": "2026-01-02"}.get(kind(parameter), "1")


def line(words: tuple[str, ...], command: click.Command, home: Path, given: dict[str | None, str]) -> list[str]:
    options, arguments = list(words), []
    for one in command.params:
        if one.name in given:
            value = given[one.name]
        elif one.required:
            value = valid(one)
        elif one.name == "home":
            value = str(home)
        else:
            continue
        if isinstance(one, click.Argument):
            arguments.append(value)
        else:
            options += [one.opts[0], value]
    return [*options, "--", *arguments] if arguments else options


def call(words: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = 0
    try:
        code = main(words) or 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    out = capfd.readouterr()
    said = out.out + out.err
    assert code in {one.value for one in ExitCode} - {ExitCode.INTERNAL}, (words, code, said)
    assert "Traceback" not in said, words
    assert not set("\x1b\x07\x01") & set(said), (words, said)
    if "--json" in words:
        assert not out.out or json.loads(out.out) is not None, words
    return code, said


def test_no_argument_is_a_fault_of_the_platform(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty path wrote into the working folder, `nan` was a share, a negative seed was a fault of the platform."""
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    operations_engine(load_settings(home))
    for words, command in leaves(cli):
        if words == ("init",):
            continue  # it makes the folder that it is given, whatever that is called; see below
        for parameter in command.params:
            for value in hostile(words, parameter):
                code, said = call(line(words, command, home, {parameter.name: value}), capfd)
                if value in DAYS + NUMBERS + PATHS and kind(parameter) in {"Day", "FilePath", "Number"}:
                    assert code == ExitCode.USAGE, (words, parameter.name, value, said)
                    assert "•" not in said, (words, said)
    assert {one.name for one in tmp_path.iterdir()} == {"home"}


def test_bytes_that_are_no_text_are_refused_whatever_they_are_given_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """SQLite takes no such text: an incident's id that holds one byte of Latin-1 was called a fault of the platform."""
    for words, command in leaves(cli):
        for parameter in command.params:
            if not getattr(parameter, "is_flag", False):
                code, said = call(line(words, command, tmp_path, {parameter.name: UNDECODABLE}), capfd)
                assert (code, r"\udcff" in said) == (ExitCode.USAGE, True), (words, parameter.name, said)


def test_a_range_that_ends_before_it_begins_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing lies in such a range, so that a slip of the fingers looked like a home where all is well."""
    operations_engine(load_settings(tmp_path))
    tried = 0
    for words, command in leaves(cli):
        if {"first", "last"} <= {one.name for one in command.params}:
            given: dict[str | None, str] = {"first": "2026-01-05", "last": "2026-01-02", "plan": "clean"}
            code, said = call(line(words, command, tmp_path, given), capfd)
            assert (code, "2026-01-02" in said) == (ExitCode.USAGE, True), (words, said)
            tried += 1
    assert tried > 5


def test_a_mistyped_home_is_refused_and_not_made(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`reliability incidents list --home dat` made an empty home there, and said that no incident was open. `restore
    --damaged` found all well in it, `inject` made one, `plan` left a lock, and `run --dry-run` spoke of other things.
    """
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    tried = []
    for words, command in leaves(cli):
        ways = WITHOUT_A_HOME.get(words, [()])
        if any(one.name == "home" for one in command.params) and ways:
            for home, flags in itertools.product((tmp_path / "missing", tmp_path / "others"), ways):
                code, said = call([*line(words, command, home, {}), *flags], capfd)
                assert code == ExitCode.ENVIRONMENT, (words, code, said)
                assert said.count("\n") == 1 or words == ("doctor",), (words, said)
                assert f"no home in {home}" in said, (words, said)
                assert sorted(tmp_path.rglob("*")) == before, words
            tried.append(words)
    assert len(tried) > 40


def test_an_unknown_source_is_named_as_it_was_typed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A misspelt source that is looked for in vain is a list without entries, and looks like a home without trouble."""
    operations_engine(load_settings(tmp_path))
    for words, command in leaves(cli):
        if any(one.name == "source" for one in command.params):
            given: dict[str | None, str] = {"source": "ordres", "fault": "null_spike"}
            code, said = call(line(words, command, tmp_path, given), capfd)
            assert (code, "ordres" in said) == (ExitCode.USAGE, True), (words, said)


@pytest.mark.parametrize("state", ["file", "operations", "warehouse", "none"])
def test_no_state_of_a_home_is_a_fault_of_the_platform(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], state: str
) -> None:
    """Where a home cannot be used, its path is named: "the warehouse does not exist" did not say which."""
    home = tmp_path / "home"
    if state == "file":
        home.write_text("no folder")
    elif state != "none":
        settings = load_settings(home)
        operations_engine(settings).dispose()
        broken = home / "operations.sqlite" if state == "operations" else settings.warehouse
        broken.write_bytes(b"garbage" * 999)
    for words, command in leaves(cli):
        if words not in WORKING | SERVING and any(one.name == "home" for one in command.params):
            wanted = line(words, command, home, {})
            if state in {"file", "warehouse"} and any(one.name == "as_json" for one in command.params):
                wanted.insert(len(words), "--json")
            code, said = call(wanted, capfd)
            if code == ExitCode.ENVIRONMENT:
                assert str(home) in said.replace("\n", ""), (words, said)


def test_a_project_may_have_any_name_and_is_shown_without_its_signs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control sign in the name of a folder must not act on the terminal; a folder with something in it stays as it is."""
    monkeypatch.chdir(tmp_path)
    for value in ("a\x1b[2Jb\x07", "[bold]no["):
        assert call(["init", "--", value], capfd)[0] == ExitCode.OK
        assert (tmp_path / value / "contracts").is_dir()
        assert call(["init", "--", value], capfd)[0] == ExitCode.USAGE

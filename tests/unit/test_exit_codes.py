"""What a command ends with: the table says it, the help repeats it, and the command does it."""

import ast
import inspect
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from reliability_platform.cli.exit_codes import ENDS_WITH
from reliability_platform.cli.main import cli
from reliability_platform.cli.stopping import ENDED
from reliability_platform.errors import ExitCode
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.unit.test_refused_at_once import commands


def reached(command: click.Command) -> str:
    """The code of a command with that of the functions of its module which it calls."""
    assert command.callback is not None
    start = inspect.unwrap(command.callback)
    module = inspect.getmodule(start)
    waiting, seen = [start.__name__], dict[str, str]()
    functions = {
        one.name: one
        for one in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(one, ast.FunctionDef)  # type: ignore[arg-type]
    }
    while waiting:
        name = waiting.pop()
        if name in functions and name not in seen:
            seen[name] = ast.unparse(functions[name])
            waiting += [node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)]
    return "\n".join(seen.values())


def named(code: ExitCode) -> Iterator[str]:
    """The commands whose code names an exit code."""
    for words, command in commands([], cli):
        if f"ExitCode.{code.name}" in reached(command):
            yield " ".join(words)


@pytest.mark.parametrize("code", [ExitCode.NOT_HEALED, ExitCode.ENVIRONMENT])
def test_the_table_of_exit_codes_has_every_command_that_ends_with_one(code: ExitCode) -> None:
    """`run` and `publish` ended with 0 whatever was held, and nothing said which commands keep to code 1."""
    assert set(named(code)) == set(ENDS_WITH[code])


def test_the_help_of_a_command_says_when_it_does_not_end_with_0() -> None:
    """The same sentence stood in some docstrings, and in others it was missing."""
    for words, command in commands([], cli):
        said = [when[" ".join(words)] for when in ENDS_WITH.values() if " ".join(words) in when]
        assert (command.epilog or "").count("Exits with") == bool(said)
        assert all(one in (command.epilog or "") for one in said)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
def test_a_served_source_ends_like_any_command_that_is_stopped(
    tmp_path: Path, number: signal.Signals, code: ExitCode
) -> None:
    """`sources serve` took Ctrl-C for its own business, and ended with 0 and without the line."""
    operations_engine(load_settings(tmp_path))  # a home
    words = ["sources", "serve", "--port", "0", "--home", str(tmp_path)]
    with subprocess.Popen(
        [sys.executable, "-m", "reliability_platform.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as served:
        assert served.stdout is not None
        assert served.stdout.readline().startswith("http://127.0.0.1:")
        served.send_signal(number)
        _, said = served.communicate(timeout=120)
    assert (served.returncode, said) == (code, ENDED)

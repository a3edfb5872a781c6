"""A command that a text tells somebody to type is one that there is, with the options that it has."""

import re

import click
import pytest

from reliability_platform.cli.main import cli
from reliability_platform.settings import PROJECT_ROOT
from tests.conventions.documents import PAGES

TEXTS = [
    *(PROJECT_ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "Makefile")),
    *PAGES,
    *(path for path in (PROJECT_ROOT / "reliability_platform").rglob("*") if path.suffix in {".py", ".yml", ".j2"}),
]
NAMED = re.compile(r"(?:[`\"]|^ *)reliability ([a-z][^`\"\n#]*)", re.MULTILINE)


def wrong_with(line: str) -> str | None:
    """What is not there of a command as a text names it; `list|show` names two, and `{id}` stands for any word."""
    command: click.Command = cli
    # A command keeps the help option of the first context that asks, and the generated pages show it.
    context = click.Context(command, **cli.context_settings)
    for word in re.sub(r"\{[^}]*\}", "X", line).split():
        if word.startswith("-"):
            option = re.split(r"[=.,;:)'…]", word)[0]
            if option.strip("-") and not any(option in one.opts for one in command.get_params(context)):
                return f"{command.name} has no option {option}"
        elif isinstance(command, click.Group):
            found = [command.get_command(context, one.rstrip(".,;:)'")) for one in word.split("|")]
            if None in found and not (command.invoke_without_command or word == "X"):
                return f"{command.name} has no command {word}"
            command = found[0] or command
    return None


def test_every_command_that_a_text_names_is_there() -> None:
    """A hint that names an option of an earlier version costs its reader the minutes in which he needs it most."""
    named = [(path, line) for path in TEXTS for line in NAMED.findall(path.read_text(encoding="utf-8"))]
    assert len(named) > 300
    assert [f"{path.name}: reliability {line}: {wrong}" for path, line in named if (wrong := wrong_with(line))] == []


@pytest.mark.parametrize(
    "line", ["incidents shwo INC-0007", "heal --force", "snapshot take", "quarantine list --why x"]
)
def test_one_that_is_not_there_is_found(line: str) -> None:
    """This test can fail."""
    assert wrong_with(line)

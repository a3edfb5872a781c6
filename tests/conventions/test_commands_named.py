"""A command that a text tells somebody to type is one that there is, with the options that it has."""

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec

import click
import pytest

from reliability_platform.cli.main import cli
from reliability_platform.errors import PlatformError
from reliability_platform.settings import PROJECT_ROOT
from tests.conventions.documents import PAGES

TEXTS = [
    *(PROJECT_ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "Makefile")),
    *PAGES,
    *(path for path in (PROJECT_ROOT / "reliability_platform").rglob("*") if path.suffix in {".py", ".yml", ".j2"}),
]
NAMED = re.compile(r"""(?:(?:[`"]|^ *)reliability |\bhint\(f?["'])([a-z][^`'"\n#]*)""", re.MULTILINE)


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


PAGE_WIDTH = 84
"""Letters of a line of code that the pages of the site and of the repository show without scrolling."""


def typed_lines() -> Iterator[tuple[str, list[str]]]:
    """Each line of the pages' shell blocks, as the shell takes it apart, with the page's name."""
    for page in PAGES:
        for block in re.findall(
            r"^ *```shell\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            for line in block.replace("\\\n", " ").splitlines():
                if words := shlex.split(line, comments=True):
                    yield page.name, words


def refused(words: list[str]) -> str | None:
    """What click says of the arguments of a command, as it takes them itself; None if it takes them."""
    command: click.Command = cli
    context = click.Context(command, **cli.context_settings)
    while isinstance(command, click.Group) and words and (below := command.get_command(context, words[0])) is not None:
        context, command, words = click.Context(below, parent=context, info_name=words[0]), below, words[1:]
    try:
        command.make_context(context.info_name, [one for one in words if one != "&"], parent=context.parent)
    except click.ClickException as error:
        return error.format_message()
    except PlatformError as error:
        return str(error)
    return None


def test_every_line_to_be_typed_is_taken_as_it_stands() -> None:
    """A guide left out an option that is required; a date, a choice or a number was one that the command refuses."""
    lines = [(page, words) for page, words in typed_lines() if words[0] == "reliability"]
    assert len(lines) > 20
    assert [f"{page}: {' '.join(words)}: {why}" for page, words in lines if (why := refused(words[1:]))] == []


@pytest.mark.parametrize(
    "line",
    ["run --from 2026-01-02", "run --from 2026-01-02 --to 2026-13-02", "campaign --grid small", "hold --source order"],
)
def test_one_that_is_not_taken_is_found(line: str) -> None:
    """This test can fail, too."""
    assert refused(line.split())


def test_every_target_and_module_that_a_page_names_is_there() -> None:
    """`make docs` was in no guide, and a target that is renamed stays in one."""
    texts = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    targets = set(re.findall(r"(?:`|^)make ([.a-z][a-z-]*)", texts, re.MULTILINE))
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    assert len(targets) > 4
    assert {one for one in targets if not re.search(rf"^{re.escape(one)}:", makefile, re.MULTILINE)} == set()
    modules = set(re.findall(r"python -m ((?:tests|docs)[.a-z_]*)", texts))
    assert {one for one in modules if find_spec(one) is None} == set()


def test_no_line_to_be_typed_is_wider_than_its_page() -> None:
    """The comments that say what a command does were cut off at the edge of the page."""
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"```shell\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert len(blocks) > 10
    assert [line for block in blocks for line in block.splitlines() if len(line) > PAGE_WIDTH] == []

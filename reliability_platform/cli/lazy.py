"""A group of commands that are imported when they are called: Dagster alone takes 2 s to import, and no `--help` needs it."""

import ast
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from reliability_platform.cli.exit_codes import tell_exit_codes


class LazyGroup(click.Group):
    """A group that knows its commands as `{word: "module:function"}`, the module below `reliability_platform.cli`."""

    def __init__(
        self,
        *args: Any,
        places: Mapping[str, str],
        sections: Mapping[str, Mapping[str, str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.places = places
        self.sections = sections or {"Commands": places}
        """Heading in the help → the commands under it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were declared."""
        del ctx
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a word, imported now; None if there is no such command."""
        del ctx
        if cmd_name not in self.places:
            return None
        module, _, function = self.places[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"reliability_platform.cli.{module}"), function)
        tell_exit_codes(cmd_name if self.name == "cli" else f"{self.name} {cmd_name}", command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """With a suggestion for a slip: click makes one of the commands that it has, and here it has none yet."""
        if args[0] not in self.places and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self.places, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """In sections, with the first sentence of each, in whole lines."""
        widest = max(map(len, self.places))  # the sentences of all sections begin in one column
        for heading, words in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(word.ljust(widest), self.first_sentence(ctx, word)) for word in words])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The words that go on so, without importing any of their modules."""
        words = [word for word in self.places if word.startswith(incomplete)]
        found = [CompletionItem(word, help=_first_sentence(_docstring(self.places[word]) or "")) for word in words]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def first_sentence(self, ctx: click.Context, word: str) -> str:
        """What a command does, from the docstring of its function, for which its module is not imported."""
        text = _docstring(self.places[word])
        if text is None:  # its function is made by another one
            command = self.get_command(ctx, word)
            text = (command.help if command is not None else None) or ""
        return _first_sentence(text)


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".") + "." if paragraph else ""


def _docstring(place: str) -> str | None:
    module, _, function = place.partition(":")
    path = Path(__file__).parent.joinpath(*module.split("."))
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
    return next(
        (ast.get_docstring(one) for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == function), None
    )

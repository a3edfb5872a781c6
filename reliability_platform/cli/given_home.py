"""The home that a command was given, so that each command which a text names to be typed next is one for that home.

Texts are made far from the command line, and stored: they name commands as a reader of any home types them. What a
terminal shows goes through `for_given_home`.
"""

import re
import shlex
from collections.abc import Sequence
from itertools import pairwise

import click

HOMELESS = (
    "init",
    "completion",
    "generate",
    "faults",
    "mutate",
    "lineage",
    "incidents classes",
    "sources add",
    "contract check",
    "contract diff",
    "snapshot new-key",
)
"""Commands that have no `--home`."""
_COMMAND = re.compile(rf"`reliability (?!(?:{'|'.join(HOMELESS)})\b)(?![^`]*--home)[a-z][^`]*(?=`)")


def given_home() -> str:
    """`--home` as the command that runs was given it, to be put behind another one; empty if it was not."""
    context = click.get_current_context(silent=True)
    home = context.params.get("home") if context is not None else None
    return _option(home)


def home_among(words: Sequence[str]) -> str:
    """The same of the words of a command that has ended."""
    named = [after for before, after in pairwise(words) if before == "--home"]
    named += [word.removeprefix("--home=") for word in words if word.startswith("--home=")]
    return _option(named[-1] if named else None)


def for_given_home(text: str, option: str) -> str:
    """A text in which every command between backticks names the home that was given."""
    return _COMMAND.sub(lambda found: found[0] + option, text) if option else text


def _option(home: object) -> str:
    return "" if home is None else f" --home {shlex.quote(str(home))}"

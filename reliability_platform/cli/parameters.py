"""Kinds of values that an operator may give, refused before any work where nothing can be made of them."""

import math
import os
from pathlib import Path
from typing import Any

import click

from reliability_platform.errors import UsageError

MAX_NAME = 255
"""Bytes of a name in a folder on the file systems that we run on."""


def check_source(source: str | None) -> None:
    """Raise `UsageError` for a source that the project does not declare; None stands for all of them."""
    from reliability_platform import contracts  # read when asked: not for `--help`

    if source is not None:
        contracts.check_source(source)


class Whole(click.IntRange):
    """A whole number in a range; click says of a wrong one that it "is not a valid integer range"."""

    name = "integer"


SEED = Whole(0, 2**63 - 1)
"""numpy takes no negative seed."""


class FilePath(click.Path):
    """A path that can name something. An empty one, as from an unset variable, would mean the working folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Raises `UsageError` for a path that is empty, unprintable, or has too long a name in it."""
        text, option = os.fsdecode(value), param.opts[0] if param is not None else "The path"
        if not text.strip():
            raise UsageError(f"{option} {text!r} is empty: give a path.")
        if not text.isprintable():
            raise UsageError(f"{option} {text!r} holds signs that cannot be printed: give another path.")
        if any(len(os.fsencode(part)) > MAX_NAME for part in Path(text).parts):
            raise UsageError(f"{option} {text!r} has a name of more than {MAX_NAME} bytes: give a shorter one.")
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A finite number in a range: `nan` lies in every range."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises `click.BadParameter`."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number

"""Reads a declared YAML file strictly: what is wrong is said with its line, and no key may stand twice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from reliability_platform.errors import UsageError
from reliability_platform.incidents.documents.render import plain
from reliability_platform.yaml_places import line_of, repeated_key

MAX_BYTES = 200_000
"""Longer files are no declaration that a person has written."""
Location = Sequence[int | str]
"""A path of keys and positions into the file."""


class StrictFile:
    """The contents of a YAML file (`content`), and in which line each of them stands."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            if path.exists() and not path.is_file():  # a pipe would wait for a writer
                raise UsageError(f"{path} cannot be read: it is no file.")
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            text = raw.decode("utf-8")
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
        except ValueError:
            raise UsageError(f"{path} is no text in UTF-8.") from None
        if len(raw) > MAX_BYTES:
            raise UsageError(f"{path} is longer than {MAX_BYTES:,} bytes: that is no declaration.")
        try:
            self._tree = yaml.compose(text, Loader=yaml.SafeLoader)
            twice = repeated_key(self._tree)
            if twice is not None:
                raise UsageError(f"{path}, line {twice[1]}: {plain(twice[0])[:200]} stands there twice.")
            self.content: Any = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = " ".join(str(getattr(error, "problem", None) or error).split())
            raise UsageError(f"{path}{f', line {mark.line + 1}' if mark else ''} is not YAML: {problem}.") from None
        except (ValueError, TypeError, RecursionError) as error:
            raise UsageError(f"{path} holds a value that cannot be: {error}.") from None

    def problem(self, location: Location, what: str) -> UsageError:
        """The error to raise about one place of the file."""
        where = plain(".".join(str(part) for part in location))[:200]
        return UsageError(f"{self._path}, line {line_of(self._tree, location)}: {where + ': ' if where else ''}{what}")

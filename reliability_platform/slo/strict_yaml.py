"""Reads a declared YAML file strictly: what is wrong is said with its line, and no key may stand twice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from reliability_platform.errors import UsageError
from reliability_platform.incidents.documents.render import plain

MAX_BYTES = 200_000
"""Longer files are no declaration that a person has written."""
Location = Sequence[int | str]
"""A path of keys and positions into the file."""


class StrictFile:
    """The contents of a YAML file (`content`), and in which line each of them stands."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            text = raw.decode("utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}.") from None
        if len(raw) > MAX_BYTES:
            raise UsageError(f"{path} is longer than {MAX_BYTES:,} bytes: that is no declaration.")
        try:
            self._tree = yaml.compose(text, Loader=yaml.SafeLoader)
            self._refuse_repeated_keys()
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
        return UsageError(f"{self._path}, line {self._line(location)}: {where + ': ' if where else ''}{what}")

    def _line(self, location: Location) -> int:
        node = self._tree
        line: int = node.start_mark.line + 1 if node is not None else 1
        for part in location:
            if isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == part]
                if not found:
                    break
                line, node = found[0][0].start_mark.line + 1, found[0][1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
        return line

    def _refuse_repeated_keys(self) -> None:
        """YAML lets the last of two equal keys win: the first promise would silently be dropped."""
        queue, seen = [self._tree], set()
        while queue:
            node = queue.pop()
            if node is None or id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, yaml.SequenceNode):
                queue += node.value
            elif isinstance(node, yaml.MappingNode):
                keys: set[Any] = set()
                for key, value in node.value:
                    if isinstance(key.value, str) and key.value in keys:
                        raise UsageError(
                            f"{self._path}, line {key.start_mark.line + 1}: {plain(key.value)[:200]} stands there twice."
                        )
                    keys |= {key.value} if isinstance(key.value, str) else set()
                    queue.append(value)

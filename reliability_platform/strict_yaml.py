"""The one reader of YAML. What people declare is read strictly: contracts, failure classes, plans, objectives, policies.

Whatever is wrong is said with file and line; no key may stand twice, for YAML would silently drop the first; a file is
neither longer nor unfolds, by its aliases, to more than people write; a date stays text until its field is known, for
YAML would fail on 2026-13-45 without saying where.

libyaml's parser takes a tenth of the time of PyYAML's own. Every process reads the contracts, the Soda files and the yml
of the models: 0.6 s of each start with the slow one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from reliability_platform.errors import UsageError
from reliability_platform.formats import plain

MAX_BYTES = 2_000_000
"""Longer files are no declaration: the longest official example of a contract, of 68 tables, has 180,000 bytes."""
MAX_VALUES = 500_000
"""Nine lines of aliases of aliases unfold to a billion values."""
MAX_DEPTH = 100
SHOWN = 200
Location = Sequence[int | str]
"""A path of keys and positions into a file."""

_FASTEST = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class _Loader(_FASTEST):  # type: ignore[valid-type, misc]
    """Leaves dates as text, and refuses depth: libyaml's parser calls itself, and 100,000 brackets ended the process."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own name and form)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _FASTEST.yaml_implicit_resolvers.items()
    }
    _depth = 0

    def descend_resolver(self, parent: yaml.Node | None, index: object) -> None:
        """Before each node."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            place = parent.start_mark if parent is not None else None
            raise yaml.composer.ComposerError(None, None, f"it is nested more than {MAX_DEPTH} deep", place)
        super().descend_resolver(parent, index)

    def ascend_resolver(self) -> None:
        """After it."""
        self._depth -= 1
        super().ascend_resolver()


_SHAPES = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), "it must be a list, as in [one, two]"),
    **dict.fromkeys(
        ("dict_type", "model_type", "dataclass_type", "mapping_type"), "it must be a mapping of names to values"
    ),
    "string_type": "it must be text: put it in quotes",
}
"""What is said of a value of another shape; the library speaks of tuples, dictionaries and classes of ours."""


def said_of(error: Mapping[str, Any]) -> str:
    """What a person reads of an error that pydantic found in a declaration."""
    if error["type"] == "too_short":
        return f"it must hold {error['ctx']['min_length']} or more"
    return _SHAPES.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")


def read_yaml(text: str) -> Any:
    """What a document of our own, or of another tool, holds. Raises `yaml.YAMLError`."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (it is a safe one)


class StrictYaml:
    """What a declaration holds (`content`), and in which line each of it stands.

    `called` is its name in errors, which are of the kind `error`.
    """

    def __init__(self, text: str, called: str, error: type[UsageError] = UsageError) -> None:
        self.called, self._error = called, error
        try:
            loader = _Loader(text)
            self._tree: yaml.Node | None = loader.get_single_node()
            self._refuse_what_nobody_means()
            self.content: Any = None if self._tree is None else loader.construct_document(self._tree)
        except yaml.YAMLError as found:
            mark = getattr(found, "problem_mark", None)
            problem = plain(str(getattr(found, "problem", None) or found))
            # What is open at the end is found behind the last line.
            line = f", line {min(mark.line + 1, len(text.splitlines()) or 1)}" if mark else ""
            raise error(f"{called}{line} is not YAML: {problem}.") from None
        except (ValueError, TypeError, RecursionError) as found:
            raise error(f"{called} holds a value that cannot be: {found}.") from None

    @classmethod
    def of_file(cls, path: Path, called: str | None = None, error: type[UsageError] = UsageError) -> "StrictYaml":
        """The declaration in a file."""
        called = called or str(path)
        try:
            if path.exists() and not path.is_file():  # a pipe would wait for a writer
                raise error(f"{called} cannot be read: it is no file.")
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
            text = raw.decode("utf-8-sig")
        except OSError as found:
            raise error(f"{called} cannot be read: {found.strerror}.") from None
        except ValueError:
            raise error(f"{called} is no text in UTF-8.") from None
        if len(raw) > MAX_BYTES:
            raise error(f"{called} is longer than {MAX_BYTES:,} bytes: that is no declaration.")
        return cls(text, called, error)

    def problem(self, location: Location, what: str) -> UsageError:
        """The error to raise about one place, which the message names."""
        where = plain(".".join(str(part) for part in location))[:SHOWN]
        return self.problem_there(location, f"{where}: {what}" if where else what)

    def problem_there(self, location: Location, what: str) -> UsageError:
        """The same, where `what` says itself what it is about."""
        return self._error(f"{self.called}, line {self.line_of(location)}: {what}")

    def line_of(self, location: Location) -> int:
        """The line of the value at a place, or of the nearest one above it."""
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

    def _refuse_what_nobody_means(self) -> None:
        """A key that stands twice in one mapping, and more values than anybody writes."""
        queue, values = [self._tree] if self._tree is not None else [], 0
        while queue:
            node, values = queue.pop(), values + 1
            if values > MAX_VALUES:
                raise self._error(f"{self.called} unfolds to more than {MAX_VALUES:,} values: that is no declaration.")
            if isinstance(node, yaml.SequenceNode):
                queue += node.value
            elif isinstance(node, yaml.MappingNode):
                keys: set[str] = set()
                for key, value in node.value:
                    if isinstance(key.value, str) and key.value in keys:
                        line = key.start_mark.line + 1
                        raise self._error(f"{self.called}, line {line}: {plain(key.value)[:SHOWN]} stands there twice.")
                    keys |= {key.value} if isinstance(key.value, str) else set()
                    queue.append(value)

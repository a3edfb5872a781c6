"""Where things stand in a YAML file, so that what is wrong can be said with its line."""

from collections.abc import Sequence
from typing import Any

import yaml


def line_of(node: Any, location: Sequence[int | str]) -> int:
    """The line of the composed node at a path of keys and positions, or of the nearest one above it."""
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


def repeated_key(tree: Any) -> tuple[str, int] | None:
    """A key that stands twice in one mapping, and the line of the second; YAML would silently drop the first."""
    queue, seen = [tree], set()
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
                    return key.value, key.start_mark.line + 1
                keys |= {key.value} if isinstance(key.value, str) else set()
                queue.append(value)
    return None

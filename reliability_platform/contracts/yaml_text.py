"""Values as YAML of one line, which every reader gives back as they were: they come from data and from other people.

JSON is not enough: its escapes of signs beyond U+FFFF are pairs, which YAML has not, and it leaves signs as they are that
YAML's readers refuse or take for the end of a line (U+007F to U+009F, U+2028, U+FEFF).
"""

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@+-]*")
_WORDS_OF_YAML = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""Which YAML takes for something else than a text."""


def quoted(text: str) -> str:
    """A text in double quotes; what cannot be printed is escaped (YAML 1.1, 5.6)."""
    return f'"{"".join(map(_escaped, text))}"'


def word(text: str) -> str:
    """A text, in quotes unless it can only be read as itself."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML else quoted(text)


def flow(value: Any) -> str:
    """A value of texts, numbers, lists and objects."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{word(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return word(value) if isinstance(value, str) else json.dumps(value)


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    number = ord(sign)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"

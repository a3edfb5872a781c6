"""What a text is as JSON: RFC 8259, and nothing that one parser or another takes besides.

DuckDB's parser takes trailing commas and `NaN`, Python's takes `NaN` and half of a surrogate pair; nesting of some
depth ends recursive parsers. Staging, quarantine and the purge ask here, so that they say the same. A name that comes
twice in an object is valid, as the RFC has it; a half of a surrogate pair is not, for no UTF-8 text can hold it.
"""

import json
import re
from typing import Any, Literal

MAX_LENGTH = 20_000
"""Longer than any honest payload: kept away from every parser."""
MAX_DEPTH = 100
"""Nested deeper than recursive parsers survive."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def pointer(name: str) -> str:
    """The path of a name in an object, whatever is in it (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


Fault = Literal["malformed", "poisonous"]


def fault_of(text: str | None) -> Fault | None:
    """Why a text is no JSON object or array that may be kept; None for one that is, and for no text at all."""
    if text is None:
        return None
    if len(text) > MAX_LENGTH or _is_deep(text):
        return "poisonous"
    try:
        # Pairs instead of objects: of a name that comes twice, both values are looked at.
        found = json.loads(text, parse_constant=_refuse, parse_int=str, parse_float=str, object_pairs_hook=list)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        return "poisonous"
    except ValueError:  # UnicodeEncodeError is one
        return "malformed"
    return None if text.lstrip(" \t\n\r").startswith(("{", "[")) else "malformed"


def _is_deep(text: str) -> bool:
    """Whether brackets of either kind, outside strings, are nested too deeply."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for sign in _STRING.sub("", text):
        depth += (sign in "[{") - (sign in "]}")
        if depth > MAX_DEPTH:
            return True
    return False


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")

"""What a producer says of a delivered file, and how strictly it is read.

A manifest is a JSON object as RFC 8259 has it, in UTF-8. What is equal in meaning is equal: a byte order mark before it,
`375.0` for 375, any ISO form of a moment, hexadecimal in upper case, by pairs or after `sha256:`. What could mean two things, or
is of another type (a number as text, a moment without a time), is refused with the name of what is wrong.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from reliability_platform.landing.entries import os_error_text, read_file

MANIFEST_SUFFIX = ".manifest.json"
MANIFEST_MAX_BYTES = 1_000_000
"""A thousand times what a manifest needs; more is not one, and must not fill the memory."""
KINDS = ("scheduled", "resend", "replacement")
MAX_TEXT_BYTES = 200
SAFE_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
SAFE_NAME_LENGTH = 100
"""Leaves room for the suffixes of drafts, copies and reasons within the 255 bytes of a file name."""
INT32_MAX, INT64_MAX = 2**31 - 1, 2**63 - 1
_SHA256 = re.compile("(?:sha-?256[:=] *)?((?:[0-9a-f]{2}[ :]?){31}[0-9a-f]{2})")
"""Some programs part the bytes: certutil of Windows by spaces, openssl by colons."""
_WITH_TIME = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d.*")


class ManifestError(ValueError):
    """Why a manifest is none, in words that quote nothing of it but the names of its own keys."""


def is_safe_name(name: str) -> bool:
    """Whether a name can be part of a path, a document or a query result without harm."""
    return 0 < len(name) <= SAFE_NAME_LENGTH and set(name) <= SAFE_NAME and not name.startswith(".")


def _no_constant(_: str) -> None:
    raise ManifestError("it is no JSON: NaN and Infinity are none")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ManifestError("it is ambiguous: a key stands in it twice")
    return found


def parse(content: bytes) -> dict[str, Any]:
    """The object that a manifest is. Raises `ManifestError`."""
    try:
        raw = json.loads(
            content.decode("utf-8-sig"),
            parse_constant=_no_constant,
            parse_float=Decimal,
            object_pairs_hook=_each_once,
        )
    except ManifestError:
        raise
    except UnicodeDecodeError:
        raise ManifestError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ManifestError(f"it is no JSON: {error.msg}, line {error.lineno}") from None
    except RecursionError:
        raise ManifestError("it is nested too deeply") from None
    except (ValueError, ArithmeticError):  # a number of thousands of digits
        raise ManifestError("a number in it is too long") from None
    if not isinstance(raw, dict):
        raise ManifestError("it is no JSON object")
    return raw


# One reader for each type; a message goes on after the name of the key.


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ManifestError("is no text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON may smuggle in
        raise ManifestError("is a text that cannot be stored") from None
    if size > MAX_TEXT_BYTES:
        raise ManifestError(f"is longer than {MAX_TEXT_BYTES} bytes")
    return value


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ManifestError("is no number")
        # Compared before it is made an integer: 1e999999999 would be one of a billion digits.
        if not low <= value <= high:
            raise ManifestError("is out of its range")
        if value != int(value):
            raise ManifestError("is no whole number")
        return int(value)

    return read


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(_text(value))
    except ValueError as error:
        raise error if isinstance(error, ManifestError) else ManifestError("is no ISO date") from None


def _moment(value: Any) -> datetime:
    """A data time: UTC, without its zone."""
    text = _text(value).strip().upper()
    if not _WITH_TIME.fullmatch(text):
        raise ManifestError("is no ISO time")
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ManifestError("is no ISO time") from None


def _checksum(value: Any) -> str:
    found = _SHA256.fullmatch(_text(value).strip().lower())
    if found is None:
        raise ManifestError("is no SHA-256 in hexadecimal")
    return found[1].replace(" ", "").replace(":", "")


def _kind(value: Any) -> str:
    if _text(value) not in KINDS:
        raise ManifestError(f"is none of {', '.join(KINDS)}")
    return str(value)


def _name(value: Any) -> str:
    if not is_safe_name(_text(value)):
        raise ManifestError("is no name that a batch can have")
    return str(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ManifestError("is no list")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "batch_id": _name,
    "source": _text,
    "landing_date": _day,
    "sequence": _whole(1, INT32_MAX),
    "attempt": _whole(1, INT32_MAX),
    "kind": _kind,
    "expected_rows": _whole(0, INT64_MAX),
    "checksum": _checksum,
    "columns": _list,
    "schema_fingerprint": _text,
    "produced_at": _moment,
    "landed_at": _moment,
}
"""What a manifest must say, and how it is read. What it says besides is nobody's business."""


@dataclass(frozen=True)
class Manifest:
    """What the producer says of a delivered file."""

    batch_id: str
    source: str
    landing_date: date
    sequence: int
    attempt: int
    kind: str
    expected_rows: int
    checksum: str
    """SHA-256 of the file's bytes, in lower case."""
    columns: list[dict[str, str]]
    schema_fingerprint: str
    produced_at: datetime
    landed_at: datetime
    fallback: str = ""
    """The server that it came from, where that is not the first one of its source. Whoever reads it compares it with the
    contract: a producer may write anything."""

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read and check one manifest. Raises `ManifestError` if it is none or cannot be read."""
        try:
            content = read_file(path, MANIFEST_MAX_BYTES + 1)
        except OSError as error:
            raise ManifestError(os_error_text(error)) from None
        if len(content) > MANIFEST_MAX_BYTES:
            raise ManifestError("it is too large to be one")
        raw = parse(content)
        missing = [key for key in _READERS if key not in raw]
        if missing:
            raise ManifestError(f"it lacks {', '.join(missing)}")
        said: dict[str, Any] = {}
        for key, read in _READERS.items():
            try:
                said[key] = read(raw[key])
            except ManifestError as error:
                raise ManifestError(f"{key} {error}") from None
        fallback = raw.get("fallback")
        return cls(**said, fallback=fallback if isinstance(fallback, str) else "")

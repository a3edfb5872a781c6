"""Damage of stored files: what had been written, what is there now, and the words for the difference.

A checksum that is written is compared here, whichever store it belongs to. A size tells the kind of damage; only the
checksum proves that there is none.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically


@dataclass(frozen=True)
class Written:
    """A content as it was written."""

    sha256: str
    bytes: int | None = None
    """Unknown in records of earlier versions."""


@dataclass(frozen=True)
class Damage:
    """One file that is not what was written, and what to do about it."""

    store: str
    path: str
    """Below the home, as it may be shown."""
    what: str
    mend: str
    written: Written | None = None

    def __str__(self) -> str:
        return f"{self.path} {self.what}: {self.mend}"

    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def written(path: Path) -> Written:
    """A file as it is now."""
    return Written(sha256_of(path), path.stat().st_size)


def written_as(content: bytes) -> Written:
    """A content that is about to be written."""
    return Written(hashlib.sha256(content).hexdigest(), len(content))


def what_is_wrong(path: Path, expected: Written, others: Mapping[str, str] | None = None) -> str | None:
    """How a file differs from what was written, in words; None if it does not.

    `others` are names by checksum of files that it may have been confused with.
    """
    try:
        if not path.is_file():
            return "is no file" if path.exists() else "is missing"
        found = written(path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if found.sha256 == expected.sha256:
        return None
    if found.bytes == 0:
        return "is empty"
    if found.sha256 in (others or {}):
        return f"has the content of {(others or {})[found.sha256]}"
    if expected.bytes is not None and found.bytes is not None and found.bytes < expected.bytes:
        return f"is cut short ({found.bytes:,} of {expected.bytes:,} bytes)"
    return "was changed after it was written"


def in_one_line(damages: Iterable[Damage], shown: int = 3) -> str:
    """The first ones in words, and how many more there are."""
    found = list(damages)
    more = f" … and {len(found) - shown} more" if len(found) > shown else ""
    return "; ".join(str(one) for one in found[:shown]) + more


def write_seal(path: Path, files: Mapping[str, Written]) -> None:
    """Write down files as they are, by their paths below the home, with a checksum over all of it."""
    body = json.dumps({name: asdict(one) for name, one in sorted(files.items())})
    content = json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "body": body}) + "\n"
    if not path.is_file() or path.read_bytes() != content.encode():
        write_atomically(path, content.encode())


def read_seal(path: Path) -> dict[str, Written] | None:
    """What a seal says; None where there is none. Raises `ValueError` if it is not what was written."""
    if not path.exists():
        return None
    try:
        outer = json.loads(path.read_text())
        if hashlib.sha256(outer["body"].encode()).hexdigest() != outer["sha256"]:
            raise ValueError("its checksum differs")
        return {name: Written(**one) for name, one in json.loads(outer["body"]).items()}
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no seal: {type(error).__name__}") from None

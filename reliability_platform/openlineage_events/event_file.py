"""Events as lines of JSON in a file: one event, one line.

Writers take turns, so that lines of two processes never mix. A writer that was killed in the middle of a line leaves
its half; the next one begins a new line after it, and readers pass over it and count it.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reliability_platform.locks import locked

LOOK_AGAIN_SECONDS = 0.002
"""A writer is done in a fifth of a millisecond; the usual 50 ms would be all of the cost of an event."""


class EventFile:
    """A growing file of events, set aside under a number once it is larger than `max_bytes`; nothing is removed."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def append(self, events: Sequence[dict[str, Any]]) -> None:
        """Write the events at the end of the file, in one step."""
        lines = "".join(json.dumps(event, sort_keys=True) + "\n" for event in events).encode()
        lock = self._path.with_name(f".{self._path.name}.lock")
        with locked(lock, look_again_seconds=LOOK_AGAIN_SECONDS):
            self._rotate()
            with self._path.open("ab+", buffering=0) as file:
                if file.seek(0, os.SEEK_END) > 0:
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":
                        lines = b"\n" + lines
                while lines:
                    lines = lines[file.write(lines) :]

    def _rotate(self) -> None:
        if not self._path.exists() or self._path.stat().st_size < self._max_bytes:
            return
        number = 1 + max((int(path.suffix[1:]) for path in self._older()), default=0)
        self._path.rename(self._path.with_name(f"{self._path.name}.{number}"))

    def _older(self) -> list[Path]:
        found = [path for path in self._path.parent.glob(f"{self._path.name}.*") if path.suffix[1:].isdecimal()]
        return sorted(found, key=lambda path: int(path.suffix[1:]))

    def files(self) -> list[Path]:
        """All files, oldest first."""
        return [*self._older(), *([self._path] if self._path.exists() else [])]

    def lines(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Every line as (`file:number`, event); None for a line that is no JSON object: the half of a killed writer."""
        for path in self.files():
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    yield f"{path.name}:{number}", _parsed(line)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None

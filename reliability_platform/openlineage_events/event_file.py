"""Events as lines of JSON in a file: one event, one line.

Writers take turns, so that lines of two processes never mix. A writer that was killed in the middle of a line leaves
its half; the next one begins a new line after it, and readers pass over it and count it. What is set aside is compressed:
the events of one landing day of the shop are 0.7 MB, most of it which column comes from which, again and again.
"""

import gzip
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from reliability_platform.atomic import write_atomically
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
        self._path.rename(self._path.with_name(f"{self._path.name}.{1 + max(self._older(), default=0)}"))
        for path in self._path.parent.glob(f"{self._path.name}.*"):
            if path.suffix[1:].isdecimal():  # also what a killed writer or an earlier release has left as it was
                write_atomically(path.with_name(f"{path.name}.gz"), gzip.compress(path.read_bytes(), mtime=0))
                path.unlink()

    def _older(self) -> dict[int, Path]:
        """What is set aside by its number, ascending. Where a writer was killed as it compressed a file, that file is there
        as well: one of the two counts.
        """
        pattern = re.compile(rf"{re.escape(self._path.name)}\.(\d+)(\.gz)?")
        names = map(pattern.fullmatch, sorted(path.name for path in self._path.parent.glob(f"{self._path.name}.*")))
        found = {int(name[1]): self._path.with_name(name[0]) for name in names if name is not None}
        return dict(sorted(found.items()))

    def files(self) -> list[Path]:
        """All files, oldest first."""
        return [*self._older().values(), *([self._path] if self._path.exists() else [])]

    def lines(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Every line as (`file:number`, event); None for a line that is no JSON object: the half of a killed writer."""
        for path in self.files():
            with opened(path) as file:
                for number, line in enumerate(file, start=1):
                    yield f"{path.name}:{number}", _parsed(line)


def opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    """A file to read, also one that a writer has compressed since it was listed."""
    if path.suffix != ".gz":
        try:
            return path.open("rb")
        except FileNotFoundError:
            path = path.with_name(f"{path.name}.gz")
    return gzip.open(path)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None

"""Pages that came whole, kept until their batch has landed: a fetch that is killed or gives up does not lose them.

A page is named by the SHA-256 of its content, so that a file cut by a crash, or a page of other content, is never taken
for it.
"""

import hashlib
import shutil
from datetime import date
from pathlib import Path

from reliability_platform.atomic import write_atomically
from reliability_platform.settings import Settings


class Spool:
    """The kept pages of one source and landing day."""

    def __init__(self, settings: Settings, source: str, day: date) -> None:
        self.folder: Path = settings.spool / source / f"landing_date={day.isoformat()}"

    def page(self, checksum: str) -> bytes | None:
        """A page that is there and whole, or None."""
        try:
            content = (self.folder / checksum).read_bytes()
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == checksum else None

    def keep(self, checksum: str, content: bytes) -> None:
        """Write a page in one step."""
        write_atomically(self.folder / checksum, content)

    def clear(self) -> None:
        """Forget all pages: their batches have landed."""
        shutil.rmtree(self.folder, ignore_errors=True)

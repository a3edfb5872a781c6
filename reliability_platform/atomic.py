"""Writing a file in one step: readers see the old content or the new one, whole, after a crash too."""

import os
from pathlib import Path


def write_atomically(target: Path, content: bytes) -> None:
    """Replace `target` in one step, on the disk before it gets its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)

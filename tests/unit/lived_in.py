"""Twins of homes for tests that break things, and what there is in a home."""

import hashlib
import os
import shutil
from pathlib import Path

from reliability_platform.settings import Settings, load_settings


def copied_home(home: Path, target: Path, **more: object) -> Settings:
    """A copy of a home to break."""
    shutil.copytree(home, target, symlinks=True)
    return load_settings(target).model_copy(update=more)


def state(home: Path, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file and link of a home with a digest of its content; not the locks, which come and go."""
    found = {}
    for folder, folders, files in os.walk(home):
        for name in (*files, *(one for one in folders if Path(folder, one).is_symlink())):
            path = Path(folder, name)
            key = path.relative_to(home).as_posix()
            if name.endswith((".lock", ".lease")) or key.split("/")[0] in without:
                continue
            found[key] = str(path.readlink()) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
    return found

"""Where the next deliveries will appear, by where those of a sample lie."""

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path


def location_pattern(files: Sequence[Path]) -> str:
    """A pattern of paths for these files and the next ones: what differs between them, and all from the first digit of a
    name, is left open. Below the user's home it begins with `~`."""
    paths = [Path(os.path.abspath(path)) for path in files]  # noqa: PTH100 (links stay: they are how the user names it)
    folders = [path.parent.parts for path in paths]
    if len({len(one) for one in folders}) > 1:
        common = Path(os.path.commonpath([path.parent for path in paths]))
        return _below_home(f"{glob.escape(str(common))}/**/*{_ending(paths)}")
    levels = zip(*folders, strict=True)
    folder = "/".join("*" if len(set(level)) > 1 else glob.escape(level[0]) for level in levels)
    names = sorted({path.name for path in paths})
    if len(names) == 1 and not re.search(r"\d", names[0]):
        return _below_home(f"{folder.replace('//', '/', 1)}/{glob.escape(names[0])}")
    first, last = names[0], names[-1]
    same = next(
        (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first)
    )
    begins = re.split(r"\d", first[:same])[0]
    return _below_home(f"{folder.replace('//', '/', 1)}/{glob.escape(begins)}*{_ending(paths)}")


def _ending(paths: Sequence[Path]) -> str:
    """The ending that all names have: `.csv.gz`."""
    endings = {"".join(one for one in path.suffixes if re.fullmatch(r"\.[A-Za-z]\w{0,8}", one)) for path in paths}
    return glob.escape(endings.pop()) if len(endings) == 1 else ""


def _below_home(pattern: str) -> str:
    home = str(Path.home())
    return f"~{pattern.removeprefix(home)}" if home != "/" and pattern.startswith(f"{home}/") else pattern

"""The names of a batch: a file in one of the formats of its source, and a manifest beside it."""

import os
import re
from collections.abc import Collection
from datetime import date
from pathlib import Path

from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.manifest import MANIFEST_SUFFIX

REASON_SUFFIX = ".reason.json"
"""Of what says why a batch lies in the file quarantine."""
BATCH_NAME = re.compile(
    r"(?P<source>[a-z][a-z0-9_]*)-(?P<day>\d{8})-(?P<slot>\d{2,6})(?:-r\d{1,4}|-a(?P<attempt>\d{1,4}))?"
)


def suffix_of(source: str, name: str) -> str | None:
    """How the name of a delivered file ends: `.parquet`, or as files of its source do; None if it ends otherwise."""
    return next((one for one in CONTRACTS[source].suffixes if name.endswith(one)), None)


def batch_of(source: str, name: str) -> str | None:
    """The batch that a file or a manifest is named for; None for any other name."""
    suffix = MANIFEST_SUFFIX if name.endswith(MANIFEST_SUFFIX) else suffix_of(source, name)
    return None if suffix is None else name.removesuffix(suffix)


def batch_file(source: str, folder: Path, batch_id: str) -> Path:
    """The file of a batch in a folder; where none is, the one that Parquet would have."""
    names = [folder / f"{batch_id}{suffix}" for suffix in CONTRACTS[source].suffixes]
    return next((path for path in names if os.path.lexists(path)), folder / f"{batch_id}.parquet")


def manifest_of(source: str, name: str, names: Collection[str]) -> str | None:
    """The name of the manifest that lies beside a delivered file, among all names of the folder. Of two files of one
    batch it is that of the first suffix."""
    batch_id = batch_of(source, name)
    if batch_id is None or name.endswith(MANIFEST_SUFFIX) or f"{batch_id}{MANIFEST_SUFFIX}" not in names:
        return None
    there = [one for one in CONTRACTS[source].suffixes if f"{batch_id}{one}" in names]
    return f"{batch_id}{MANIFEST_SUFFIX}" if name == f"{batch_id}{there[0]}" else None


def has_file(source: str, manifest: str, names: Collection[str]) -> bool:
    """Whether the file that a manifest is named for lies beside it."""
    batch_id = manifest.removesuffix(MANIFEST_SUFFIX)
    return any(f"{batch_id}{suffix}" in names for suffix in CONTRACTS[source].suffixes)


def slot_of(source: str, day: date, batch: str, sequence: int) -> int | None:
    """The slot of the schedule that a delivered file is of: by its manifest, else by its name; None if it fits none."""
    named = BATCH_NAME.fullmatch(batch)
    of_the_day = named is not None and (named["source"], named["day"]) == (source, f"{day:%Y%m%d}")
    told = (sequence, int(named["slot"]) if named is not None and of_the_day else 0)
    return next((slot for slot in told if CONTRACTS[source].has_slot(slot)), None)

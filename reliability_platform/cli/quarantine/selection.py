"""What the commands of `reliability quarantine` share: which dead letters are meant, and how they may be shown."""

from typing import Any

from reliability_platform.errors import UsageError
from reliability_platform.masking import MASK
from reliability_platform.sources import SOURCES


def check_source(source: str | None) -> None:
    """Raises `UsageError`."""
    if source is not None and source not in SOURCES:
        raise UsageError(f"There is no source {source!r}: choose one of {', '.join(SOURCES)}.")


def shown_file(record: dict[str, Any]) -> dict[str, Any]:
    """A refused file as it may be shown: a file that is known by a digest may bear somebody's name."""
    path = str(record["file"])
    return record if record["batch_id"] in path else record | {"file": f"{path.rpartition('/')[0]}/{MASK}"}

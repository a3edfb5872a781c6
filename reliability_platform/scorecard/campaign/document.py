"""The campaign's document as a home keeps it: the last one that was run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.settings import Settings


def _path(settings: Settings) -> Path:
    return settings.home / "scorecards" / "campaign.json"


def keep_campaign(settings: Settings, document: Mapping[str, Any]) -> Path:
    """Write it in one step; returns the path."""
    write_atomically(_path(settings), (json.dumps(document, indent=1) + "\n").encode())
    return _path(settings)


def last_campaign(settings: Settings) -> dict[str, Any] | None:
    """The document; None if no campaign was run. Raises `EnvironmentUnusableError` if the file is something else."""
    path = _path(settings)
    if not path.exists():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        if not {"scenarios", "controls", "summary", "mutation"} <= document.keys():
            raise ValueError
    except (ValueError, AttributeError):
        raise EnvironmentUnusableError(f"{path} is no campaign: delete it, then run `reliability campaign`.") from None
    return document

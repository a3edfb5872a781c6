"""Rows that follow from each other: each carries a hash over itself and the hash of the one before."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def link(previous: str, fields: Mapping[str, Any]) -> str:
    """The hash of an entry that follows upon the one with the hash `previous`; empty for the first."""
    return hashlib.sha256((previous + json.dumps(fields, sort_keys=True, default=str)).encode()).hexdigest()

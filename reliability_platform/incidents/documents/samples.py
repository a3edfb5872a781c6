"""Some of the rows that a check objects to, as tables: a few, masked when they were recorded."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reliability_platform.incidents.model import Signal

SHOWN = 6
"""Rows shown at most: enough to see the kind of failure, few enough to read."""
OF_A_CHECK = 3
"""Of them, of one check on one landing day."""


@dataclass(frozen=True)
class SampleTable:
    """Rows of one check."""

    check: str
    columns: list[str]
    rows: list[list[str]]


def sample_tables(signals: Sequence[Signal]) -> list[SampleTable]:
    """A table for each check that has rows, in the order of the signals."""
    by_check: dict[str, list[dict[str, Any]]] = {}
    left = SHOWN
    for signal in signals:
        some = signal.sample[: min(OF_A_CHECK, left)]
        left -= len(some)
        if some:
            by_check.setdefault(signal.check, []).extend(some)
    return [_table(check, rows) for check, rows in by_check.items()]


def _table(check: str, rows: list[dict[str, Any]]) -> SampleTable:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return SampleTable(check, columns, [[_cell(row[name]) if name in row else "" for name in columns] for row in rows])


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

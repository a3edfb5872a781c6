"""Counts that are the same on every machine, beside those that are kept."""

import json
from pathlib import Path

COUNTS = Path(__file__).parents[2] / "docs" / "benchmarks" / "counts.json"


def compare(what: str, found: dict[str, int]) -> None:
    """Against the counts that are kept. Fewer is a new count to keep; a tenth more is a reason to look, or to keep it."""
    kept = json.loads(COUNTS.read_text())[what]
    assert kept.keys() == found.keys(), json.dumps(found)
    more = {name: (kept[name], count) for name, count in found.items() if count > 1.1 * kept[name]}
    fewer = {name: (kept[name], count) for name, count in found.items() if count < 0.8 * kept[name]}
    assert not more, f"{what} takes more than docs/benchmarks/counts.json says (kept, found): {more}"
    assert not fewer, f"{what} takes less: keep the new counts in docs/benchmarks/counts.json: {fewer}"

"""A scorecard as the plain document that the report is made from: the part of `reliability demo --json` it needs."""

from dataclasses import asdict
from typing import Any

from reliability_platform.lab.scorecard.score import Scorecard


def run_document(card: Scorecard) -> dict[str, Any]:
    """What became of each fault, the rows, the comparison with the oracle, and whether all of it is proved."""
    return {
        "faults": [asdict(fault) for fault in card.faults],
        "incidents": card.incidents,
        "conservation": asdict(card.conservation),
        "oracle": {
            "equal": all(table.equal for table in card.oracle),
            "tables": {table.name: {"rows": table.rows, "equal": table.equal} for table in card.oracle},
        },
        "proved": not card.failures,
        "failures": card.failures,
    }

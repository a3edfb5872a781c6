"""A home that has lived, with an incident and a quarantine, for questions and acts: whatever asks must find these."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import insert

from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.incidents.detection import observe
from reliability_platform.operations.tables import quarantine_counts
from tests.ground import Platform, day
from tests.unit.failing import result

REJECTED = 7
"""Rows of each batch that were rejected."""


def lived_with_troubles(lived: Callable[[Path], Platform], home: Path) -> Platform:
    """Two clean days; a null spike on the second one and a late delivery on a third, and rows in quarantine."""
    made = lived(home)
    checks = CheckStore(made.engine)
    rows = [{"order_id": 7, "customer_id": None}]
    checks.record(
        [result("stg_orders__missing_customer_id", 2, sample=rows), result("bronze_shipments__batch_completeness", 3)]
    )
    observe(made.engine, checks.after(0, 10_000), utc_now())
    with made.engine.begin() as connection:
        for number in (1, 2):
            row = {"landing_date": day(number), "source": "orders", "state": "quarantined", "rows": REJECTED}
            batches = [
                {"batch_id": f"orders-2026010{number}-0{one}", "reason": "customer_id_missing"} for one in (1, 2)
            ]
            connection.execute(insert(quarantine_counts), [row | batch for batch in batches])
    return made

"""Evaluates checks on landing days: every wanted check gives exactly one result per day, whatever happens."""

from collections.abc import Sequence
from datetime import date, datetime

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.native import evaluate_native
from reliability_platform.checks.results import CheckResult
from reliability_platform.checks.soda import evaluate_soda
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader


def evaluate(
    settings: Settings, partitions: Sequence[date], now: datetime, run_id: str, only: set[str] | None = None
) -> list[CheckResult]:
    """Run the Soda and native checks (or `only` some) on the given landing days, on a read-only connection."""
    names = {name for name, spec in CHECKS.items() if spec.engine != "dbt" and (only is None or name in only)}
    with warehouse_reader(settings) as connection:
        return [
            *evaluate_native(settings, connection, partitions, names, run_id, now),
            *evaluate_soda(connection, partitions, names, run_id, now),
        ]

"""Whether what consumers read is what was audited: recorded as a check of its own, so that an incident tells of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.checks.monitor_result import monitor_result
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.damage import Damage, in_one_line
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.settings import Settings
from reliability_platform.warehouse.published_integrity import examine_current, open_ledger

AS_AUDITED = "published__as_audited"


def record_damage(
    settings: Settings, engine: Engine, damages: Sequence[Damage], now: datetime, run_id: str
) -> list[CheckResult]:
    """Record what is wrong, or that nothing is; what is on record needs no second word. Returns what is new.

    A failure is filed under the last landing day, for a version is about all of them, and passes on that day.
    """
    store = CheckStore(engine)
    status = CheckStatus.FAILED if damages else CheckStatus.PASSED
    failing = [one for one in store.latest(checks=[AS_AUDITED]) if one.status is CheckStatus.FAILED]
    last = max((day for _, day in landed_partitions(settings)), default=None)
    message = in_one_line(damages) or "everything consumers read has its checksum"
    if damages:
        days = [last] if last is not None and all(one.message != message for one in failing) else []
    else:
        days = [one.partition for one in failing]
    fresh = [
        replace(monitor_result(AS_AUDITED, day, status, message, run_id, now), value=float(len(damages)))
        for day in days
    ]
    store.record(fresh)
    return fresh


def judge_published(settings: Settings, engine: Engine, now: datetime, run_id: str) -> list[Damage]:
    """Compare what consumers read with its checksums, and record it."""
    found = examine_current(settings, open_ledger(settings))
    record_damage(settings, engine, found, now, run_id)
    return found

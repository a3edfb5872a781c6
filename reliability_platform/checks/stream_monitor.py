"""Check results on topics: whether landing keeps up with them, as it was measured when they were read last."""

from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.checks.monitor_result import change
from reliability_platform.checks.results import CheckResult
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.counted import counted
from reliability_platform.landing.stream_lag import StreamLag, lag_of
from reliability_platform.settings import Settings


def keeps_up(source: str) -> str:
    """The name of the check of a source."""
    return f"bronze_{source}__stream_keeps_up"


def _words(source: str, lag: StreamLag | None) -> str | None:
    """What is wrong; None if nothing is."""
    minutes = CONTRACTS[source].deadline_minutes
    if lag is None or lag.seconds <= minutes * 60:
        return None
    return (
        f"{counted(lag.records, 'record waits', 'records wait')} in the topic, and the newest that has landed was "
        f"{lag.seconds / 60:,.0f} minutes old; the contract allows {minutes:,}"
    )


def monitor_streams(settings: Settings, engine: Engine, now: datetime) -> list[CheckResult]:
    """Record a failure where landing has fallen behind a topic by more than the latency of its contract, and a pass once it
    has caught up."""
    checks = {keeps_up(source): source for source in SOURCES if CONTRACTS[source].is_stream}
    if not checks:
        return []
    store = CheckStore(engine)
    last = {one.check: one for one in sorted(store.latest(checks=list(checks)), key=lambda one: one.evaluated_at)}
    told = (
        change(last.get(check), check, _words(source, lag_of(settings, source)), now)
        for check, source in checks.items()
    )
    fresh = [one for one in told if one is not None]
    store.record(fresh)
    return fresh

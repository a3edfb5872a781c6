"""Check results on days that were due and that nobody ran, read from the journal of builds and the clock alone.

Apart from the other monitors (`run_monitor.py`), which read what lies in landing: a list of incidents asks for this one.
"""

from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from reliability_platform.checks.monitor_result import monitor_result
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.day_clock import Service, scheduled_at
from reliability_platform.formats import moment
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal

IN_TIME = "dbt_build__in_time"
NOT_RUN, MENDED = "not-run-", "-mended"
"""Beginning and end of the run ids: what is on record needs no second word."""


def last_failures(store: CheckStore, *checks: str) -> list[CheckResult]:
    """The last results of these checks that failed, by landing day."""
    failed = [one for one in store.latest(checks=checks) if one.status is CheckStatus.FAILED]
    return sorted(failed, key=lambda one: one.partition)


def days_not_run(settings: Settings, engine: Engine, now: datetime) -> list[date]:
    """The landing days in service whose turn has passed, and of which no build has begun."""
    due = Service(engine).due(now, timedelta(minutes=settings.run_within_minutes))
    if not due:
        return []
    begun = BuildJournal(engine, settings.builds).begun(due[0], due[-1])
    return [day for day in due if day not in begun]


def monitor_schedule(settings: Settings, engine: Engine, now: datetime) -> list[CheckResult]:
    """Record a failure for each landing day that was not run, once, and a pass once a build of it has ended well."""
    store = CheckStore(engine)
    known = store.run_ids(NOT_RUN)
    fresh = []
    for day in days_not_run(settings, engine, now):
        run_id = f"{NOT_RUN}{day.isoformat()}"
        if run_id not in known:
            words = f"its turn was at {moment(scheduled_at(day))}, and no build of it has begun"
            fresh.append(monitor_result(IN_TIME, day, CheckStatus.FAILED, words, run_id, now))
    missed = [one.partition for one in last_failures(store, IN_TIME)]
    built = BuildJournal(engine, settings.builds).built(missed[0], missed[-1]) if missed else set()
    fresh += [
        monitor_result(
            IN_TIME, day, CheckStatus.PASSED, "the day has been run", f"{NOT_RUN}{day.isoformat()}{MENDED}", now
        )
        for day in missed
        if day in built
    ]
    store.record(fresh)
    return fresh

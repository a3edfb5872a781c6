"""Verdicts on runs: builds that were killed, could not write or met another one; fetches that were turned away;
deadlines that a source will probably miss.

The data cannot show these: after a crash every table may be whole and yet of two times. Read from the journal of
builds, the log of fetches and the breakers alone.
"""

from dataclasses import replace
from datetime import date, datetime

import pyarrow.parquet as pq
from sqlalchemy import Engine

from reliability_platform.causes import cause_in
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult, Verdict
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import days
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.landing.deadline import outlooks
from reliability_platform.landing.fetch import Fetch, FetchLog
from reliability_platform.settings import Settings
from reliability_platform.sources.contracts import CONTRACTS
from reliability_platform.warehouse.journal import BLOCKED, FAILED, KILLED, Build, BuildJournal

MANY_REFUSALS = 3
"""A source that turns away so many requests of one fetch puts its deadline at risk, even if retries make up for it."""
RISK, MENDED = "risk-", "-mended"
"""Beginning and end of the run ids of deadlines: what is on record needs no second word."""
ENDED, WRITTEN, ALONE = "dbt_build__ended", "dbt_build__written", "dbt_build__alone"


def _check_of(build: Build) -> str | None:
    """The check that a troubled build fails; None for one whose failure dbt's own verdicts tell."""
    if build.outcome == KILLED:
        return ENDED
    if build.outcome == BLOCKED:
        return ALONE
    if build.outcome == FAILED and cause_in(build.error or "") is not None:
        return WRITTEN
    return None


def _words(build: Build) -> str:
    if build.outcome == KILLED:
        return f"the build begun at {build.began_at:%Y-%m-%d %H:%M:%S} UTC was killed: process {build.process} is gone"
    if build.outcome == BLOCKED:
        return f"a build was refused: {build.error}"
    cause = cause_in(build.error or "")
    return f"{cause.persistence if cause else 'unknown'} failure to write: {build.error}"


def _result(check: str, day: date, verdict: Verdict, words: str, run_id: str, now: datetime) -> CheckResult:
    spec = CHECKS[check]
    failed = verdict is Verdict.FAILED
    return CheckResult(
        check=check,
        dataset=spec.dataset,
        source=spec.source,
        partition=day,
        verdict=verdict,
        value=1.0 if failed else 0.0,
        threshold="= 0",
        message=words,
        run_id=run_id,
        evaluated_at=now,
        details={"detail": words} if failed else {},
    )


def _fetch_result(fetch: Fetch, verdict: Verdict, words: str, run_id: str, now: datetime) -> CheckResult:
    result = _result(f"bronze_{fetch.source}__source_answers", fetch.landing_date, verdict, words, run_id, now)
    return replace(result, value=float(fetch.refusals), threshold=f"< {MANY_REFUSALS}")


def _all_batches_admitted(settings: Settings, source: str, day: date) -> bool:
    path = admissions_file(settings, source, day)
    records = pq.read_table(path, columns=["batch_sequence", "status", "state"]).to_pylist() if path.exists() else []
    admitted = {
        record["batch_sequence"]
        for record in records
        if record["status"] == "admitted" or record["state"] == "discarded"
    }
    return len(admitted) >= CONTRACTS[source].batches_per_day


def monitor_fetches(settings: Settings, engine: Engine, now: datetime) -> list[CheckResult]:
    """Record a failure for each fetch in trouble, once, and a pass once all batches of its day have been admitted."""
    store = CheckStore(engine)
    known = store.run_ids("fetch-")
    fresh: list[CheckResult] = []
    for fetch in FetchLog(engine).all():
        run_id = f"fetch-{fetch.id}"
        if fetch.refusals < MANY_REFUSALS and not fetch.missing:
            continue
        if run_id not in known:
            words = f"{fetch.refusals} requests were turned away, {fetch.missing} batches did not come, "
            words += f"the breaker is {fetch.breaker.replace('_', '-')}"
            fresh.append(_fetch_result(fetch, Verdict.FAILED, words, run_id, now))
        elif f"{run_id}-mended" not in known and _all_batches_admitted(settings, fetch.source, fetch.landing_date):
            words = "all batches of the day have been admitted"
            fresh.append(_fetch_result(fetch, Verdict.PASSED, words, f"{run_id}-mended", now))
    store.record(fresh)
    return fresh


def _risk(source: str, day: date, verdict: Verdict, words: str, missing: int, now: datetime) -> CheckResult:
    run_id = f"{RISK}{source}/{day.isoformat()}" + ("" if verdict is Verdict.FAILED else MENDED)
    result = _result(f"bronze_{source}__deadline_within_reach", day, verdict, words, run_id, now)
    return replace(result, value=float(missing), threshold="time to spare")


def monitor_deadlines(settings: Settings, engine: Engine, now: datetime) -> list[CheckResult]:
    """Record a failure for each deadline that is at risk, once and while it lies ahead; a pass once all is there."""
    store = CheckStore(engine)
    known = store.run_ids(RISK)
    fresh = [
        _risk(one.source, one.day, Verdict.FAILED, f"the deadline is at risk: {one.words}", one.missing, now)
        for one in outlooks(settings, engine, now)
        if one.at_risk and f"{RISK}{one.source}/{one.day.isoformat()}" not in known
    ]
    for run_id in sorted(known):
        if run_id.endswith(MENDED) or run_id + MENDED in known:
            continue
        source, day = run_id.removeprefix(RISK).split("/")
        landing_day = date.fromisoformat(day)
        if _all_batches_admitted(settings, source, landing_day):
            words = "all batches of the day have been admitted"
            fresh.append(_risk(source, landing_day, Verdict.PASSED, words, 0, now))
    store.record(fresh)
    return fresh


def monitor_builds(settings: Settings, engine: Engine, now: datetime) -> list[CheckResult]:
    """Record a failure for each troubled build, once, and a pass once a later build of its days has ended well."""
    journal, store = BuildJournal(engine, settings.builds), CheckStore(engine)
    known = store.run_ids("build-")
    fresh: list[CheckResult] = []
    for build in journal.troubled():
        check, run_id = _check_of(build), f"build-{build.id}"
        if check is None:
            continue
        window = list(days(build.first_day, build.last_day))
        if run_id not in known:
            fresh += [_result(check, day, Verdict.FAILED, _words(build), run_id, now) for day in window]
        later = journal.successes_after(build.id)
        if f"{run_id}-mended" not in known and all(any(one.covers(day) for one in later) for day in window):
            words = "a later build of the day has ended well"
            fresh += [_result(check, day, Verdict.PASSED, words, f"{run_id}-mended", now) for day in window]
    store.record(fresh)
    return fresh


def monitor_runs(settings: Settings, engine: Engine, now: datetime) -> list[CheckResult]:
    """All news of builds, fetches and deadlines."""
    monitors = (monitor_builds, monitor_fetches, monitor_deadlines)
    return [result for monitor in monitors for result in monitor(settings, engine, now)]

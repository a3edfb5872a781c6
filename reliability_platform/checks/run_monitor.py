"""Check results on runs: builds that were killed, could not write or met another one; runs that died at another stage;
fetches that were turned away; deadlines that a source will probably miss; days that were due and that nobody ran; topics that
landing has fallen behind.

The data cannot show these: after a crash every table may be whole and yet of two times. Read from the journal of
builds, the log of fetches and the breakers alone.
"""

from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.causes import DAMAGE, HELD, NO_RIGHTS, NO_ROOM, cause_in
from reliability_platform.causes import KILLED as PROCESS_KILLED
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.failed_runs import PUBLICATION, FailedRun, FailedRuns
from reliability_platform.checks.monitor_result import monitor_result
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.schedule_monitor import MENDED, last_failures, monitor_schedule
from reliability_platform.checks.steps import Step
from reliability_platform.checks.store import CheckStore
from reliability_platform.checks.stream_monitor import monitor_streams
from reliability_platform.clock import days
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.counted import counted
from reliability_platform.formats import second
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.landing.deadline import outlooks
from reliability_platform.landing.fetch_log import Fetch, FetchLog
from reliability_platform.landing.misplaced import UNNOTICED_FOR, misplaced, newest_examined, unexamined
from reliability_platform.parquet import read_table
from reliability_platform.pauses import Pauses
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BLOCKED, FAILED, KILLED, Build, BuildJournal
from reliability_platform.warehouse.publication import is_due as publication_is_due

MANY_REFUSALS = 3
"""A source that turns away so many requests of one fetch puts its deadline at risk, even if retries make up for it."""
LOOK = "landing-"
MANY_ENTRIES = 10
"""So many of the entries that lie in the wrong place are named."""
_IN_LANDING = {"nothing_misplaced": "entries of no landing day", "nothing_unexamined": "landing days not examined"}
RISK = "risk-"
"""Beginning of the run ids of deadlines: what is on record needs no second word."""
ENDED, WRITTEN, ALONE = "dbt_build__ended", "dbt_build__written", "dbt_build__alone"
RUN = "run-"
"""Beginning of the run ids of results on runs that died."""
_CHECK_OF_CAUSE = {PROCESS_KILLED.name: "pipeline_run__ended"} | dict.fromkeys(
    (cause.name for cause in (HELD, NO_ROOM, NO_RIGHTS, DAMAGE)), "pipeline_run__written"
)
"""The check that a dead run fails, by its cause; any other fails that of completeness."""


def _check_of(build: Build) -> str | None:
    """The check that a troubled build fails; None for one whose failure dbt's own results tell."""
    if build.outcome == KILLED:
        return ENDED
    if build.outcome == BLOCKED:
        return ALONE
    if build.outcome == FAILED and cause_in(build.error or "") is not None:
        return WRITTEN
    return None


def _words(build: Build) -> str:
    if build.outcome == KILLED:
        return f"the build begun at {second(build.began_at)} UTC was killed: process {build.process} is gone"
    if build.outcome == BLOCKED:
        return f"a build was refused: {build.error}"
    cause = cause_in(build.error or "")
    return f"{cause.persistence if cause else 'unknown'} failure to write: {build.error}"


def _fetch_result(fetch: Fetch, status: CheckStatus, words: str, run_id: str, now: datetime) -> CheckResult:
    result = monitor_result(f"bronze_{fetch.source}__source_answers", fetch.landing_date, status, words, run_id, now)
    return replace(result, value=float(fetch.refusals), threshold=f"< {MANY_REFUSALS}")


def _all_batches_admitted(settings: Settings, source: str, day: date) -> bool:
    path = admissions_file(settings, source, day)
    records = read_table(path, columns=["batch_sequence", "status", "state"]).to_pylist() if path.exists() else []
    admitted = {
        record["batch_sequence"]
        for record in records
        if record["status"] == "admitted" or record["state"] == "discarded"
    }
    return admitted >= set(range(1, 1 + CONTRACTS[source].cadence.due_on(day)))


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
            words = f"{counted(fetch.refusals, 'request was', 'requests were')} turned away, {counted(fetch.missing, 'batch')} did not come, "
            words += f"the breaker is {fetch.breaker.replace('_', '-')}"
            fresh.append(_fetch_result(fetch, CheckStatus.FAILED, words, run_id, now))
        elif f"{run_id}-mended" not in known and _all_batches_admitted(settings, fetch.source, fetch.landing_date):
            words = "all batches of the day have been admitted"
            fresh.append(_fetch_result(fetch, CheckStatus.PASSED, words, f"{run_id}-mended", now))
    store.record(fresh)
    return fresh


def _risk(source: str, day: date, status: CheckStatus, words: str, missing: int, now: datetime) -> CheckResult:
    run_id = f"{RISK}{source}/{day.isoformat()}" + ("" if status is CheckStatus.FAILED else MENDED)
    result = monitor_result(f"bronze_{source}__deadline_within_reach", day, status, words, run_id, now)
    return replace(result, value=float(missing), threshold="time to spare")


def monitor_deadlines(settings: Settings, engine: Engine, now: datetime) -> list[CheckResult]:
    """Record a failure for each deadline that is at risk, once and while it lies ahead; a pass once all is there."""
    store = CheckStore(engine)
    known = store.run_ids(RISK)
    fresh = [
        _risk(one.source, one.day, CheckStatus.FAILED, f"the deadline is at risk: {one.words}", one.missing, now)
        for one in outlooks(settings, engine, now)
        if one.at_risk and f"{RISK}{one.source}/{one.day.isoformat()}" not in known
    ]
    for one in last_failures(store, *(f"bronze_{source}__deadline_within_reach" for source in SOURCES)):
        if _all_batches_admitted(settings, one.source, one.partition):
            words = "all batches of the day have been admitted"
            fresh.append(_risk(one.source, one.partition, CheckStatus.PASSED, words, 0, now))
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
            fresh += [monitor_result(check, day, CheckStatus.FAILED, _words(build), run_id, now) for day in window]
        later = journal.successes_after(build.id)
        if f"{run_id}-mended" not in known and all(any(one.covers(day) for one in later) for day in window):
            words = "a later build of the day has ended well"
            fresh += [monitor_result(check, day, CheckStatus.PASSED, words, f"{run_id}-mended", now) for day in window]
    store.record(fresh)
    return fresh


def tells(build: Build) -> bool:
    """Whether the build itself becomes a failed check: then the run that it was part of needs none."""
    return _check_of(build) is not None


def _made_good(settings: Settings, store: CheckStore, run: FailedRun) -> bool:
    """Whether what a dead run was to do has been done since: its days judged and published, or only published."""
    if publication_is_due(settings):
        return False
    if run.stage == PUBLICATION:
        return True  # its days had been judged. What a later publication finds unchanged makes no version of its own
    window = set(days(run.first_day, run.last_day))
    judged = {
        one.partition
        for one in store.latest(sorted(window))
        if one.check in CHECKS and CHECKS[one.check].engine == "native" and one.evaluated_at > run.failed_at
    }
    return window <= judged


def monitor_failed_runs(settings: Settings, engine: Engine, now: datetime) -> list[CheckResult]:
    """Record a failure for each run that died, once, and a pass once its days have been run, judged and published."""
    store = CheckStore(engine)
    known = store.run_ids(RUN)
    fresh: list[CheckResult] = []
    for run in FailedRuns(engine).since():
        check, run_id = _CHECK_OF_CAUSE.get(run.cause.name, "pipeline_run__completed"), f"{RUN}{run.run_id}"
        window = list(days(run.first_day, run.last_day))
        fresh_of_run = []
        if run_id not in known:
            fresh_of_run.append(
                (CheckStatus.FAILED, f"{run.summary} ({run.cause.persistence}: {run.cause.why})", run_id)
            )
        mended = f"{run_id}{MENDED}"
        if mended not in known and _made_good(settings, store, run):
            fresh_of_run.append((CheckStatus.PASSED, "a later run of the day has ended well", mended))
        for status, words, name in fresh_of_run:
            results = [monitor_result(check, day, status, words, name, now) for day in window]
            fresh += [replace(one, source=run.source) if run.source else one for one in results]
    store.record(fresh)
    return fresh


def monitor_landing(settings: Settings, engine: Engine, now: datetime) -> list[CheckResult]:
    """Record a failure for what lies in landing where no run looks, again whenever that changes, and a pass once it does
    not lie there any more. What belongs to no landing day is filed under the newest one that was examined when it was found.
    """
    names = [f"bronze_{source}__{name}" for source in SOURCES for name in ("nothing_misplaced", "nothing_unexamined")]
    store = CheckStore(engine)
    failing = {(one.check, one.partition): one for one in last_failures(store, *names)}
    found: dict[tuple[str, date], list[str]] = {}
    for entry in misplaced(settings):
        check = f"bronze_{entry.source}__nothing_misplaced"
        day = next((day for name, day in failing if name == check), None) or newest_examined(settings, entry.source)
        found.setdefault((check, day), []).append(entry.words)
    for (source, day), number in unexamined(settings, before=now - UNNOTICED_FOR).items():
        words = f"{counted(number, 'entry')} came since the day was examined last, or it never was"
        found[f"bronze_{source}__nothing_unexamined", day] = [words]
    quiet = {f"bronze_{source}__nothing_unexamined" for source in Pauses(engine).sources(now)}
    found = {key: entries for key, entries in found.items() if key[0] not in quiet}
    fresh = []
    for (check, day), entries in found.items():
        words = f"{len(entries)} {_IN_LANDING[check.rpartition('__')[2]]}: {'; '.join(sorted(entries)[:MANY_ENTRIES])}"
        if (check, day) not in failing or failing[check, day].message != words:
            result = monitor_result(check, day, CheckStatus.FAILED, words, f"{LOOK}{now:%Y%m%d%H%M%S%f}", now)
            fresh.append(replace(result, value=float(len(entries))))
    for check, day in failing.keys() - found.keys():
        words = "nothing of it lies there any more"
        fresh.append(monitor_result(check, day, CheckStatus.PASSED, words, f"{LOOK}{now:%Y%m%d%H%M%S%f}{MENDED}", now))
    store.record(fresh)
    return fresh


_MONITORS = {
    "builds": monitor_builds,
    "runs that died": monitor_failed_runs,
    "fetches": monitor_fetches,
    "deadlines": monitor_deadlines,
    "the schedule": monitor_schedule,
    "landing": monitor_landing,
    "topics": monitor_streams,
}


def monitor_runs(settings: Settings, engine: Engine, now: datetime, step: Step | None = None) -> list[CheckResult]:
    """All news of builds, runs, fetches, deadlines, the schedule, landing and topics. What `step` guards fails for itself."""
    found: list[CheckResult] = []
    for about, monitor in _MONITORS.items():
        with step(f"what is new about {about} could not be found out") if step else nullcontext():
            found += monitor(settings, engine, now)
    return found

"""Evaluates checks on landing days: every wanted check gives exactly one result per day, whatever happens."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

from reliability_platform.checks.as_people_said import as_people_said
from reliability_platform.checks.catalogue import CHECKS, MODEL_TESTS
from reliability_platform.checks.episodes import EPISODE_DAYS
from reliability_platform.checks.history import LOOK_BACK_DAYS, evaluate_history
from reliability_platform.checks.native import evaluate_native
from reliability_platform.checks.profile import Experience, evaluate_profiles, experience, measure_ahead, profile_checks
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.soda import evaluate_soda
from reliability_platform.checks.store import CheckStore
from reliability_platform.checks.watched import under_watch
from reliability_platform.contracts import SOURCES
from reliability_platform.ending import raise_if_stopped
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.pauses import Pauses
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader
from reliability_platform.warehouse.threads import one_thread_for_few

_OF_WHOLE_TABLES = frozenset(test.check for test in MODEL_TESTS.values())


def _held_days(
    known: Iterable[CheckResult], fresh: Iterable[CheckResult], *, alone: bool = False
) -> dict[str, set[date]]:
    """By source, the days on which a blocking check fails: they belong to an incident, nobody may learn from them. `alone`
    leaves out checks that compare sources: these do not say which of them is wrong. Tests of an own dbt project judge their
    tables as a whole and say nothing of a day: one that failed kept every day from the past, and no volume was judged.
    """
    latest = {(result.check, result.partition): result for result in (*known, *fresh)}
    found: dict[str, set[date]] = {}
    for result in latest.values():
        spec = CHECKS.get(result.check)
        if (
            spec is None
            or not spec.blocking
            or result.status is not CheckStatus.FAILED
            or spec.name in _OF_WHOLE_TABLES
        ):
            continue
        if not (alone and len(spec.sources) > 1):
            for source in spec.sources:
                found.setdefault(source, set()).add(result.partition)
    return found


def _around(partitions: Sequence[date]) -> list[date]:
    reach = range(-EPISODE_DAYS, EPISODE_DAYS + 1)
    return sorted({day + timedelta(days=offset) for day in partitions for offset in reach} - set(partitions))


def evaluate(
    settings: Settings, partitions: Sequence[date], now: datetime, run_id: str, only: set[str] | None = None
) -> list[CheckResult]:
    """Run all checks but dbt's own (or `only` some) on the given landing days, on a read-only connection."""
    names = {name for name, spec in CHECKS.items() if spec.engine != "dbt" and (only is None or name in only)}
    profiles = names & profile_checks(SOURCES)
    history = {name for name in names if CHECKS[name].requires_history} - profiles
    past = min(partitions) - timedelta(days=LOOK_BACK_DAYS)
    with (
        warehouse_reader(settings) as connection,
        one_thread_for_few(connection, past if history or profiles else min(partitions), max(partitions)) as is_few,
        ThreadPoolExecutor(max_workers=1) as pool,
    ):
        # A third of an audit of one day, and no answer of another check is needed for it. Of many rows each question has
        # all threads and much memory.
        ahead = profiles if is_few else set[str]()
        measuring = pool.submit(measure_ahead, settings, connection.cursor(), partitions, ahead)
        results = [
            *evaluate_native(settings, connection, partitions, names, run_id, now),
            *evaluate_soda(connection, partitions, names, run_id, now),
        ]
        if history or profiles:
            # A day of the window is judged anew: what the store says of it no longer counts.
            engine = operations_engine(settings)
            store = CheckStore(engine)
            known = [
                one
                for one in store.failing(past, max(partitions))
                if not (one.check in names and one.partition in partitions)
            ]
            held = _held_days(known, results)
            around = _around(partitions)
            beside = store.latest(around, history)
            watch = under_watch(engine, [*around, *partitions])
            unusual = evaluate_history(connection, partitions, history, held, run_id, now, beside, watch)
            results += as_people_said(unusual, store, engine)
            held, wrong = _held_days(known, results), _held_days(known, results, alone=True)

            def learned(source: str) -> Experience:
                return experience(store, engine, source, held.get(source, ()), wrong.get(source, ()), known, watch)

            measuring.result()
            results += evaluate_profiles(settings, connection, partitions, profiles, learned, run_id, now)
    raise_if_stopped()  # what an interrupt has broken off looks like a check that crashed
    silent = _paused_days(settings, partitions, now)
    return [
        one for one in results if not any((source, one.partition) in silent for source in CHECKS[one.check].sources)
    ]


def _paused_days(settings: Settings, partitions: Sequence[date], now: datetime) -> set[tuple[str, date]]:
    """The days of which nothing has landed because somebody has paused their source: on them nothing is judged, nor told."""
    paused = Pauses(operations_engine(settings)).sources(now)
    days = {(source, day) for source in paused for day in partitions}
    return days - set(landed_partitions(settings)) if days else set()

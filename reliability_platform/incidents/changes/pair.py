"""The two builds to compare: the first one after which a check failed, and the last one after which it had not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, Engine, Row, and_, exists, func, select

from reliability_platform.checks.results import CheckStatus
from reliability_platform.incidents.model import ENDED, Incident, State
from reliability_platform.operations.tables import builds, check_results
from reliability_platform.warehouse.journal import BLOCKED, SUCCEEDED

MAX_RESULTS = 40
"""Failed results of an incident that are looked at: those of its first days, for the first bad build is among them."""


@dataclass(frozen=True)
class BuildPair:
    """What is compared. A build is its number in the journal of builds."""

    bad: int | None
    """None where no build lies between the last time the check passed and its failure: no build did the harm."""
    good: int | None
    """None where there was no build before the bad one after which the check had not failed."""
    same_days: bool
    """Whether the good build was one of the days that fail; else it was one of other days, before."""


def pair_of(engine: Engine, incident: Incident) -> BuildPair:
    """The builds that tell what changed, for the present life of an incident."""
    with engine.connect() as connection:
        failures = _first_failures(incident)
        found = [pair for one in failures if (pair := _pair(connection, *one)) is not None]
        failed_first = _begun_before(connection, failures[0][2]) if failures else 0
    bad = [pair.bad for pair in found if pair.bad is not None]
    if not bad or found[0].bad is None:  # what failed first had passed since the last build
        return BuildPair(
            None, max((one.good or 0 for one in found if one.bad is None), default=0) or None, same_days=True
        )
    # What one build broke is noticed on other days later, and of a day that had not been judged for long many builds lie in
    # between: the last of them from which the first failure can come was it.
    culprit = max((one for one in bad if one <= failed_first), default=min(bad))
    # Of several checks that one build broke, that which knows most of the same days.
    return min((one for one in found if one.bad == culprit), key=lambda one: (not one.same_days, -(one.good or 0)))


def _begun_before(connection: Connection, result: int) -> int:
    """The last build that had begun when a result was given; 0 if none had."""
    given_at = select(check_results.c.evaluated_at).where(check_results.c.id == result).scalar_subquery()
    return connection.scalar(select(func.max(builds.c.id)).where(builds.c.began_at <= given_at)) or 0


def _first_failures(incident: Incident) -> list[tuple[str, date, int]]:
    """The first failed result of each check and day since the incident came back last, the oldest results first."""
    first: dict[tuple[str, date], int] = {}
    has_ended = False
    for entry in incident.timeline:
        signals = entry.data.get("signals", [])
        if signals and has_ended:
            first, has_ended = {}, False
        for one in signals:
            key, result = (one["check"], date.fromisoformat(one["partition"])), int(one.get("result_id", 0))
            if result:  # 0: of a release that kept no number
                first[key] = min(result, first.get(key, result))
        if entry.kind == "transition" and State(entry.data["to"]) in ENDED:
            has_ended = True
    found = sorted((result, check, day) for (check, day), result in first.items())
    return [(check, day, result) for result, check, day in found[:MAX_RESULTS]]


def _pair(connection: Connection, check: str, day: date, result: int) -> BuildPair | None:
    """Of one failed result; None if it is gone."""
    results = check_results.c
    failed_at = connection.scalar(select(results.evaluated_at).where(results.id == result))
    if failed_at is None:
        return None
    passed = and_(
        results.check_name == check,
        results.partition_date == day,
        results.status == CheckStatus.PASSED.value,
        results.id < result,
    )
    passed_at = connection.scalar(select(func.max(results.evaluated_at)).where(passed))
    began = builds.c.began_at
    covers = and_(builds.c.first_day <= day, builds.c.last_day >= day, builds.c.outcome != BLOCKED)
    since = and_(began <= failed_at, *([began > passed_at] if passed_at is not None else []))
    # A build writes event dates of other landing days, too: where none of the day itself lies between, one of those did it.
    ways = [covers, builds.c.outcome != BLOCKED] if passed_at is not None else [covers]
    query = select(builds.c.id, began).order_by(builds.c.id)
    bad = next((row for way in ways if (row := connection.execute(query.where(way, since)).first()) is not None), None)
    good = None
    if passed_at is not None:
        good = connection.scalar(select(func.max(builds.c.id)).where(covers, began <= passed_at))
    if good is not None or bad is None:
        return BuildPair(None if bad is None else bad.id, good, same_days=True)
    return BuildPair(bad.id, _good_elsewhere(connection, check, bad), same_days=False)


def _good_elsewhere(connection: Connection, check: str, bad: Row[tuple[int, datetime]]) -> int | None:
    """The last build before the bad one that ended well, and of whose days the check has not failed since."""
    results = check_results.c
    failed = exists().where(
        results.check_name == check,
        results.partition_date >= builds.c.first_day,
        results.partition_date <= builds.c.last_day,
        results.status == CheckStatus.FAILED.value,
        results.evaluated_at >= builds.c.began_at,
        results.evaluated_at < bad.began_at,
    )
    query = select(func.max(builds.c.id)).where(builds.c.id < bad.id, builds.c.outcome == SUCCEEDED, ~failed)
    found: int | None = connection.scalar(query)
    return found


def days_of(engine: Engine, numbers: Sequence[int]) -> dict[int, Row[tuple[int, date, date, datetime]]]:
    """The entries of some builds, by number."""
    query = select(builds.c.id, builds.c.first_day, builds.c.last_day, builds.c.began_at)
    with engine.connect() as connection:
        return {row.id: row for row in connection.execute(query.where(builds.c.id.in_(numbers)))}

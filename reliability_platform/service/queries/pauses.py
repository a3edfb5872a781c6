"""What is paused on purpose: sources, and published tables."""

from datetime import date, datetime

from sqlalchemy import Engine, select

from reliability_platform.clock import days
from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.bronze_files import admissions_file
from reliability_platform.operations.tables import builds
from reliability_platform.pauses import Pausable, Pauses
from reliability_platform.service.queries.answer import QueryAnswer
from reliability_platform.settings import Settings


class StandingPause(QueryAnswer):
    """One source or table that is paused or withdrawn now."""

    kind: str
    """`source` or `table`."""
    name: str
    """Which."""
    state: str
    """`paused`: a source is not asked, a table stays as it was published last; `withdrawn`: consumers find no such table."""
    actor: str
    """Who has said so."""
    why: str
    """The reason."""
    until: datetime | None
    """When it ends by itself; null if somebody must end it."""
    at: datetime
    """Since when."""


def standing_pauses(engine: Engine, now: datetime) -> list[StandingPause]:
    """All of them, the oldest first."""
    return [StandingPause(**vars(one)) for one in Pauses(engine).standing(now).values()]


def paused_of_kind(engine: Engine, now: datetime, kind: Pausable) -> dict[str, StandingPause]:
    """Those of one kind, by name."""
    return {one.name: one for one in standing_pauses(engine, now) if one.kind == kind.value}


def missed_days(settings: Settings, engine: Engine, now: datetime) -> dict[str, list[date]]:
    """Source → landing days that were built without it while it was paused, and that still lack it: they are to be run again
    once it is resumed. Without the sources that have missed none.
    """
    found: dict[str, list[date]] = {}
    for source, spells in Pauses(engine).spells(now).items():
        if source not in CONTRACTS:
            continue
        built = set[date]()
        for begin, end in spells:
            query = (
                select(builds.c.first_day, builds.c.last_day).distinct().where(builds.c.began_at.between(begin, end))
            )
            with engine.connect() as connection:
                built |= {day for row in connection.execute(query) for day in days(row.first_day, row.last_day)}
        cadence = CONTRACTS[source].cadence
        missed = [day for day in built if cadence.due_on(day) and not admissions_file(settings, source, day).exists()]
        if missed:
            found[source] = sorted(missed)
    return found

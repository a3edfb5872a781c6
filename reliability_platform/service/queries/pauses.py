"""What is paused on purpose: sources, and published tables."""

from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.pauses import Pausable, Pauses
from reliability_platform.service.queries.answer import QueryAnswer


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

"""Backfills that a person let through although the guard objected."""

from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.backfills.approvals import Approvals
from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, page


class OverruledBackfill(QueryAnswer):
    """One approval."""

    first_day: date
    """The first landing day that is let through."""
    last_day: date
    """The last one."""
    guards: list[str]
    """The objections that were overruled."""
    actor: str
    """Who did."""
    why: str
    """The reason."""
    approved_at: datetime
    """When."""


def overruled_backfills(engine: Engine, window: Window = EVERYTHING) -> Page[OverruledBackfill]:
    """Approvals, the newest first."""
    found = Approvals(engine).all()[::-1]
    items = [
        OverruledBackfill(
            first_day=one.first_day,
            last_day=one.last_day,
            guards=list(one.guards),
            actor=one.actor,
            why=one.why,
            approved_at=one.at,
        )
        for one in window.cut(found)
    ]
    return page(items, len(found), window)

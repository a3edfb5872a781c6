"""Gives up dead letters that a person chose: a decision in the store first, then the file that admission obeys."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Engine

from reliability_platform.landing.discards import Discard, Discards, write_discards
from reliability_platform.landing.working_copy import bring_in_decisions
from reliability_platform.remediation.dead_letters.letters import Letter
from reliability_platform.settings import Settings


def discard(
    settings: Settings, engine: Engine, letters: Sequence[Letter], why: str, who: str, now: datetime
) -> list[date]:
    """Record the decision on each dead letter; returns the landing days that must run again for it to be seen.

    Again, at once by two people, or after a crash between the two steps, it changes nothing more.
    """
    decisions = [
        Discard(
            source=one.source,
            landing_date=one.landing_date,
            batch_id=one.batch_id,
            what=one.what,
            reasons=one.reasons,
            fingerprint=one.fingerprint,
            rows=one.rows,
        )
        for one in letters
    ]
    sources = sorted({one.source for one in letters})
    bring_in_decisions(settings, sources)
    Discards(engine).record(decisions, why, who, now)
    for source in sources:
        days = sorted({one.landing_date for one in letters if one.source == source})
        write_discards(settings, engine, source, days)
    return sorted({one.landing_date for one in letters})

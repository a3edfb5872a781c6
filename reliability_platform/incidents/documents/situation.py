"""What a document needs to know beyond the incident: collected by whoever may ask the home, handed in as facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from reliability_platform.checks.results import CheckResult
from reliability_platform.incidents.breach import BreachEvidence
from reliability_platform.incidents.changes import WhatChanged
from reliability_platform.incidents.impact import Numbers, Reach
from reliability_platform.incidents.recurring import Recurrence
from reliability_platform.incidents.response import ResponsePolicy
from reliability_platform.incidents.usual_recovery import UsualRecovery

HERE = Path("..")
"""The home of a page that is kept in it, from its own folder: it may be moved, and says nothing of the machine."""


@dataclass(frozen=True)
class Remedy:
    """How the policy heals the class of an incident."""

    action: str
    """In words that follow upon "to", as "verify that nothing is lost"."""
    automatic: bool
    max_attempts: int
    proof: tuple[str, ...] = ()
    """Checks that must pass besides those that had failed."""
    on_record: tuple[str, ...] = ()
    """Failures of the class that no recovery changes: the check, and why no number is wrong for it."""
    escalation: str = "the owner of the platform"
    """Who decides once no attempt is left."""
    conditions: tuple[str, ...] = ()
    """What must hold before the platform acts by itself, in words."""
    backoff: timedelta = timedelta()
    """The wait before the second attempt; it doubles for each further one."""
    time_limit: timedelta = timedelta()
    watch_days: int = 0
    """Landing days after a verified recovery on which what failed is judged more strictly."""
    leaves: str = ""
    """What an attempt that did not help leaves behind, in words."""
    plan: str | None = None
    """What it would do now, in words; None where that cannot be said."""
    obstacle: str | None = None
    """What keeps the platform from doing it by itself now, in half a sentence; None if nothing does."""
    left_to_a_person: str | None = None
    """Why healing would change nothing, so that a person must end the incident; None if it would do something."""


@dataclass(frozen=True)
class Readers:
    """What consumers read now of the landing days of an incident."""

    version: str | None
    """None before the first publication."""
    previous: str | None
    fresh: Sequence[date] = ()
    """Landing days whose rows are in the published version."""
    held: Mapping[date, Sequence[str]] = field(default_factory=dict)
    """Landing days that the published version leaves out, with the reasons."""


@dataclass(frozen=True)
class Situation:
    """The facts of one moment."""

    now: datetime
    reach: Reach
    remedy: Remedy
    terms: ResponsePolicy
    numbers: Numbers | None = None
    """None where the warehouse cannot be asked."""
    readers: Readers | None = None
    """None where nobody could look."""
    home: Path | None = None
    """The home folder, unless it is the default one."""
    reads: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Exposure → the published tables that it reads."""
    judged_before: Sequence[CheckResult] = ()
    """Some of the other results, before the detection, of the checks that failed, on the days on which they did."""
    first_judged: Sequence[str] = ()
    """The checks that failed of which no result stands before the first failed one, on any of these days."""
    usual: UsualRecovery | None = None
    """How long incidents of the class took to recover; None where too few have, or nobody looked."""
    changed: WhatChanged | None = None
    """What changed between the last good build and the first bad one; None where nobody looked."""
    breach: BreachEvidence | None = None
    """The evidence of a breach of personal data; None for any other incident."""
    recurrence: Recurrence | None = None
    """The times before, of the same class at the same source; None if it is the first, or nobody looked."""

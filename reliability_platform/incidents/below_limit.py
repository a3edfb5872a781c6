"""Rejected rows that are too few for an incident: one line of the lowest severity for each source, which collects days.

They hold no day and open nothing, for a few bad rows are no reason to wake anybody; but what is published is short by
them. The line says how many wait, since when and for which reasons, and ends by itself: a row that was replayed, replaced
or discarded is not rejected any more. Days of an open incident are told by that.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Engine

from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.formats import span
from reliability_platform.incidents.classes import Severity
from reliability_platform.incidents.store import IncidentStore

SHOWN_REASONS = 3


@dataclass(frozen=True)
class BelowLimit:
    """What of one source was rejected without an incident."""

    source: str
    rows: int
    days: tuple[date, ...]
    reasons: tuple[str, ...]
    """For which the most rows of a day were rejected; on most days first."""
    severity: Severity = Severity.P3

    @property
    def text(self) -> str:
        """The line for people."""
        shown = [*self.reasons[:SHOWN_REASONS], *(["and others"] if len(self.reasons) > SHOWN_REASONS else [])]
        return (
            f"{self.severity} {self.source}: {counted(self.rows, 'rejected row')} on {counted(len(self.days), 'landing day')} "
            f"({span((self.days[0], self.days[-1]))}), below the limit of an incident: {', '.join(shown)}. "
            f"`reliability quarantine analyze --source {self.source}`"
        )

    @property
    def document(self) -> dict[str, Any]:
        """For a program to read."""
        return vars(self) | {"days": list(self.days), "reasons": list(self.reasons), "first": self.days[0]}


def below_limit(engine: Engine) -> list[BelowLimit]:
    """Of each source whose latest results count rejected rows that no check objected to."""
    named = {
        (source, day)
        for incident in IncidentStore(engine).open()
        for source in {incident.source, *(signal.source for signal in incident.signals)}
        for day in incident.partitions
    }
    results = CheckStore(engine).latest(checks=[f"stg_{source}__reject_share" for source in SOURCES])
    return collected(one for one in results if (one.source, one.partition) not in named)


def collected(results: Iterable[CheckResult]) -> list[BelowLimit]:
    """The lines of the latest results on rejected rows, one a source."""
    by_source: dict[str, list[CheckResult]] = {}
    for one in results:
        if one.status is CheckStatus.PASSED and one.facts.rejected_rows:
            by_source.setdefault(one.source, []).append(one)
    return [
        BelowLimit(
            source,
            sum(one.facts.rejected_rows or 0 for one in found),
            tuple(sorted(one.partition for one in found)),
            tuple(name for name, _ in Counter(name for one in found for name in one.facts.rejected_for).most_common()),
        )
        for source, found in sorted(by_source.items())
    ]

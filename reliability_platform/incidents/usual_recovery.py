"""How long incidents of a class took to recover: what can be said of one that is open, and no more than that.

The median of an even number of durations is the mean of the two in the middle; the 90th percentile is the nearest rank, as in
`metrics.py`.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from reliability_platform.counted import counted
from reliability_platform.formats import duration
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import incident_heads

LEAST = 3
"""Of fewer recoveries nothing is said."""
MOST = 100
"""So many of the last ones count: what a team needed years ago is no measure."""


@dataclass(frozen=True)
class UsualRecovery:
    """From detection to data that are right again, in the past of a class."""

    median: timedelta
    p90: timedelta
    of: int
    """Incidents that it rests on."""

    @property
    def in_words(self) -> str:
        """As people are told."""
        return (
            f"Of the last {counted(self.of, 'incident')} of this kind half were over within {duration(self.median)}, "
            f"nine in ten within {duration(self.p90)}."
        )

    def expected_by(self, incident: Incident) -> datetime:
        """By when nine in ten like it were over."""
        return incident.detected_at + self.p90


def usual_recovery(store: IncidentStore, failure_class: str) -> UsualRecovery | None:
    """What the past of a class says; None of fewer than `LEAST` recoveries. A false alarm or a symptom recovered from nothing."""
    heads = incident_heads.c
    over = [
        heads.failure_class == failure_class,
        ~heads.is_open,
        ~heads.is_symptom,
        heads.state != State.FALSE_ALARM.value,
    ]
    found, _ = store.newest(over, MOST)
    took = sorted(one.times.time_to_recover for one in found if one.times.time_to_recover is not None)
    if len(took) < LEAST:
        return None
    seconds = [one.total_seconds() for one in took]
    return UsualRecovery(timedelta(seconds=median(seconds)), took[math.ceil(0.9 * len(took)) - 1], len(took))

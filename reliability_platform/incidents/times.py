"""The raw times of an incident, and what is derived from them.

Two clocks meet here. `onset` is told by the data: when the first of its batches landed, as its manifest says; of a day
that is built long after it landed it lies far back. All other times are those at which the platform did something, and
durations are counted between these alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Times:
    """UTC; None for what has not happened, or is not known. A reopened incident has recovered only once it is over."""

    onset: datetime | None = None
    """When the first bad batch landed, by the data's own clock."""
    first_bad_write: datetime | None = None
    """When the build began that first wrote it to the warehouse."""
    detected: datetime | None = None
    """When the incident was opened."""
    alerted: datetime | None = None
    """When somebody was first told."""
    acknowledged: datetime | None = None
    """When a person said to be on it."""
    contained: datetime | None = None
    """When consumers were kept from it."""
    recovery_started: datetime | None = None
    """When the first action began."""
    recovered: datetime | None = None
    """When the last failed check passed: the data were right again."""
    verified: datetime | None = None
    """When that was proved: nothing failed, nothing held."""
    resolved: datetime | None = None
    """When it ended, however it did."""
    closed: datetime | None = None
    """When nothing was left to do."""

    @property
    def answered(self) -> datetime | None:
        """When somebody or something was first seen to be on it."""
        known = (self.acknowledged, self.recovery_started, self.verified, self.resolved, self.closed)
        return min((moment for moment in known if moment is not None), default=None)

    @property
    def time_to_detect(self) -> timedelta | None:
        """TTD: from the first bad write to the detection."""
        return _between(self.first_bad_write, self.detected)

    @property
    def time_to_acknowledge(self) -> timedelta | None:
        """TTA: from the detection to the first answer, by a person or by the remediation."""
        return _between(self.detected, self.answered)

    @property
    def time_to_recover(self) -> timedelta | None:
        """TTR, R as in recover: from the detection to data that are right again."""
        return _between(self.detected, self.recovered)

    @property
    def time_to_resolve(self) -> timedelta | None:
        """From the detection to the end of the incident, however it ended."""
        return _between(self.detected, self.resolved)

    @property
    def data_downtime(self) -> timedelta | None:
        """How long the data were wrong or missing: from the first bad write, or else the detection, to recovery."""
        return _between(self.first_bad_write or self.detected, self.recovered)


def _between(start: datetime | None, end: datetime | None) -> timedelta | None:
    # Clocks jump; no duration is negative.
    return None if start is None or end is None else max(end - start, timedelta(0))

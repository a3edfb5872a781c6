"""How often a source delivers: by the days in the names of its files, else by the days of its events."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from reliability_platform.contracts.named_days import named_days
from reliability_platform.counted import counted


@dataclass(frozen=True)
class Rhythm:
    """What is proposed for `frequency`, and why."""

    value: int
    unit: str
    schedule: str | None
    evidence: str
    certain: bool


def rhythm(files: Sequence[Path], event_days: int) -> Rhythm:
    """How often files come. `event_days` are the days of events in the sample, for files whose names say no day."""
    named = [said.first for path in files if (said := named_days(str(path))) is not None]
    days = Counter(named)
    if not files:
        return Rhythm(1, "d", None, f"files are taken apart by day: events of {counted(event_days, 'day')}", True)
    if len(named) < len(files) or len(days) < 2:
        certain = len(files) == 1 and event_days == 1
        return Rhythm(
            1,
            "d",
            None,
            f"{counted(len(files), 'file')}, events of {counted(event_days, 'day')}; names say no days",
            certain,
        )
    span = f"{counted(len(files), 'file')} of {counted(len(days), 'day')}, {min(days)} to {max(days)}"
    steps = Counter(later - earlier for earlier, later in pairwise(sorted(days)))
    step, times = steps.most_common(1)[0]
    usual = times >= 0.8 * sum(steps.values())
    if step == timedelta(days=7) and usual:
        weekday = Counter(day.isoweekday() for day in days).most_common(1)[0][0]
        return Rhythm(1, "w", f"0 6 * * {weekday % 7}", f"{span}, a week apart", len(days) > 3)
    if all(27 < gap.days < 32 for gap in steps):
        of_month = Counter(day.day for day in days).most_common(1)[0][0]
        return Rhythm(1, "mo", f"0 6 {of_month} * *", f"{span}, a month apart", len(days) > 2)
    per_day, as_often = Counter(days.values()).most_common(1)[0]
    missing = (max(days) - min(days)).days + 1 - len(days)
    told = f"{span}, {per_day} a day" + (f"; {counted(missing, 'day')} without" if missing else "")
    if per_day > 1:
        return Rhythm(per_day, "batches_per_day", None, told, as_often == len(days) and not missing)
    return Rhythm(1, "d", None, told, usual and step == timedelta(days=1) and as_often == len(days) and not missing)

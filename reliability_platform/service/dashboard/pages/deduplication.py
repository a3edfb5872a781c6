"""Deduplication and idempotency: each key counts once, whatever came twice, and running again changes nothing."""

from dataclasses import dataclass

from reliability_platform.counted import counted
from reliability_platform.service.dashboard.check_strips import KEYS, CheckRow, checks_of_classes
from reliability_platform.service.dashboard.evidence import GradedRows, Row, graded_rows
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest, PageView, Tone

CLASSES = ("key_conflict", "duplicate_delivery", "stale_redelivery", "rows_unaccounted")
"""The failure classes whose checks watch over keys."""


@dataclass(frozen=True, kw_only=True)
class DeduplicationView(PageView):
    """What the page shows."""

    checks: list[CheckRow]
    accuracy: GradedRows | None
    by_source: list[Row]
    """The same, summed by source."""
    reruns: list[Row]
    """Each table before and after days were run again; what changed without a reason first."""
    keys: tuple[tuple[str, str], ...] = KEYS


def view(asked: PageRequest) -> DeduplicationView:
    """The checks of keys, and what the last grading found."""
    accuracy, reruns = (
        graded_rows(asked, "deduplication_accuracy_report"),
        graded_rows(asked, "idempotency_control_report"),
    )
    checks = checks_of_classes(asked, CLASSES)
    by_source = [] if accuracy is None else _by_source(accuracy.rows)
    sentence, tone = _answer(checks, by_source)
    return DeduplicationView(
        sentence=sentence,
        tone=tone,
        checks=checks,
        accuracy=accuracy,
        by_source=by_source,
        reruns=[] if reruns is None else sorted(reruns.rows, key=lambda one: -len(one["event_dates_unexplained"])),
    )


_SUMS = ("delivered_rows", "unique_keys", "duplicates_removed", "keys_twice_in_silver", "missing_keys", "extra_keys")


def _by_source(rows: list[Row]) -> list[Row]:
    found: dict[str, Row] = {}
    for one in rows:
        sums = found.setdefault(one["source"], {"source": one["source"], **dict.fromkeys(_SUMS, 0)})
        for name in _SUMS:
            sums[name] += one[name] or 0
    return list(found.values())


def _answer(checks: list[CheckRow], by_source: list[Row]) -> tuple[str, Tone]:
    if not checks and not by_source:
        return "No key was counted yet.", Tone.PLAIN
    removed = sum(one["duplicates_removed"] for one in by_source)
    twice = sum(one["keys_twice_in_silver"] for one in by_source)
    failed = [one.check for one in checks if one.newest.partition in one.failed]
    taken_out = f"; {counted(removed, 'duplicate was', 'duplicates were')} taken out" if by_source else ""
    if twice or failed:
        many = (
            f"{counted(twice, 'key counts', 'keys count')} twice"
            if twice
            else f"{counted(len(failed), 'check')} failed"
        )
        return f"Not each key counts once: {many}{taken_out}.", Tone.BAD
    return f"Each key counts once{taken_out}.", Tone.GOOD


PAGE = DashboardPage(
    "deduplication",
    "Deduplication",
    "Does each key count once, and does running again change nothing?",
    PageGroup.DATA,
    view,
    "deduplication",
)

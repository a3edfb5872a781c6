"""When a schedule last was due, by its five cron fields. UTC; fields are numbers, ranges, lists, `*`, each with a step.

Dagster's own reckoning lies behind an import of 2 s; a test compares the two.
"""

from datetime import UTC, datetime, time, timedelta

_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
"""Minutes, hours, days of the month, months, days of the week with Sunday as 0."""


def _values(field: str, first: int, last: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        begin, _, end = (f"{first}-{last}" if span == "*" else span).partition("-")
        stop = int(end) if end else last if step else int(begin)
        found.update(range(int(begin), stop + 1, int(step or 1)))
    return found


def last_turn(cron: str, until: datetime, after: datetime) -> datetime | None:
    """The last turn up to and including `until`, and after `after`; None if there is none. Raises `ValueError` for words."""
    fields = cron.split()
    minutes, hours, days, months, weekdays = (
        _values(field, *limits) for field, limits in zip(fields, _LIMITS, strict=True)
    )
    either = "*" not in (fields[2], fields[4])  # as cron has it: of two restricted fields for days, one suffices
    day = until.astimezone(UTC).date()
    while day >= after.astimezone(UTC).date():
        of_month, of_week = day.day in days, day.isoweekday() % 7 in {one % 7 for one in weekdays}
        if day.month in months and (of_month or of_week if either else of_month and of_week):
            turns = (
                datetime.combine(day, time(hour, minute), UTC)
                for hour in sorted(hours, reverse=True)
                for minute in sorted(minutes, reverse=True)
            )
            turn = next((one for one in turns if after < one <= until), None)
            if turn is not None:
                return turn
        day -= timedelta(days=1)
    return None

"""What the past promises: with seasons, without the days that were strange, and only if there is enough of it."""

from datetime import date, timedelta

import pytest

from reliability_platform.checks.history import (
    HISTORY_DAYS,
    MIN_HISTORY_DAYS,
    good_past,
    judge_key_share,
    judge_scale,
    judge_volume,
)
from reliability_platform.checks.results import INSUFFICIENT_HISTORY

TODAY = date(2026, 3, 2)
SEASON = (1.0, 0.95, 0.97, 1.0, 1.1, 1.3, 0.7)
NOISE = (1.0, 1.02, 0.98, 1.01, 0.99)


def _rows(days: int, today: float) -> dict[date, dict[str, float]]:
    past = [TODAY - timedelta(days=back) for back in range(1, days + 1)]
    profile = {day: {"rows": 1000 * SEASON[day.weekday()] * NOISE[day.toordinal() % 5]} for day in past}
    return {**profile, TODAY: {"rows": today}}


@pytest.mark.parametrize(
    ("today", "alarms"),
    [(1000, False), (1200, False), (800, False), (1350, True), (650, True), (0, True), (5000, True)],
)
def test_volume_is_judged_by_the_same_weekday(today: float, alarms: bool) -> None:
    """A fifth more or less is a good or a bad day; a third is not."""
    profile = _rows(40, today)
    finding = judge_volume(profile, good_past(profile, TODAY, set()), TODAY)
    assert finding.value is not None
    assert (finding.value > finding.limit) is alarms


def test_a_weekend_is_not_an_anomaly() -> None:
    """Sunday has half of Saturday's rows, every week."""
    sunday = TODAY - timedelta(days=1)
    profile = _rows(60, 1000)
    finding = judge_volume(profile, good_past(profile, sunday, set()), sunday)
    assert finding.value is not None
    assert finding.value < 5


@pytest.mark.parametrize(("today", "alarms"), [(300, False), (360, False), (200, True), (500, True), (1000, False)])
def test_who_has_few_customers_on_saturdays_has_them_from_the_third_one_on(today: float, alarms: bool) -> None:
    """The third Saturday of a shop was compared with all days and held, and so was every one after it: what is held is no
    past. One that is like any other day, or like the two that are known, is none to be held."""
    third = date(2026, 3, 21)
    days = [third - timedelta(days=back) for back in range(1, 15)]
    profile = {day: {"rows": 300.0 if day.weekday() == third.weekday() else 1000.0} for day in days}
    finding = judge_volume({**profile, third: {"rows": today}}, days, third)
    assert finding.value is not None
    assert (finding.value > finding.limit) is alarms


ORDERS_OF_A_SHOP = (
    116, 114, 63, 79, 143, 133, 134, 159, 138, 100, 88, 136, 149, 149, 158, 154, 79, 75, 169, 168, 153, 170, 170, 55, 95, 164, 179, 169,
    182, 170, 89, 98, 174, 188, 193, 151, 165,
)  # fmt: skip
"""Items that a shop of somebody else sold, from a Thursday on."""


@pytest.mark.parametrize(("today", "alarms"), [(130, False), (45, False), (35, True), (160, True)])
def test_a_weekday_of_few_rows_that_is_known_by_few_days_has_wider_limits(today: float, alarms: bool) -> None:
    """The sixth Saturday was held, and demo ended with an incident that had no fault behind it."""
    saturday = date(2018, 12, 8)
    days = [saturday - timedelta(days=back) for back in range(len(ORDERS_OF_A_SHOP), 0, -1)]
    profile = {day: {"rows": float(rows)} for day, rows in zip(days, ORDERS_OF_A_SHOP, strict=True)}
    finding = judge_volume({**profile, saturday: {"rows": today}}, good_past(profile, saturday, set()), saturday)
    assert finding.value is not None
    assert (finding.value > finding.limit) is alarms


def test_a_weekday_that_is_hardly_known_is_not_judged_where_weekdays_differ() -> None:
    """Of Sundays all but one are held: what is held is no past, and no Sunday would ever be let through. Where all days are
    alike, any of them is a measure.
    """
    sunday = date(2026, 3, 1)
    days = [sunday - timedelta(days=back) for back in range(1, 29)]
    profile = {day: {"rows": 300.0 if day.weekday() > 4 else 1000.0} for day in days} | {sunday: {"rows": 310.0}}
    known = [day for day in days if day.weekday() != 6 or day == days[-1]]
    finding = judge_volume(profile, known, sunday)
    assert (finding.value, finding.reason) == (None, INSUFFICIENT_HISTORY)
    alike = {day: {"rows": 1000.0} for day in days} | {sunday: {"rows": 310.0}}
    assert judge_volume(alike, known, sunday).failed


def test_the_past_is_made_of_the_last_good_days_alone() -> None:
    """Neither the day itself, nor a strange one, nor one that is too long ago."""
    profile = _rows(89, 1000)
    strange = {TODAY - timedelta(days=back) for back in range(1, 30)}
    past = good_past(profile, TODAY, strange)
    assert len(past) == HISTORY_DAYS
    assert not strange & set(past)
    assert TODAY not in past
    assert max(past) == TODAY - timedelta(days=30)
    assert len(good_past(_rows(10, 1000), TODAY, set())) == 10 < MIN_HISTORY_DAYS


def test_half_of_the_past_may_be_strange_without_moving_the_median() -> None:
    """Days that nobody marked: the reason for medians."""
    profile = _rows(28, 1000)
    for back in range(1, 12):
        profile[TODAY - timedelta(days=back)]["rows"] *= 20
    finding = judge_volume(profile, good_past(profile, TODAY, set()), TODAY)
    assert finding.value is not None
    assert finding.value < 30


def _scale(today: float, rows: float = 500) -> dict[date, dict[str, float]]:
    day = {"all/rows": rows, "all/sigma": 1.0}
    past = {TODAY - timedelta(days=back): {**day, "all/median": 3.0 + 0.01 * (back % 3)} for back in range(1, 29)}
    return {**past, TODAY: {**day, "all/median": 3.0 + today}}


@pytest.mark.parametrize(
    ("shift", "alarms", "words"),
    [
        (0.0, False, "usual"),
        (0.1, False, "usual"),
        (0.476, True, "miles and kilometres"),
        (2.303, True, "a decimal place"),
        (4.605, True, "minor units"),
        (-4.605, True, "1/101 of"),
    ],
)
def test_a_change_of_unit_is_told_and_named(shift: float, alarms: bool, words: str) -> None:
    """By the factor of the median; a price that rises by a tenth is growth."""
    profile = _scale(shift)
    finding = judge_scale(profile, good_past(profile, TODAY, set()), TODAY)
    assert finding.value is not None
    assert (finding.value > finding.limit) is alarms
    assert words in finding.words


def test_growth_of_the_number_of_rows_is_no_change_of_unit() -> None:
    """Ten times the rows, the same amounts."""
    profile = _scale(0.0, rows=500)
    profile[TODAY]["all/rows"] = 5000
    finding = judge_scale(profile, good_past(profile, TODAY, set()), TODAY)
    assert finding.value == 1.0


def test_few_rows_say_nothing_about_a_scale() -> None:
    """A median of ten rows may be anywhere."""
    profile = _scale(4.605, rows=10)
    finding = judge_scale(profile, good_past(profile, TODAY, set()), TODAY)
    assert finding.value == 1.0


def test_a_key_with_a_large_share_is_judged_by_what_is_usual() -> None:
    """A tenth of the rows at least, and four times what the largest key usually has."""
    profile = {TODAY - timedelta(days=back): {"share": 0.05} for back in range(1, 29)}
    past = good_past(profile, TODAY, set())
    for share, alarms in ((0.05, False), (0.15, False), (0.25, True)):
        finding = judge_key_share({**profile, TODAY: {"share": share}}, past, TODAY)
        assert finding.value is not None
        assert (finding.value > finding.limit) is alarms

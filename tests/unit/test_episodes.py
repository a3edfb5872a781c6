"""An anomaly of several days is one: the days beside the one that failed are held, judged and healed with it."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb
import pytest

from reliability_platform.checks.episodes import EPISODE_DAYS, drawn_in
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.gate import held
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.incidents.grouping import RawSignal, group
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.ground import day, days

VOLUME, SCALE = "int_orders__deduplicated__volume", "int_orders__deduplicated__amount_scale"
WORST, LAST = day(20), day(24)


class Judged:
    """Silver of orders as some days have it, and what the check last said of each day."""

    def __init__(self, home: Path, check: str) -> None:
        self.settings, self.check = load_settings(home), check
        self.settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
        self.store = CheckStore(operations_engine(self.settings))

    def have(self, factors: Mapping[date, float]) -> None:
        """A thousand rows a day of amounts around 20, times the factors of the days: of rows, or of amounts."""
        rows = [(one, 1000 + one.toordinal() % 5 * 5, factors.get(one, 1.0)) for one in days(day(1), LAST)]
        of_rows = self.check == VOLUME
        with duckdb.connect(str(self.settings.warehouse)) as connection:
            connection.execute("create or replace table profile (event_date date, usual integer, factor double)")
            connection.executemany("insert into profile values (?, ?, ?)", rows)
            connection.execute(
                "create or replace table int_orders__deduplicated as select event_date, event_date as landing_date, "
                f"20 * exp(0.4 * sin(n)) * {'1' if of_rows else 'factor'} as amount, 'EUR' as currency, n as customer_id "
                f"from profile, range(2000) as numbers(n) where n < usual * {'factor' if of_rows else '1'}"
            )

    def judge(self, first: date, last: date) -> list[CheckResult]:
        window = list(days(first, last))
        self.store.invalidate(["orders"], window)
        results = evaluate(self.settings, window, utc_now(), "test", {self.check})
        self.store.record(results)
        return results

    def failed(self) -> list[date]:
        return sorted(one.partition for one in self.store.failing(day(1), LAST))


@pytest.fixture(params=[VOLUME, SCALE])
def judged(request: pytest.FixtureRequest, tmp_path: Path) -> Judged:
    return Judged(tmp_path / "home", request.param)


# Two days before and one after lie at two thirds of the limit; another such day is apart from them.
EPISODE = {day(16): 0.8, day(18): 0.8, day(19): 0.8, WORST: 0.6, day(21): 0.8}
TOGETHER = [day(18), day(19), WORST, day(21)]


def test_days_of_one_deviation_fail_together(judged: Judged) -> None:
    """Two of three days of a loss were published for good, and the incident ended with the third."""
    judged.have(EPISODE)
    results = judged.judge(day(1), LAST)
    assert len(results) == len(list(days(day(1), LAST)))
    assert judged.failed() == TOGETHER
    beside = next(one for one in results if one.partition == day(18))
    assert f"of one deviation with {WORST}" in beside.message
    [cause] = group([RawSignal(number, one) for number, one in enumerate(results) if one.status is CheckStatus.FAILED])
    assert cause.partitions == TOGETHER


def test_a_day_that_was_published_is_drawn_in_when_the_next_one_fails(judged: Judged) -> None:
    """Day by day, as schedules run: what had passed alone is held as soon as more is known."""
    judged.have(EPISODE)
    judged.judge(day(1), day(17))
    for one in days(day(18), LAST):
        judged.judge(one, one)
        expected = [] if one < WORST else [day(18), day(19), WORST] if one == WORST else TOGETHER
        assert judged.failed() == expected
    assert ("orders", day(18)) in held(judged.store, [("orders", day(18))])


def test_the_episode_ends_with_the_day_that_failed(judged: Judged) -> None:
    """The source sends the worst day anew and stands by the others: nothing is wrong with them, and nothing holds them.
    As long as it is as it was, no new judgement of a day beside it lets that one go."""
    judged.have(EPISODE)
    judged.judge(day(1), LAST)
    judged.judge(day(18), day(19))
    judged.judge(day(21), day(21))
    assert judged.failed() == TOGETHER
    judged.have({**EPISODE, WORST: 1.0})
    judged.judge(WORST, WORST)
    assert judged.failed() == []


def test_what_deviates_the_other_way_or_little_is_no_part_of_it(judged: Judged) -> None:
    """A good day before a bad one is a good day, and a tenth less is noise."""
    judged.have({day(19): 1.22, WORST: 0.6, day(21): 0.9})
    judged.judge(day(1), LAST)
    assert judged.failed() == [WORST]


def test_half_of_the_limit_alone_is_no_alarm(judged: Judged) -> None:
    """Without a day that failed there is nothing to share."""
    judged.have(dict.fromkeys(days(day(18), day(21)), 0.8))
    judged.judge(day(1), LAST)
    assert judged.failed() == []


def test_an_episode_reaches_a_week_and_no_further() -> None:
    """What goes on for longer is a trend, and no part of one bad day."""
    leans = {one: {"rows": -0.7} for one in days(day(1), day(29))} | {day(15): {"rows": -1.5}}
    drawn = drawn_in(leans, {day(15)})
    assert sorted(drawn) == [one for one in days(day(15 - EPISODE_DAYS), day(15 + EPISODE_DAYS)) if one != day(15)]
    assert drawn_in(leans, set()) == {}

"""Invariant 2: landing days run once, twice, in any order, one by one or at once give the same gold."""

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reliability_platform.lab.faults.plan import Injection
from reliability_platform.lab.simulation.system import request_batch, scheduled_batches
from reliability_platform.landing.admission import admit
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.sources.batch import Batch
from tests.ground import Platform, day, days

LAST = 4
INJECTIONS = [
    Injection("late_events", "orders", day(1), "large"),
    Injection("late_events", "web_events", day(3), "medium"),
    Injection("duplicate_retry_storm", "payments", day(2), "medium"),
    Injection("null_spike", "payments", day(4), "small"),
]


def _redelivered_elsewhere(platform: Platform) -> None:
    """The same rows once more on another landing day, and a second attempt of one batch: both are admitted."""
    [first, *_] = scheduled_batches(platform.simulation, "orders", day(2))
    again: Batch = replace(first, landing_date=day(4), batch_id="orders-20260104-09", sequence=1, kind="resend")
    write_batch(platform.settings, again)
    write_batch(platform.settings, request_batch(platform.simulation, "payments", day(4), 2, 2))
    for source in ("orders", "payments"):
        admit(platform.settings, source, day(4))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """All days landed and built as one backfill; nobody changes it."""
    made = Platform(tmp_path_factory.mktemp("whole") / "home", injections=INJECTIONS, events_per_day=400)
    made.land(day(1), day(LAST))
    _redelivered_elsewhere(made)
    made.build(day(1), day(LAST), command="run")
    return made


@pytest.fixture
def changed(whole: Platform, tmp_path: Path) -> Platform:
    """A copy of it to change."""
    shutil.copytree(whole.settings.home, tmp_path / "changed", symlinks=True)
    return Platform(tmp_path / "changed", injections=INJECTIONS, events_per_day=400)


@pytest.mark.parametrize(("seed", "again"), [(1, 1), pytest.param(2, LAST, marks=pytest.mark.exhaustive)])
def test_any_order_of_days_gives_the_gold_of_one_backfill(
    whole: Platform, platform: Callable[..., Platform], seed: int, again: int
) -> None:
    """Late rows, repeated rows and replaced batches cross days; a fixed order hides what a wrong key set forgets."""
    shuffled = platform("shuffled", injections=INJECTIONS, events_per_day=400)
    shuffled.land(day(1), day(LAST))
    _redelivered_elsewhere(shuffled)
    order = [*days(day(1), day(LAST)), *days(day(2), day(1 + again))]
    random.Random(seed).shuffle(order)
    for one in order:
        shuffled.build(one, one, command="run")

    assert shuffled.gold() == whole.gold()
    assert shuffled.query("select sum(abs(unaccounted_rows)) from rec_batches__conserved") == [(0,)]
    assert shuffled.query("select count(*) from rec_silver__vs__gold where difference <> 0") == [(0,)]
    assert all(whole.gold().values())


def test_rows_that_vanish_leave_silver_and_gold(changed: Platform) -> None:
    """A re-run in which rows are gone, on a late event date too, must not leave their old numbers in gold."""
    before = changed.gold()

    [batch, *_] = scheduled_batches(changed.simulation, "orders", day(3))
    moved = batch.table.set_column(
        batch.table.column_names.index("event_time"),
        "event_time",
        pc.subtract(batch.table["event_time"], pa.scalar(timedelta(days=1))),
    )
    extra = replace(
        batch,
        batch_id="orders-20260103-07",
        sequence=1,
        table=moved.set_column(0, "order_id", pc.add(batch.table["order_id"], 50_000_000)),
    )
    path = write_batch(changed.settings, extra)
    admit(changed.settings, "orders", day(3))
    changed.build(day(3), day(3), command="run")
    assert changed.gold() != before

    path.unlink()
    path.with_name(path.name.replace(".parquet", ".manifest.json")).unlink()
    admit(changed.settings, "orders", day(3))
    changed.build(day(3), day(3), command="run")
    assert changed.gold() == before


def test_a_day_that_becomes_empty_leaves_gold(changed: Platform) -> None:
    """The hardest stale row is that of a partition without any row left."""
    assert changed.query(f"select count(*) from agg_daily_funnel where event_date = date '{day(LAST)}'") == [(1,)]
    for path in landing_folder(changed.settings, "web_events", day(LAST)).iterdir():
        path.unlink()
    changed.admit(day(LAST), day(LAST))
    changed.build(day(LAST), day(LAST), command="run")
    assert changed.query(f"select count(*) from agg_daily_funnel where event_date = date '{day(LAST)}'") == [(0,)]


@pytest.mark.exhaustive  # 7 s; `make torture` kills there, too
def test_a_crash_between_silver_and_gold_is_made_good_by_the_next_run(changed: Platform) -> None:
    """Event dates that silver changed stay in the ledger until every mart has seen them."""
    whole = changed.gold()
    for path in landing_folder(changed.settings, "orders", day(2)).iterdir():
        path.rename(path.with_name(f".{path.name}.away"))
    changed.admit(day(2), day(2))
    silver_only = ["int_orders__deduplicated", "stg_orders"]
    changed.build(day(2), day(2), command="run", select=silver_only)  # type: ignore[arg-type]
    assert changed.query("select count(*) > 0 from touched_event_dates") == [(True,)]
    changed.build(day(3), day(3), command="run")  # another day: it must still bring day 2 up to date
    assert changed.query("select count(*) from rec_silver__vs__gold where difference <> 0") == [(0,)]
    for path in landing_folder(changed.settings, "orders", day(2)).iterdir():
        path.rename(path.with_name(path.name.removeprefix(".").removesuffix(".away")))
    changed.admit(day(2), day(2))
    changed.build(day(2), day(2), command="run")
    assert changed.gold() == whole

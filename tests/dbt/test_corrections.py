"""A correction by a person through the real dbt: right, it gives the rows of a day on which nothing was wrong; taken back,
those that were there before it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from reliability_platform.clock import utc_now
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.correction import Correction, RowCondition
from reliability_platform.landing.writer import write_batch
from reliability_platform.pipeline.run import reprocess
from reliability_platform.remediation.corrections import apply, revert, survey
from tests.ground import Platform, day

SPOILT = 4
"""Rows whose amount came with the wrong sign, or as another one that is possible."""
SIGN = Correction("orders", "amount", "multiply", ("-1",), (RowCondition("amount", high="-0.01"),))
ROWS = "select * exclude (landed_at) from stg_orders order by batch_id, row_number"


@pytest.mark.exhaustive  # 10 s; each step has tests of its own in tests/unit/test_correction.py
def test_right_it_heals_what_cannot_be_sent_again_and_taken_back_nothing_is_left_of_it(
    lived: Callable[[Path], Platform], tmp_path: Path
) -> None:
    """Rejected rows become accepted, none is lost, and what is published says which rows a person has changed."""
    platform = lived(tmp_path / "home")
    truth = platform.gold()
    *_, batch = scheduled_batches(platform.simulation, "orders", day(2))
    amounts = batch.table["amount"]
    first = pc.less(pa.array(range(len(amounts))), SPOILT)
    place = batch.table.column_names.index("amount")
    wrong = pc.if_else(first, pc.negate(amounts), amounts).cast(amounts.type)
    write_batch(platform.settings, replace(batch, table=batch.table.set_column(place, "amount", wrong)))
    platform.admit(day(2), day(2))
    platform.build(day(2), day(2))
    broken, staged = platform.gold(), platform.query(ROWS)
    assert broken != truth
    rejected = "select count(*) from stg_orders where disposition = 'rejected'"
    assert platform.query(rejected) == [(SPOILT,)]

    found = survey(platform.settings, platform.engine, SIGN, [day(1), day(2)])
    assert [(one.landing_date, one.corrected) for one in found.days] == [(day(2), SPOILT)]
    one = apply(platform.settings, platform.engine, found, "the till's sign", "somebody", utc_now())
    publication = reprocess(platform.context, one.days)
    assert platform.gold() == truth
    assert platform.query("select sum(abs(unaccounted_rows)) from rec_batches__conserved") == [(0,)]
    assert platform.query("select state, count(*) from qtn_rows group by all") == [("replayed", SPOILT)]
    revenue, funnel = publication.table("agg_daily_revenue"), publication.table("agg_daily_funnel")
    assert revenue is not None
    assert sum(rows.get(one.id, 0) for rows in revenue.corrected.values()) == SPOILT
    assert funnel is not None
    assert funnel.corrected == {}

    revert(platform.settings, platform.engine, one, "it was right", "somebody", utc_now())
    platform.admit(day(2), day(2))
    platform.build(day(2), day(2))
    assert platform.gold() == broken
    assert platform.query(ROWS) == staged

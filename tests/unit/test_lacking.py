"""What a published table lacks is said with it: rejected rows below every limit were nowhere to be read."""

import duckdb

from reliability_platform.warehouse.lacking import lacking, total
from reliability_platform.warehouse.marts import Mart


def test_rows_that_count_nowhere_are_counted_by_event_date_and_by_what_became_of_them() -> None:
    """Of a superseded attempt nothing is lacking; what has no date is told as well; other dates are others' business."""
    with duckdb.connect() as connection:
        for source in ("orders", "payments"):
            connection.execute(
                f"create table stg_{source} (event_date date, disposition varchar, is_superseded boolean)"
            )
        connection.execute(
            """
            insert into stg_orders values
                ('2026-01-01', 'valid', false), ('2026-01-01', 'rejected', false), ('2026-01-01', 'rejected', true),
                (null, 'rejected', false), ('2026-01-02', 'held_late', false), ('2026-01-09', 'rejected', false);
            insert into stg_payments values ('2026-01-01', 'rejected', false), ('2026-01-01', 'discarded', false)
            """
        )
        found = lacking(connection, Mart("agg_daily_revenue", ("orders", "payments")), {"2026-01-01", "2026-01-02"})
        alone = lacking(connection, Mart("agg_daily_payments", ("payments",)), {"2026-01-02"})
        whole = lacking(connection, Mart("totals", ("orders",), event_date=None), None)
    assert found == {
        "2026-01-01": {"discarded": 1, "quarantined": 2},
        "2026-01-02": {"held as too late": 1},
        "unknown": {"quarantined": 1},
    }
    assert total(found) == {"discarded": 1, "quarantined": 3, "held as too late": 1}
    assert alone == {}
    assert whole == {"whole": {"quarantined": 3, "held as too late": 1}}

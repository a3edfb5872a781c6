"""The quarantine against the truth: which of the bad rows it holds, and what it holds besides.

Counted are rejected rows, rows of files that were refused whole, and rows held because they came too late.
"""

from dataclasses import dataclass

import pyarrow as pa

from reliability_platform.contracts import CONTRACTS
from reliability_platform.lab.faults.truth import Truth
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.settings import Settings
from reliability_platform.warehouse.build_rules import allowed_lateness_days
from reliability_platform.warehouse.lease import warehouse_reader


@dataclass(frozen=True)
class Quarantined:
    """Rows on the landing days of one fault."""

    true_rows: int
    """Bad rows by the truth."""
    quarantined_rows: int
    hit_rows: int
    """Bad rows that are in quarantine."""

    @property
    def precision(self) -> float | None:
        """Share of the quarantined rows that are bad ones; None if nothing is quarantined."""
        return self.hit_rows / self.quarantined_rows if self.quarantined_rows else None

    @property
    def recall(self) -> float | None:
        """Share of the bad rows that are quarantined; None if no single row is bad."""
        return self.hit_rows / self.true_rows if self.true_rows else None


def quarantined_rows(settings: Settings, truth: Truth) -> Quarantined:
    """Count on the landing days that the fault touched."""
    days = {day.isoformat() for day in truth.landing_dates}
    refused = [
        record
        for record in quarantined_files(settings)
        if record["source"] == truth.source and record["landing_date"] in days
    ]
    files = pa.table({"batch_id": pa.array([record["batch_id"] for record in refused], pa.string())})
    rows_in_files = sum(record["delivered_rows"] for record in refused if record["status"] == "refused")
    with warehouse_reader(settings) as connection:
        connection.register("bad_rows", truth.rows)
        connection.register("refused_files", files)
        row = connection.execute(
            f"""
            with put_aside as (
                select batch_id, record_key from qtn_rows
                where source = $source and list_contains($days, landing_date::varchar)
                union all
                -- Held because they came too late, or let in by an approval later.
                select batch_id, {CONTRACTS[truth.source].record_key} from stg_{truth.source}
                where list_contains($days, landing_date::varchar) and reject_reasons is null
                    and event_date < landing_date - {allowed_lateness_days(settings, connection)}
            ),
            bad as (select batch_id, record_key, batch_id in (from refused_files) as is_refused from bad_rows)
            select
                (select count(*) from bad),
                (select count(*) from put_aside) + $rows_in_files,
                (select count(*) from bad where is_refused) + (
                    select count(*) from put_aside semi join bad
                    on put_aside.batch_id = bad.batch_id and put_aside.record_key = bad.record_key
                )
            """,
            {"source": truth.source, "days": sorted(days), "rows_in_files": rows_in_files},
        ).fetchone()
    assert row is not None
    return Quarantined(*(int(value) for value in row))

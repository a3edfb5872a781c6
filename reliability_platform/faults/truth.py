"""The truth of each strike: exactly which rows, batches and days it touched. Only the scorecard reads it."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.faults.fault import BAD_ROWS, Fault, Struck
from reliability_platform.faults.plan import Strike
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Truth:
    """What one strike did."""

    fault: str
    source: str
    landing_date: date
    magnitude: str
    expected_severity: str
    expected_class: str
    batches: list[str]
    landing_dates: list[date]
    event_dates: list[date]
    rows: pa.Table = field(compare=False)
    struck_at: datetime | None = None
    """When the strike was first written, on the wall clock."""
    seed: int = 0
    """The plan's seed: with it and the simulation the strike can be made again."""


def truth_of(fault: Fault, strike: Strike, struck: Struck, seed: int) -> Truth:
    """Join the declaration with what was done."""
    return Truth(
        fault=fault.name,
        source=strike.source,
        landing_date=strike.landing_date,
        magnitude=strike.magnitude,
        expected_severity=fault.expected_severity,
        expected_class=fault.expected_class,
        batches=struck.batches,
        landing_dates=struck.landing_dates,
        event_dates=struck.event_dates,
        rows=struck.rows,
        seed=seed,
    )


def save_truth(settings: Settings, truth: Truth) -> None:
    """Write it once; the time of the first writing is when the fault struck."""
    name = f"{truth.landing_date.isoformat()}-{truth.source}-{truth.fault}"
    document = {key: value for key, value in asdict(truth).items() if key not in ("rows", "struck_at")}
    content = json.dumps(document, indent=2, default=str).encode()
    path = settings.faults / "truth" / f"{name}.json"
    rows_path, rows = path.with_suffix(".parquet"), parquet_bytes(truth.rows)
    # Both are compared: another world can spoil other rows of the same batches and days.
    if not all(one.exists() and one.read_bytes() == new for one, new in ((rows_path, rows), (path, content))):
        write_atomically(rows_path, rows)
        write_atomically(path, content)


def load_truths(settings: Settings) -> list[Truth]:
    """The truth of every strike that landed, by day."""
    truths = []
    for path in sorted((settings.faults / "truth").glob("*.json")):
        raw = json.loads(path.read_text())
        for key in ("landing_dates", "event_dates"):
            raw[key] = [date.fromisoformat(day) for day in raw[key]]
        raw["landing_date"] = date.fromisoformat(raw["landing_date"])
        rows = pq.read_table(path.with_suffix(".parquet"), schema=BAD_ROWS)
        truths.append(Truth(**raw, rows=rows, struck_at=datetime.fromtimestamp(path.stat().st_mtime, UTC)))
    return truths

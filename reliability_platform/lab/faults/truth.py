"""The truth of each injection: exactly which rows, batches and days it touched. Only the scorecard reads it."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime

import pyarrow as pa

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.lab.faults.fault import BAD_ROWS, Fault, InjectionResult, LiveInjectionResult
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.parquet import read_table
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Truth:
    """What one injection did."""

    fault: str
    source: str
    landing_date: date
    magnitude: str
    expected_severity: str | None
    expected_class: str | None
    expected_root: str
    expected_column: str | None
    containment: str
    batches: list[str]
    landing_dates: list[date]
    event_dates: list[date]
    rows: pa.Table = field(compare=False)
    tables: list[str] = field(default_factory=list)
    """Tables of the warehouse that were touched behind the pipeline's back."""
    injected_at: datetime | None = None
    """When the injection was first written, on the wall clock."""
    seed: int = 0
    """The plan's seed: with it and the simulation the injection can be made again."""
    also_known_as: list[str] = field(default_factory=list)
    """Failure classes by which an incident may be known instead of the expected one."""
    changed_file: str | None = None
    """The file of the project that was changed, as incidents name it; None where it was none."""
    injection_day: date | None = None
    """The landing day of which this is the truth; None once those of a whole injection are joined."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing may notice it."""
        return self.expected_class is None


def truth_of(fault: Fault, injection: Injection, day: date, injected: InjectionResult, seed: int) -> Truth:
    """Join the declaration with what was done on one landing day of the injection."""
    return Truth(
        fault=fault.name,
        source=injection.source,
        landing_date=injection.landing_date,
        magnitude=injection.magnitude,
        expected_severity=fault.expected_severity,
        expected_class=fault.expected_class,
        expected_root=fault.root.format(source=injection.source),
        expected_column=injected.column,
        containment=fault.containment.value,
        also_known_as=list(fault.also_known_as),
        injection_day=day,
        batches=injected.batches,
        landing_dates=injected.landing_dates,
        event_dates=injected.event_dates,
        rows=injected.rows,
        seed=seed if injection.seed is None else injection.seed,
    )


def truth_of_live(fault: Fault, injection: Injection, injected: LiveInjectionResult, seed: int) -> Truth:
    """Join the declaration with what was done to the running platform: whole tables and dates, no single rows."""
    return Truth(
        fault=fault.name,
        source=injection.source,
        landing_date=injection.landing_date,
        magnitude=injection.magnitude,
        expected_severity=fault.expected_severity,
        expected_class=fault.expected_class,
        expected_root=fault.root.format(source=injection.source),
        expected_column=None,
        containment=fault.containment.value,
        batches=[],
        landing_dates=injected.landing_dates,
        event_dates=injected.event_dates,
        rows=BAD_ROWS.empty_table(),
        tables=injected.tables,
        changed_file=injected.changed_file,
        seed=seed,
        injection_day=injection.landing_date,
    )


def save_truth(settings: Settings, truth: Truth, injected_at: datetime | None = None) -> None:
    """Write it once; the time of the first writing is when the fault was injected, unless `injected_at` says otherwise."""
    assert truth.injection_day is not None
    name = f"{truth.injection_day.isoformat()}-{truth.source}-{truth.fault}"
    document = {key: value for key, value in asdict(truth).items() if key not in ("rows", "injected_at")}
    content = json.dumps(document, indent=2, default=str).encode()
    path = settings.faults / "truth" / f"{name}.json"
    rows_path, rows = path.with_suffix(".parquet"), parquet_bytes(truth.rows)
    # Both are compared: another world can spoil other rows of the same batches and days.
    if not all(one.exists() and one.read_bytes() == new for one, new in ((rows_path, rows), (path, content))):
        write_atomically(rows_path, rows)
        write_atomically(path, content)
        if injected_at is not None:
            os.utime(path, (injected_at.timestamp(), injected_at.timestamp()))


def load_truths(settings: Settings) -> list[Truth]:
    """The truth of every injection that landed, by its first day; what it did on each of its days joined."""
    joined: dict[tuple[str, str, date], Truth] = {}
    for path in sorted((settings.faults / "truth").glob("*.json")):
        raw = json.loads(path.read_text())
        for key in ("landing_dates", "event_dates"):
            raw[key] = [date.fromisoformat(day) for day in raw[key]]
        raw.pop("blow", None)  # the name of `injection_day` in 0.3.0
        raw["landing_date"], raw["injection_day"] = date.fromisoformat(raw["landing_date"]), None
        rows = read_table(path.with_suffix(".parquet"), schema=BAD_ROWS)
        truth = Truth(**raw, rows=rows, injected_at=datetime.fromtimestamp(path.stat().st_mtime, UTC))
        injection = (truth.fault, truth.source, truth.landing_date)
        joined[injection] = _joined(joined[injection], truth) if injection in joined else truth
    return sorted(joined.values(), key=lambda truth: (truth.landing_date, truth.source, truth.fault))


def _joined(one: Truth, other: Truth) -> Truth:
    assert one.injected_at is not None and other.injected_at is not None
    return replace(
        one,
        batches=sorted({*one.batches, *other.batches}),
        landing_dates=sorted({*one.landing_dates, *other.landing_dates}),
        event_dates=sorted({*one.event_dates, *other.event_dates}),
        rows=pa.concat_tables([one.rows, other.rows]),
        # A fault may choose another column each day; then no single one is the right answer.
        expected_column=one.expected_column if one.expected_column == other.expected_column else None,
        injected_at=min(one.injected_at, other.injected_at),
    )

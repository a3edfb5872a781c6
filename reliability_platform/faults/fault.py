"""What a fault is: a declaration, and a pure function from clean batches to broken ones that tells what it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from reliability_platform.sources.batch import Batch

Deliveries = Mapping[date, list[Batch]]
"""Batches of one source by landing day."""

BAD_ROWS = pa.schema([("batch_id", pa.string()), ("record_key", pa.int64())])


@dataclass(frozen=True)
class Struck:
    """Deliveries after a strike, and exactly what is wrong with them."""

    deliveries: dict[date, list[Batch]]
    batches: list[str]
    """Ids of the batches touched: changed, added or missing."""
    landing_dates: list[date]
    """Landing days whose deliveries differ from the clean ones."""
    event_dates: list[date]
    """Event dates of the rows touched."""
    rows: pa.Table
    """The rows that must not be taken for good, as `BAD_ROWS`; empty where no single row is wrong."""


StrikeFunction = Callable[[Deliveries, date, float, np.random.Generator], Struck]


@dataclass(frozen=True)
class Fault:
    """One entry of the catalogue."""

    name: str
    family: str
    stage: str
    description: str
    applies_to: tuple[str, ...]
    magnitudes: Mapping[str, float]
    """small, medium, large."""
    magnitude_meaning: str
    expected_severity: str
    expected_class: str
    """The failure class by which an incident of this fault must be known."""
    end_state: str
    days_touched: int
    """Landing days that a strike may touch, its own included."""
    strike: StrikeFunction

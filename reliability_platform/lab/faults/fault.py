"""What a fault is: a declaration, and a pure function from clean batches to broken ones that tells what it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

import numpy as np
import pyarrow as pa

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.lab.faults.targets import RECONCILIATION, Target, unjudged
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch

Deliveries = Mapping[date, list[Batch]]
"""Batches of one source by landing day."""

BAD_ROWS = pa.schema([("batch_id", pa.string()), ("record_key", pa.string())])


AFTER_A_GAP = (
    "int_{source}__deduplicated__volume",
    RECONCILIATION,
    "stg_{source}__freshness",
)
"""Checks that may fail downstream where rows did not come."""


class Containment(StrEnum):
    """What keeps the bad rows of a fault from consumers."""

    ROWS = "rows quarantined"
    FILES = "files refused"
    HELD = "partition held"
    TOLD = "partition held, or published and told"
    """Where a large part of the numbers is likely wrong the partition is held; the rest is published, and told at once."""
    DEDUPLICATED = "deduplicated"
    NONE_NEEDED = "none needed"


@dataclass(frozen=True)
class InjectionResult:
    """Deliveries after an injection, and exactly what is wrong with them."""

    deliveries: dict[date, list[Batch]]
    batches: list[str]
    """Ids of the batches touched: changed, added or missing."""
    landing_dates: list[date]
    """Landing days whose deliveries differ from the clean ones."""
    event_dates: list[date]
    """Event dates of the rows touched."""
    rows: pa.Table
    """The rows that must not be taken for good, as `BAD_ROWS`; empty where no single row is wrong."""
    column: str | None = None
    """The column that was hit, where it is one."""


InjectionFunction = Callable[[Deliveries, date, float, np.random.Generator], InjectionResult]


class Stage(StrEnum):
    """Where a fault hits."""

    LANDING = "landing"
    """What a source delivers is changed on its way."""
    WAREHOUSE = "warehouse"
    """Tables are changed behind the pipeline's back."""
    TRANSFORM = "transform"
    """Another version of the models is deployed."""
    SOURCE = "source"
    """A source behind HTTP does not answer."""
    RUN = "run"
    """A run is killed, starved or doubled."""


@dataclass(frozen=True)
class LiveInjectionResult:
    """What an injection on the running platform did."""

    landing_dates: list[date]
    event_dates: list[date]
    tables: list[str]
    lift: Callable[[], None] = lambda: None
    """Ends what must end before anything can heal: the right model is deployed again."""
    changed_file: str | None = None
    """The file of the project that was changed, as incidents name it; None where it was none."""


LiveInjection = Callable[[Settings, str, date, float, np.random.Generator], LiveInjectionResult]
"""Hits a home that is at work: (settings, source, landing day, size, randomness)."""


@dataclass(frozen=True)
class Fault:
    """One entry of the catalogue. A control is a fault that nothing may notice: it has no expected class."""

    name: str
    family: str
    description: str
    target: Target
    """What it hits in a source; a contract that has nothing of it is not hit."""
    magnitudes: Mapping[str, float]
    """small, medium, large."""
    magnitude_meaning: str
    expected_class: str | None
    """The failure class by which an incident of this fault must be known."""
    expected_severity: str | None
    """Of what is held or told by its size, the least: it is P1 where it is held, or shown to critical consumers."""
    root: str
    """The dataset that the incident must name as its root; `{source}` stands for the source."""
    signature: tuple[str, ...]
    """The checks that must fail, as patterns of `targets.checks_named`."""
    containment: Containment
    end_state: str
    injection: InjectionFunction | None = None
    """How it changes deliveries; None for one that hits elsewhere."""
    live: LiveInjection | None = None
    """How it hits the running platform; None for one that hits at landing."""
    also_known_as: tuple[str, ...] = ()
    """Failure classes by which an incident of it may be known instead, on a source that it is compared with too: of checks
    that are more specific, and see it in some sources at some sizes."""
    symptoms: tuple[str, ...] = ()
    """Checks that may fail as well, by the size of the injection."""
    stage: Stage = Stage.LANDING
    days_touched: int = 1
    """Landing days that an injection may touch, its own included."""
    days_read: int = 0
    """Landing days before its own from which it takes what it delivers again."""
    whole_day: bool = False
    """Whether it needs every batch of the day; one that hits only some of them leaves the rest to others."""
    fills_its_days: bool = False
    """Whether it needs every batch of all days that it touches, and begins anew only after them."""

    def why_not(self, source: str) -> str | None:
        """Why it finds nothing to hit in a source of the project; None if it applies."""
        if not self.target.of(source):
            return f"{source} {self.target.lack}"
        if self.days_touched > 1 and not CONTRACTS[source].cadence.is_daily:
            return f"{source} is not due every day: what is moved from one day to the next has none to land on"
        lacking = unjudged(self.signature, source, self.target)
        return None if lacking is None else f"the project has no check {lacking} to notice it"

    @cached_property
    def applies_to(self) -> tuple[str, ...]:
        """The sources of the project in which it finds something to hit."""
        return tuple(source for source in SOURCES if self.why_not(source) is None)

    def size(self, magnitude: str) -> float:
        """The size by its name, or as a number in the unit of `magnitude_meaning`. Raises `ValueError`."""
        return self.magnitudes[magnitude] if magnitude in self.magnitudes else float(magnitude)

    @property
    def is_control(self) -> bool:
        """Whether nothing may notice it."""
        return self.expected_class is None

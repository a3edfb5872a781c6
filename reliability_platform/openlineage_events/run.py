"""What a job did, in the platform's own words: a run of it, and the datasets that it read or wrote.

Plain data: nothing here knows how an event looks, and importing it costs nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol
from uuid import NAMESPACE_URL, UUID, uuid5


class JobState(StrEnum):
    """How far a run is, in the words of the specification."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"
    """Stopped from outside: by a person, or because what it needs broke."""


class InputColumn(Protocol):
    """A column from which another one is made."""

    @property
    def dataset(self) -> str: ...

    @property
    def column(self) -> str: ...

    @property
    def kind(self) -> str:
        """`direct` if its values are used, `indirect` if it only decides which rows are (filter, join, group)."""


@dataclass(frozen=True)
class Field:
    """One column of a dataset."""

    name: str
    type: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Metrics:
    """What was counted in a dataset that a job read."""

    rows: int | None = None
    files: int | None = None
    nulls: Mapping[str, int] = field(default_factory=dict)
    """Column → how many of its values are null."""


@dataclass(frozen=True)
class Assertion:
    """What one check says of the landing days of a run."""

    check: str
    success: bool
    severity: str
    """`error` if it holds the publication, else `warn`."""
    expected: str
    column: str | None = None
    actual: str | None = None
    landing_days: int = 1
    """On how many landing days it was evaluated."""
    failed_on: tuple[date, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A dataset as one run saw it. Named as in the graph of the platform: `landing/orders`, `stg_orders`."""

    name: str
    fields: tuple[Field, ...] = ()
    columns: Mapping[str, frozenset[InputColumn]] = field(default_factory=dict)
    """Column → the columns that it is made from; of an output."""
    rows_written: int | None = None
    files_written: int | None = None
    metrics: Metrics | None = None
    """Of an input."""
    assertions: tuple[Assertion, ...] = ()
    """Of an input."""


@dataclass(frozen=True)
class Datasets:
    """What a job reads and writes."""

    inputs: Sequence[Dataset] = ()
    outputs: Sequence[Dataset] = ()


@dataclass(frozen=True)
class JobRun:
    """One job over landing days, inside a run of the orchestrator."""

    namespace: str
    job: str
    integration: str
    job_type: str
    parent_job: str
    parent_run: str
    first: date
    last: date
    backfill: str | None = None
    """The backfill that the run of the orchestrator is part of."""

    @property
    def run_id(self) -> str:
        """The same for the same job of the same parent run, in whichever process: an event sent twice is one event."""
        return str(uuid5(NAMESPACE_URL, f"{self.namespace}/{self.parent_run}/{self.job}"))

    @property
    def parent_run_id(self) -> str:
        """The orchestrator's own run id where it is a UUID, as the specification wants; else one made from it."""
        return self._as_uuid(self.parent_run)

    @property
    def backfill_run_id(self) -> str | None:
        """The same of the backfill; the orchestrator names it by a few letters."""
        return None if self.backfill is None else self._as_uuid(self.backfill)

    def _as_uuid(self, name: str) -> str:
        try:
            return str(UUID(name))
        except ValueError:
            return str(uuid5(NAMESPACE_URL, f"{self.namespace}/{name}"))


def namespace_of(installation: str) -> str:
    """The namespace of all jobs and datasets of an installation: no path, no name of a machine."""
    return f"reliability://{installation}"

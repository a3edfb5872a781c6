"""The simulated systems of record as sources: batches on schedule, and again on request. Always clean."""

import itertools
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.errors import UsageError
from reliability_platform.lab.simulation.events import events
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.sources.batch import Batch, batch_id

PRODUCED_AFTER = timedelta(minutes=5)
LANDED_AFTER = timedelta(minutes=20)
REQUESTED_AFTER = timedelta(hours=6)
"""A replacement lands so long after the end of its landing day (data time)."""


SIMULATED = tuple(name for name, contract in CONTRACTS.items() if contract.kind == "simulated")


def _check_source(source: str) -> None:
    if source not in SIMULATED:
        raise UsageError(f"There is no simulated source {source!r}: choose one of {', '.join(SIMULATED)}.")


def _slot_end(source: str, day: date, sequence: int) -> datetime:
    per_day = CONTRACTS[source].cadence.batches
    return datetime(day.year, day.month, day.day) + sequence * timedelta(days=1) / per_day


def _slot_rows(simulation: Simulation, source: str, day: date) -> list[pa.Table]:
    """A day's rows cut by event time into the slots of its schedule; rows late by nature go with the first."""
    table = events(simulation, source, day)
    per_day = CONTRACTS[source].cadence.batches
    micros = pc.cast(table["event_time"], pa.int64()).to_numpy()
    ends = [np.datetime64(_slot_end(source, day, n), "us").astype(np.int64) for n in range(1, per_day)]
    cuts = [0, *np.searchsorted(micros, ends).tolist(), table.num_rows]
    return [table.slice(start, end - start) for start, end in itertools.pairwise(cuts)]


def scheduled_batches(simulation: Simulation, source: str, day: date) -> list[Batch]:
    """The batches that the schedule promises for a landing day."""
    _check_source(source)
    return [
        Batch(
            batch_id=batch_id(source, day, sequence),
            source=source,
            landing_date=day,
            sequence=sequence,
            attempt=1,
            kind="scheduled",
            table=rows,
            produced_at=_slot_end(source, day, sequence) + PRODUCED_AFTER,
            landed_at=_slot_end(source, day, sequence) + LANDED_AFTER,
        )
        for sequence, rows in enumerate(_slot_rows(simulation, source, day), start=1)
    ]


def request_batch(simulation: Simulation, source: str, day: date, sequence: int, attempt: int) -> Batch:
    """Ask the source for one slot again. `attempt` must be higher than any that landed."""
    _check_source(source)
    per_day = CONTRACTS[source].cadence.batches
    if not 1 <= sequence <= per_day:
        raise UsageError(f"{source} delivers batches 1 to {per_day} a day; there is no batch {sequence}.")
    landed_at = datetime(day.year, day.month, day.day) + timedelta(days=1) + REQUESTED_AFTER
    return Batch(
        batch_id=batch_id(source, day, sequence, f"-a{attempt}"),
        source=source,
        landing_date=day,
        sequence=sequence,
        attempt=attempt,
        kind="replacement",
        table=_slot_rows(simulation, source, day)[sequence - 1],
        produced_at=landed_at - LANDED_AFTER + PRODUCED_AFTER,
        landed_at=landed_at,
    )


@dataclass(frozen=True)
class SimulatedSource:
    """One of them behind the interface of every source."""

    simulation: Simulation
    name: str

    def deliver(self, day: date) -> list[Batch]:
        """See `scheduled_batches`."""
        return scheduled_batches(self.simulation, self.name, day)

    def deliver_again(self, day: date, sequence: int, attempt: int) -> Batch:
        """See `request_batch`."""
        return request_batch(self.simulation, self.name, day, sequence, attempt)


def simulated_sources(simulation: Simulation) -> dict[str, SimulatedSource]:
    """All of them, by name."""
    return {name: SimulatedSource(simulation, name) for name in SIMULATED}

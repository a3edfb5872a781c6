"""The platform's own judgement of a landing day, without a pipeline: its rows by the rules of the contract, its profile by
the past.

The tables are as the models leave them, as far as profiles read them; what a contract rejects is not in silver, of a key that
comes again the first row counts. Rows that refer to nothing known are rejected, as in staging.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.judgement import row_rules
from reliability_platform.parquet import identifier, literal
from reliability_platform.profiles.judge import Deviation, judge
from reliability_platform.profiles.measure import measured
from reliability_platform.profiles.metrics import SEEN_DAYS, Metric, silver
from reliability_platform.profiles.series import Series, series_of
from reliability_platform.sources.batch import Batch
from tests.comparison.delivery_sets import DeliverySet


@dataclass(frozen=True)
class Judged:
    """What became of a landing day."""

    told: bool
    held: bool
    first: Deviation | None
    strongest: float
    unlike: tuple[Metric, ...] = ()
    """All numbers that were unlike their past."""


@dataclass
class Profiled:
    """A world's tables and profiles; whatever is judged in it leaves them as they were."""

    world: DeliverySet
    connection: duckdb.DuckDBPyConnection
    profiles: dict[str, pa.Table] = field(default_factory=dict)
    unlike: dict[str, dict[date, list[Metric]]] = field(default_factory=dict)
    """By source and clean day that was told, the numbers that no later day learns from."""
    strange: dict[str, set[date]] = field(default_factory=dict)
    """By source, clean days that were held."""

    @classmethod
    def of(cls, world: DeliverySet) -> "Profiled":
        """Build the tables of a world and measure all its days."""
        made = cls(world, duckdb.connect(config={"threads": 1}))
        for name, table in world.references.items():
            made.connection.register("reference", table)
            made.connection.execute(f"create table {identifier(name)} as from reference")
        for source, deliveries in world.deliveries.items():
            made._create(source, [one for day in sorted(deliveries) for one in deliveries[day]])
        for source in world.deliveries:
            made.profiles[source] = measured(made.connection, source, world.days(source))
        return made

    def _staged(self, source: str, batches: Sequence[Batch]) -> str:
        """SQL: rows as staging leaves them; the batches are registered as `delivered`."""
        parts = [
            one.table.append_column("landing_date", pa.array([one.landing_date] * one.table.num_rows, pa.date32()))
            .append_column("batch_id", pa.array([one.batch_id] * one.table.num_rows))
            .append_column("batch_sequence", pa.array([one.sequence] * one.table.num_rows, pa.int64()))
            .append_column("row_number", pa.array(range(one.table.num_rows), pa.int64()))
            for one in batches
        ]
        self.connection.register("delivered", pa.concat_tables(parts))
        contract = CONTRACTS[source]
        rules = dict(row_rules(contract))
        for one in contract.columns:
            if one.references is not None and one.references.table in self.world.references:
                known = f"(select {identifier(one.references.column)} from {identifier(one.references.table)})"
                rules[f"{one.name}_unknown_reference"] = f"{identifier(one.name)} not in {known}"
        reasons = ", ".join(
            f"case when {condition} then {literal(code)} end" for code, condition in sorted(rules.items())
        )
        moment = identifier(contract.event_time)
        event_date = f"cast({moment} as date)"
        if contract.day_zone != "UTC":
            event_date = f"cast(({moment} at time zone 'UTC') at time zone {literal(contract.day_zone)} as date)"
        return (
            f"select *, if(reject_reasons is null, 'valid', 'rejected') as disposition from (select *, {event_date} as "
            f"event_date, nullif(concat_ws(',', {reasons}), '') as reject_reasons, false as is_superseded from delivered)"
        )

    def _first_of_each_key(self, source: str) -> str:
        key = ", ".join(map(identifier, CONTRACTS[source].key))
        return (
            f"select * from stg_{source} where disposition = 'valid' qualify row_number() over "
            f"(partition by {key} order by landing_date, batch_sequence, row_number) = 1"
        )

    def _create(self, source: str, batches: Sequence[Batch]) -> None:
        self.connection.execute(f"create table stg_{source} as {self._staged(source, batches)}")
        self.connection.execute(f"create table {silver(source)} as {self._first_of_each_key(source)}")

    def judge_clean(self, source: str) -> dict[date, Judged]:
        """Every day as it was delivered, by those before it."""
        series = series_of(self.profiles[source])
        found = _in_order(series, self.world.days(source))
        self.strange[source] = {day for day, (judged, _) in found.items() if judged.held}
        self.unlike[source] = {day: [one.metric for one in deviations] for day, (_, deviations) in found.items()}
        return {day: judged for day, (judged, _) in found.items()}

    def judge_instead(self, source: str, deliveries: Mapping[date, list[Batch]]) -> dict[date, Judged]:
        """What is said of some days if these deliveries had come on them."""
        days, table = sorted(deliveries), silver(source)
        listed = ", ".join(f"date '{one}'" for one in days)
        around = f"landing_date between date '{days[0]}' - {2 * SEEN_DAYS} and date '{days[-1]}' and landing_date not in ({listed})"
        staged = self._staged(source, [one for day in days for one in deliveries[day]])
        # Temporary tables come before those of the same name that stay.
        self.connection.execute(f"create temp table touched as {staged}")
        self.connection.execute(
            f"create temp table stg_{source} as from main.stg_{source} where {around} union all by name from touched"
        )
        self.connection.execute(f"create temp table {table} as {self._first_of_each_key(source)}")
        try:
            today = measured(self.connection, source, days)
        finally:
            for name in ("touched", f"stg_{source}", table):
                self.connection.execute(f"drop table temp.{name}")
        kept = self.profiles[source]
        kept = kept.filter(pc.less(kept["landing_date"], pa.scalar(days[0])))
        series = series_of(pa.concat_tables([kept, today]))
        for day, metrics in self.unlike.get(source, {}).items():
            if metrics and day < days[0]:
                series.forget([day], metrics)
        return {day: judged for day, (judged, _) in _in_order(series, days, self.strange.get(source, ())).items()}


def _in_order(
    series: Series, days: Sequence[date], held: Iterable[date] = ()
) -> dict[date, tuple[Judged, tuple[Deviation, ...]]]:
    """Judge days one after the other, as the check of the platform does: nobody learns from what was unlike the past."""
    found, strange = {}, set(held)
    for day in days:
        one = judge(series, day, strange)
        if one.holds:
            strange.add(day)
        for deviation in one.deviations:
            series.forget([*deviation.before_noticed, day], [deviation.metric])
        first = one.deviations[0] if one.deviations else None
        unlike = tuple(deviation.metric for deviation in one.deviations)
        found[day] = (Judged(bool(one.deviations), one.holds, first, one.strongest, unlike), one.deviations)
    return found

"""More or less of what is usual: rows that a good day brings, or a good year, as different from each other as those that are there.

They are those of the same weekday a week before, at the same time of day, under new keys. Identifiers that are new every day,
as those of sessions, are new here too; those that come again, as customers, do something else: a sixth of the rows in which
everybody buys what they bought a week before would be deliveries that come twice.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.lab.faults.fault import BAD_ROWS, Deliveries, InjectionResult
from reliability_platform.lab.faults.new_keys import with_new_keys
from reliability_platform.lab.faults.rows import (
    chosen,
    copy_of,
    event_dates,
    of_the_day,
    spoil_positions,
    times,
    where,
    with_column,
    with_table,
    without_rows,
)
from reliability_platform.lab.faults.targets import AMOUNTS, ENTITY, FREE_IDENTIFIERS
from reliability_platform.lab.faults.volume import fewer_rows
from reliability_platform.sources.batch import Batch

WEEK = timedelta(days=7)
GROWTH_DAYS = 10
"""As long as a drift. More would not fit into a recording of 40 days, behind three weeks of history and the week that is read."""


def _a_week_later(table: pa.Table) -> pa.Table:
    for field in table.schema:
        if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type):
            later = pc.add(table[field.name], pa.scalar(WEEK, pa.duration("us")))
            table = with_column(table, field.name, pc.cast(later, field.type))
    return table


def _of_one_day(old: Sequence[Batch], today: Sequence[Batch]) -> list[str]:
    """The identifiers of which none of the old ones is there today: they end with the day, as sessions."""
    found = []
    for column in FREE_IDENTIFIERS.of(today[0].source):
        before, now = of_the_day(old, column.name), of_the_day(today, column.name)
        if len(before) and len(now) and not pc.any(pc.is_in(before, value_set=now)).as_py():
            found.append(column.name)
    return found


def _renamed(table: pa.Table, name: str, old: Sequence[Batch], today: Sequence[Batch]) -> pa.Table:
    """Old identifiers as ones that are not there today."""
    values = table[name]
    if pa.types.is_string(values.type):
        return with_column(table, name, pc.binary_join_element_wise(values, "again", "-"))
    beyond = pc.max(of_the_day(today, name)).as_py() - pc.min(of_the_day(old, name)).as_py() + 1
    return with_column(table, name, pc.add(values, pa.scalar(beyond, values.type)))


def _belongs(table: pa.Table, name: str, entity: str) -> bool:
    """Whether all rows of one entity have the same value there, as a customer's country."""
    pairs = table.group_by([entity, name]).aggregate([]).num_rows
    return bool(pairs == len(pc.unique(table[entity])) < table.num_rows)


def _exchanged(rows: pa.Table, old: Sequence[Batch], rng: np.random.Generator) -> pa.Table:
    """The entities of the rows, with what belongs to them, in each other's places."""
    contract, every = CONTRACTS[old[0].source], pa.concat_tables([batch.table for batch in old])
    for entity in ENTITY.of(old[0].source)[:1]:
        fixed = {*contract.key, contract.event_time, entity.name}
        others = [name for name in rows.column_names if name not in fixed]
        places = pa.array(rng.permutation(rows.num_rows))
        for name in [entity.name, *(one for one in others if _belongs(every, one, entity.name))]:
            rows = with_column(rows, name, rows[name].take(places))
    return rows


def _drawn(batch: Batch, share: float, together: Sequence[str], rng: np.random.Generator) -> pa.Table:
    """A share of the rows; those of one session come all or none."""
    if not together:
        count = round(batch.table.num_rows * share)
        return batch.table.take(pa.array(np.sort(rng.choice(batch.table.num_rows, count, replace=False))))
    groups = pc.unique(batch.table[together[0]])
    count = round(len(groups) * share)
    drawn = groups.take(pa.array(rng.choice(len(groups), count, replace=False)))
    return batch.table.filter(pc.is_in(batch.table[together[0]], value_set=drawn))


def more_of_the_same(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """The day has `magnitude` times its rows."""
    deliveries, old, today = copy_of(clean), clean[day - WEEK], clean[day]
    touched, added, start, ends = [], [], 0, _of_one_day(old, today)
    for position, (before, batch) in enumerate(zip(old, today, strict=False)):
        share = min(1.0, (magnitude - 1) * batch.table.num_rows / max(before.table.num_rows, 1))
        rows = _a_week_later(_drawn(before, share, ends, rng))
        for name in ends:
            rows = _renamed(rows, name, old, today)
        if not ends:  # the rows of one session are of one customer
            rows = _exchanged(rows, old, rng)
        rows = with_new_keys(rows, batch, start)
        start += rows.num_rows
        if rows.num_rows:
            deliveries[day][position] = with_table(batch, pa.concat_tables([batch.table, rows]))
            touched.append(batch.batch_id)
            added.append(rows)
    return InjectionResult(deliveries, touched, [day], event_dates(today[0].source, added), BAD_ROWS.empty_table())


def fewer_of_the_same(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """The day has about a share `magnitude` of its rows; who stays away leaves no half of a session."""
    today = clean[day]
    ends = _of_one_day(clean[day - WEEK], today)
    if not ends:
        return fewer_rows(clean, day, magnitude, rng)
    everybody = pc.unique(of_the_day(today, ends[0]))
    away = everybody.take(pa.array(chosen(rng, len(everybody), 1 - magnitude)))
    return without_rows(clean, day, [where(pc.is_in(batch.table[ends[0]], value_set=away)) for batch in today])


def _every_day(clean: Deliveries, parts: list[InjectionResult]) -> InjectionResult:
    deliveries = copy_of(clean)
    for part in parts:
        deliveries |= {one: part.deliveries[one] for one in part.landing_dates}
    return InjectionResult(
        deliveries,
        [batch for part in parts for batch in part.batches],
        [one for part in parts for one in part.landing_dates],
        sorted({one for part in parts for one in part.event_dates}),
        BAD_ROWS.empty_table(),
    )


def _grown(magnitude: float, number: int) -> float:
    """The factor after so many days at so many percent a week."""
    return float((1 + magnitude / 100) ** ((number + 1) / 7))


def volume_grows(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Each day has a little more rows than the one before."""
    every = enumerate(day + timedelta(days=number) for number in range(GROWTH_DAYS))
    return _every_day(clean, [more_of_the_same(clean, one, _grown(magnitude, number), rng) for number, one in every])


def amounts_grow(clean: Deliveries, day: date, magnitude: float, rng: np.random.Generator) -> InjectionResult:
    """Each day the amounts are a little larger than on the one before."""
    del rng
    name, parts = AMOUNTS.of(clean[day][0].source)[0].name, []
    for number in range(GROWTH_DAYS):
        one = day + timedelta(days=number)
        every = [np.arange(batch.table.num_rows) for batch in clean[one]]
        parts.append(spoil_positions(clean, one, every, partial(times, name, _grown(magnitude, number)), name))
    return _every_day(clean, parts)

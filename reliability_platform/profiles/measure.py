"""Measures landing days: one pass over their rows for all metrics, and few more for what compares rows with each other."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from math import lcm

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.parquet import identifier, literal
from reliability_platform.profiles.metrics import (
    MAX_LABELS,
    SEEN_DAYS,
    Aggregate,
    MetricKind,
    aggregates,
    aggregates_of_things,
    by_segment,
    companions,
    compared_things,
    labelled,
    mask,
    others,
    segments,
    silver,
    things,
    unpivoted,
)

SCHEMA = pa.schema(
    [
        ("landing_date", pa.date32()),
        ("kind", pa.string()),
        ("subject", pa.string()),
        ("part", pa.string()),
        ("within", pa.string()),
        ("n", pa.int64()),
        ("value", pa.float64()),
        ("error", pa.float64()),
    ]
)
"""One row a metric and landing day: see `metrics.Metric`. `n` counts the rows behind it, `error` is the standard error of
`value`, null where that is the noise of a count or known from the past alone."""
_ROWS, _LABELS = "profiled_rows", "profiled_labels"
_OF_SILVER = ("landing_date", "event_date")
"""What is needed besides the columns of the contract."""
MAX_DISTINCT, MAX_FOLLOWED = 2_000, 200
"""Of a reference with more different values on the days, or any other column, none is common enough to be followed by itself."""


def measured(connection: duckdb.DuckDBPyConnection, source: str, landing_days: Collection[date]) -> pa.Table:
    """The profiles of some landing days of a source, as `SCHEMA`; of a day without rows there is nothing."""
    if not landing_days:
        return SCHEMA.empty_table()
    contract = CONTRACTS[source]
    days = _listed(landing_days)
    # Silver has the rows that count. Those of earlier days have a check of their own, and stay where they landed: the day would
    # be unlike its past for ever.
    names = dict.fromkeys((*(one.name for one in contract.columns), *_OF_SILVER))
    # Not copied: of 15 days with 2.7 million rows the copy was a ninth of all, and each question reads few of its columns.
    connection.execute(
        f"create or replace temp view {_ROWS} as select {', '.join(map(identifier, names))} from {silver(source)} "
        f"where {_of_the_days(days)}"
    )
    try:
        contract = _without_calendar(connection, contract, days)
        of_the_day = _one_by_one(connection, _queries(contract, days))
        different = _different(of_the_day)
        followed = _followed(different, FOLLOWED_ROWS)
        known = _one_by_one(connection, _known(contract, followed))
        return pa.concat_tables(
            [
                of_the_day,
                known,
                _one_by_one(connection, _known_pairs(contract, different, _coming_again(known))),
                _answers(connection, list(_labels(contract, different, _counted_together(connection, contract)))),
                _answers(connection, list(_repeated(contract, _row_counts(connection)))),
                _answers(connection, list(_reached(contract, followed))),
            ]
        )
    finally:
        connection.execute(f"drop view if exists {_ROWS}")
        connection.execute(f"drop table if exists {_LABELS}")


def _of_the_days(days: str) -> str:
    """SQL: whether a row of silver landed on one of some days, and is of that day or a later one. The bounds beside the list are
    what is fast: they are compared with those of whole blocks of rows.
    """
    bounds = f"landing_date between list_min([{days}]) and list_max([{days}])"
    return f"{bounds} and landing_date in ({days}) and event_date >= landing_date"


def _listed(days: Iterable[date]) -> str:
    """Days as SQL, ascending."""
    return ", ".join(f"date '{one.isoformat()}'" for one in sorted(days))


def _answers(connection: duckdb.DuckDBPyConnection, queries: list[str]) -> pa.Table:
    """What queries with the columns of `SCHEMA`, in this order, find."""
    if not queries:
        return SCHEMA.empty_table()
    together = " union all ".join(f"({one})" for one in queries)
    found = connection.execute(f"select * from ({together}) as found({', '.join(SCHEMA.names)})").to_arrow_table()
    return found.cast(SCHEMA)


def _one_by_one(connection: duckdb.DuckDBPyConnection, queries: Iterable[str]) -> pa.Table:
    """The same of queries that are no cheaper together: they were all in memory at once, and DuckDB 1.5.6 waited for ever for a
    task (70 pairs of columns, 337 days of flights; the numbers of the rows themselves, 164 days of the shop).
    """
    return pa.concat_tables([SCHEMA.empty_table(), *(_answers(connection, [one]) for one in queries)])


def _select(sets: str, within: str, found: list[Aggregate], rows: str = _ROWS) -> str:
    return (
        "select landing_date, one.kind, one.subject, '', within, one.n, one.value, one.error from ("
        f"select landing_date, {within} as within, unnest({unpivoted(found)}) as one from {rows} {sets}"
        ") where one.value is not null"
    )


def _queries(contract: Contract, days: str) -> Iterator[str]:
    yield _select("group by landing_date", "''", list(aggregates(contract)))
    yield from (_of_things(*one) for one in things(contract))
    parted = by_segment(contract)
    if parted:
        for one in segments(contract):
            name = identifier(one.name)
            yield _select(f"where {name} is not null group by landing_date, {name}", _within_segment(one), parted)
    yield from _times(contract, days)
    yield from _empty_together(contract)
    yield _keys_again(contract, days)
    yield _rejected(contract, days)
    yield from _elsewhere(contract)
    yield from (_against_before(contract, days, number, thing) for number, thing in compared_things(contract))


def _of_things(thing: Column, labels: Sequence[Column]) -> str:
    """What the values of a column say by how often each comes, and with which labels: rows are grouped once for all of it. The
    labels of one value are the bits of a number.
    """
    masks = "".join(f", bit_or({mask(one)}) as {identifier(one.name)}" for one in labels)
    groups = (
        f"(select landing_date, count(*) as c{masks} from {_ROWS} where {identifier(thing.name)} is not null "
        f"group by landing_date, {identifier(thing.name)})"
    )
    return _select("group by landing_date", "''", list(aggregates_of_things(thing, labels)), groups)


def _shares(kind: MetricKind, subject: str, part: str, counts: str) -> str:
    """SQL: the share of the rows of a day that have a part, which is an expression over what `counts` groups them by; `c` says
    how many there are. The text that is kept is made of groups, not of rows.
    """
    return (
        f"select landing_date, {literal(kind.value)}, {literal(subject)}, part, '', "
        "sum(sum(c)) over (partition by landing_date)::bigint, sum(c) / sum(sum(c)) over (partition by landing_date), null "
        f"from (select landing_date, ({part})::varchar as part, c from {counts}) "
        "where part is not null group by landing_date, part"
    )


DAY_MICROSECONDS = 86_400_000_000


def _times(contract: Contract, days: str) -> Iterator[str]:
    """Shares of hours and slots, and of what lies outside of the slot with which it came: rows are grouped once, by stretches
    of time of which both hours and slots are made. Staging knows the slot of each batch.
    """
    column = next(one for one in contract.columns if one.name == contract.event_time)
    slots = contract.cadence.batches
    is_moment = column.type == "TIMESTAMP"
    if not is_moment and slots == 1:
        return
    moment = identifier(column.name)
    if contract.day_zone != "UTC":  # by the clock on the wall: the day on which it is changed is no other day
        moment = f"(({moment} at time zone 'UTC') at time zone {literal(contract.day_zone)})"
    steps = lcm(24, slots)
    step = (
        f"(epoch_us({moment}) - epoch_us(landing_date::timestamp)) // {DAY_MICROSECONDS // steps}" if is_moment else "0"
    )
    batch = ", batch_id" if slots > 1 else ""
    start = (
        f"with placed as (select landing_date{batch}, {step} as step, count(*) as c from {silver(contract.source)} "
        f"where {_of_the_days(days)} group by all), "
    )
    if slots > 1:
        start += (
            f"slots as (select distinct batch_id, batch_sequence from stg_{contract.source} where landing_date in ({days})), "
            "times as materialized (from placed join slots using (batch_id)) "
        )
    else:
        start += "times as materialized (from placed) "
    if not is_moment:
        yield start + _shares(MetricKind.SLOT, "", "batch_sequence", "times")
        return
    found = [_shares(MetricKind.HOUR, column.name, f"step * 24 // {steps} % 24", "times")]
    if slots > 1:
        length = steps // slots
        # When it happened, not with which batch it came: a row may wait for the next one, and no number changes.
        found.append(_shares(MetricKind.SLOT, "", f"step // {length} % {slots} + 1", "times"))
        outside = f"step < (batch_sequence - 2) * {length} or step >= batch_sequence * {length}"
        found.append(
            f"select landing_date, {literal(MetricKind.OUTSIDE_SLOT.value)}, {literal(column.name)}, '', '', sum(c)::bigint, "
            f"coalesce(sum(c) filter (where {outside}), 0) / sum(c), null from times group by landing_date"
        )
    yield start + " union all ".join(found)


def _empty_together(contract: Contract) -> Iterator[str]:
    """Which columns are empty in the same rows: a flight that was cancelled has neither departed nor arrived, and one that
    has departed has a delay. How many are empty may jump, as cancellations do; a combination that never was is news.
    """
    optional = [one.name for one in contract.columns if not one.required]
    if len(optional) > 1:
        names = ", ".join(f"case when {identifier(one)} then {literal(one)} end" for one in optional)
        flags = ", ".join(f"{identifier(one)} is null as {identifier(one)}" for one in optional)
        part = f"coalesce(nullif(concat_ws(' and ', {names}), ''), 'nothing')"
        yield (
            f"select landing_date, {literal(MetricKind.EMPTY_TOGETHER.value)}, {literal(' '.join(optional))}, {part}, '', "
            "sum(c) over (partition by landing_date)::bigint, c / sum(c) over (partition by landing_date), null "
            f"from (select landing_date, {flags}, count(*) as c from {_ROWS} group by all)"
        )


def _content(contract: Contract) -> list[str]:
    return [identifier(one.name) for one in contract.columns if one.name not in contract.key]


def _row_counts(connection: duckdb.DuckDBPyConnection) -> dict[date, int]:
    """By landing day, how many rows are measured."""
    return dict(connection.execute(f"select landing_date, count(*) from {_ROWS} group by all").fetchall())


def _repeated(contract: Contract, rows: Mapping[date, int]) -> Iterator[str]:
    """Rows with the content of another of the day, under a key of their own; of many rows those of one content in so many."""
    content = ", ".join(_content(contract)) or "1"
    by_number: dict[int, list[date]] = {}
    for day, count in rows.items():
        by_number.setdefault(_power_of_two(count // FOLLOWED_ROWS), []).append(day)
    for one_in, days in by_number.items():
        chosen = f" and content % {one_in} = 0" if one_in > 1 else ""
        yield (
            f"select landing_date, {literal(MetricKind.REPEATED.value)}, '', '', '', count(*), "
            "1 - count(distinct content) / count(*), null "
            f"from (select landing_date, hash({content}) as content from {_ROWS}) "
            f"where landing_date in ({_listed(days)}){chosen} group by landing_date"
        )


def _keys_again(contract: Contract, days: str) -> str:
    """Rows that silver does not have because their key came with other content on another day. Only where it has not all rows
    of a day they are looked for.
    """
    key = ", ".join(identifier(one) for one in contract.key)
    content = _content(contract)
    differs = " or ".join(f"staged.{one} is distinct from kept.{one}" for one in content) or "false"
    return (
        f"with valid as (select landing_date, count(*) as n from stg_{contract.source} where landing_date in ({days}) "
        "and disposition = 'valid' group by all), "
        f"counted as (select landing_date, count(*) as n from {silver(contract.source)} where landing_date in ({days}) group by all), "
        "lacking as materialized (select landing_date from valid left join counted using (landing_date) "
        "where valid.n is distinct from counted.n), "
        f"lost as (select * from stg_{contract.source} where landing_date in (from lacking) and disposition = 'valid'), "
        "again as (select staged.landing_date, count(*) filter (where kept.landing_date <> staged.landing_date and "
        f"({differs})) as n from lost as staged join {silver(contract.source)} as kept using ({key}) group by all) "
        f"select valid.landing_date, {literal(MetricKind.KEY_AGAIN.value)}, '', '', '', valid.n, "
        "coalesce(again.n, 0) / valid.n, null from valid left join again using (landing_date)"
    )


def _rejected(contract: Contract, days: str) -> str:
    """The share of the rows of a day that is rejected, by reason."""
    return (
        f"with staged as (select landing_date, reject_reasons, count(*) as c from stg_{contract.source} "
        f"where landing_date in ({days}) and not is_superseded and disposition <> 'discarded' group by all), "
        "single as (select landing_date, c, unnest(coalesce(string_split(reject_reasons, ','), [''])) as reason from staged), "
        "counted as (select landing_date, reason, sum(c) as c from single group by all) "
        f"select landing_date, {literal(MetricKind.REJECTED.value)}, '', reason, '', "
        "(sum(c) over (partition by landing_date))::bigint, c / sum(c) over (partition by landing_date), null from counted "
        "qualify reason <> ''"
    )


def _elsewhere(contract: Contract) -> Iterator[str]:
    """How many rows lead to another source, and agree with it."""
    for other in companions(contract):
        key, own_key = identifier(other.key), f"own.{identifier(other.key)}"
        known = f"(select {', '.join(map(identifier, (other.key, *other.shared)))}, true as is_there from {silver(other.source)})"
        shares = [
            (MetricKind.FOUND, other.key, f"count({own_key})", f"count(is_there) / nullif(count({own_key}), 0)"),
            *(
                (
                    MetricKind.SAME,
                    name,
                    "count(is_there)",
                    f"count(*) filter (where is_there and own.{identifier(name)} is not distinct from there.{identifier(name)}) "
                    "/ nullif(count(is_there), 0)",
                )
                for name in other.shared
            ),
        ]
        structs = ", ".join(
            f"struct_pack(kind := {literal(kind.value)}, subject := {literal(subject)}, n := {n}, value := ({value})::double)"
            for kind, subject, n, value in shares
        )
        yield (
            f"select landing_date, one.kind, one.subject, {literal(other.source)}, '', one.n, one.value, null from ("
            f"select own.landing_date, unnest([{structs}]) as one "
            f"from {_ROWS} as own left join {known} as there using ({key}) group by own.landing_date"
            f") where one.value is not null and (one.kind <> {literal(MetricKind.FOUND.value)} or {_is_old_enough(other.source)})"
        )


FOLLOWED_ROWS, FOLLOWED_VALUES = 5_000, 200
"""At least so many rows of a day, and values of a column, are looked up in the weeks before; of more rows those of one value in so
many. The share that is known of 5,000 rows has an error of 0.7 % at most, and what is told begins at a tenth."""
FEWER_PAIRS = 4
"""So many times fewer rows are looked up for what came with a value: a relation has no noise, and other pairs are told from 15 % on."""
Followed = Mapping[int, Collection[date]]
"""The landing days on which one value of a column in so many is looked up, by that number. What of a day is measured follows from
that day alone, whichever others are measured with it."""


Different = Mapping[str, Mapping[date, tuple[int, int]]]
"""By column and landing day, its rows and how many different values they have."""


def _different(of_the_day: pa.Table) -> Different:
    found: dict[str, dict[date, tuple[int, int]]] = {}
    counted = of_the_day.filter(pc.equal(of_the_day["kind"], MetricKind.DISTINCT.value))
    names = ("landing_date", "subject", "n", "value")
    for day, column, rows, values in zip(*(counted[name].to_pylist() for name in names), strict=True):
        found.setdefault(column, {})[day] = rows, int(values)
    return found


def _power_of_two(times: int) -> int:
    """The largest one that is not above; 1 at least."""
    return 1 << max(times, 1).bit_length() - 1


def _followed(different: Different, least: int) -> Mapping[str, Followed]:
    """By column, with at least so many rows of a day; the numbers are powers of two."""
    found: dict[str, dict[int, list[date]]] = {}
    for column, by_day in different.items():
        for day, (rows, values) in by_day.items():
            one_in = _power_of_two(min(rows // least, values // FOLLOWED_VALUES))
            found.setdefault(column, {}).setdefault(one_in, []).append(day)
    return found


def _reached(contract: Contract, followed: Mapping[str, Followed]) -> Iterator[str]:
    """How many rows of another source are led to on the day on which they landed: each order has its payment. Of many keys, one
    in so many.
    """
    for other in companions(contract):
        key = identifier(other.key)
        for one_in, days in followed.get(other.key, {}).items():
            listed = _listed(days)
            own = f"(select distinct landing_date, {key}, true as is_there from {_ROWS} where {_one_in(key, one_in)})"
            yield (
                f"select landing_date, {literal(MetricKind.REACHED.value)}, {literal(other.key)}, {literal(other.source)}, '', "
                f"count(*), count(is_there) / count(*), null from {silver(other.source)} left join {own} using (landing_date, {key}) "
                f"where {_of_the_days(listed)} and {_one_in(key, one_in)} group by landing_date"
            )


def _known(contract: Contract, followed: Mapping[str, Followed]) -> Iterator[str]:
    """The share of the rows whose value was there in the weeks before."""
    for thing, _ in things(contract):
        for one_in, days in followed.get(thing.name, {}).items():
            yield (
                f"{_known_of(contract, thing.name, (), days, one_in)} select landing_date, {literal(MetricKind.KNOWN.value)}, "
                f"{literal(thing.name)}, '', '', n, known / n, null from known"
            )


COMING_AGAIN = 0.02
"""Of a column whose values are known in less of the rows of a day, as those of sessions, no pair is known either."""
AS_MANY = 2
"""Of what follows from a thing there are at most as many different ones as of these, and of one that has begun to come apart
somewhat more."""


def _coming_again(known: pa.Table) -> dict[str, set[date]]:
    """The days on which the values of a column are those of other days as well."""
    found: dict[str, set[date]] = {}
    often = known.filter(pc.greater_equal(known["value"], COMING_AGAIN))
    for column, day in zip(often["subject"].to_pylist(), often["landing_date"].to_pylist(), strict=True):
        found.setdefault(column, set()).add(day)
    return found


def _known_pairs(contract: Contract, different: Different, again: Mapping[str, set[date]]) -> Iterator[str]:
    """Of the rows whose value was there in the weeks before, the share that has with it what it had then: a parcel its carrier,
    a product its merchant. Each way, for one thing follows from another, seldom both from each other.
    """
    followed = _followed(different, FOLLOWED_ROWS // FEWER_PAIRS)
    for thing, labels in things(contract):
        for one_in, followed_days in followed.get(thing.name, {}).items():
            days = again.get(thing.name, set()) & set(followed_days)
            partners = {one.name: days for one in labels}
            for name in again.keys() - {thing.name}:
                partners[name] = {
                    day
                    for day in days & again[name]
                    if different[name][day][1] <= AS_MANY * different[thing.name][day][1]
                }
            partners = {name: of_days for name, of_days in sorted(partners.items()) if of_days}
            if partners:
                yield _known_of(contract, thing.name, tuple(partners), days, one_in) + " union all ".join(
                    _pair(thing.name, name, place, of_days) for place, (name, of_days) in enumerate(partners.items())
                )


def _known_of(contract: Contract, name: str, partners: Sequence[str], days: Collection[date], one_in: int) -> str:
    """SQL, to stand before a select: what came `together`; and `known`, by day the rows `n` whose value of a column is followed, how
    many of them are `known` from the weeks before, and how many `kept` the one partner, the first one being `kept_0`.
    """
    listed, thing = _listed(days), identifier(name)
    columns = ", ".join(map(identifier, (name, *partners)))
    wanted = f"{thing} is not null and {_one_in(thing, one_in)}"
    numbered = list(enumerate(map(identifier, partners)))
    ends = "".join(f", min({one}) as least_{place}, max({one}) as most_{place}" for place, one in numbered)
    before = "".join(
        f", lag(least_{place}) over days as before_{place}, lag(least_{place}) over days is not distinct from "
        f"lag(most_{place}) over days as was_one_{place}"
        for place, _ in numbered
    )
    kept = "".join(
        f", coalesce(sum(c) filter (is_known and was_one_{place} and {one} is not distinct from before_{place}), 0)::bigint "
        f"as kept_{place}"
        for place, one in numbered
    )
    # Of the weeks before, only rows with values of these days are looked at: most never come again.
    return (
        f"with now as materialized (select landing_date, {columns}, count(*) as c from {_ROWS} "
        f"where landing_date in ({listed}) and {wanted} group by all), "
        f"together as materialized (from now union all by name select distinct landing_date, {columns} "
        f"from {silver(contract.source)} as before semi join now using ({thing}) "
        f"where {_in_the_weeks_before(listed)} and {wanted}), "
        f"by_day as (select landing_date, {thing}{ends} from together group by landing_date, {thing}), "
        f"seen as (select landing_date, {thing}, {_came_before(thing)} as is_known{before} from by_day "
        f"window days as (partition by {thing} order by landing_date)), "
        f"known as materialized (select landing_date, sum(c)::bigint as n, coalesce(sum(c) filter (is_known), 0)::bigint as known"
        f"{kept} from now join seen using (landing_date, {thing}) where {_is_old_enough(contract.source)} group by landing_date) "
    )


def _pair(name: str, partner: str, place: int, days: Iterable[date]) -> str:
    """SQL: of the rows whose value is known, those that have a partner with it that was there in the weeks before; and those that
    have the one partner that it had when it last came.
    """
    both, listed = f"{identifier(name)}, {identifier(partner)}", _listed(days)
    subject = literal(f"{name} {partner}")
    return (
        f"select landing_date, {literal(MetricKind.KNOWN_PAIR.value)}, {subject}, '', '', known.known, "
        "coalesce(sum(c) filter (is_known), 0) / known.known, null "
        f"from (select landing_date, c, {_came_before(both)} as is_known "
        f"from (select landing_date, {both}, sum(c) as c from together group by all)) join known using (landing_date) "
        f"where c is not null and known.known > 0 and landing_date in ({listed}) group by landing_date, known.known "
        f"union all select landing_date, {literal(MetricKind.KEPT.value)}, {subject}, '', '', known, kept_{place} / known, null "
        f"from known where known > 0 and landing_date in ({listed})"
    )


def _came_before(columns: str) -> str:
    """SQL: whether the same values were there on a day shortly before; over groups by day."""
    before = f"lag(landing_date) over (partition by {columns} order by landing_date)"
    return f"coalesce(landing_date - {before} <= {SEEN_DAYS}, false)"


def _is_old_enough(source: str) -> str:
    """SQL: whether a source has had time to show what it knows before a landing day."""
    return f"landing_date >= {SEEN_DAYS} + (select min(landing_date) from {silver(source)})"


def _one_in(column: str, number: int) -> str:
    """SQL: whether the value of a column is one of those that are followed."""
    return f"hash({column}) % {number} = 0" if number > 1 else "true"


def _in_the_weeks_before(days: str) -> str:
    """SQL: whether a row of silver is of the weeks before some days, and not of these."""
    return (
        f"landing_date between list_min([{days}]) - {SEEN_DAYS} and list_max([{days}]) "
        f"and landing_date not in ({days}) and event_date >= landing_date"
    )


PER_THING = 3
"""Rows of one thing and day that are compared with those of the weeks before: enough for a median, and few enough for any day."""

FAR_FACTOR = 20
"""So many times as much or as little as in the weeks before is another unit: hundredths, ounces, thousands. Nine pieces instead of
one are not."""
FACTOR_ERROR = 0.01
"""Granted to a factor that is 1 on most days: a past without any noise would make every change certain."""


def _against_before(contract: Contract, days: str, number: Column, thing: Column) -> str:
    """SQL: the median factor between a number and that of a row about the same thing in the weeks before. A product has its
    price: many orders of it are of the same amount, and then no other noise hides that all are a tenth dearer. The error is
    that of a median, with the density there from the middle fifth (Siddiqui 1960). And the share of factors that no price
    explains: the amounts of one merchant in hundredths are too few, and too small, to move a median or a mean.
    """
    name, same = identifier(number.name), identifier(thing.name)
    factor = "(now.size - before.size)"
    found = [
        (
            MetricKind.AGAINST_BEFORE,
            f"exp(median({factor}))",
            f"greatest({FACTOR_ERROR}, 2.5 * (quantile_cont({factor}, 0.6) - quantile_cont({factor}, 0.4)) "
            "/ sqrt(count(distinct now.thing)))",
        ),
        (MetricKind.FAR, f"count(*) filter (where abs({factor}) > ln({FAR_FACTOR})) / count(*)", "null"),
    ]
    structs = ", ".join(
        f"struct_pack(kind := {literal(kind.value)}, value := ({value})::double, error := ({error})::double)"
        for kind, value, error in found
    )
    return (
        "with rows_of_things as ("
        f"select landing_date, {same} as thing, ln({name}::double) as size from {silver(contract.source)} "
        f"where {name} > 0 and {same} is not null and landing_date between list_min([{days}]) - {SEEN_DAYS} "
        f"and list_max([{days}]) qualify row_number() over (partition by landing_date, thing order by "
        f"{', '.join(map(identifier, contract.key))}) <= {PER_THING}) "
        f"select landing_date, one.kind, {literal(number.name)}, {literal(thing.name)}, '', n, one.value, one.error from ("
        f"select now.landing_date, count(distinct now.thing) as n, unnest([{structs}]) as one "
        # By each day before: by thing alone all days would meet all days.
        f"from (select *, landing_date - unnest(range(1, {SEEN_DAYS + 1}))::integer as day_before from rows_of_things "
        f"where landing_date in ({days}) and {_is_old_enough(contract.source)}) as now "
        "join rows_of_things as before on now.thing = before.thing and before.landing_date = now.day_before "
        "group by now.landing_date)"
    )


def _label(column: Column) -> str:
    """SQL: the value of a column as it may be kept. What nobody declared may be anybody's name: its digest tells two apart."""
    name = identifier(column.name)
    return f"{name}::varchar" if column.valid_values or column.type != "VARCHAR" else f"left(sha256({name}), 8)"


CALENDAR = ("year", "quarter", "month", "week", "day", "dayofyear", "dayofweek", "isodow", "monthname", "dayname")
"""Parts of a date, as DuckDB's functions of these names give them."""


def _without_calendar(connection: duckdb.DuckDBPyConnection, contract: Contract, days: str) -> Contract:
    """The contract without the columns that say in each row what its event date says: another day has another value there,
    and nothing is wrong. The weeks before must say so as well, or a column that is stuck at 5 would be a Friday.
    """
    pairs = [(one.name, part) for one in others(contract) for part in CALENDAR]
    dated = _same_as_the_date(connection, pairs, f"(from {_ROWS} limit 100)")
    if dated:
        dated = _same_as_the_date(connection, dated, _ROWS)
    if dated:
        before = f"(from {silver(contract.source)} where landing_date between list_min([{days}]) - {SEEN_DAYS} and list_max([{days}]))"
        dated = _same_as_the_date(connection, dated, before)
    names = {name for name, _ in dated}
    return replace(contract, columns=tuple(one for one in contract.columns if one.name not in names))


def _same_as_the_date(
    connection: duckdb.DuckDBPyConnection, pairs: list[tuple[str, str]], rows: str
) -> list[tuple[str, str]]:
    """The pairs of a column and a part of the date that are the same in all rows."""
    if not pairs:
        return []
    same = ", ".join(f"bool_and({identifier(name)}::varchar = {part}(event_date)::varchar)" for name, part in pairs)
    row = connection.execute(f"select {same} from {rows}").fetchone()
    assert row is not None
    return [pair for pair, is_same in zip(pairs, row, strict=True) if is_same]


def _counted_together(connection: duckdb.DuckDBPyConnection, contract: Contract) -> frozenset[str]:
    """Group the rows once by all columns whose labels are declared, and so are few; returns these columns. Every share of one
    or two of them is made of these groups.
    """
    names = [one.name for one in labelled(contract) if _is_declared(one)]
    if len(names) < 2:
        return frozenset()
    columns = ", ".join(map(identifier, names))
    connection.execute(
        f"create or replace temp table {_LABELS} as select landing_date, {columns}, count(*) as c from {_ROWS} group by all"
    )
    return frozenset(names)


def _is_declared(column: Column) -> bool:
    return bool(column.valid_values) or column.type == "BOOLEAN"


def _labels(contract: Contract, different: Different, together: Collection[str]) -> Iterator[str]:
    """The shares of the values of columns that have few on a day, of all rows and within each segment; of some that have more,
    the shares of the commonest. `together` are the columns of `_LABELS`.
    """
    few: dict[str, str] = {}
    for one in labelled(contract):
        column, by_day = identifier(one.name), different.get(one.name, {})
        most = MAX_DISTINCT if one.references or one.role == "segment" else MAX_FOLLOWED
        followed = [day for day, (_, values) in by_day.items() if values <= most]
        if _is_declared(one):
            rows, count = _counted({one.name}, together)
            counts = f"(select landing_date, {column}, {count} as c from {rows} group by all)"
            yield _shares(MetricKind.LABEL, one.name, _label(one), counts)
            few[one.name] = ""
            continue
        if not followed:
            continue
        where = f"where landing_date in ({_listed(followed)}) "
        counts = f"(select landing_date, {column}, count(*) as c from {_ROWS} {where}group by all)"
        shares = _shares(MetricKind.LABEL, one.name, _label(one), counts)
        yield (
            f"select * from ({shares}) as top(d, k, s, part, w, n, value, e) "
            f"qualify row_number() over (partition by d order by value desc, part) <= {MAX_LABELS}"
        )
        with_few = [day for day in followed if by_day[day][1] <= MAX_LABELS]
        if with_few:
            few[one.name] = f"and landing_date in ({_listed(with_few)}) "
    for segment in segments(contract):
        for one in labelled(contract):
            if one.name in few and one != segment:
                yield _within(segment, one, few[one.name], together)


def _counted(columns: Collection[str], together: Collection[str]) -> tuple[str, str]:
    """From where to count rows by some columns, and how."""
    return (_LABELS, "sum(c)::bigint") if set(columns) <= set(together) else (_ROWS, "count(*)")


def _within(segment: Column, column: Column, and_when: str, together: Collection[str]) -> str:
    name, value = identifier(segment.name), identifier(column.name)
    rows, count = _counted({segment.name, column.name}, together)
    return (
        f"select landing_date, {literal(MetricKind.LABEL.value)}, {literal(column.name)}, {_label(column)}, {_within_segment(segment)}, "
        f"(sum({count}) over (partition by landing_date, {name}))::bigint, "
        f"{count} / sum({count}) over (partition by landing_date, {name}), null from {rows} "
        f"where {name} is not null and {value} is not null {and_when}group by landing_date, {name}, {value}"
    )


def _within_segment(segment: Column) -> str:
    return f"{literal(segment.name + '=')} || {_label(segment)}"

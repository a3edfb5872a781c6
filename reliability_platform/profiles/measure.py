"""Measures landing days: one pass over their rows for all metrics, and few more for what compares rows with each other."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations

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
_ROWS = "profiled_rows"
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
    # Silver has the rows that count, staging knows the slot of each batch. Rows of earlier days have a check of their own, and
    # stay where they landed: the day would be unlike its past for ever.
    names = dict.fromkeys((*(one.name for one in contract.columns), *_OF_SILVER))
    connection.execute(
        f"create or replace temp table {_ROWS} as select {', '.join(f'kept.{identifier(one)}' for one in names)}, "
        f"slots.batch_sequence from {silver(source)} as kept join (select distinct batch_id, batch_sequence from stg_{source} "
        f"where landing_date in ({days})) as slots using (batch_id) "
        f"where kept.landing_date in ({days}) and kept.event_date >= kept.landing_date"
    )
    try:
        contract = _without_calendar(connection, contract, days)
        of_the_day = _answers(connection, list(_queries(contract, days)))
        followed = _followed(of_the_day)
        known = _one_by_one(connection, _known(contract, followed))
        again = _coming_again(known)
        return pa.concat_tables(
            [
                of_the_day,
                _of_what_comes_again(known, again),
                _one_by_one(connection, _known_pairs(contract, followed, again)),
                _answers(connection, _labels(connection, contract)),
            ]
        )
    finally:
        connection.execute(f"drop table if exists {_ROWS}")


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
    """The same of queries each of which looks into weeks of rows: together they were all in memory at once, and DuckDB 1.5.6 with
    one thread waited for ever for a task (70 pairs of columns, 337 days of flights).
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
    yield from _times(contract)
    yield from _empty_together(contract)
    yield _repeated(contract)
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


def _counted(kind: MetricKind, subject: str, column: str, part: str) -> str:
    """SQL: the share of the rows of a day that have a part, which is an expression over a column. Rows are counted by the
    column itself, for that is shorter than the text that is kept of it.
    """
    return (
        f"select landing_date, {literal(kind.value)}, {literal(subject)}, part, '', "
        "sum(sum(c)) over (partition by landing_date)::bigint, sum(c) / sum(sum(c)) over (partition by landing_date), null "
        f"from (select landing_date, ({part})::varchar as part, c from "
        f"(select landing_date, {column}, count(*) as c from {_ROWS} group by all)) "
        "where part is not null group by landing_date, part"
    )


def _times(contract: Contract) -> Iterator[str]:
    column = next(one for one in contract.columns if one.name == contract.event_time)
    slots = contract.cadence.batches
    if column.type != "TIMESTAMP":
        if slots > 1:
            yield _counted(MetricKind.SLOT, "", "batch_sequence", "batch_sequence")
        return
    moment = identifier(column.name)
    if contract.day_zone != "UTC":  # by the clock on the wall: the day on which it is changed is no other day
        moment = f"(({moment} at time zone 'UTC') at time zone {literal(contract.day_zone)})"
    since = f"(epoch({moment}) - epoch(landing_date::timestamp))"
    yield _counted(MetricKind.HOUR, column.name, f"hour({moment}) as hour", "hour")
    if slots > 1:
        length = 86_400 / slots
        # When it happened, not with which batch it came: a row may wait for the next one, and no number changes.
        slot = f"((floor({since} / {length})::bigint % {slots}) + {slots}) % {slots} + 1"
        yield _counted(MetricKind.SLOT, "", f"{slot} as slot", "slot")
        outside = f"not {since} between (batch_sequence - 2) * {length} and batch_sequence * {length}"
        yield (
            f"select landing_date, {literal(MetricKind.OUTSIDE_SLOT.value)}, {literal(column.name)}, '', '', count(*), "
            f"count(*) filter (where {outside}) / count(*), null from {_ROWS} group by landing_date"
        )


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


def _repeated(contract: Contract) -> str:
    """Rows with the content of another of the day, under a key of their own."""
    content = ", ".join(_content(contract)) or "1"
    return (
        f"select landing_date, {literal(MetricKind.REPEATED.value)}, '', '', '', count(*), "
        f"1 - count(distinct hash({content})) / count(*), null from {_ROWS} group by landing_date"
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
        f"with staged as (select landing_date, unnest(coalesce(string_split(reject_reasons, ','), [''])) as reason "
        f"from stg_{contract.source} where landing_date in ({days}) and not is_superseded and disposition <> 'discarded'"
        "), counted as (select landing_date, reason, count(*) as c from staged group by all) "
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
Followed = Mapping[int, Collection[date]]
"""The landing days on which one value of a column in so many is looked up, by that number. What of a day is measured follows from
that day alone, whichever others are measured with it."""


def _followed(of_the_day: pa.Table) -> Mapping[str, Followed]:
    """By column; the numbers are powers of two."""
    found: dict[str, dict[int, list[date]]] = {}
    counted = of_the_day.filter(pc.equal(of_the_day["kind"], MetricKind.DISTINCT.value))
    names = ("landing_date", "subject", "n", "value")
    for day, column, rows, values in zip(*(counted[name].to_pylist() for name in names), strict=True):
        times = max(min(rows // FOLLOWED_ROWS, int(values) // FOLLOWED_VALUES), 1)
        found.setdefault(column, {}).setdefault(1 << times.bit_length() - 1, []).append(day)
    return found


def _known(contract: Contract, followed: Mapping[str, Followed]) -> Iterator[str]:
    """The share of the rows whose value was there in the weeks before, and of those whose value was there with this label."""
    for thing, labels in things(contract):
        for one_in, days in followed.get(thing.name, {}).items():
            yield _known_of(contract, thing, labels, _listed(days), one_in)


def _known_of(contract: Contract, thing: Column, labels: Sequence[Column], days: str, one_in: int) -> str:
    name, names = identifier(thing.name), [identifier(one.name) for one in labels]
    masks = "".join(f", bit_or({mask(one)}) as {name}" for one, name in zip(labels, names, strict=True))
    weeks = "".join(f", coalesce(bit_or({one}) over weeks, 0) as {one}" for one in names)
    is_followed = f"{name} is not null and {_one_in(name, one_in)}"
    start = (
        f"with now as materialized (select landing_date, {name}, count(*) as c{masks} from {_ROWS} "
        f"where landing_date in ({days}) and {is_followed} group by landing_date, {name}), "
        f"by_day as (from now union all select landing_date, {name}, null{masks} from {silver(contract.source)} as before "
        f"semi join now using ({name}) where {_in_the_weeks_before(days)} and {is_followed} group by landing_date, {name}), "
        f"seen as (select landing_date, {name}, c, count(*) over weeks > 0 as is_known{weeks} from by_day "
        f"window weeks as (partition by {name} order by landing_date "
        f"range between interval {SEEN_DAYS} days preceding and interval 1 day preceding)), "
        f"judged as materialized (select * from seen where c is not null and {_is_old_enough(contract.source)}) "
    )
    selects = [
        f"select landing_date, {literal(MetricKind.KNOWN.value)}, {literal(thing.name)}, '', '', sum(c)::bigint, "
        "coalesce(sum(c) filter (where is_known), 0) / sum(c), null from judged group by landing_date"
    ]
    for one in labels:
        rows = (
            f"(select landing_date, {name}, {mask(one)} as label, count(*) as n from {_ROWS} "
            f"where landing_date in ({days}) and {is_followed} group by all)"
        )
        selects.append(
            f"select landing_date, {literal(MetricKind.KNOWN_PAIR.value)}, {literal(f'{thing.name} {one.name}')}, '', '', "
            f"sum(n)::bigint, coalesce(sum(n) filter (where label & judged.{identifier(one.name)} > 0), 0) / sum(n), null "
            f"from {rows} join judged using (landing_date, {name}) group by landing_date"
        )
    return start + " union all ".join(selects)


COMING_AGAIN = 0.02
"""Of a column whose values are known in less of the rows of a day, as those of sessions, no pair is known either."""


def _coming_again(known: pa.Table) -> dict[str, set[date]]:
    """The days on which the values of a column are those of other days as well."""
    found: dict[str, set[date]] = {}
    is_often = pc.and_(pc.equal(known["kind"], MetricKind.KNOWN.value), pc.greater_equal(known["value"], COMING_AGAIN))
    often = known.filter(is_often)
    for column, day in zip(often["subject"].to_pylist(), often["landing_date"].to_pylist(), strict=True):
        found.setdefault(column, set()).add(day)
    return found


def _of_what_comes_again(known: pa.Table, again: Mapping[str, set[date]]) -> pa.Table:
    """Without pairs of a thing of which nothing is known."""
    columns = (known[name].to_pylist() for name in ("landing_date", "kind", "subject"))
    kept = [
        kind != MetricKind.KNOWN_PAIR.value or day in again.get(subject.split(" ", 1)[0], ())
        for day, kind, subject in zip(*columns, strict=True)
    ]
    return known.filter(pa.array(kept, pa.bool_()))


def _known_pairs(contract: Contract, followed: Mapping[str, Followed], again: Mapping[str, set[date]]) -> Iterator[str]:
    """The share of the rows whose pair of things was there in the weeks before."""
    for one, other in combinations(sorted({one.name for one in others(contract)} & again.keys()), 2):
        for one_in, days in followed.get(one, {}).items():
            both = again[one] & again[other] & set(days)
            if both:
                yield _seen_before(contract, _listed(both), [one, other], one_in)


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


def _seen_before(contract: Contract, days: str, names: list[str], one_in: int) -> str:
    """SQL: the share of the rows whose pair of values was there in the weeks before, of one first value in so many."""
    columns = ", ".join(map(identifier, names))
    same = " and ".join(f"before.{name} is not distinct from now.{name}" for name in map(identifier, names))
    first = identifier(names[0])
    # Of the weeks before, only rows with values of these days are looked at: most pairs never come again.
    return (
        f"with now as (select landing_date, {columns}, count(*) as c from {_ROWS} "
        f"where {first} is not null and landing_date in ({days}) and {_one_in(first, one_in)} group by all), "
        f"together as (from now union all by name select distinct landing_date, {columns} from {silver(contract.source)} as before "
        f"semi join now on {same} where {_in_the_weeks_before(days)} and {_one_in(first, one_in)}), "
        "compared as (select landing_date, c, coalesce(landing_date - lag(landing_date) over "
        f"(partition by {columns} order by landing_date) <= {SEEN_DAYS}, false) as is_known from together) "
        f"select landing_date, {literal(MetricKind.KNOWN_PAIR.value)}, {literal(' '.join(names))}, '', '', sum(c)::bigint, "
        "coalesce(sum(c) filter (where is_known), 0) / sum(c), null from compared "
        f"where c is not null and {_is_old_enough(contract.source)} group by landing_date"
    )


PER_THING = 3
"""Rows of one thing and day that are compared with those of the weeks before: enough for a median, and few enough for any day."""

FACTOR_ERROR = 0.01
"""Granted to a factor that is 1 on most days: a past without any noise would make every change certain."""


def _against_before(contract: Contract, days: str, number: Column, thing: Column) -> str:
    """SQL: the median factor between a number and that of a row about the same thing in the weeks before. A product has its
    price: many orders of it are of the same amount, and then no other noise hides that all are a tenth dearer. The error is
    that of a median, with the density there from the middle fifth (Siddiqui 1960).
    """
    name, same = identifier(number.name), identifier(thing.name)
    return (
        "with rows_of_things as ("
        f"select landing_date, {same} as thing, ln({name}::double) as size from {silver(contract.source)} "
        f"where {name} > 0 and {same} is not null and landing_date between list_min([{days}]) - {SEEN_DAYS} "
        f"and list_max([{days}]) qualify row_number() over (partition by landing_date, thing order by "
        f"{', '.join(map(identifier, contract.key))}) <= {PER_THING}) "
        f"select now.landing_date, {literal(MetricKind.AGAINST_BEFORE.value)}, {literal(number.name)}, {literal(thing.name)}, '', "
        f"count(distinct now.thing), exp(median(now.size - before.size)), greatest({FACTOR_ERROR}, "
        "2.5 * (quantile_cont(now.size - before.size, 0.6) - quantile_cont(now.size - before.size, 0.4)) "
        "/ sqrt(count(distinct now.thing))) "
        "from rows_of_things as now join rows_of_things as before on now.thing = before.thing "
        f"and before.landing_date between now.landing_date - {SEEN_DAYS} and now.landing_date - 1 "
        f"where now.landing_date in ({days}) and now.{_is_old_enough(contract.source)} group by now.landing_date"
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


def _labels(connection: duckdb.DuckDBPyConnection, contract: Contract) -> list[str]:
    """SQL: the shares of the values of columns that have few, of all rows and within each segment."""
    columns = labelled(contract)
    if not columns:
        return []
    counts = ", ".join(f"count(distinct {identifier(one.name)})" for one in columns)
    row = connection.execute(f"select {counts} from {_ROWS}").fetchone()
    assert row is not None
    few, many = [], []
    for one, count in zip(columns, row, strict=True):
        if one.valid_values or count <= MAX_LABELS:
            few.append(one)
        elif count <= (MAX_DISTINCT if one.references or one.role == "segment" else MAX_FOLLOWED):
            many.append(one)
    return [
        *(_counted(MetricKind.LABEL, one.name, identifier(one.name), _label(one)) for one in few),
        *(
            f"select * from ({_counted(MetricKind.LABEL, one.name, identifier(one.name), _label(one))}) as top(d, k, s, part, w, n, value, e) "
            f"qualify row_number() over (partition by d order by value desc, part) <= {MAX_LABELS}"
            for one in many
        ),
        *(_within(segment, one) for segment in segments(contract) for one in few if one != segment),
    ]


def _within(segment: Column, column: Column) -> str:
    name, value = identifier(segment.name), identifier(column.name)
    return (
        f"select landing_date, {literal(MetricKind.LABEL.value)}, {literal(column.name)}, {_label(column)}, {_within_segment(segment)}, "
        f"(sum(count(*)) over (partition by landing_date, {name}))::bigint, "
        f"count(*) / sum(count(*)) over (partition by landing_date, {name}), null from {_ROWS} "
        f"where {name} is not null and {value} is not null group by landing_date, {name}, {value}"
    )


def _within_segment(segment: Column) -> str:
    return f"{literal(segment.name + '=')} || {_label(segment)}"

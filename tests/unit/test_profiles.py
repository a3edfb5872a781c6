"""Profiles: what rows that are each possible show together, and what clean days, weekdays, drift and small numbers do not.

On tables as the models leave them, made of the simulated shop: six weeks of it, and a last day that is spoiled.
"""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from reliability_platform.checks.facts import Facts
from reliability_platform.checks.profile import Experience, _drifting, _of_a_drift, evaluate_profiles, profile_checks
from reliability_platform.checks.results import CheckStatus
from reliability_platform.lab.simulation import events
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.profiles import measure
from reliability_platform.profiles.judge import BUDGET, ProfileJudgement, judge
from reliability_platform.profiles.measure import SCHEMA, measured
from reliability_platform.profiles.metrics import Metric, MetricKind
from reliability_platform.profiles.series import Series, series_of
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.built import BUILT
from tests.ground import day, days

LAST = 44
SOURCES = ("orders", "payments", "web_events", "shipments")
KEYS = {"orders": "order_id", "payments": "payment_id", "web_events": "event_id", "shipments": "shipment_event_id"}


def _tables(connection: duckdb.DuckDBPyConnection, simulation: Simulation) -> None:
    for source in SOURCES:
        parts = []
        for number in range(1, LAST + 1):
            rows = getattr(events, source)(simulation, day(number))
            parts.append(rows.append_column("landing_date", pa.array([day(number)] * rows.num_rows, pa.date32())))
        connection.register("made", pa.concat_tables(parts))
        connection.execute(
            f"""
            create table stg_{source} as
            select *, cast(event_time as date) as event_date, null::varchar as reject_reasons, false as is_superseded,
                'valid' as disposition, row_number() over (partition by landing_date order by event_time, {KEYS[source]}) as row_number,
                greatest(1, 1 + (epoch(event_time) - epoch(landing_date))::bigint // 21600) as batch_sequence,
                '{source}' || landing_date || batch_sequence as batch_id
            from made
            """
        )
        connection.execute(f"create table int_{source}__deduplicated as from stg_{source}")


@pytest.fixture(scope="module")
def shop() -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, pa.Table]]]:
    """Six weeks of four sources, and the profiles of all their days."""
    with duckdb.connect() as connection:
        _tables(connection, Simulation(3, 4_000))
        found = {source: measured(connection, source, list(days(day(1), day(LAST)))) for source in SOURCES}
        yield connection, found


def _spoiled(
    shop: tuple[duckdb.DuckDBPyConnection, dict[str, pa.Table]], source: str, statement: str
) -> ProfileJudgement:
    """What is said of the last day after a statement on its rows, which stand as `day_rows`."""
    connection, profiles = shop
    spoiled = connection.cursor()
    spoiled.execute("begin")
    try:
        spoiled.execute(f"create temp table day_rows as from stg_{source} where landing_date = $1", [day(LAST)])
        spoiled.execute(statement)
        for table in (f"stg_{source}", f"int_{source}__deduplicated"):
            spoiled.execute(f"delete from {table} where landing_date = $1", [day(LAST)])
            spoiled.execute(f"insert into {table} by name from day_rows")
        today = measured(spoiled, source, [day(LAST)])
    finally:
        spoiled.execute("rollback")
    past = profiles[source].filter(pa.compute.less(profiles[source]["landing_date"], pa.scalar(day(LAST))))
    return judge(series_of(pa.concat_tables([past, today])), day(LAST), set())


@pytest.mark.parametrize("source", SOURCES)
def test_clean_days_are_like_their_past(
    source: str, shop: tuple[duckdb.DuckDBPyConnection, dict[str, pa.Table]]
) -> None:
    """Of some 150 numbers a day and three windows each, none may cry without a reason."""
    series = series_of(shop[1][source])
    judged = [judge(series, one, set()) for one in series.days]
    assert [one.metrics > 0 for one in judged] == [False] * 14 + [True] * (LAST - 14)
    assert [one.deviations for one in judged if one.deviations] == []
    assert max(one.strongest for one in judged) < 0.9


AGAIN = "insert into day_rows select * replace ({key} + 50000000 as {key}, row_number + 100000 as row_number{more}) from day_rows"


@pytest.mark.parametrize(
    ("source", "statement", "kind", "column", "large"),
    [
        ("payments", "update day_rows set status = 'declined' where payment_id % 3 = 0", MetricKind.LABEL, "status", True),
        ("orders", "delete from day_rows where channel = 'app'", MetricKind.LABEL, "channel", True),
        ("web_events", "delete from day_rows where event_type = 'purchase'", MetricKind.LABEL, "event_type", False),
        ("orders", "delete from day_rows where batch_sequence = 3", MetricKind.SLOT, "", True),
        ("orders", "update day_rows set merchant_id = 7 where order_id % 6 = 0", MetricKind.COMMONEST, "merchant_id", True),
        ("orders", "update day_rows set amount = amount * 1.1", MetricKind.AGAINST_BEFORE, "amount", False),
        ("web_events", "delete from day_rows where event_type = 'purchase' and event_id % 2 = 0", MetricKind.LABEL, "event_type", False),
        ("orders", "update day_rows set amount = 20", MetricKind.DISTINCT, "amount", True),
        ("orders", "update day_rows set amount = round(amount)", MetricKind.WHOLE, "amount", True),
        ("shipments", "update day_rows set weight_grams = weight_grams / 454 where carrier = 'ups'", MetricKind.MEAN, "weight_grams", True),
        ("orders", AGAIN.format(key="order_id", more="") + " where order_id % 20 = 0", MetricKind.REPEATED, "", False),
        (
            "payments",
            AGAIN.format(key="payment_id", more=", event_time + interval 5 minute as event_time") + " where payment_id % 15 = 0",
            MetricKind.REPEATED_PAIR,
            "order_id status",
            False,
        ),
        ("payments", "update day_rows set customer_id = 1 + (customer_id * 7) % 20000 where payment_id % 12 = 0", MetricKind.SAME, "customer_id", False),
        ("shipments", "update day_rows set promised_at = ordered_at - interval 1 hour where shipment_event_id % 20 = 0", MetricKind.ORDER, "ordered_at promised_at", False),
        ("web_events", "update day_rows set session_id = 5", MetricKind.COMMONEST, "session_id", True),
        ("web_events", "update day_rows set customer_id = null", MetricKind.EMPTY, "customer_id", True),
        ("orders", "update day_rows set event_time = event_time + interval 1 hour", MetricKind.OUTSIDE_SLOT, "event_time", True),
        ("orders", "update day_rows set event_time = date_trunc('day', event_time)", MetricKind.HOUR, "event_time", True),
        ("orders", "update day_rows set product_id = product_id + 100000", MetricKind.KNOWN, "product_id", True),
        ("web_events", "update day_rows set product_id = customer_id where hash(event_id) % 6 = 0 and product_id is not null and customer_id is not null", MetricKind.KNOWN, "product_id", False),
        # A fifteenth is below the tenth from which on unseen values count anywhere: it is a product's that all were known.
        ("web_events", "update day_rows set product_id = product_id + 100000 where hash(event_id) % 15 = 0", MetricKind.KNOWN, "product_id", False),
        ("orders", "update day_rows set merchant_id = 1 + (merchant_id + order_id) % 199 where order_id % 12 = 0", MetricKind.KEPT, "product_id merchant_id", False),
        ("shipments", "update day_rows set carrier = 'postnord' where carrier = 'dhl' and shipment_event_id % 8 = 0", MetricKind.KEPT, "order_id carrier", False),
        ("web_events", "update day_rows set product_id = 7 + event_id % 40 where event_type = 'page_view' and event_id % 15 = 0", MetricKind.EMPTY, "product_id", False),
        ("orders", "update day_rows set amount = amount / 100 where merchant_id = (select mode(merchant_id) from day_rows) and amount >= 1", MetricKind.FAR, "amount", False),
        ("payments", "delete from day_rows where currency = 'PLN' and order_id % 2 = 0", MetricKind.REACHED, "order_id", False),
    ],
)  # fmt: skip
def test_what_rows_show_together_is_told_and_named(
    source: str,
    statement: str,
    kind: MetricKind,
    column: str,
    large: bool,
    shop: tuple[duckdb.DuckDBPyConnection, dict[str, pa.Table]],
) -> None:
    """Each row is possible; every check of single rows passes. The strongest number names what it is."""
    judgement = _spoiled(shop, source, statement)
    assert judgement.deviations, judgement
    first = judgement.deviations[0].metric
    assert (first.kind, first.column) == (kind, column)
    assert judgement.holds is large


@pytest.mark.parametrize(
    "statement",
    [
        "select 1",
        "delete from day_rows where order_id % 5 = 0",
        "update day_rows set amount = amount * 1.05",
        "update day_rows set amount = 7805.25 where order_id = (select min(order_id) from day_rows where currency = 'PLN')",
    ],
)
def test_a_good_or_a_bad_day_is_not_told(
    statement: str, shop: tuple[duckdb.DuckDBPyConnection, dict[str, pa.Table]]
) -> None:
    """A fifth fewer rows of the usual mix, prices that grow, and one order that is as large as all others in its currency."""
    assert _spoiled(shop, "orders", statement).deviations == ()


def test_of_many_rows_few_values_are_looked_up_and_the_share_stays(
    shop: tuple[duckdb.DuckDBPyConnection, dict[str, pa.Table]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a million rows a day the weeks before cost more than the day itself."""
    monkeypatch.setattr(measure, "FOLLOWED_ROWS", 100)
    monkeypatch.setattr(measure, "FOLLOWED_VALUES", 20)
    wanted = [day(LAST - 1), day(LAST)]
    few = measured(shop[0], "shipments", wanted).to_pylist()
    every = [one for one in shop[1]["shipments"].to_pylist() if one["landing_date"] in wanted]
    by_name = {(one["landing_date"], one["kind"], one["subject"], one["part"], one["within"]): one for one in few}
    assert len(few) == len(every)
    for one in every:
        other = by_name[one["landing_date"], one["kind"], one["subject"], one["part"], one["within"]]
        if one["kind"] in ("known values", "known pairs", "kept pairs", "repeated content", "reached of"):
            assert other["n"] < one["n"] / 2
            assert other["value"] == pytest.approx(one["value"], abs=0.15)
        else:
            assert (other["n"], other["value"]) == (one["n"], pytest.approx(one["value"]))


def test_a_day_measures_the_same_whichever_days_are_measured_with_it(
    shop: tuple[duckdb.DuckDBPyConnection, dict[str, pa.Table]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One value in how many is looked up followed from the largest day of a run: a day of a backfill had another past than the
    same day by itself.
    """
    some = [day(LAST - 1), day(LAST)]
    rows = {
        one["n"]
        for one in shop[1]["orders"].to_pylist()
        if one["kind"] == "known values" and one["landing_date"] in some
    }
    assert len(rows) == 2
    monkeypatch.setattr(
        measure, "FOLLOWED_ROWS", sum(rows) // 8
    )  # of one day a half is looked up, of the other a quarter
    monkeypatch.setattr(measure, "FOLLOWED_VALUES", 20)
    together = measured(shop[0], "orders", some).to_pylist()
    alone = [one for at in some for one in measured(shop[0], "orders", [at]).to_pylist()]
    known = [
        {(*list(one.values())[:6], round(one["value"], 9)) for one in found if one["kind"].startswith("known")}
        for found in (together, alone)
    ]
    assert known[0] == known[1]


def test_two_sources_that_agree_are_compared_from_the_first_day(
    shop: tuple[duckdb.DuckDBPyConnection, dict[str, pa.Table]],
) -> None:
    """What leads nowhere needs two weeks; of what does, the columns agree or not. Payments of other customers passed for a month."""
    found = [one for one in shop[1]["payments"].to_pylist() if one["part"] == "orders"]
    first = {
        kind: min(one["landing_date"] for one in found if one["kind"] == kind)
        for kind in ("found in", "the same as in")
    }
    assert first == {"found in": day(15), "the same as in": day(1)}


def _series(metrics: dict[Metric, Callable[[int], tuple[float, float, float]]], count: int) -> Series:
    """`metrics`: by metric, rows, value and error of the n-th day."""
    rows = [
        (day(number), metric.kind.value, metric.column, metric.part, metric.within, int(n), value, error)
        for metric, of_day in metrics.items()
        for number in range(1, count + 1)
        for n, value, error in [of_day(number)]
    ]
    columns = list(zip(*rows, strict=True))
    return series_of(pa.table([pa.array(one, field.type) for one, field in zip(columns, SCHEMA, strict=True)], SCHEMA))


LEVEL = Metric(MetricKind.MEAN, "amount")


def _level(noise: float, factor: Callable[[int], float] = lambda _: 1.0) -> Series:
    rng = np.random.default_rng(5)
    values = 100 * np.exp(rng.normal(0, noise, 100))
    return _series({LEVEL: lambda number: (1000, values[number] * factor(number), 100 * noise)}, 60)


def test_a_drift_within_the_noise_of_each_day_is_seen_within_two_weeks() -> None:
    """Two percent a day, where a day alone strays by five."""
    series = _level(0.05, lambda number: 1.02 ** max(0, number - 40))
    told = [number for number in range(41, 55) if judge(series, day(number), set()).deviations]
    assert told, "never seen"
    assert judge(series, day(told[0]), set()).deviations[0].days > 1
    assert not any(judge(_level(0.05), day(number), set()).deviations for number in range(15, 60))


def _drift(percent: float, days_of_it: int) -> Series:
    """A mean that strays by 2 % on each day, and grows from the 41st day on, for some days."""
    return _level(0.02, lambda number: (1 + percent / 100) ** (number - 40) if 40 < number <= 40 + days_of_it else 1.0)


def test_a_drift_is_told_within_six_days_until_it_ends_and_never_after() -> None:
    """The day after its end was told as well, for the week before still held days that nobody had noticed."""
    series = _drift(2.5, 10)
    told = []
    for number in range(41, 61):
        found = judge(series, day(number), set()).deviations
        for one in found:
            series.forget([*one.before_noticed, day(number)], [one.metric])
        told += [number] * bool(found)
    assert told[0] <= 46
    assert told == list(range(told[0], 51))


def test_a_drift_names_the_days_on_which_it_began() -> None:
    """Only these days were asked for again on which it was told; those before stayed wrong, and it was told for ever."""
    series = _drift(2.5, 10)
    judged = {day(number): judge(series, day(number), set()) for number in range(41, 47)}
    noticed = next(one for one, judgement in judged.items() if judgement.deviations)
    found = _drifting(judged, Experience())
    assert found and set(found) < {day(number) for number in range(41, 46)}
    assert {one for one, _ in found.values()} <= {one for one, judgement in judged.items() if judgement.deviations}
    assert max(found) < noticed and judged[max(found)].deviations == ()
    check = "int_orders__deduplicated__profile"
    result = _of_a_drift(check, max(found), *found[max(found)], "run", datetime(2026, 3, 1, tzinfo=UTC))
    facts = Facts.read(result.details["facts"])  # type: ignore[arg-type]
    assert (result.status, result.partition, facts.noticed_on) == (CheckStatus.FAILED, max(found), noticed)
    assert result.details["unlike"] == [["mean", "amount", "", ""]]
    told_before = Experience(unlike={one: frozenset({LEVEL}) for one in found})
    assert _drifting(judged, told_before) == {}, "each day is told once"


def test_one_strange_day_in_a_week_is_no_drift() -> None:
    """Ten times as much on one day is half as much again over the week; the days after it are as ever."""
    series = _level(0.03, lambda number: 10.0 if number == 45 else 1.0)
    told = [number for number in range(41, 61) if judge(series, day(number), set()).deviations]
    assert told == [45]


def test_two_strange_days_in_a_week_are_two_causes() -> None:
    """Rows came twice on a Thursday and again on Monday: the days between were asked for again, and three faults were one."""
    repeated = Metric(MetricKind.REPEATED)
    series = _series({repeated: lambda number: (400, 0.04 if number in (42, 46) else 0.0, float("nan"))}, 50)
    judged = {}
    for number in range(41, 51):
        judged[day(number)] = judge(series, day(number), set())
        series.forget([day(number)], [one.metric for one in judged[day(number)].deviations])
    assert [one for one, found in judged.items() if found.deviations] == [day(42), day(46)]
    assert _drifting(judged, Experience()) == {}


def test_growth_of_a_percent_a_week_is_no_drift() -> None:
    """The month before is the measure, and it grows as well."""
    series = _level(0.01, lambda number: 1.01 ** (number / 7))
    assert not any(judge(series, day(number), set()).deviations for number in range(15, 60))


def test_a_weekend_is_compared_with_weekends() -> None:
    """On Sundays half of the orders come from the app, on other days a fifth; a Sunday of a fifth is strange."""

    def share(number: int) -> tuple[float, float, float]:
        return 1000, 0.5 if day(number).weekday() == 6 and number != 53 else 0.2, float("nan")

    app = Metric(MetricKind.LABEL, "channel", "app")
    other = Metric(MetricKind.LABEL, "channel", "web")
    series = _series({app: share, other: lambda number: (1000, 1 - share(number)[1], float("nan"))}, 60)
    assert day(53).weekday() == 6
    told = [one for one in series.days if judge(series, one, {day(53)}).deviations]
    assert told == [day(53)]


def test_few_rows_are_no_news() -> None:
    """Three of ten are no third: what a thousand rows would prove, ten do not."""
    label = Metric(MetricKind.LABEL, "status", "declined")

    def series(rows: int) -> Series:
        rest = Metric(MetricKind.LABEL, "status", "captured")
        shares = {number: 0.3 if number == 40 else 0.08 for number in range(1, 41)}
        return _series(
            {
                label: lambda number: (rows, shares[number], float("nan")),
                rest: lambda number: (rows, 1 - shares[number], float("nan")),
            },
            40,
        )

    assert not judge(series(30), day(40), set()).deviations
    assert judge(series(1000), day(40), set()).deviations[0].metric.column == "status"


def test_a_number_under_watch_needs_half_the_change_and_no_other_number_does() -> None:
    """Two in a hundred rows more are below the floor of a label; who was declined lately is looked at more closely."""
    declined, refunded = (Metric(MetricKind.LABEL, "status", name) for name in ("declined", "refunded"))

    def share(number: int) -> tuple[float, float, float]:
        return 20_000, 0.22 if number == 40 else 0.2, float("nan")

    series = _series({declined: share, refunded: share}, 40)
    assert not judge(series, day(40), set()).deviations
    assert [one.metric for one in judge(series, day(40), set(), frozenset({declined})).deviations] == [declined]
    assert not judge(series, day(39), set(), frozenset({declined})).deviations


def test_limits_are_where_a_number_begins_to_be_told() -> None:
    """The picture of the past shows a line; just inside it nothing is told, just outside it is."""
    metric = Metric(MetricKind.LABEL, "status", "declined")

    def judged(share: float) -> ProfileJudgement:
        def of_day(number: int) -> tuple[float, float, float]:
            return 2000, share if number == 40 else 0.2 + 0.01 * math.sin(number), float("nan")

        series = _series({metric: of_day}, 40)
        return judge(series, day(40), set())

    [told] = judged(0.6).deviations
    assert told.low < told.usual < told.high < 0.6
    assert [one for one, _ in told.past] == [day(number) for number in range(12, 41)] and told.past[-1][1] == 0.6
    assert not judged(told.high - 0.001).deviations and judged(told.high + 0.001).deviations
    assert not judged(told.low + 0.001).deviations and judged(told.low - 0.001).deviations


def test_what_has_always_jumped_must_jump_further() -> None:
    """Delays have their storms: a mean that was ten times as high twice a month is not alarming when it is so again."""
    stormy = {9, 23, 31, 40}
    series = _series({LEVEL: lambda number: (900, 50.0 if number in stormy else 5.0 + number % 3, 1.0)}, 40)
    assert not judge(series, day(40), set()).deviations
    calm = _series({LEVEL: lambda number: (900, 50.0 if number == 40 else 5.0 + number % 3, 1.0)}, 40)
    assert judge(calm, day(40), set()).deviations


def test_one_day_that_nobody_noticed_does_not_hide_the_next() -> None:
    """Forty percent of nulls passed for usual, because a day of ten percent was in the past."""
    nulls = Metric(MetricKind.EMPTY, "product_id")
    shares = {20: 0.65, LAST: 0.9}
    series = _series({nulls: lambda number: (1000, shares.get(number, 0.45 + number % 5 / 100), float("nan"))}, LAST)
    assert judge(series, day(LAST), set()).deviations


def test_strange_days_are_no_part_of_the_past_and_a_number_alone_may_be_forgotten() -> None:
    """Two weeks of a wrong unit would otherwise make it the usual one."""
    series = _level(0.02, lambda number: 100.0 if 20 <= number <= 34 else 1.0)
    strange = {day(number) for number in range(20, 35)}
    assert not judge(series, day(40), strange).deviations
    told = judge(series, day(34), strange - {day(34)})
    assert told.deviations[0].found / told.deviations[0].usual == pytest.approx(100, rel=0.1)
    series.forget([one for one in series.days if one < day(20)], [LEVEL])  # a person: it is right as it is
    assert judge(series, day(30), set()).metrics == 0
    assert not judge(series, day(34), set()).deviations


def test_noise_alone_keeps_the_budget() -> None:
    """Two hundred numbers, pure noise: 40 days may have 0.04 false alarms together."""
    rng = np.random.default_rng(11)
    noise = rng.normal(0, 0.03, (200, 100))
    metrics = {
        Metric(MetricKind.MEAN, f"measure_{one}"): (
            lambda number, one=one: (500, float(np.exp(noise[one, number])), 0.03)
        )
        for one in range(200)
    }
    series = _series(metrics, 54)
    alarms = sum(bool(judge(series, day(number), set()).deviations) for number in range(15, 55))
    assert BUDGET * 40 < 0.05
    assert alarms == 0


def test_a_day_without_rows_or_without_a_past_is_not_judged() -> None:
    """Neither fine nor strange."""
    series = _level(0.02)
    assert judge(series, day(14), set()).metrics == 0
    assert judge(series, day(15), set()).metrics == 1
    assert judge(series, date(2027, 1, 1) + timedelta(days=1), set()).metrics == 0


@pytest.mark.parametrize(
    ("table", "failing"),
    [
        ("orders", {"int_orders__deduplicated__profile", "int_orders__deduplicated__profile_impact"}),
        pytest.param(
            "payments",
            {"int_payments__deduplicated__profile", "int_payments__deduplicated__profile_impact"},
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_of_two_sources_that_disagree_the_one_that_is_wrong_is_told(
    table: str, failing: set[str], shop: tuple[duckdb.DuckDBPyConnection, dict[str, pa.Table]], tmp_path: Path
) -> None:
    """One cause had two incidents: payments do not have the customers of orders that are wrong. Profiles are kept meanwhile,
    and a day that is built anew is measured anew.
    """
    settings, connection = load_settings(tmp_path), shop[0].cursor()
    names = profile_checks(["orders", "payments"])

    def failed() -> set[str]:
        results = evaluate_profiles(
            settings, connection, [day(LAST)], names, lambda _: Experience(), "run", datetime(2026, 3, 1, tzinfo=UTC)
        )
        assert {one.check for one in results} == names
        assert {one.status for one in results} <= {CheckStatus.PASSED, CheckStatus.FAILED}
        return {one.check for one in results if one.status is CheckStatus.FAILED}

    connection.execute("begin")
    try:
        connection.execute(
            f"create table {BUILT} (table_name varchar, source varchar, day date, rows bigint, digest varchar, is_suspect boolean)"
        )
        for source in SOURCES:
            connection.execute(
                f"insert into {BUILT} select distinct 'stg_{source}', '{source}', landing_date, 1, 'first', false from stg_{source}"
            )
        assert failed() == set()
        for name in (f"stg_{table}", f"int_{table}__deduplicated"):
            connection.execute(f"update {name} set customer_id = 7 where landing_date = $1", [day(LAST)])
        assert failed() == set()  # as it was kept: nobody has built the day since
        connection.execute(f"update {BUILT} set digest = 'second' where source = $1 and day = $2", [table, day(LAST)])
        assert failed() == failing
    finally:
        connection.execute("rollback")

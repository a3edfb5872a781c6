"""Each fault does what it declares, no more, and tells the truth about it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Cadence
from reliability_platform.errors import UsageError
from reliability_platform.lab.campaign.grid import Scenario, trials_of
from reliability_platform.lab.faults.catalogue import CATALOGUE, CONTROLS, fault_named
from reliability_platform.lab.faults.fault import Containment
from reliability_platform.lab.faults.injection import inject_one, injected_batches, rehearse
from reliability_platform.lab.faults.plan import (
    ActivePlan,
    Injection,
    Plan,
    PlannedInjection,
    load_plan,
    resolve_injection,
)
from reliability_platform.lab.faults.truth import load_truths, save_truth, truth_of
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import SimulatedSource, scheduled_batches, simulated_sources
from reliability_platform.settings import load_settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.drop import DropSource
from tests.ground import day

WORLD = Simulation(seed=9, events_per_day=1500)
SOURCES_OF_WORLD = simulated_sources(WORLD)
CASES = [
    # The smallest that a contract allows and the largest: between them nothing else is hit, only more of it.
    pytest.param(name, source, size, marks=[pytest.mark.exhaustive] if size == "small" else [])
    for name, fault in CATALOGUE.items()
    if fault.stage == "landing" and fault.containment is not Containment.TOLD  # those have a file of their own
    for source in fault.applies_to
    for size in ("small", "large")
]


Row = tuple[str, str | None, tuple[tuple[str, object], ...]]


def _rows(batches: list[Batch]) -> Counter[Row]:
    """Every delivered row with its batch and key, as often as it comes."""
    found: Counter[Row] = Counter()
    for batch in batches:
        for row in batch.table.to_pylist():
            key = row[CONTRACTS[batch.source].key[0]]
            found[batch.batch_id, None if key is None else str(key), tuple(sorted(row.items()))] += 1
    return found


def _same(one: Batch, other: Batch) -> bool:
    """Whether nothing at all differs, neither in the rows nor in what the manifest will say."""
    return one.table.equals(other.table) and replace(one, table=None) == replace(other, table=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "source", "size"), CASES)
def test_the_truth_is_exactly_what_changed(name: str, source: str, size: str) -> None:
    """The difference between the clean and the broken landing, batch for batch and row for row, is what truth says."""
    injection = Injection(name, source, day(15), size)
    injected = inject_one(SOURCES_OF_WORLD[injection.source], 1, injection)
    clean_batches, broken_batches = [], []
    changed: set[str] = set()
    for one in injection.landing_dates():
        clean = {batch.batch_id: batch for batch in scheduled_batches(WORLD, source, one)}
        broken = {batch.batch_id: batch for batch in injected.deliveries[one]}
        clean_batches += clean.values()
        broken_batches += broken.values()
        changed |= clean.keys() ^ broken.keys()
        changed |= {key for key in clean.keys() & broken.keys() if not _same(clean[key], broken[key])}
    assert changed == set(injected.batches)
    assert set(injected.landing_dates) <= set(injection.landing_dates())
    broken_batches = [one for one in broken_batches if one.batch_id in changed]  # the rows of all others are equal
    clean_batches = [one for one in clean_batches if one.batch_id in changed]
    named = {(row["batch_id"], row["record_key"]) for row in injected.rows.to_pylist()}
    match CATALOGUE[name].containment:
        case Containment.FILES:  # whatever a refused file holds must not be taken for good
            expected = {pair[:2] for pair in _rows(broken_batches)}
        case Containment.ROWS:
            expected = {pair[:2] for pair in _rows(broken_batches) - _rows(clean_batches)}
        case Containment.HELD if name in ("volume_spike", "unit_change"):
            expected = {pair[:2] for pair in _rows(broken_batches) - _rows(clean_batches)}
        case _:  # rows that do not come, come twice or come late are good rows
            expected = set()
    assert named == expected


@pytest.mark.parametrize(("name", "source", "size"), CASES[::3])
def test_the_same_injection_is_the_same_bytes(name: str, source: str, size: str) -> None:
    """Twice the same seed; another seed hits other rows or batches, unless there is no choice."""
    injection = Injection(name, source, day(15), size)
    first, again = (
        injected_batches(SOURCES_OF_WORLD[source], ActivePlan(1, (injection,)), day(15))[0] for _ in range(2)
    )
    assert all(_same(one, other) for one, other in zip(first, again, strict=True))


def test_late_rows_are_moved_not_lost() -> None:
    """Every row of the clean days is delivered exactly once, later."""
    injection = Injection("late_events", "orders", day(5), "large")
    injected = inject_one(SOURCES_OF_WORLD[injection.source], 1, injection)
    clean = [batch for one in injection.landing_dates() for batch in scheduled_batches(WORLD, "orders", one)]
    moved = [batch for one in injection.landing_dates() for batch in injected.deliveries[one]]

    def keys(batches: list[Batch]) -> list[int]:
        return sorted(pa.concat_tables([batch.table for batch in batches])["order_id"].to_pylist())

    assert keys(clean) == keys(moved)
    early = [row for batch in injected.deliveries[day(6)] for row in batch.table.to_pylist()]
    assert any(row["event_time"].date() == day(5) for row in early)


def test_the_clean_batches_are_never_changed() -> None:
    """An injection works on copies: the same clean day, before and after."""
    before = scheduled_batches(WORLD, "payments", day(5))
    fault = CATALOGUE["null_spike"]
    clean = {day(5): [replace(batch) for batch in before]}
    fault.injection(clean, day(5), 0.5, np.random.default_rng(1))
    assert [batch.table for batch in clean[day(5)]] == [batch.table for batch in before]
    assert all(batch.table["customer_id"].null_count == 0 for batch in clean[day(5)])


def test_two_faults_of_one_day_hit_different_batches() -> None:
    """Each tells the truth about its own; a batch that never came cannot hold nulls."""
    plan = ActivePlan(
        1, (Injection("null_spike", "orders", day(5), "large"), Injection("missing_batch", "orders", day(5), "small"))
    )
    batches, truths = injected_batches(SOURCES_OF_WORLD["orders"], plan, day(5))
    missing, nulls = sorted(truths, key=lambda truth: truth.fault)
    assert (missing.fault, nulls.fault) == ("missing_batch", "null_spike")
    assert len(missing.batches) == 1
    assert not set(missing.batches) & set(nulls.batches)
    assert len(nulls.batches) == len(batches) == 3
    found = {batch.batch_id: batch.table["customer_id"].null_count for batch in batches}
    assert sum(found.values()) == nulls.rows.num_rows


def test_an_injection_of_several_days_is_made_day_by_day() -> None:
    """Each day has its own truth; late rows of one day land on the next, which is hit as well."""
    plan = ActivePlan(1, (Injection("late_events", "orders", day(5), "medium", days=4),))
    keys = []
    for number in range(5, 11):
        batches, truths = injected_batches(SOURCES_OF_WORLD["orders"], plan, day(number))
        keys += [key for batch in batches for key in batch.table["order_id"].to_pylist()]
        # A day knows of its own injection and of those of the two days before, whose rows land on it.
        assert [truth.injection_day for truth in truths] == [
            day(n) for n in range(max(5, number - 2), min(8, number) + 1)
        ]
    clean = [
        key
        for n in range(5, 11)
        for batch in scheduled_batches(WORLD, "orders", day(n))
        for key in batch.table["order_id"].to_pylist()
    ]
    assert sorted(keys) == sorted(clean)


@pytest.mark.parametrize(
    ("injections", "words"),
    [
        ([("null_spike", "orders", 5, 1), ("unit_change", "orders", 5, 1)], "each need all"),
        ([("null_spike", "orders", 5, 3), ("null_spike", "orders", 7, 1)], "twice"),
        ([("corrupt_payloads", "orders", 5, 1)], "has nothing that this fault hits"),
        ([("stale_redelivery", "orders", 5, 1)], "choose a later day"),
        ([("late_events", "orders", 29, 1)], "outside the window"),
        ([("stale_source", "orders", 5, 2)], "finds nothing left to hit"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(injections: list[tuple[str, str, int, int]], words: str) -> None:
    """Before anything is written, with what to do."""
    planned = tuple(
        PlannedInjection(fault=fault, source=source, day=at, days=days) for fault, source, at, days in injections
    )
    with pytest.raises(UsageError, match=words):
        rehearse(
            SOURCES_OF_WORLD, ActivePlan.resolve(Plan(name="x", injections=planned), seed=1, first=day(1), last=day(30))
        )


def test_a_source_that_is_not_due_every_day_is_hit_on_its_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be moved to a day on which nothing comes; a campaign would have broken off on such a day."""
    monkeypatch.setitem(CONTRACTS, "shipments", replace(CONTRACTS["shipments"], cadence=Cadence(4, weekday=2)))
    assert "not due every day" in str(CATALOGUE["late_events"].why_not("shipments"))
    assert CATALOGUE["null_spike"].why_not("shipments") is None
    [plan] = trials_of([Scenario("null_spike", "shipments", size, "day", 1) for size in ("small", "large")])
    assert [(one.first_day.weekday(), one.first_day) for one in plan.scenarios] == [(2, day(28)), (2, day(35))]
    with pytest.raises(UsageError, match="shipments delivers nothing on"):
        inject_one(DropSource("shipments"), 1, Injection("null_spike", "shipments", day(15), "small"))


def test_a_size_may_be_a_number_in_the_unit_of_the_fault() -> None:
    """Whoever looks for the limit of a check needs more than three sizes."""
    plan = Plan(name="x", injections=(PlannedInjection(fault="null_spike", source="orders", day=5, magnitude=0.25),))
    active = ActivePlan.resolve(plan, seed=1, first=day(1), last=day(30))
    _, [truth] = injected_batches(SOURCES_OF_WORLD["orders"], active, day(5))
    rows = sum(batch.table.num_rows for batch in scheduled_batches(WORLD, "orders", day(5)))
    assert truth.rows.num_rows == pytest.approx(0.25 * rows, abs=4)
    for wrong in (0, -1, 1.5, "huge", float("nan")):
        strange = PlannedInjection(fault="null_spike", source="orders", day=5, magnitude=wrong)
        with pytest.raises(UsageError, match="is no magnitude"):
            ActivePlan.resolve(Plan(name="x", injections=(strange,)), seed=1, first=day(1), last=day(30))


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_changes_what_it_says(name: str) -> None:
    """A control that changes nothing would prove nothing; only the clean day may."""
    control = CONTROLS[name]
    source = control.applies_to[0]
    trial = Simulation(seed=9, events_per_day=12_000)
    injected = inject_one(SimulatedSource(trial, source), 1, Injection(name, source, day(15), "medium"))
    clean = scheduled_batches(trial, source, day(15))
    same = all(_same(one, other) for one, other in zip(clean, injected.deliveries[day(15)], strict=True))
    assert same is (name == "clean_day")


def test_plans_of_the_release_before_are_read(tmp_path: Path) -> None:
    """0.3.0 called the injections of a plan its strikes: in files of people, and in the plan that a home follows."""
    said = "name: mine\nstrikes:\n  - {fault: null_spike, source: orders, day: 2, magnitude: large}\n"
    assert load_plan(said) == load_plan(said.replace("strikes", "injections"))
    assert len(load_plan(said).injections) == 1
    with pytest.raises(UsageError, match=r"line 3: strikes\.0\.magnitud"):
        load_plan(said.replace("magnitude", "magnitud"))
    with pytest.raises(UsageError, match="strikes"):
        load_plan(said + said.partition("\n")[2].replace("strikes", "injections"))

    home = load_settings(tmp_path / "home")
    plan = ActivePlan(7, (Injection("null_spike", "orders", day(2), "large"),))
    plan.save(home)
    file = home.faults / "plan.json"
    assert "injections" in file.read_text()
    file.write_text(file.read_text().replace("injections", "strikes"))
    assert ActivePlan.load(home) == plan


def test_truths_of_the_release_before_are_read(tmp_path: Path) -> None:
    """0.3.0 wrote the day of an injection under another name; the scorecard of its home broke off."""
    home = load_settings(tmp_path / "home")
    injection = Injection("null_spike", "orders", day(2), "large")
    injected = inject_one(SOURCES_OF_WORLD["orders"], 1, injection)
    save_truth(home, truth_of(fault_named("null_spike"), injection, day(2), injected, 1))
    [before] = load_truths(home)
    [file] = (home.faults / "truth").glob("*.json")
    file.write_text(file.read_text().replace("injection_day", "blow"))
    [after] = load_truths(home)
    assert (after.fault, after.batches, after.rows) == (before.fault, before.batches, before.rows)


BY_CONTRACT: dict[str, dict[str, tuple[str, ...]]] = {
    "null_spike": {"orders": ("customer_id",), "payments": ("customer_id",), "web_events": ("session_id",), "shipments": ("weight_grams",)},
    "conflicting_duplicate": {"orders": ("quantity",), "payments": ("method",), "web_events": ("event_type",), "shipments": ("weight_grams",)},
    "schema_column_renamed": {"orders": ("customer_id",), "payments": ("customer_id",), "web_events": ("session_id",), "shipments": ("weight_grams",)},
    "volume_spike": {"orders": ("order_id",), "payments": ("payment_id",), "web_events": ("event_id",), "shipments": ("shipment_event_id",)},
    "schema_type_changed": {"orders": ("amount", "event_time"), "payments": ("amount", "event_time"), "web_events": ("session_id", "event_time"), "shipments": ("weight_grams", "ordered_at")},
    "unknown_enum": {"orders": ("currency", "channel"), "payments": ("method", "status", "currency"), "web_events": ("event_type",), "shipments": ("carrier", "status")},
    "orphan_reference": {"orders": ("customer_id", "merchant_id", "product_id"), "payments": ("customer_id",)},
    "out_of_range_values": {"orders": ("quantity", "amount"), "payments": ("amount",), "shipments": ("weight_grams",)},
    "unit_change": {"orders": ("amount",), "payments": ("amount",)},
    "hot_partition_skew": {"orders": ("customer_id",), "payments": ("customer_id",), "web_events": ("customer_id",)},
    "corrupt_payloads": {"web_events": ("payload",)},
    "poison_message": {"web_events": ("payload",)},
    "pii_leak": {"web_events": ("payload",)},
}  # fmt: skip
ONE_OF_SEVERAL = ("schema_type_changed", "unknown_enum", "orphan_reference", "out_of_range_values")
"""Faults that choose by chance among all columns that would do; the others hit the first one."""


@pytest.mark.parametrize("name", BY_CONTRACT)
def test_what_a_fault_hits_in_the_shop_follows_from_its_contracts(name: str) -> None:
    """Tables by source name had to be edited for each new source. What the contracts give is what the tables said, but for
    three columns: nulls come in web_events.session_id (not event_type) and shipments.weight_grams (not order_id), the
    first that the contract watches or requires; a contradicting payment has another method (not status), its first label.
    """
    fault = CATALOGUE[name]
    assert set(fault.applies_to) == set(BY_CONTRACT[name])
    for source, expected in BY_CONTRACT[name].items():
        found = [one.name for one in fault.target.of(source)]
        assert tuple(found if name in ONE_OF_SEVERAL else found[:1]) == expected


def test_why_a_fault_finds_nothing_is_said_in_one_line() -> None:
    """Eleven of 34 faults did not apply to a source of one's own, and nothing said why."""
    reasons = {name: fault.why_not("shipments") for name, fault in CATALOGUE.items()}
    assert reasons["unit_change"] == "shipments declares no measure beside its key"
    assert reasons["null_spike"] is None
    assert all(reason is None or "\n" not in reason for reason in reasons.values())
    assert CONTROLS["volume_a_fifth_down"].why_not("orders") is not None  # payments would lack their orders
    with pytest.raises(
        UsageError, match="unit_change on shipments has nothing that this fault hits: shipments declares no"
    ):
        resolve_injection(PlannedInjection(fault="unit_change", source="shipments", day=3), day(1), day(30))

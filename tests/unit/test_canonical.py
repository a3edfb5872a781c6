"""Equal spellings of a contract are admitted at once; what could mean something else is not."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.odcs import read_contracts
from reliability_platform.errors import UsageError
from reliability_platform.lab.simulation.events import events
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.canonical import canonical
from reliability_platform.landing.columns import breach
from reliability_platform.settings import CONTRACTS_FOLDER
from reliability_platform.strict_yaml import read_yaml
from tests.unit.broken_home import BrokenHome

DAY = date(2026, 1, 5)
SIMULATION = Simulation(seed=3, events_per_day=400)
MONEY, MOMENT = pa.decimal128(12, 2), pa.timestamp("us")


def delivered(source: str, **columns: Any) -> pa.Table:
    """A day of a source with columns in another type, as a Parquet reader gives it back."""
    table = events(SIMULATION, source, DAY)
    for name, change in columns.items():
        values = change(table[name]) if callable(change) else pc.cast(table[name], change)
        table = table.set_column(table.column_names.index(name), name, values)
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(pa.BufferReader(file.getvalue()))


def empty(kind: pa.DataType) -> Any:
    return lambda values: pa.nulls(len(values), kind)


EQUAL = {
    "large_string": ("orders", {"currency": pa.large_string(), "channel": pa.large_string()}),
    "string_view": ("orders", {"currency": pa.string_view()}),
    "binary that is UTF-8": ("web_events", {"payload": pa.binary()}),
    "large_binary": ("web_events", {"payload": pa.large_binary()}),
    "JSON text": (
        "web_events",
        {"payload": lambda one: pa.ExtensionArray.from_storage(pa.json_(), one.combine_chunks())},
    ),
    "dictionary of text": ("orders", {"currency": lambda one: pc.dictionary_encode(one)}),
    "dictionary of large text": (
        "orders",
        {"currency": lambda one: pc.dictionary_encode(pc.cast(one, pa.large_string()))},
    ),
    "int64 for int32": ("orders", {"quantity": pa.int64()}),
    "int8, uint16 and uint32": (
        "orders",
        {"quantity": pa.int8(), "customer_id": pa.uint16(), "product_id": pa.uint32()},
    ),
    "uint64": ("orders", {"order_id": pa.uint64()}),
    "an integer as a decimal without places": ("orders", {"order_id": pa.decimal128(38, 0)}),
    "a wider decimal": ("orders", {"amount": pa.decimal128(38, 10)}),
    "decimal256": ("orders", {"amount": pa.decimal256(60, 2)}),
    "nanoseconds": ("orders", {"event_time": pa.timestamp("ns")}),
    "UTC": ("orders", {"event_time": pa.timestamp("us", "UTC")}),
    "UTC in nanoseconds": ("payments", {"event_time": pa.timestamp("ns", "+00:00")}),
    "instants with another zone": ("shipments", {"promised_at": pa.timestamp("us", "Europe/Berlin")}),
    "an optional column typed null": ("web_events", {"product_id": empty(pa.null()), "customer_id": empty(pa.null())}),
    "an optional column all null as pandas has it": ("web_events", {"product_id": empty(pa.float64())}),
}


@pytest.mark.parametrize("spelling", EQUAL)
def test_an_equal_spelling_is_the_contracts_own(spelling: str) -> None:
    """Each of these was a P1 whose landing day was held."""
    source, columns = EQUAL[spelling]
    came = delivered(source, **columns)
    contract = CONTRACTS[source]
    assert breach(contract, came, DAY) is not None
    read = canonical(came, contract)
    assert breach(contract, read, DAY) is None
    expected = events(SIMULATION, source, DAY)
    for name, values in zip(read.column_names, read.columns, strict=True):
        nulls = callable(columns.get(name)) and values.null_count == len(values)
        assert nulls or values.equals(expected[name])


def test_seconds_and_milliseconds_that_are_whole_are_equal() -> None:
    """Spark writes milliseconds, and some writers whole seconds."""
    for unit in ("s", "ms"):
        came = delivered("orders", event_time=lambda one, unit=unit: pc.cast(one, pa.timestamp(unit), safe=False))
        read = canonical(came, CONTRACTS["orders"])
        assert read.schema.field("event_time").type == MOMENT
        assert pc.all(pc.equal(read["event_time"], pc.cast(came["event_time"], MOMENT))).as_py()


def test_other_columns_and_their_order_are_left_alone() -> None:
    """The canonical form is about the contract's columns; bronze has their order anyway."""
    came = delivered("orders", quantity=pa.int64())
    came = came.select(came.column_names[::-1]).append_column(
        "coupon", pa.array(["x"] * came.num_rows).dictionary_encode()
    )
    read = canonical(came, CONTRACTS["orders"])
    assert read.column_names == came.column_names
    assert read["coupon"].equals(came["coupon"])
    assert breach(CONTRACTS["orders"], read, DAY) is None


def test_a_pandas_file_of_no_rows_is_an_empty_batch(tmp_path: Path) -> None:
    """Its columns have no types: each came as null, or as float."""
    home = BrokenHome(tmp_path, "web_events")
    names = CONTRACTS["web_events"].arrow_schema.names
    nothing = pa.table({name: pa.array([], pa.null() if name != "event_id" else pa.float64()) for name in names})
    home.land(retyped={2: lambda _: nothing})
    assert set(home.admit().values()) == {"admitted"}
    admitted = bronze_folder(home.settings, "web_events", home.day) / "web_events-20260105-02.parquet"
    assert pq.read_metadata(admitted).num_rows == 0


def last_replaced(by: Any, kind: pa.DataType) -> Any:
    return lambda values: pa.array([*values.to_pylist()[:-1], by], kind)


OTHER = {
    "a count as float": ("orders", {"quantity": pa.float64()}),
    "an amount as float": ("orders", {"amount": lambda one: pc.cast(one, pa.float64())}),
    "an amount without places, which may be cents": (
        "orders",
        {"amount": lambda one: pc.cast(pc.multiply(pc.cast(one, pa.decimal128(12, 2)), 100), pa.int64())},
    ),
    "a count that does not fit": ("orders", {"quantity": last_replaced(2**31, pa.int64())}),
    "a key that does not fit": ("orders", {"order_id": last_replaced(2**63, pa.uint64())}),
    "an amount with a third place": ("orders", {"amount": last_replaced(Decimal("1.005"), pa.decimal128(20, 3))}),
    "an amount that does not fit": ("orders", {"amount": last_replaced(Decimal("1e11"), pa.decimal128(20, 2))}),
    "bytes that are no UTF-8": ("orders", {"currency": last_replaced(b"\xff", pa.binary())}),
    "a digest for a text": ("orders", {"currency": lambda one: pa.array([b"\0" * 16] * len(one), pa.binary(16))}),
    "moments cut at the microsecond": (
        "orders",
        {"event_time": lambda one: pc.add(pc.cast(one, pa.timestamp("ns")), pa.scalar(1, pa.duration("ns")))},
    ),
    "a day for a moment": ("orders", {"event_time": pa.date32()}),
    "true for a number": ("orders", {"quantity": lambda one: pc.greater(one, 1)}),
    "a number for a text": ("orders", {"currency": lambda one: pa.array(range(len(one)))}),
    "a dictionary of floats": ("orders", {"quantity": lambda one: pc.dictionary_encode(pc.cast(one, pa.float64()))}),
}


@pytest.mark.parametrize("change", OTHER)
def test_what_could_mean_something_else_stays_as_it_came(change: str) -> None:
    """One value that does not fit, or a type that says less, and the column is not equal."""
    source, columns = OTHER[change]
    try:
        came = delivered(source, **columns)
    except pa.ArrowInvalid:
        came = delivered(
            source, **{name: lambda one, kind=kind: pc.cast(one, kind, safe=False) for name, kind in columns.items()}
        )
    broken = breach(CONTRACTS[source], canonical(came, CONTRACTS[source]), DAY)
    assert broken is not None
    assert broken.reason == "schema_type_changed"


def declared(tmp_path: Path, **changes: str) -> Contract:
    """The contract of orders with fields of some columns changed."""
    content = read_yaml((CONTRACTS_FOLDER / "orders.yml").read_text())
    for column in content["schema"][0]["properties"]:
        column |= read_yaml(changes.get(column["name"], "{}"))
    (tmp_path / "orders.yml").write_text(yaml.safe_dump(content))
    [contract] = read_contracts(tmp_path / "orders.yml")
    return contract


ALIAS = "customProperties: [{property: aliases, value: [user_id, userId]}]"


def test_a_declared_alias_is_the_column_itself(tmp_path: Path) -> None:
    """The contract has said so: nobody is asked, whatever type of equal meaning it has besides."""
    contract = declared(tmp_path, customer_id=ALIAS)
    assert contract.aliases == {"user_id": "customer_id", "userId": "customer_id"}
    came = delivered("orders", customer_id=pa.int32())
    for alias in contract.aliases:
        renamed = came.rename_columns([alias if name == "customer_id" else name for name in came.column_names])
        assert breach(CONTRACTS["orders"], canonical(renamed, CONTRACTS["orders"]), DAY) is not None
        read = canonical(renamed, contract)
        assert breach(contract, read, DAY) is None
        assert read["customer_id"].equals(events(SIMULATION, "orders", DAY)["customer_id"])


@pytest.mark.parametrize("spelling", [str.upper, str.title, lambda name: f"{name} ", lambda name: f"\ufeff{name}"])
def test_a_name_that_differs_in_case_or_in_what_cannot_be_seen_is_the_columns_own(
    spelling: Callable[[str], str],
) -> None:
    """Whole exports in capitals, and a mark of a text file before the first name, were columns that are missing."""
    contract, expected = CONTRACTS["orders"], delivered("orders")
    came = expected.rename_columns([spelling(name) for name in expected.column_names])
    assert canonical(came, contract).column_names == expected.column_names
    twice = came.append_column(spelling("amount") + " ", came[spelling("amount")])
    assert spelling("amount") in canonical(twice, contract).column_names


def test_of_two_columns_that_claim_the_name_none_is_guessed(tmp_path: Path) -> None:
    """The column itself counts, and the other one is unknown; two aliases are a missing column."""
    contract = declared(tmp_path, customer_id=ALIAS)
    came = delivered("orders")
    other = pc.add(came["customer_id"], 1)
    beside = canonical(came.append_column("user_id", other), contract)
    assert beside["customer_id"].equals(came["customer_id"])
    assert "user_id" in beside.column_names
    names = ["user_id" if name == "customer_id" else name for name in came.column_names]
    two = canonical(came.rename_columns(names).append_column("userId", other), contract)
    assert breach(contract, two, DAY) is not None


@pytest.mark.parametrize(
    ("column", "more", "why"),
    [
        ("customer_id", "customProperties: [{property: aliases, value: [amount]}]", "amount stands for more than one"),
        ("customer_id", "customProperties: [{property: aliases, value: [a, a]}]", "a stands for more than one"),
        ("customer_id", "customProperties: [{property: aliases, value: [gift_wrapped]}]", "gift_wrapped stands"),
        ("customer_id", "customProperties: [{property: aliases, value: user_id}]", "a list of names"),
        ("event_time", "logicalTypeOptions: {defaultTimezone: Erewhon/City}", "does not exist"),
        ("amount", "logicalTypeOptions: {defaultTimezone: UTC}", "no TIMESTAMP"),
    ],
)
def test_a_contract_whose_names_or_zones_contradict_each_other_is_refused(
    tmp_path: Path, column: str, more: str, why: str
) -> None:
    """Else it would be read in one of two ways, and nobody knew in which."""
    with pytest.raises(UsageError, match=why):
        declared(tmp_path, **{column: more})


def test_moments_without_a_zone_are_of_the_zone_that_the_contract_declares(tmp_path: Path) -> None:
    """UTC where it declares none; those that carry their zone are what they are."""
    berlin = declared(tmp_path, event_time="logicalTypeOptions: {defaultTimezone: Europe/Berlin}")
    local, instant = datetime(2026, 1, 5, 13), datetime(2026, 1, 5, 13, tzinfo=ZoneInfo("Europe/Berlin"))
    noon = datetime(2026, 1, 5, 12)
    naive = pa.table({"event_time": pa.array([local], MOMENT)})
    zoned = pa.table({"event_time": pa.array([instant.astimezone(UTC)], pa.timestamp("us", "Europe/Berlin"))})
    assert canonical(naive, CONTRACTS["orders"])["event_time"].to_pylist() == [local]
    assert canonical(naive, berlin)["event_time"].to_pylist() == [noon]
    assert canonical(zoned, berlin)["event_time"].to_pylist() == [noon]
    assert canonical(zoned, CONTRACTS["orders"])["event_time"].to_pylist() == [noon]
    twice = pa.table({"event_time": pa.array([datetime(2026, 10, 25, 2, 30)], MOMENT)})
    assert canonical(twice, berlin).schema.field("event_time").type != MOMENT


def test_a_file_whose_notes_name_another_zone_is_not_taken_for_utc() -> None:
    """A frame whose zone was dropped on the way still says in its notes which one it was."""
    came = delivered("orders")
    place = came.column_names.index("event_time")
    noted = came.set_column(
        place, pa.field("event_time", MOMENT, metadata={"timezone": "Europe/Berlin"}), came["event_time"]
    )
    pandas = came.replace_schema_metadata(
        {"pandas": '{"columns": [{"name": "event_time", "field_name": "event_time", "metadata": {"timezone": "CET"}}]}'}
    )
    for one in (noted, pandas):
        broken = breach(CONTRACTS["orders"], canonical(one, CONTRACTS["orders"]), DAY)
        assert broken is not None
        assert (broken.reason, list(broken.changed)) == ("schema_type_changed", ["event_time"])
    for notes in (
        "{",
        "[]",
        '{"columns": 3}',
        '{"columns": [{"metadata": {"timezone": "UTC"}, "name": "event_time"}]}',
    ):
        fine = came.replace_schema_metadata({"pandas": notes})
        assert breach(CONTRACTS["orders"], canonical(fine, CONTRACTS["orders"]), DAY) is None

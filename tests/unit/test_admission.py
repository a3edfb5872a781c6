"""Admission judges each file by itself; nothing that lands is lost, and nothing that is broken gets in."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.lab.simulation.system import request_batch, scheduled_batches
from reliability_platform.landing.admission import Admission, admit
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.decisions import approve_shim
from reliability_platform.landing.file_quarantine import quarantined_file, quarantined_files
from reliability_platform.landing.writer import landing_folder, write_batch
from tests.conftest import Platform, day

ORDERS = "orders"


@pytest.fixture
def landed(platform: Callable[..., Platform]) -> Platform:
    """One day of orders in landing."""
    made = platform(events_per_day=400)
    for batch in scheduled_batches(made.simulation, ORDERS, day(1)):
        write_batch(made.settings, batch)
    return made


def _file(landed: Platform, number: int) -> Path:
    return landing_folder(landed.settings, ORDERS, day(1)) / f"orders-20260101-{number:02d}.parquet"


def _refused(records: list[Admission]) -> dict[str, str | None]:
    return {record.batch_id: record.reason for record in records if record.status == "refused"}


def test_clean_files_enter_bronze_with_every_value(landed: Platform) -> None:
    """All rows, each with its batch and row number."""
    records = admit(landed.settings, ORDERS, day(1))
    assert not _refused(records)
    assert sum(record.admitted_rows for record in records) == sum(record.delivered_rows for record in records) > 0
    bronze = pq.read_table(bronze_folder(landed.settings, ORDERS, day(1)) / "orders-20260101-02.parquet")
    delivered = pq.read_table(_file(landed, 2))
    assert bronze.select(delivered.column_names).equals(delivered)
    assert bronze["_row_number"].to_pylist() == list(range(1, bronze.num_rows + 1))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "checksum_mismatch"),
        (lambda path: path.write_bytes(b""), "checksum_mismatch"),
        (lambda path: path.with_name(path.stem + ".manifest.json").unlink(), "no_manifest"),
        (lambda path: path.with_name(path.stem + ".manifest.json").write_text("{'not': json"), "manifest_unreadable"),
        (lambda path: path.with_name(path.stem + ".manifest.json").write_text("[]"), "manifest_unreadable"),
        (lambda path: path.unlink(), "no_file"),
    ],
)
def test_a_damaged_delivery_is_quarantined_and_the_others_go_on(
    landed: Platform, damage: Callable[[Path], object], reason: str
) -> None:
    """Cut short, empty, without manifest, with a garbled one, or a manifest alone."""
    damage(_file(landed, 2))
    records = admit(landed.settings, ORDERS, day(1))
    assert _refused(records) == {"orders-20260101-02": reason}
    assert sum(record.status == "admitted" for record in records) == 3
    [entry] = quarantined_files(landed.settings)
    assert entry["reason"] == reason
    if reason != "no_file":
        copy = quarantined_file(landed.settings, ORDERS, day(1), "orders-20260101-02")
        assert copy.read_bytes() == _file(landed, 2).read_bytes()


@pytest.mark.parametrize("name", ["garbage.parquet", "x..y", "<script>.bin", "a b'; drop.txt", "\n.csv"])
def test_a_stray_file_of_any_name_and_bytes_is_quarantined(landed: Platform, name: str) -> None:
    """Somebody drops a file where only batches belong."""
    (landing_folder(landed.settings, ORDERS, day(1)) / name).write_bytes(b"\x00\xffPAR1 garbage" * 9)
    records = admit(landed.settings, ORDERS, day(1))
    assert list(_refused(records).values()) == ["no_manifest"]
    [entry] = quarantined_files(landed.settings)
    assert set(entry["batch_id"]) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def test_a_row_count_that_breaks_the_manifest_is_refused(landed: Platform) -> None:
    """A partial batch: fewer rows than declared, in a file that is whole."""
    [batch, *_] = scheduled_batches(landed.simulation, ORDERS, day(1))
    write_batch(landed.settings, replace(batch, declared_rows=batch.table.num_rows + 5))
    assert _refused(admit(landed.settings, ORDERS, day(1))) == {batch.batch_id: "row_count_mismatch"}


def _rewritten(landed: Platform, change: Callable[[pa.Table], pa.Table]) -> dict[str, str | None]:

    batch = scheduled_batches(landed.simulation, ORDERS, day(1))[1]
    write_batch(landed.settings, replace(batch, table=change(batch.table)))
    return _refused(admit(landed.settings, ORDERS, day(1)))


def test_schema_breaks_are_told_apart(landed: Platform) -> None:
    """Renamed (and the likely rename named), gone, of another type; an added column is rescued, not refused."""
    batch = "orders-20260101-02"
    rename = {"customer_id": "user_id"}
    assert _rewritten(
        landed, lambda table: table.rename_columns([rename.get(name, name) for name in table.column_names])
    ) == {batch: "schema_column_renamed"}
    [entry] = quarantined_files(landed.settings)
    assert json.loads(entry["detail"])["rename"] == {"user_id": "customer_id"}
    assert _rewritten(landed, lambda table: table.drop_columns(["amount"])) == {batch: "schema_column_missing"}
    text = pa.array(["1,50"])
    assert _rewritten(
        landed,
        lambda table: table.set_column(5, "amount", pa.chunked_array([text.take(pa.array([0] * table.num_rows))])),
    ) == {batch: "schema_type_changed"}
    assert _rewritten(landed, lambda table: table.append_column("coupon", pa.array(["=cmd"] * table.num_rows))) == {}
    bronze = pq.read_table(bronze_folder(landed.settings, ORDERS, day(1)) / f"{batch}.parquet")
    assert json.loads(bronze["_rescued"][0].as_py()) == {"coupon": "=cmd"}


def test_a_renamed_file_is_replayed_through_an_approved_shim(landed: Platform) -> None:
    """The same bytes, admitted at last; the quarantine remembers why they had been refused."""
    rename = {"customer_id": "user_id"}
    _rewritten(landed, lambda table: table.rename_columns([rename.get(name, name) for name in table.column_names]))
    approve_shim(landed.settings, ORDERS, "orders-20260101-02", Reading({"user_id": "customer_id"}), "test", "because")
    records = {record.batch_id: record for record in admit(landed.settings, ORDERS, day(1))}
    assert records["orders-20260101-02"].state == "replayed"
    assert records["orders-20260101-02"].admitted_rows == records["orders-20260101-02"].delivered_rows
    [entry] = quarantined_files(landed.settings)
    assert (entry["state"], entry["reason"]) == ("replayed", "schema_column_renamed")


def test_a_later_attempt_supersedes_a_refused_file(landed: Platform) -> None:
    """The source sent it again: the refused file stays as evidence, in a state of its own."""
    _file(landed, 2).write_bytes(b"broken")
    write_batch(landed.settings, request_batch(landed.simulation, ORDERS, day(1), 2, 2))
    records = {record.batch_id: record for record in admit(landed.settings, ORDERS, day(1))}
    assert records["orders-20260101-02"].state == "superseded"
    assert records["orders-20260101-02-a2"].state == "admitted"


def test_admission_again_changes_nothing(landed: Platform) -> None:
    """A pure function of what landed."""
    first = admit(landed.settings, ORDERS, day(1))
    folder = bronze_folder(landed.settings, ORDERS, day(1))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert admit(landed.settings, ORDERS, day(1)) == first
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

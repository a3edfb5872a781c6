"""Admission judges each file by itself; nothing that lands is lost, and nothing that is broken gets in."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.contracts import CONTRACTS
from reliability_platform.lab.simulation.system import request_batch, scheduled_batches
from reliability_platform.landing.admission import Admission, admit
from reliability_platform.landing.bronze import admissions_file, bronze_folder
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.decisions import accept_late_rows, approve_shim
from reliability_platform.landing.file_quarantine import quarantined_file, quarantined_files
from reliability_platform.landing.seals import seal_file
from reliability_platform.landing.unchanged import ADMITTED_FROM
from reliability_platform.landing.writer import landing_folder, write_batch
from tests.ground import Platform, day

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


def _as_stored(landed: Platform) -> dict[str, tuple[int, bytes]]:
    folder = bronze_folder(landed.settings, ORDERS, day(1))
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.iterdir()}


def test_a_day_of_which_nothing_has_changed_is_not_admitted_again(landed: Platform) -> None:
    """The same records, and the very files that were there."""
    records = admit(landed.settings, ORDERS, day(1))
    before = _as_stored(landed)
    assert admit(landed.settings, ORDERS, day(1)) == records
    assert _as_stored(landed) == before


def _admitted_in(landed: Platform) -> Path:
    return bronze_folder(landed.settings, ORDERS, day(1)) / "orders-20260101-02.parquet"


@pytest.mark.parametrize(
    "change",
    [
        lambda landed: _file(landed, 2).write_bytes(_file(landed, 2).read_bytes()[:-40]),
        lambda landed: _file(landed, 2).unlink(),
        lambda landed: _file(landed, 9).write_bytes(b"garbage"),
        lambda landed: _file(landed, 9).mkdir(),
        lambda landed: _file(landed, 2).with_name("orders-20260101-02.manifest.json").write_text("[]"),
        lambda landed: write_batch(landed.settings, request_batch(landed.simulation, ORDERS, day(1), 2, 2)),
        lambda landed: accept_late_rows(landed.settings, ORDERS, day(1), "somebody", "they count"),
        lambda landed: _admitted_in(landed).write_bytes(b"damaged"),
        lambda landed: _admitted_in(landed).unlink(),
        lambda landed: (_admitted_in(landed).with_name("stray.parquet")).write_bytes(b""),
        lambda landed: admissions_file(landed.settings, ORDERS, day(1)).unlink(),
        lambda landed: seal_file(landed.settings, ORDERS, day(1)).write_text("{}"),
    ],
)
def test_a_day_of_which_anything_has_changed_is_admitted_as_if_for_the_first_time(
    landed: Platform, change: Callable[[Platform], object]
) -> None:
    """Landing, a decision, bronze, the records or the seal: what comes of it is what comes of it without a memory."""
    admit(landed.settings, ORDERS, day(1))
    change(landed)
    records = admit(landed.settings, ORDERS, day(1))
    content = {name: stored for name, (_, stored) in _as_stored(landed).items()}
    (admissions_file(landed.settings, ORDERS, day(1)).with_name(ADMITTED_FROM)).unlink(missing_ok=True)
    assert admit(landed.settings, ORDERS, day(1)) == records
    assert {name: stored for name, (_, stored) in _as_stored(landed).items()} == content
    assert "stray.parquet" not in content


def test_another_contract_admits_an_unchanged_day_again(landed: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the contract demands decides what is admitted."""
    assert not _refused(admit(landed.settings, ORDERS, day(1)))
    contract = CONTRACTS[ORDERS]
    wanted = replace(contract, columns=(*contract.columns, replace(contract.columns[0], name="demanded_now")))
    monkeypatch.setitem(CONTRACTS, ORDERS, wanted)
    assert len(_refused(admit(landed.settings, ORDERS, day(1)))) == 4

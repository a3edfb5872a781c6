"""Whatever lies in landing ends in a record, costs only itself, and blocks nobody."""

import copy
import json
import os
import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.atomic import parquet_bytes
from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.evaluate import evaluate
from reliability_platform.checks.native import evaluate_native
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.run_monitor import monitor_landing
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli import doctor
from reliability_platform.clock import utc_now
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.simulation.system import request_batch, scheduled_batches
from reliability_platform.landing import admission, entries, parquet_file
from reliability_platform.landing.admission import Admission, admit
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.entries import read_file
from reliability_platform.landing.file_quarantine import quarantined_file, quarantined_files
from reliability_platform.landing.manifest import Manifest
from reliability_platform.landing.misplaced import misplaced, unexamined
from reliability_platform.landing.purged import sha256_of
from reliability_platform.landing.replacement import land_replacement, landed_manifests
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions.re_request import request
from reliability_platform.remediation.dead_letters.discard import discard
from reliability_platform.remediation.dead_letters.letters import Letter, Selection, waiting_files
from reliability_platform.remediation.dead_letters.replay import offers, perform
from reliability_platform.remediation.due import may_act
from reliability_platform.remediation.evidence import held_slots
from reliability_platform.remediation.ledger import ACCEPTED
from reliability_platform.remediation.purge import survey
from tests.ground import Platform, day
from tests.rights import without_overriding_rights

ORDERS, SECOND = "orders", "orders-20260101-02"
MAGIC_OF_DS_STORE = b"\0\0\0\1Bud1"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """One day of orders in landing; tests copy it."""
    made = Platform(tmp_path_factory.mktemp("landed") / "home", events_per_day=400)
    for batch in scheduled_batches(made.simulation, ORDERS, day(1)):
        write_batch(made.settings, batch)
    return made


@pytest.fixture
def landed(template: Platform, tmp_path: Path) -> Platform:
    """A home of one's own."""
    home = Path(shutil.copytree(template.settings.home, tmp_path / "home"))
    made = copy.copy(template)
    made.settings = template.settings.model_copy(update={"home": home})
    made.engine = operations_engine(made.settings)
    return made


def folder(landed: Platform) -> Path:
    return landing_folder(landed.settings, ORDERS, day(1))


def put(landed: Platform, content: bytes, *, slot: int = 2, attempt: int = 2, **said: Any) -> Path:
    """A batch with an honest manifest, but for what is `said` otherwise."""
    name = f"orders-20260101-{slot:02d}" + (f"-a{attempt}" if attempt > 1 else "")
    manifest: dict[str, Any] = {
        "batch_id": name,
        "source": ORDERS,
        "landing_date": "2026-01-01",
        "sequence": slot,
        "attempt": attempt,
        "kind": "replacement" if attempt > 1 else "scheduled",
        "checksum": sha256_of(content),
        "columns": [],
        "schema_fingerprint": "0123456789abcdef",
        "produced_at": "2026-01-01T23:59:00",
        "landed_at": "2026-01-01T23:59:30",
    } | said
    if "expected_rows" not in manifest:
        manifest["expected_rows"] = pq.read_metadata(pa.BufferReader(content)).num_rows
    path = folder(landed) / f"{name}.parquet"
    path.write_bytes(content)
    manifest_of(path).write_text(json.dumps(manifest))
    return path


def manifest_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.manifest.json")


def rows_of(landed: Platform, slot: int = 2) -> pa.Table:
    return scheduled_batches(landed.simulation, ORDERS, day(1))[slot - 1].table


def records(landed: Platform) -> dict[str, Admission]:
    """What became of each entry, by its file's name."""
    return {Path(one.file).name: one for one in admit(landed.settings, ORDERS, day(1))}


def admitted(landed: Platform) -> set[str]:
    return {one.batch_id for one in admit(landed.settings, ORDERS, day(1)) if one.status == "admitted"}


# Entries that are no files


def _folder_of_spark(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    (path / "part-00000.snappy.parquet").write_bytes(content)
    (path / "_SUCCESS").touch()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _socket(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may have 107 bytes
    try:
        with closing(socket.socket(socket.AF_UNIX)) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def _link_to(target: Callable[[Path], Path]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.unlink()
        path.symlink_to(target(path))

    return make


def _outside(path: Path) -> Path:
    elsewhere = path.parents[4] / "elsewhere.parquet"
    elsewhere.write_bytes(b"somebody's own file")
    return elsewhere


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (_folder_of_spark, "a folder"),
        (_pipe, "a pipe"),
        (_socket, "a socket"),
        (_link_to(lambda path: path.parent / "nowhere"), "a link"),
        (_link_to(lambda path: path.parent), "a link"),
        (_link_to(lambda path: path), "a link"),
        (_link_to(_outside), "a link"),
        (_link_to(lambda _: Path("/dev/zero")), "a link"),
    ],
)
def test_what_is_no_file_is_refused_as_what_it_is_with_the_rows_that_its_manifest_declares(
    landed: Platform, make: Callable[[Path], None], what: str
) -> None:
    """A folder called x.parquet, as Spark writes it, left 750 declared rows in no account; a pipe blocked for ever."""
    path = folder(landed) / f"{SECOND}.parquet"
    make(path)
    found = records(landed)
    assert len(found) == 4
    record = found[path.name]
    assert (record.status, record.state, record.reason) == ("refused", "quarantined", "not_a_file")
    assert what in (record.detail or "")
    assert record.delivered_rows == rows_of(landed).num_rows > 0
    assert sum(one.status == "admitted" for one in found.values()) == 3
    assert [one["reason"] for one in quarantined_files(landed.settings)] == ["not_a_file"]
    assert not quarantined_file(landed.settings, ORDERS, day(1), SECOND).exists()  # nothing from elsewhere is copied
    write_batch(landed.settings, scheduled_batches(landed.simulation, ORDERS, day(1))[1])  # the day lands again
    assert records(landed)[path.name] == record


def test_a_subfolder_of_files_is_one_record_with_the_rows_in_it(landed: Platform) -> None:
    """`hour=13/` below a day was looked into by nobody."""
    below = folder(landed) / "hour=13" / "deeper"
    below.mkdir(parents=True)
    pq.write_table(rows_of(landed), below / "part-0.parquet")
    record = records(landed)["hour=13"]
    assert (record.reason, record.delivered_rows) == ("not_a_file", rows_of(landed).num_rows)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_a_manifest_always_has_an_end(landed: Platform, kind: str) -> None:
    """Its file never came, or the manifest itself is no file: reading a pipe would wait for ever."""
    path = folder(landed) / f"{SECOND}.parquet"
    if kind == "missing":
        path.unlink()
        record = records(landed)[manifest_of(path).name]
        assert (record.reason, record.delivered_rows) == ("no_file", rows_of(landed).num_rows)
        return
    manifest_of(path).unlink()
    manifest_of(path).mkdir() if kind == "folder" else os.mkfifo(manifest_of(path))
    assert SECOND not in {one.batch_id for one in landed_manifests(landed.settings, ORDERS, day(1))}
    record = records(landed)[path.name]
    assert (record.reason, record.delivered_rows) == ("manifest_unreadable", rows_of(landed).num_rows)
    assert "no file" in (record.detail or "")
    path.unlink()
    assert records(landed)[manifest_of(path).name].reason == "not_a_file"


def test_names_that_are_no_text_or_endless_or_hidden_each_end_in_a_record(landed: Platform) -> None:
    """Names are bytes; the record shows them as text and is found by a digest."""
    names = [b"\xff\xfe.parquet", b"x" * 250 + b".pq", b".orders-20260101-09.parquet", b"a\nb", b"\xe2\x80\xae.csv"]
    for name in names:
        (folder(landed) / os.fsdecode(name)).write_bytes(b"PAR1 garbage")
    found = [one for one in admit(landed.settings, ORDERS, day(1)) if one.status == "refused"]
    assert len({one.batch_id for one in found}) == len(names)
    assert {one.reason for one in found} == {"no_manifest"}
    assert len(quarantined_files(landed.settings)) == len(names)


def test_a_link_within_landing_is_the_file_that_it_leads_to(landed: Platform) -> None:
    """The same numbers whether or not a copy tool follows links; the checksum of the manifest holds the content."""
    path = folder(landed) / f"{SECOND}.parquet"
    kept = path.rename(landed.settings.landing / "kept.parquet")
    path.symlink_to(kept)
    assert records(landed)[path.name].status == "admitted"


@pytest.mark.parametrize("make", [lambda path: path.write_text("a file"), lambda path: path.symlink_to(path)])
def test_a_day_that_is_no_folder_is_refused_and_the_day_can_still_be_delivered(
    landed: Platform, make: Callable[[Path], object]
) -> None:
    """One bad entry in the place of a folder must not end the run of all sources."""
    place = landing_folder(landed.settings, ORDERS, day(2))
    make(place)
    [record] = admit(landed.settings, ORDERS, day(2))
    assert (record.status, record.reason) == ("refused", "folder_unreadable")
    write_batch(landed.settings, scheduled_batches(landed.simulation, ORDERS, day(2))[0])
    assert len(admit(landed.settings, ORDERS, day(2))) == 1


# Errors of the operating system


@pytest.fixture
def forbidding(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Names whose reading the system refuses, as for a user without rights: root, who runs these tests, has all."""
    names: set[str] = set()

    def guarded(path: Path, limit: int | None = None) -> bytes:
        if path.name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return read_file(path, limit)

    for module in ("admission", "file_quarantine", "manifest", "markers", "writer"):
        monkeypatch.setattr(f"reliability_platform.landing.{module}.read_file", guarded)
    yield names


def test_a_file_without_rights_is_refused_by_name_and_the_others_go_on(landed: Platform, forbidding: set[str]) -> None:
    """One file without read permission ended the run of all sources, and no message named it."""
    forbidding.add(f"{SECOND}.parquet")
    found = records(landed)
    record = found[f"{SECOND}.parquet"]
    assert (record.status, record.reason, record.detail) == ("refused", "unreadable_file", "permission denied")
    assert record.delivered_rows == rows_of(landed).num_rows
    assert sum(one.status == "admitted" for one in found.values()) == 3
    [entry] = quarantined_files(landed.settings)
    assert (entry["batch_id"], entry["detail"]) == (SECOND, "permission denied")
    forbidding.clear()
    assert admitted(landed) >= {SECOND}


def test_a_manifest_without_rights_is_refused_with_this_reason(landed: Platform, forbidding: set[str]) -> None:
    """As above, for the other file of a batch."""
    forbidding.add(f"{SECOND}.manifest.json")
    record = records(landed)[f"{SECOND}.parquet"]
    assert (record.reason, record.detail) == ("manifest_unreadable", "permission denied")


@pytest.mark.parametrize(
    ("level", "mode"), [("day", 0o000), ("day", 0o311), ("day", 0o444), ("source", 0o000), ("source", 0o444)]
)
def test_a_folder_without_rights_costs_its_own_days_alone(landed: Platform, level: str, mode: int) -> None:
    """The delivery of one source died of it, and no other source was built."""
    closed = folder(landed) if level == "day" else folder(landed).parent
    closed.chmod(mode)
    try:
        with without_overriding_rights():
            for source in (ORDERS, "payments"):
                landed.deliver(source, day(1))
            found, others = admit(landed.settings, ORDERS, day(1)), admit(landed.settings, "payments", day(1))
            with pytest.raises(
                doctor._WrongError, match=r"nothing can be read of .*orders 2026-01-01|orders: permission"
            ):
                doctor._landing(landed.settings)
    finally:
        closed.chmod(0o700)
    assert {one.status for one in found} == {"refused"}
    assert {one.status for one in others} == {"admitted"}
    landed.deliver(ORDERS, day(1))
    assert {one.status for one in admit(landed.settings, ORDERS, day(1))} == {"admitted"}


def test_a_folder_that_cannot_be_read_is_no_silence(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """One closed folder was two incidents: a broken file, and a source from which nothing had come, as nobody could know."""
    made = lived(tmp_path / "home")
    closed = landing_folder(made.settings, ORDERS, day(2))
    asked = {f"bronze_{ORDERS}__not_silent", f"bronze_{ORDERS}__file_integrity"}
    closed.chmod(0)
    try:
        with without_overriding_rights():
            admit(made.settings, ORDERS, day(2))
            results = evaluate(made.settings, [day(2)], utc_now(), "test", only=asked)
    finally:
        closed.chmod(0o700)
    assert {one.check.rpartition("__")[2]: one.status for one in results} == {
        "not_silent": CheckStatus.PASSED,
        "file_integrity": CheckStatus.FAILED,
    }


def test_a_folder_that_cannot_be_written_costs_its_own_day_alone(landed: Platform) -> None:
    """It could be read, so that nobody took it for a closed one: the run of all sources and days ended there."""
    closed = folder(landed)
    there, lost = sorted(closed.glob("*.parquet")), closed / f"{SECOND}.parquet"
    lost.unlink()
    closed.chmod(0o555)
    try:
        with without_overriding_rights():
            landed.deliver(ORDERS, day(1), day(2))
            found, next_day = admit(landed.settings, ORDERS, day(1)), admit(landed.settings, ORDERS, day(2))
            with pytest.raises(doctor._WrongError, match=r"nothing can be written .*orders/landing_date=2026-01-01"):
                doctor._landing(landed.settings)
    finally:
        closed.chmod(0o700)
    assert sum(one.status == "admitted" for one in found) == len(there) - 1
    assert {one.status for one in next_day} == {"admitted"}
    landed.deliver(ORDERS, day(1))
    assert {one.status for one in admit(landed.settings, ORDERS, day(1))} == {"admitted"}


def test_a_file_that_vanishes_while_the_day_is_examined_costs_only_itself(
    landed: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody tidies up between the listing and the reading."""
    path = folder(landed) / f"{SECOND}.parquet"
    listed = entries.entries

    def listed_and_gone(*arguments: Path) -> object:
        found = listed(*arguments)
        path.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(admission, "entries", listed_and_gone)
    record = records(landed)[path.name]
    assert (record.reason, record.detail) == ("unreadable_file", "it vanished while it was read")


# Marks of well-known programs


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("_SUCCESS", b"", "Spark"),
        ("_SUCCESS", b'{"name": "org.apache.hadoop.fs.s3a.commit.files.SuccessData/1"}', "Spark"),
        ("_committed_4711", b'{"added": []}', "Databricks"),
        ("_started_4711", b"", "Databricks"),
        (f".{SECOND}.parquet.crc", b"crc\0\0\0\2\0", "Hadoop"),
        (f"{SECOND}.parquet.crc", b"crc\0\0\0\2\0", "Hadoop"),
        ("Thumbs.db", b"", "Windows"),
        ("THUMBS.DB", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Windows"),
        ("desktop.ini", b"[.ShellClassInfo]", "Windows"),
        (".DS_Store", MAGIC_OF_DS_STORE, "macOS"),
        (f"._{SECOND}.parquet", b"\0\5\x16\7\0\2\0\0", "macOS"),
        ("_common_metadata", parquet_bytes(pa.table({"a": pa.array([], pa.int64())})), "summary"),
        (f"{SECOND}.parquet.part", b"PAR1 so far", "copy"),
        ("x.parquet.crswap", b"PAR1", "copy"),
        ("x.parquet._COPYING_", b"PAR1", "copy"),
        ("x.parquet~", b"PAR1", "copy"),
        (".x.parquet.Qw3rT9", b"PAR1", "written"),
        (f".{SECOND}.parquet.140223", b"PAR1", "written"),
        (f"{SECOND}.done", b"", "delivery is whole"),
        ("_READY", b"", "delivery is whole"),
        ("landing_date=2026-01-01_$folder$", b"", "Hadoop"),
        (f"{SECOND}.parquet.sha256", b"0" * 64 + b"  x.parquet\n", "checksums"),
        ("SHA256SUMS", b"SHA256 (x.parquet) = 00\n", "checksums"),
        (f"{SECOND}.parquet.asc", b"-----BEGIN PGP SIGNATURE-----", "signature"),
    ],
)
def test_marks_of_well_known_programs_are_noted_as_what_they_are(
    landed: Platform, name: str, content: bytes, what: str
) -> None:
    """An empty `_SUCCESS` was a P1 incident about a broken file named by a digest."""
    (folder(landed) / name).write_bytes(content)
    record = records(landed)[name]
    assert (record.status, record.state, record.delivered_rows) == ("noted", "noted", 0)
    assert what in (record.detail or "")
    assert quarantined_files(landed.settings) == []


@pytest.mark.parametrize("name", ["_delta_log", "_temporary", ".hive-staging_hive_2026-01-01", "$RECYCLE.BIN"])
def test_a_folder_of_a_table_format_a_job_or_a_system_is_noted(landed: Platform, name: str) -> None:
    """The log of Delta Lake lies beside its files."""
    (folder(landed) / name).mkdir()
    assert records(landed)[name].status == "noted"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{SECOND}.done", b"order_id,amount\n1,2\n"),
        ("x.sha256", b"order_id,amount\n1,2\n"),
        ("_$folder$.parquet", b""),
        ("_SUCCESS.parquet", b""),
        ("_SUCCESS", b"order_id,amount\n1,2\n"),
        ("_SUCCESS", b"PAR1 rows PAR1"),
        ("_metadata", parquet_bytes(pa.table({"a": [1, 2]}))),
        (".DS_Store", b"PAR1 rows PAR1"),
        ("orders-20260101-07.parquet.crc", b"crc\0"),
        ("Thumbs.db.parquet", b""),
    ],
)
def test_a_name_alone_makes_no_mark(landed: Platform, name: str, content: bytes) -> None:
    """Rows must not vanish behind the name of a sign."""
    (folder(landed) / name).write_bytes(content)
    record = records(landed)[name]
    assert (record.status, record.reason) == ("refused", "no_manifest")


# Hostile Parquet


def _with_footer(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new)


def _encrypted(table: pa.Table) -> bytes:
    content = parquet_bytes(table)
    return content[:-4] + b"PARE"


def _claiming(rows: int, table: pa.Table) -> bytes:
    """A file whose footer claims so many rows."""
    content = parquet_bytes(table)
    size = struct.unpack("<I", content[-8:-4])[0]
    footer = content[-8 - size : -8]
    told = _zigzag(table.num_rows)
    changed = footer.replace(b"\x16" + told, b"\x16" + _zigzag(rows))
    return content[: -8 - size] + changed + struct.pack("<I", len(changed)) + b"PAR1"


def _zigzag(number: int) -> bytes:
    left, signs = number << 1, bytearray()
    while left > 127:
        signs.append(left & 127 | 128)
        left >>= 7
    return bytes([*signs, left])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: b"PAR1" * 9, "unreadable_file"),
        (lambda _: b"", "unreadable_file"),
        (_encrypted, "unreadable_file"),
        (lambda table: _claiming(2**40, table), "unreadable_file"),
        (lambda table: table.select([]), "schema_column_missing"),
        (lambda table: table.append_column("amount", table["amount"]), "schema_column_repeated"),
        (lambda table: table.slice(0, 0).drop_columns(["amount"]), "schema_column_missing"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_reason(
    landed: Platform, make: Callable[[pa.Table], bytes | pa.Table], reason: str
) -> None:
    """Whatever a producer calls Parquet; the footer is believed in nothing."""
    made = make(rows_of(landed))
    if isinstance(made, pa.Table):
        put(landed, parquet_bytes(made), attempt=1)
    else:
        put(landed, made, attempt=1, expected_rows=2**40)
    found = records(landed)
    record = found[f"{SECOND}.parquet"]
    assert (record.status, record.reason) == ("refused", reason), record.detail
    assert record.detail
    assert sum(one.status == "admitted" for one in found.values()) == 3


def test_what_nobody_foresaw_costs_one_file_and_names_the_place(
    landed: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of the platform must not pass for one of the producer, nor stop the other files."""

    def mistaken(contract: object, table: pa.Table, on: object) -> None:
        if table.num_rows == rows_of(landed).num_rows:
            raise AttributeError("of a value that must not be shown")

    monkeypatch.setattr(admission, "breach", mistaken)
    record = records(landed)[f"{SECOND}.parquet"]
    assert (record.status, record.reason) == ("refused", "examination_failed")
    assert "AttributeError in test_landing_entries.py, line" in (record.detail or "")
    assert "shown" not in (record.detail or "")


# Columns that nobody asked for


def _column(rows: int, one: pa.Array) -> pa.Array:
    return pa.concat_arrays([one] * (rows // len(one) + 1)).slice(0, rows)


UNKNOWN = {
    "": pa.array(["without a name"]),
    "not_a_number": pa.array([float("nan"), float("inf"), None, 1.5]),
    "far_future": pa.array([2**60, -(2**60), 0]).cast(pa.timestamp("us")),
    "of_no_zone": pa.array([0, 1]).view(pa.timestamp("us", "Erika/Mustermann")),
    "endless": pa.array([2**62, None]).view(pa.duration("us")),
    "bytes": pa.array([b"\x00\xff", None]),
    "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    "nested": pa.array([[[{"a": [1, None]}]], None, []]),
    "no_text": pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe")]
    ),
    "views": pa.array(['quoted "', "\x00"], pa.string_view()),
    "nothing": pa.nulls(1),
}


@pytest.mark.parametrize("name", [*UNKNOWN, "all"])
def test_values_that_nobody_asked_for_never_refuse_a_good_batch(landed: Platform, name: str) -> None:
    """They are kept as JSON, one text a row, and counted as an unknown column even without a name."""
    table = rows_of(landed)
    wanted = UNKNOWN if name == "all" else {name: UNKNOWN[name]}
    for one, values in wanted.items():
        table = table.append_column(one, _column(table.num_rows, values))
    if name == "all":
        table = table.append_column("views", pa.array(["twice"] * table.num_rows))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    put(landed, bytes(sink.getvalue()), attempt=1)
    record = records(landed)[f"{SECOND}.parquet"]
    assert record.status == "admitted", record.detail
    assert len((record.rescued_columns or "").split(", ")) == table.num_columns - len(rows_of(landed).column_names)
    bronze = pq.read_table(bronze_folder(landed.settings, ORDERS, day(1)) / f"{SECOND}.parquet")
    first = json.loads(bronze["_rescued"][0].as_py())
    assert "not readable as text" not in first.values()
    if name == "all":
        assert first["not_a_number"] == "nan"
        assert first["bytes"] == "00ff"
        assert first["map"] == {"k": 1}
        assert first["nested"] == [[{"a": [1, None]}]]
        assert (first["views"], first["views (2)"]) == ('quoted "', "twice")
        assert first["endless"] == "4611686018427387904 us"


def test_a_column_under_another_spelling_is_checked_as_the_contracts_own(landed: Platform) -> None:
    """Text that is none stops every query on the partition later, whatever the name of its column came as."""
    table = rows_of(landed)
    no_text = _column(table.num_rows, UNKNOWN["no_text"])
    put(landed, parquet_bytes(table.set_column(table.column_names.index("currency"), "CURRENCY", no_text)), attempt=1)
    record = records(landed)[f"{SECOND}.parquet"]
    assert (record.status, record.reason) == ("refused", "unreadable_file")


# Manifests


def _rewritten(landed: Platform, change: Callable[[str], str | bytes]) -> Admission:
    path = manifest_of(folder(landed) / f"{SECOND}.parquet")
    said = change(path.read_text())
    path.write_bytes(said if isinstance(said, bytes) else said.encode())
    return records(landed)[f"{SECOND}.parquet"]


def _saying(**said: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | {key.rstrip("_"): value for key, value in said.items()})


def _with(key: str, make: Callable[[Any], Any]) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | {key: make(json.loads(text)[key])})


@pytest.mark.parametrize(
    "change",
    [
        _with("checksum", str.upper),
        _with("checksum", lambda one: f"sha256:{one}"),
        _with("checksum", lambda one: f"SHA-256= {one}"),
        _with("checksum", lambda one: bytes.fromhex(one).hex(" ")),
        _with("checksum", lambda one: f"SHA256:{bytes.fromhex(one).hex(':').upper()}"),
        _with("expected_rows", float),
        _with("sequence", float),
        _saying(produced_at="2026-01-01T12:00:00Z"),
        _saying(produced_at="2026-01-01 12:00:00.123456789+02:00"),
        _saying(produced_at="20260101T120000"),
        _saying(landing_date="20260101"),
        _saying(who_made_this={"version": [1, None]}),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
    ],
)
def test_spellings_that_are_equal_in_meaning_are_admitted(landed: Platform, change: Callable[[str], str]) -> None:
    """A right checksum in upper case, as PowerShell prints it, was a P1 incident about other bytes."""
    record = _rewritten(landed, change)
    assert record.status == "admitted", record.detail


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_with("expected_rows", str), "expected_rows is no number"),
        (_saying(expected_rows=True), "expected_rows is no number"),
        (_saying(expected_rows=1.5), "expected_rows is no whole number"),
        (lambda text: text.replace('"sequence": 2', '"sequence": 1e999999999'), "sequence is out of its range"),
        (_saying(expected_rows=-1), "expected_rows is out of its range"),
        (_with("checksum", lambda one: one[:40]), "checksum is no SHA-256"),
        (_saying(produced_at="2026-01-01"), "produced_at is no ISO time"),
        (_saying(produced_at=1767225600), "produced_at is no text"),
        (_saying(landed_at="yesterday"), "landed_at is no ISO time"),
        (_saying(kind="again"), "kind is none of scheduled"),
        (_saying(batch_id="orders-20260101-03"), "it speaks of another batch_id"),
        (_saying(source="payments", landing_date="2026-01-02"), "it speaks of another source, landing_date"),
        (_saying(source="\ud800"), "source is a text that cannot be stored"),
        (lambda text: text.replace('"checksum"', '"Checksum"'), "it lacks checksum"),
        (lambda text: text.replace("{", '{"attempt": 1,', 1), "a key stands in it twice"),
        (lambda text: text.replace('"columns": [', '"columns": [NaN,'), "NaN"),
        (lambda text: text.rstrip()[:-1] + ",}", "it is no JSON"),
        (lambda text: text.replace('"columns": [', '"columns": [' + "[" * 100_000), "nested too deeply"),
        (lambda text: text.replace('"columns": [', '"columns": [' + '{"a":' * 100_000), "nested too deeply"),
        (lambda text: text.replace('"sequence": 2', f'"sequence": {"9" * 5000}'), "too long"),
        (lambda text: text.encode("utf-16"), "not UTF-8"),
        (lambda _: "[]", "no JSON object"),
        (lambda _: "", "it is no JSON"),
    ],
)
def test_a_manifest_that_is_wrong_or_ambiguous_is_refused_with_what_is_wrong(
    landed: Platform, change: Callable[[str], str], says: str
) -> None:
    """All that was said was `ValueError`."""
    record = _rewritten(landed, change)
    assert (record.status, record.reason) == ("refused", "manifest_unreadable")
    assert says in (record.detail or ""), record.detail


def test_a_wrong_manifest_is_corrected_by_the_right_one_with_the_same_bytes(landed: Platform) -> None:
    """The second delivery was discarded as the same content; a person's decision about the first is none about it."""
    rows = rows_of(landed)
    path = put(landed, parquet_bytes(rows), attempt=1, expected_rows=rows.num_rows + 1)
    assert records(landed)[path.name].reason == "row_count_mismatch"
    letters = waiting_letters_of_files(landed)
    discard(landed.settings, landed.engine, letters, "the manifest is wrong", "somebody", datetime.now(UTC))
    assert records(landed)[path.name].state == "discarded"
    put(landed, parquet_bytes(rows), attempt=2)
    assert "orders-20260101-02-a2" in admitted(landed)
    for file in (folder(landed) / "orders-20260101-02-a2.parquet", manifest_of(path)):
        file.unlink()
    manifest_of(folder(landed) / "orders-20260101-02-a2.parquet").unlink()
    put(landed, parquet_bytes(rows), attempt=1)
    assert records(landed)[path.name].status == "admitted"


def waiting_letters_of_files(landed: Platform) -> list[Letter]:
    return waiting_files(landed.settings, Selection(day(1), day(1)))


# Another attempt of a good slot


def _changed(rows: pa.Table) -> pa.Table:
    amounts = pa.concat_arrays([pa.array([1], rows["amount"].type), rows["amount"].combine_chunks().slice(1)])
    return rows.set_column(rows.column_names.index("amount"), rows.schema.field("amount"), amounts)


def _with_a_new_row(rows: pa.Table) -> pa.Table:
    more = rows.slice(0, 1)
    return pa.concat_tables([rows, more.set_column(0, rows.schema.field(0), pa.array([999_999_999]))])


ATTEMPT = f"{SECOND}-a2"


@pytest.mark.parametrize(
    ("change", "is_held", "gone", "contradicting"),
    [
        (lambda rows: rows, False, 0, 0),
        (_with_a_new_row, False, 0, 0),
        (lambda rows: rows.take(pa.array(range(rows.num_rows - 1, -1, -1))), False, 0, 0),
        (lambda rows: rows.slice(0, rows.num_rows - 3), True, 3, 0),
        (_changed, True, 0, 1),
        (lambda rows: pa.concat_tables([rows, _changed(rows).slice(0, 1)]), True, 0, 1),
        (lambda rows: rows.slice(0, 0), True, 11, 0),
    ],
)
def test_an_attempt_that_nobody_asked_for_replaces_a_good_one_only_if_no_row_is_lost(
    landed: Platform, change: Callable[[pa.Table], pa.Table], *, is_held: bool, gone: int, contradicting: int
) -> None:
    """A second attempt with half of the rows replaced a good slot in silence."""
    put(landed, parquet_bytes(change(rows_of(landed))))
    found = records(landed)
    record = found[f"{ATTEMPT}.parquet"]
    assert found[f"{SECOND}.parquet"].status == "admitted"
    assert record.status == ("held" if is_held else "admitted")
    in_bronze = {path.stem for path in bronze_folder(landed.settings, ORDERS, day(1)).iterdir()}
    assert (ATTEMPT in in_bronze) is not is_held
    if is_held:
        assert (record.state, record.reason, record.admitted_rows) == ("quarantined", "unasked_attempt", 0)
        said = json.loads(record.detail or "")
        assert (said["gone"], said["contradicting"]) == (gone, contradicting)
        [entry] = quarantined_files(landed.settings)
        assert (entry["batch_id"], entry["status"]) == (ATTEMPT, "held")
        assert quarantined_file(landed.settings, ORDERS, day(1), ATTEMPT).exists()
    assert records(landed) == found


def test_an_attempt_that_was_asked_for_replaces_whatever_it_holds(landed: Platform) -> None:
    """The request is a fact on file, made before the answer lands."""
    answer = request_batch(landed.simulation, ORDERS, day(1), 2, 2)
    rows = answer.table.slice(0, 3)
    land_replacement(landed.settings, replace(answer, table=rows))
    assert records(landed)[f"{ATTEMPT}.parquet"].status == "admitted"
    put(landed, parquet_bytes(rows.slice(0, 1)))  # another content under the name of the answer
    assert records(landed)[f"{ATTEMPT}.parquet"].status == "held"


def test_an_attempt_is_compared_with_the_last_good_one_whatever_the_order_in_which_they_came(landed: Platform) -> None:
    """Admission is a function of what lies there: 3 is compared with 1, for 2 is held."""
    rows = rows_of(landed)
    put(landed, parquet_bytes(_with_a_new_row(rows)), attempt=3)
    put(landed, parquet_bytes(rows.slice(1)), attempt=2)
    assert {one.batch_id: one.state for one in admit(landed.settings, ORDERS, day(1)) if one.batch_sequence == 2} == {
        SECOND: "admitted",
        ATTEMPT: "superseded",  # a later one of its slot counts: nothing is left to decide
        f"{SECOND}-a3": "admitted",
    }
    (folder(landed) / f"{SECOND}.parquet").write_bytes(b"broken")
    assert {one.status for one in admit(landed.settings, ORDERS, day(1)) if one.batch_id == ATTEMPT} == {"admitted"}


def test_a_person_takes_or_refuses_a_held_attempt_and_the_decision_stands(landed: Platform) -> None:
    """Either is one command; a replay of the whole day takes nothing that was not named."""
    put(landed, parquet_bytes(rows_of(landed).slice(3)))
    records(landed)
    letters = waiting_letters_of_files(landed)
    [unnamed] = offers(landed.settings, landed.engine, letters)
    assert f"--batch {ATTEMPT}" in unnamed.refusal
    [offer] = offers(landed.settings, landed.engine, letters, named=True)
    assert (offer.how, offer.refusal) == (ACCEPTED, "")
    words, days = perform(landed.settings, [offer], "somebody")
    assert days == [day(1)]
    assert "instead of the good one" in words[0]
    assert records(landed)[f"{ATTEMPT}.parquet"].status == "admitted"
    [entry] = quarantined_files(landed.settings)
    assert entry["state"] == "replayed"

    put(landed, parquet_bytes(rows_of(landed).slice(5)), slot=3)
    records(landed)
    discard(landed.settings, landed.engine, waiting_letters_of_files(landed), "no", "somebody", datetime.now(UTC))
    assert records(landed)["orders-20260101-03-a2.parquet"].state == "discarded"


# Asking again


@pytest.mark.parametrize("name", [f"{SECOND}.parquet", f"{ATTEMPT}.parquet"])
def test_a_folder_in_the_place_of_a_file_does_not_count_as_asked_for(landed: Platform, name: str) -> None:
    """ "1 batches had been asked for before", although nobody had asked; then the answer had no place to land."""
    place = folder(landed) / name
    place.unlink(missing_ok=True)
    place.mkdir()
    if name == f"{ATTEMPT}.parquet":
        records(landed)
    done = request(landed.settings, ORDERS, {day(1): {2}})
    if name == f"{SECOND}.parquet":
        assert done.summary == f"Asked orders again and landed {ATTEMPT}."
        assert ATTEMPT in admitted(landed)
    else:
        # What the source sends is what is there: nothing lands, and no attempt takes the folder's name.
        assert "the same content again" in done.summary
        assert f"{SECOND}-a3" in done.summary


def test_the_same_bytes_are_another_delivery_if_what_was_wrong_was_the_manifest(landed: Platform) -> None:
    """ "The source sends the same content again, so nothing was written": two attempts, then held for good."""
    rows = rows_of(landed)
    put(landed, parquet_bytes(rows), attempt=1, expected_rows=rows.num_rows + 1)
    assert SECOND not in admitted(landed)
    done = request(landed.settings, ORDERS, {day(1): {2}})
    assert [one.batch_id for one in done.replays] == [ATTEMPT]
    assert ATTEMPT in admitted(landed)
    again = request(landed.settings, ORDERS, {day(1): {2}})
    assert "the same content again" in again.summary


def test_the_name_of_another_day_is_known_only_with_the_same_manifest(landed: Platform) -> None:
    """A batch that was refused for its manifest and comes right a day later was ignored as known."""
    rows = rows_of(landed)
    put(landed, parquet_bytes(rows), attempt=1, expected_rows=rows.num_rows + 1)
    right = Manifest.read(manifest_of(folder(landed) / f"{SECOND}.parquet"))
    later = landing_folder(landed.settings, ORDERS, day(2))
    later.mkdir()
    (later / f"{SECOND}.parquet").write_bytes(parquet_bytes(rows))
    said = json.loads(manifest_of(folder(landed) / f"{SECOND}.parquet").read_text())
    said |= {"landing_date": "2026-01-02", "expected_rows": right.expected_rows - 1}
    (later / f"{SECOND}.manifest.json").write_text(json.dumps(said))
    [record] = admit(landed.settings, ORDERS, day(2))
    assert (record.status, record.reason) == ("refused", "batch_of_another_day")
    put(landed, parquet_bytes(rows), attempt=1)
    [record] = admit(landed.settings, ORDERS, day(2))
    assert (record.status, record.reason) == ("ignored", "already_delivered")


# Where no run looks


def test_what_lies_beside_the_landing_days_is_found_without_a_run(landed: Platform) -> None:
    """Files of no source, stray files, days that do not exist: they were in no record, no check and no list."""
    root = landed.settings.landing
    assert misplaced(landed.settings) == []
    (root / "returns" / "landing_date=2026-01-01").mkdir(parents=True)
    (root / "returns" / "landing_date=2026-01-01" / "x.parquet").write_bytes(b"PAR1")
    (root / "loose.parquet").write_bytes(b"PAR1")
    (root / "_SUCCESS").touch()
    for name in ("landing_date=2026-02-30", "landing_date=2025-12-31", "2026-01-01", "landing_date=20260101"):
        (root / ORDERS / name).mkdir()
    os.mkfifo(root / ORDERS / "Erika Mustermann.csv")
    (root / ORDERS / ".landing_date=2026-01-03.old").mkdir()
    found = [one.words for one in misplaced(landed.settings)]
    assert "returns: a folder with 1 file of no declared source" in found
    assert f"{ORDERS}/landing_date=2026-02-30: a folder with 0 files of no landing day" in found
    assert len(found) == 7
    assert not any("Erika" in one for one in found)
    with pytest.raises(doctor._WrongError, match=r"returns.* and 2 more"):
        doctor.EXAMINATIONS["landing"](landed.settings)


def test_what_comes_into_a_day_after_its_run_is_found_without_a_run(landed: Platform) -> None:
    """A day that nobody runs again was looked into by nobody."""
    assert unexamined(landed.settings) == {(ORDERS, day(1)): 4}
    admit(landed.settings, ORDERS, day(1))
    assert unexamined(landed.settings) == {}
    put(landed, parquet_bytes(rows_of(landed)), slot=3)
    (folder(landed) / os.fsdecode(b"\xff")).touch()
    assert unexamined(landed.settings) == {(ORDERS, day(1)): 2}
    assert unexamined(landed.settings, before=datetime.now(UTC) - timedelta(days=1)) == {}
    assert "2 entries of orders 2026-01-01" in doctor.EXAMINATIONS["landing"](landed.settings)
    admit(landed.settings, ORDERS, day(1))
    assert unexamined(landed.settings) == {}


def test_what_lies_in_the_wrong_place_is_an_incident_until_a_person_has_moved_it(landed: Platform) -> None:
    """Nobody has to run anything; looking again says nothing twice, and the platform does not act on what it cannot."""
    now, later = datetime.now(UTC), datetime.now(UTC) + timedelta(days=2)
    admit(landed.settings, ORDERS, day(1))
    assert monitor_landing(landed.settings, landed.engine, now) == []
    stray = landed.settings.landing / "returns"
    stray.mkdir()
    put(landed, parquet_bytes(rows_of(landed)), slot=3)
    first = monitor_landing(landed.settings, landed.engine, later)
    assert {one.check for one in first} == {
        f"bronze_{ORDERS}__nothing_misplaced",
        f"bronze_{ORDERS}__nothing_unexamined",
    }
    assert monitor_landing(landed.settings, landed.engine, later) == []
    observe(landed.engine, CheckStore(landed.engine).after(0, 100), later)
    opened = IncidentStore(landed.engine).all()
    assert {one.failure_class for one in opened} == {"misplaced_delivery"}
    assert not any(may_act(landed.settings, landed.engine, one, later) for one in opened)
    stray.rmdir()
    admit(landed.settings, ORDERS, day(1))
    passed = monitor_landing(landed.settings, landed.engine, later)
    assert [one.status for one in passed] == [CheckStatus.PASSED] * 2
    observe(landed.engine, CheckStore(landed.engine).after(0, 100), later)
    assert not any(one.still_failing for one in IncidentStore(landed.engine).all())


def test_a_held_attempt_fails_a_check_of_its_own_until_it_is_decided(landed: Platform) -> None:
    """It is an incident, and holds nothing: the good one counts."""
    put(landed, parquet_bytes(rows_of(landed).slice(3)))
    name = f"bronze_{ORDERS}__no_unasked_attempts"

    def judged() -> CheckResult:
        admit(landed.settings, ORDERS, day(1))
        with duckdb.connect() as engine:
            [one] = evaluate_native(landed.settings, engine, [day(1)], {name}, "test", datetime.now(UTC))
        return one

    failed = judged()
    assert (failed.status, failed.value) == (CheckStatus.FAILED, 1)
    assert f'{ATTEMPT}: {{"rows": 8' in failed.message
    assert not CHECKS[name].blocking
    done = request(landed.settings, ORDERS, {day(1): held_slots(landed.settings, ORDERS, day(1))})
    assert [one.batch_id for one in done.replays] == [f"{SECOND}-a3"]
    assert judged().status is CheckStatus.PASSED


def test_the_source_may_stand_by_what_it_had_sent_unasked(landed: Platform) -> None:
    """Asked which is right, it sends the held attempt once more: then that one counts, under its own name."""
    answer = request_batch(landed.simulation, ORDERS, day(1), 2, 2)
    good = folder(landed) / f"{SECOND}.parquet"
    put(landed, parquet_bytes(_with_a_new_row(rows_of(landed))), attempt=1)
    write_batch(landed.settings, answer)
    assert records(landed)[f"{ATTEMPT}.parquet"].status == "held"
    done = request(landed.settings, ORDERS, {day(1): {2}})
    assert done.summary == f"The source stands by what it had sent unasked: {ATTEMPT} counts from the next run on."
    assert done.reruns == [day(1)]
    assert {ATTEMPT, good.stem} <= admitted(landed)


def test_a_purge_waits_for_no_pipe(landed: Platform) -> None:
    """It searches each file of a day, and a pipe is none."""
    path = folder(landed) / f"{SECOND}.parquet"
    _pipe(path)
    found = survey(landed.settings, landed.engine, ORDERS, day(1))
    assert (found.unreadable, found.files) == ((SECOND,), ())


def test_a_value_that_is_meant_for_millions_of_rows_does_not_fill_the_memory(
    landed: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One long text in a dictionary makes a small file and a large table."""
    monkeypatch.setattr(parquet_file, "MAX_DECODED_BYTES", 10_000_000)
    rows = rows_of(landed)
    long = pa.DictionaryArray.from_arrays(pa.array([0] * rows.num_rows, pa.int32()), ["x" * 2_000_000]).cast(
        pa.string()
    )
    content = parquet_bytes(rows.set_column(rows.column_names.index("channel"), "channel", long))
    assert len(content) < 1_000_000
    put(landed, content, attempt=1)
    record = records(landed)[f"{SECOND}.parquet"]
    assert (record.reason, record.detail) == ("unreadable_file", "it decodes to more than 0 GiB")


def test_a_damaged_permission_is_none_and_stops_nobody(landed: Platform) -> None:
    """One file among the approvals must not end the run of a source; without it the attempt waits for a person."""
    put(landed, parquet_bytes(rows_of(landed).slice(3)))
    records(landed)
    [offer] = offers(landed.settings, landed.engine, waiting_letters_of_files(landed), named=True)
    perform(landed.settings, [offer], "somebody")
    [permission] = (landed.settings.decisions / ORDERS).glob("*-replaces-*.json")
    permission.write_text("{")
    assert records(landed)[f"{ATTEMPT}.parquet"].status == "held"
    perform(landed.settings, [offer], "somebody")
    assert records(landed)[f"{ATTEMPT}.parquet"].status == "admitted"

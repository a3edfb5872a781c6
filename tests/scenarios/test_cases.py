"""Odd deliveries that once ended a run, vanished or became false alarms, all on one day of one home at an odd place.

The command line meets them as they came from a producer. None of them may change a published number.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.atomic import parquet_bytes
from reliability_platform.cli.main import main
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import ExitCode
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.landing.writer import landing_folder
from reliability_platform.parquet import read_table
from tests.ground import Platform, day
from tests.rights import without_overriding_rights

pytestmark = pytest.mark.exhaustive  # 17 s; each reason of a refusal is held by tests/unit/test_landing_entries.py

ONE = day(1)


def name_of(source: str, slot: int, attempt: int = 1) -> str:
    return f"{source}-{ONE:%Y%m%d}-{slot:02d}" + (f"-a{attempt}" if attempt > 1 else "")


class Landing:
    """The day as a producer sees it: it puts files and manifests, nothing else."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def folder(self, source: str) -> Path:
        return landing_folder(self._platform.settings, source, ONE)

    def clean(self, source: str, slot: int) -> pa.Table:
        return read_table(self.folder(source) / f"{name_of(source, slot)}.parquet")

    def put(self, source: str, slot: int, content: bytes, *, attempt: int = 1, **said: Any) -> Path:
        """A batch whose manifest is honest, but for what is `said` otherwise; returns the file."""
        name = name_of(source, slot, attempt)
        manifest = {
            "batch_id": name,
            "source": source,
            "landing_date": ONE.isoformat(),
            "sequence": slot,
            "attempt": attempt,
            "kind": "replacement" if attempt > 1 else "scheduled",
            "expected_rows": pq.read_metadata(pa.BufferReader(content)).num_rows,
            "checksum": hashlib.sha256(content).hexdigest(),
            "columns": [],
            "schema_fingerprint": "0123456789abcdef",
            "produced_at": "2026-01-02T00:05:00",
            "landed_at": "2026-01-02T00:20:00",
        } | said
        path = self.folder(source) / f"{name}.parquet"
        path.write_bytes(content)
        path.with_name(f"{name}.manifest.json").write_text(json.dumps(manifest))
        return path


def checksum_in_upper_case(landing: Landing) -> None:
    content = parquet_bytes(landing.clean("shipments", 4))
    landing.put("shipments", 4, content, attempt=2, checksum=hashlib.sha256(content).hexdigest().upper())


def folders_for_files(landing: Landing) -> None:
    """As Spark writes what it is told to call `x.parquet`: in the place of a second attempt, and of a batch of no slot."""
    for slot, attempt in ((4, 2), (5, 1)):
        path = landing.put("orders", slot, parquet_bytes(landing.clean("orders", 4)), attempt=attempt)
        content = path.read_bytes()
        path.unlink()
        path.mkdir()
        (path / "part-00000.snappy.parquet").write_bytes(content)
        (path / "_SUCCESS").touch()


def a_file_without_rights(landing: Landing) -> None:
    landing.put("orders", 3, parquet_bytes(landing.clean("orders", 3)), attempt=2).chmod(0)


def a_manifest_without_rights(landing: Landing) -> None:
    path = landing.put("orders", 2, parquet_bytes(landing.clean("orders", 2)), attempt=2)
    path.with_name(f"{path.stem}.manifest.json").chmod(0)


MOMENTS = (-(2**63), 2**63 - 1, 253_402_300_800_000_000)
"""What numpy writes for a missing moment, infinity, and the year 10000, in microseconds."""


def moments_that_cannot_be(landing: Landing) -> None:
    """In rows of their own beside the clean ones, so that the right numbers are those of a clean day."""
    table = landing.clean("payments", 2)
    wrong = table.slice(0, len(MOMENTS))
    for name, values in (("event_time", MOMENTS), ("payment_id", [2**62 + one for one in range(len(MOMENTS))])):
        kind = table.schema.field(name).type
        wrong = wrong.set_column(table.column_names.index(name), name, pa.array(values, pa.int64()).cast(kind))
    landing.put("payments", 2, parquet_bytes(pa.concat_tables([table, wrong])))


MARKERS = ("_SUCCESS", "_committed_4711", "Thumbs.db", "orders.done", "landing_date=2026-01-01_$folder$")


def empty_markers(landing: Landing) -> None:
    for name in MARKERS:
        (landing.folder("web_events") / name).touch()


def other_layouts_of_text(landing: Landing) -> None:
    table = landing.clean("shipments", 1)
    for name, kind in (("carrier", pa.string_view()), ("status", pa.binary())):
        values = [one.encode() if kind == pa.binary() else one for one in table[name].to_pylist()]
        table = table.set_column(table.column_names.index(name), name, pa.array(values, kind))
    landing.put("shipments", 1, parquet_bytes(table))


def columns_without_a_type(landing: Landing) -> None:
    """As pandas writes a table of no rows."""
    names = landing.clean("web_events", 1).column_names
    landing.put("web_events", 30, parquet_bytes(pa.table({name: pa.nulls(0) for name in names})))


def a_column_without_a_name(landing: Landing) -> None:
    """As R writes the names of rows."""
    table = landing.clean("web_events", 2)
    numbers = pa.array([str(one) for one in range(table.num_rows)])
    landing.put("web_events", 2, parquet_bytes(table.append_column("", numbers)))


@dataclass(frozen=True)
class Case:
    """What is right."""

    make: Callable[[Landing], None]
    source: str
    records: dict[str, tuple[str, str | None]]
    """By entry, its status and reason."""
    doctor_names: tuple[str, ...] = ()
    rejected: dict[str, int] = field(default_factory=dict)
    """By reason, how many rows are in quarantine."""
    unknown_columns: tuple[str, ...] = ()


CASES = (
    Case(checksum_in_upper_case, "shipments", {f"{name_of('shipments', 4, 2)}.parquet": ("admitted", None)}),
    Case(
        folders_for_files,
        "orders",
        {f"{name}.parquet": ("refused", "not_a_file") for name in (name_of("orders", 4, 2), name_of("orders", 5))},
        doctor_names=(
            f"orders {ONE} {name_of('orders', 4, 2)} (it is a folder)",
            f"orders {ONE} {name_of('orders', 5)} (it is a folder)",
        ),
    ),
    Case(
        a_file_without_rights,
        "orders",
        {f"{name_of('orders', 3, 2)}.parquet": ("refused", "unreadable_file")},
        doctor_names=(f"orders {ONE} {name_of('orders', 3, 2)} (permission denied)",),
    ),
    Case(
        a_manifest_without_rights,
        "orders",
        {f"{name_of('orders', 2, 2)}.parquet": ("refused", "manifest_unreadable")},
        doctor_names=(f"orders {ONE} {name_of('orders', 2, 2)} (permission denied)",),
    ),
    Case(
        moments_that_cannot_be,
        "payments",
        {f"{name_of('payments', 2)}.parquet": ("admitted", None)},
        rejected={"event_time_impossible": len(MOMENTS)},
    ),
    Case(empty_markers, "web_events", dict.fromkeys(MARKERS, ("noted", "mark"))),
    Case(other_layouts_of_text, "shipments", {f"{name_of('shipments', 1)}.parquet": ("admitted", None)}),
    Case(columns_without_a_type, "web_events", {f"{name_of('web_events', 30)}.parquet": ("admitted", None)}),
    Case(
        a_column_without_a_name,
        "web_events",
        {f"{name_of('web_events', 2)}.parquet": ("admitted", None)},
        unknown_columns=("(a column without a name)",),
    ),
)


class Shop:
    """The home after one run over the day, as the command line tells of it."""

    def __init__(self, home: Path) -> None:
        self.platform = Platform(home, events_per_day=3_000)
        home.chmod(0o700)
        for source in SOURCES:
            self.platform.deliver(source, ONE)
        landing = Landing(self.platform)
        self.clean_rows = {
            source: sum(landing.clean(source, slot).num_rows for slot in range(1, 5)) for source in SOURCES
        }
        for case in CASES:
            case.make(landing)
        self.ran = self.said("backfill", "--from", str(ONE), "--to", str(ONE))
        self.doctor = self.said("doctor")
        self.quarantine = self.said("quarantine", "list")[1]
        self.incidents = self.said("incidents", "list")[1]

    def said(self, *words: str) -> tuple[int, Any]:
        """Exit code and document of a command by somebody who may not read everything."""
        out = StringIO()
        with redirect_stdout(out), without_overriding_rights():
            try:
                code = main([*words, "--json", "--home", str(self.platform.settings.home)])
            except SystemExit as stop:
                code = stop.code
        return int(code or 0), json.loads(out.getvalue())

    def records(self, source: str) -> dict[str, dict[str, Any]]:
        """What became of each entry of a source, by its name."""
        found = read_table(admissions_file(self.platform.settings, source, ONE)).to_pylist()
        return {Path(one["file"]).name: one for one in found}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """All cases at once, where paths look like columns and patterns."""
    return Shop(tmp_path_factory.mktemp("cases") / "source=shop" / "lake [prod]" / "home")


@pytest.mark.parametrize("case", CASES, ids=[case.make.__name__ for case in CASES])
def test_an_odd_delivery_ends_in_its_record_and_doctor_names_what_is_no_readable_file(shop: Shop, case: Case) -> None:
    """Each of them ended the run of all sources, was refused for its spelling, or vanished; and doctor saw none."""
    found = shop.records(case.source)
    assert {name: (found[name]["status"], found[name]["reason"]) for name in case.records} == case.records
    landing = next(one for one in shop.doctor[1] if one["what"] == "landing")
    assert [words for words in case.doctor_names if words not in landing["says"]] == []
    if not case.doctor_names:
        assert [name for name in case.records if name.removesuffix(".parquet") in landing["says"]] == []
    rejected = {one["reason"]: one["rows"] for one in shop.quarantine["rows"] if one["source"] == case.source}
    assert rejected == {
        reason: rows for one in CASES if one.source == case.source for reason, rows in one.rejected.items()
    }
    assert {found[name]["rescued_columns"] for name in case.records} == (set(case.unknown_columns) or {None})


def test_the_run_goes_on_and_what_is_wrong_is_an_incident(shop: Shop) -> None:
    """One such file ended the run with exit code 5, without an incident and without the other sources."""
    assert shop.ran[0] == ExitCode.OK
    assert shop.ran[1]["held"] == {}
    opened = {(one["source"], one["failure_class"], one["severity"]) for one in shop.incidents}
    assert opened == {("orders", "file_corruption", "P1"), ("web_events", "schema_addition", "P3")}
    assert shop.doctor[0] == ExitCode.ENVIRONMENT
    assert [one["what"] for one in shop.doctor[1] if not one["ok"]] == ["landing"]


def test_no_odd_delivery_and_no_odd_place_changes_a_published_number(shop: Shop) -> None:
    """A home below `source=shop/` counted 1,033 orders where 983 were right; below `[prod]` no model found its files."""
    assert shop.said("verify")[0] == ExitCode.OK
    for source in SOURCES:
        query = f"select count(*) from stg_{source} where disposition = 'valid' and not is_superseded"
        assert shop.platform.query(query) == [(shop.clean_rows[source],)]

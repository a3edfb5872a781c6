"""Personal data never shows: planted in every field of every source, searched in everything that the platform makes.

The real thing runs: Dagster's jobs, dbt, Soda, the sensors, every command that shows something, healing, grading, and
engines that fail over a value and quote it. A minute, so `make test-all` and every night; what masks is held by
tests/unit/test_masking.py.
"""

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.cli.main import main
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.masking import MASK, MASKED_TABLES, place_of, shape
from reliability_platform.orchestration.packed_text import pack
from reliability_platform.settings import PROJECT_ROOT, Settings, load_settings
from tests.scenarios.planted import ID, NAME, SIGNS, WHO, plant, signs_in, signs_in_tables, signs_of

DAYS = (date(2026, 1, 2), date(2026, 1, 3), date(2026, 1, 4))


@dataclass(frozen=True)
class Toured:
    """A home after the tour, and what was said and logged on it."""

    settings: Settings
    said: str
    logged: str

    def files(self, *, raw: bool) -> dict[str, Path]:
        """The files of the home by path, of the places that may or may not hold raw values."""
        found = (path for path in self.settings.home.rglob("*") if path.is_file())
        named = {str(path.relative_to(self.settings.home)): path for path in found}
        return {name: path for name, path in named.items() if place_of(name).raw is raw}


@pytest.fixture(scope="module", params=[pytest.param(one, marks=pytest.mark.exhaustive) for one in ("short", "whole")])
def toured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Toured:
    """One home for all tests here; nobody changes it."""
    settings = load_settings(tmp_path_factory.mktemp("personal") / "home")
    simulation = Simulation(11, 6_000)
    simulation.save(settings)
    batches = plant(settings, simulation, DAYS)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.scenarios.tour",
            request.param,
            str(settings.home),
            str(DAYS[0]),
            str(DAYS[-1]),
            *batches,
        ],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "No such command" not in done.stderr, "the tour asks for a command that is not there any more"
    return Toured(settings, done.stdout, done.stderr)


def test_the_data_really_came_in(toured: Toured) -> None:
    """A search that finds nothing proves nothing unless the same search finds it where it may stand."""
    found: dict[str, set[str]] = {}
    for name, path in toured.files(raw=True).items():
        found.setdefault(name.split("/")[0], set()).update(signs_of(path))
    assert found["landing"] == found["bronze"] == set(SIGNS)
    assert found["quarantine"] >= set(SIGNS) - {"49291234"}
    assert found["warehouse.duckdb"] >= {"zyxander", "quillfeather", "987654321"}
    assert "987654321" in found["published"]  # what consumers are entitled to


def test_no_file_that_people_look_at_shows_it(toured: Toured) -> None:
    """Operations store, run storage, documents, evidence, report, logs: bytes, texts, tables, columns."""
    files = toured.files(raw=False)
    assert len(files) > 40
    assert {name: signs for name, path in files.items() if (signs := signs_of(path))} == {}


def test_no_line_that_was_said_or_logged_shows_it(toured: Toured) -> None:
    """Both streams, of every command, of every library that logs."""
    for stream in (toured.said, toured.logged):
        assert [line[:300] for line in stream.splitlines() if signs_in(line)] == []


def test_the_tables_that_people_look_at_are_masked(toured: Toured) -> None:
    """Dead letters and held rows: the file may hold rows, these tables only masked ones."""
    assert signs_in_tables(toured.settings.warehouse, MASKED_TABLES) == set()


def test_the_tour_has_seen_what_it_should(toured: Toured) -> None:
    """Every kind of refusal, rejection and error came to pass and was told: masked, and not merely absent."""
    for sign in (
        *("schema_type_changed", "schema_column_missing", "checksum_mismatch", "no_manifest", "manifest_unreadable"),
        *("customer_id_unknown_reference", "channel_unknown_value", "method_unknown_value", "carrier_unknown_value"),
        *("payload_personal_data", "payload_malformed", "payload_poisonous", "key_conflict", "event_time_in_future"),
        *("customer_id_missing", "amount_out_of_range", "rows held as too late"),
        *("Soda could not evaluate it", "Could not convert string •••", MASK, shape(NAME), "text of "),
    ):
        assert sign in toured.said, sign
    assert ("unexpected" in toured.said) == ("$ reliability verify" in toured.said)


def test_whoever_asks_for_it_sees_a_row_as_it_was_delivered(toured: Toured, capsys: pytest.CaptureFixture[str]) -> None:
    """The dead letters are masked; what they were made of is in bronze."""
    words = ["quarantine", "show", f"orders-{DAYS[0]:%Y%m%d}-01-a2", "--json", "--home", str(toured.settings.home)]
    main(words)
    shown = [letter["row"] for letter in json.loads(capsys.readouterr().out)["rows"]]
    main([*words, "--unmasked", "--why", "a test"])
    delivered = [letter["row"] for letter in json.loads(capsys.readouterr().out)["rows"]]
    assert {row["customer_id"] for row in shown} <= {MASK, None}
    assert ID in {row["customer_id"] for row in delivered}
    assert [row["order_id"] for row in shown] == [row["order_id"] for row in delivered]


def test_the_search_finds_it_in_every_form(tmp_path: Path) -> None:
    """The searcher itself: a form that it cannot read would pass for clean."""
    (tmp_path / "text").write_text(f"x{WHO}")
    (tmp_path / "wide").write_bytes(NAME.encode("utf-16-le"))
    (tmp_path / "gz").write_bytes(gzip.compress(json.dumps([WHO]).encode()))
    pq.write_table(pa.table({"a": pa.array([987_654_321_012_345])}), tmp_path / "numbers", compression="zstd")
    with sqlite3.connect(tmp_path / "sqlite") as connection:
        connection.execute("create table t (a)")
        connection.execute("insert into t values (987654321012345)")
    with sqlite3.connect(tmp_path / "events") as connection:
        connection.execute("create table t (a)")
        connection.execute("insert into t values (?)", (pack(WHO),))
    with duckdb.connect(str(tmp_path / "duckdb")) as connection:
        connection.execute("create table t as select 987654321012345 as a")
    (tmp_path / NAME).touch()
    assert [path.name for path in tmp_path.iterdir() if not signs_of(path)] == []

"""Deliveries that appear in a bucket of a real object store, with keys that show nowhere."""

import json
import logging
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from reliability_platform.cli.main import cli
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Cadence, Column, Contract
from reliability_platform.contracts.file_format import FileFormat
from reliability_platform.contracts.servers import FILES, Server
from reliability_platform.landing.admission import admit
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.deliveries import unreachable
from reliability_platform.landing.pickup import pick_up
from reliability_platform.landing.writer import landing_folder
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources import location
from tests.object_store import BUCKET, KEY, SECRET, ObjectStore

DAY = date(2026, 1, 5)
SOURCE = "orders"
HEADER = "flight,left_at,fare\n"
CONTRACT = Contract(
    source=SOURCE,
    key=("flight",),
    event_time="left_at",
    columns=(
        Column("flight", "VARCHAR", required=True),
        Column("left_at", "TIMESTAMP", required=True),
        Column("fare", "DECIMAL(12,2)", required=False),
    ),
    cadence=Cadence(),
    deadline_minutes=60,
    owner="ops@example.com",
    critical=False,
    kind="drop",
    file_format=FileFormat("csv"),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Where it lands; the keys are in the environment and in a file."""
    monkeypatch.setattr(location, "SETTLED_AFTER_SECONDS", 0)
    monkeypatch.setenv("AIRLINE_KEY", KEY)
    (tmp_path / "secret").write_text(SECRET)
    return load_settings(tmp_path / "home")


def declared(store: ObjectStore, tmp_path: Path, **more: Any) -> Server:
    """The bucket as a contract declares it."""
    options = {"key": "env:AIRLINE_KEY", "secret": f"file:{tmp_path / 'secret'}", "endpoint_url": store.url} | more
    return Server(FILES, f"s3://{BUCKET}/flights-*.csv", "bucket", options=tuple(sorted(options.items())))


def declare(monkeypatch: pytest.MonkeyPatch, *servers: Server) -> None:
    """Let the source deliver there."""
    monkeypatch.setitem(CONTRACTS, SOURCE, replace(CONTRACT, servers=servers))


def fares(home: Settings, batch: str) -> list[str]:
    """The fares of a batch as admitted."""
    table = pq.read_table(bronze_folder(home, SOURCE, DAY) / f"{batch}.parquet", partitioning=None)
    return [str(one) for one in table["fare"].to_pylist()]


def test_an_object_lands_as_it_is_and_a_changed_one_is_another_attempt(
    store: ObjectStore, home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket has no folders, no moments finer than a second and a listing of its own: what is new must be seen all the same."""
    declare(monkeypatch, declared(store, tmp_path))
    store.put("flights-2026-01-05.csv", f"{HEADER}UA1,2026-01-05 10:00:00,12.50\n")
    store.put("flights-2026-01-06.csv", f"{HEADER}UA9,2026-01-06 10:00:00,1\n")
    landed = pick_up(home, SOURCE, [DAY])
    assert (landed.batches, landed.rows, landed.trouble) == (1, 1, "")
    said = json.loads((landing_folder(home, SOURCE, DAY) / "orders-20260105-01.manifest.json").read_text())
    assert (said["delivered_as"], said["vouched_for"]) == ("flights-2026-01-05.csv", False)
    store.put("flights-2026-01-05.csv", f"{HEADER}UA1,2026-01-05 10:00:00,12.50\nUA2,2026-01-05 11:00:00,3\n")
    pick_up(home, SOURCE, [DAY])
    assert [one.status for one in admit(home, SOURCE, DAY)] == ["admitted", "admitted"]
    assert (fares(home, "orders-20260105-01"), fares(home, "orders-20260105-01-a2")) == (["12.50"], ["12.50", "3.00"])
    assert unreachable(home) == []


def test_a_bucket_that_cannot_be_looked_at_says_why_without_its_keys(
    store: ObjectStore,
    home: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of it nothing has come; everything else goes on. What a driver says of it may hold the address and the keys."""
    caplog.set_level(logging.INFO)
    shown = []
    for more, words in (
        ({"secret": "env:AIRLINE_KEY"}, "Look at its address and its credentials"),
        ({"secret": "env:NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE, in which credentials should be, is not set"),
        ({"endpoint_url": "http://127.0.0.1:9", "max_retries": 0}, "Look at its address and its credentials"),
    ):
        declare(monkeypatch, declared(store, tmp_path, **more))
        trouble = pick_up(home, SOURCE, [DAY]).trouble
        assert words in trouble
        doctor = CliRunner().invoke(cli, ["doctor", "--home", str(home.home)]).output
        shown += [trouble, *unreachable(home), doctor, caplog.text, repr(CONTRACTS[SOURCE])]
    for hidden in (KEY, SECRET):
        assert [one for one in shown if hidden in one] == []
        assert [one for one in home.home.rglob("*") if one.is_file() and hidden.encode() in one.read_bytes()] == []


def test_another_place_is_looked_at_where_the_first_cannot_be_and_what_came_says_so(
    store: ObjectStore, home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the bucket has the same objects; once the first is there again they are not landed twice."""
    copy, away = tmp_path / "copy", tmp_path / "away"
    store.put("flights-2026-01-05.csv", f"{HEADER}UA1,2026-01-05 10:00:00,12.50\n")
    copy.mkdir()
    (copy / "flights-2026-01-05.csv").write_text(f"{HEADER}UA1,2026-01-05 10:00:00,12.50\n")
    declare(monkeypatch, Server(FILES, str(away / "flights-*.csv"), "bucket"), Server(FILES, f"{copy}/*", "copy"))
    landed = pick_up(home, SOURCE, [DAY])
    assert (landed.batches, landed.trouble.endswith("Deliveries were looked for at copy.")) == (1, True)
    [manifest] = landing_folder(home, SOURCE, DAY).glob("*.manifest.json")
    assert json.loads(manifest.read_text())["fallback"] == "copy"
    declare(monkeypatch, declared(store, tmp_path))
    assert pick_up(home, SOURCE, [DAY]).trouble == ""
    assert len(list(landing_folder(home, SOURCE, DAY).iterdir())) == 2

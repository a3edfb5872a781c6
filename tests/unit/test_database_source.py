"""A source that is a database is asked for one batch at a time: bound, read-only, of one moment, once the time is over."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reliability_platform.checks.as_built import fallbacks_used
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Cadence, Column, Contract
from reliability_platform.contracts.file_format import ROWS
from reliability_platform.contracts.inference.document import contract_text
from reliability_platform.contracts.inference.session import proposed
from reliability_platform.contracts.odcs import read_contracts
from reliability_platform.contracts.query import objection, parameters, with_parameters
from reliability_platform.contracts.servers import Server
from reliability_platform.errors import SourceUnavailableError, UsageError
from reliability_platform.landing.admission import Admission, admit
from reliability_platform.landing.breaker import Breaker, BreakerState
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.deliveries import Landed, fetch, unreachable
from reliability_platform.landing.replacement import landed_manifests
from reliability_platform.landing.writer import landing_folder
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions.re_request import request
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.database import DatabaseSource, part_of_day
from reliability_platform.sources.sampling import is_server, sample_of, server_of
from reliability_platform.sources.source import can_be_asked

DAY = date(2026, 1, 5)
SOURCE = "orders"
"""Another contract under its name: sources are known by name in all of the platform."""
AFTER = datetime(2026, 1, 6, 0, 30, tzinfo=UTC)
CONTRACT = Contract(
    source=SOURCE,
    key=("flight",),
    event_time="left_at",
    columns=(
        Column("flight", "BIGINT", required=True),
        Column("left_at", "TIMESTAMP", required=True),
        Column("fare", "DECIMAL(12,2)", required=False),
        Column("late", "BOOLEAN", required=False),
        Column("note", "VARCHAR", required=False),
    ),
    cadence=Cadence(),
    deadline_minutes=60,
    owner="ops@example.com",
    critical=False,
    kind="database",
    file_format=ROWS,
    table="flights",
)
TABLE = "create table flights (flight bigint, left_at timestamp, fare decimal(12,2), late boolean, note varchar)"
ROWS_THERE = [
    (1, "2026-01-04 23:59:59", "1.00", 0, "the day before"),
    (2, "2026-01-05 00:00:00", "12.50", 1, "O'Hare; drop table flights"),
    (3, "2026-01-05 18:30:00", None, 0, None),
    (4, "2026-01-06 00:00:00", "2.00", 0, "the day after"),
]


def in_duckdb(path: Path, *statements: str) -> Server:
    """A DuckDB file with the table."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLE)
        connection.executemany("insert into flights values (?, ?, ?, ?, ?)", ROWS_THERE)
        for one in statements:
            connection.execute(one)
    return Server("duckdb", str(path), "shop")


def in_sqlite(path: Path, *statements: str) -> Server:
    """A SQLite file with the table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TABLE)
        connection.executemany("insert into flights values (?, ?, ?, ?, ?)", ROWS_THERE)
        for one in statements:
            connection.execute(one)
        connection.commit()
    return Server("sqlite", str(path), "shop")


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Where it lands."""
    return load_settings(tmp_path / "home")


@pytest.fixture(params=[in_duckdb, in_sqlite], ids=["duckdb", "sqlite"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The source in each of the engines that need no server."""
    found: Server = request.param(tmp_path / "shop.db")
    declare(monkeypatch, found)
    yield found


def declare(monkeypatch: pytest.MonkeyPatch, *servers: Server, **more: Any) -> None:
    """Let the source be there."""
    monkeypatch.setitem(CONTRACTS, SOURCE, replace(CONTRACT, servers=servers, **more))


def ask(home: Settings, now: datetime = AFTER, day: date = DAY) -> Landed:
    """One fetch of the day."""
    return fetch(home, operations_engine(home), SOURCE, [day], lambda: now)


def flights(home: Settings, batch: str, day: date = DAY) -> list[tuple[Any, ...]]:
    """The rows of a batch as admitted: flight, fare, late, note."""
    rows = pq.read_table(bronze_folder(home, SOURCE, day) / f"{batch}.parquet", partitioning=None).to_pylist()
    return [(row["flight"], str(row["fare"]), row["late"], row["note"]) for row in rows]


def by_batch(records: list[Admission]) -> dict[str, tuple[str, str | None]]:
    """Status and reason of each admission."""
    return {one.batch_id: (one.status, one.reason) for one in records}


def change(server: Server, statement: str) -> None:
    """Let the owner of the database do something in it."""
    connect = duckdb.connect if server.engine == "duckdb" else sqlite3.connect
    with closing(connect(server.address)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_day_is_the_answer_of_a_query_and_lands_with_a_manifest_of_ours(server: Server, home: Settings) -> None:
    """Rows of the day before or after would be counted twice; a manifest must not look as if a producer had written it."""
    landed = ask(home)
    assert (landed.batches, landed.rows, landed.trouble) == (1, 2, "")
    [manifest] = landed_manifests(home, SOURCE, DAY)
    said = (landing_folder(home, SOURCE, DAY) / f"{manifest.batch_id}.manifest.json").read_text()
    assert (manifest.expected_rows, '"vouched_for": false' in said) == (2, True)
    assert by_batch(admit(home, SOURCE, DAY)) == {"orders-20260105-01": ("admitted", None)}
    assert flights(home, "orders-20260105-01") == [
        (2, "12.50", True, "O'Hare; drop table flights"),
        (3, "None", False, None),
    ]


def test_what_has_landed_is_not_asked_for_again_until_healing_asks_for_the_next_attempt(
    server: Server, home: Settings
) -> None:
    """Rows of a database change: landing must stay as it came, and what the database says now must come when asked for."""
    ask(home)
    change(server, "update flights set fare = 99 where flight = 3")
    assert ask(home).batches == 1
    admit(home, SOURCE, DAY)
    assert flights(home, "orders-20260105-01")[1][1] == "None"
    assert can_be_asked(home, SOURCE)
    done = request(home, SOURCE, {DAY: {1}})
    assert [one.batch_id for one in done.replays] == ["orders-20260105-01-a2"]
    assert by_batch(admit(home, SOURCE, DAY))["orders-20260105-01-a2"] == ("admitted", None)
    assert flights(home, "orders-20260105-01-a2")[1][1] == "99.00"
    assert request(home, SOURCE, {DAY: {1}}).facts == {"unchanged": ["orders-20260105-01-a3"]}


def test_a_batch_is_asked_for_when_its_part_of_the_day_is_over(
    server: Server, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked for at noon lacks the afternoon, and would be taken for the whole day for good."""
    declare(monkeypatch, server, cadence=Cadence(4))
    assert ask(home, datetime(2026, 1, 5, 12, 0, tzinfo=UTC)).batches == 2
    first = landed_manifests(home, SOURCE, DAY)
    assert [one.sequence for one in first] == [1, 2]
    change(server, "update flights set fare = 99")
    assert ask(home).rows == 2
    assert {one.checksum for one in first} <= {one.checksum for one in landed_manifests(home, SOURCE, DAY)}
    assert [one.expected_rows for one in sorted(landed_manifests(home, SOURCE, DAY), key=lambda one: one.sequence)] == [
        1, 0, 0, 1,
    ]  # fmt: skip


def test_days_follow_the_calendar_of_the_source_and_periods_reach_back_to_the_last_one(
    server: Server, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flight of the evening in New York is of that day, which is the next one in UTC; a week is seven days."""
    declare(monkeypatch, server, day_zone="America/New_York")
    assert ask(home, AFTER + timedelta(hours=6)).rows == 2
    admit(home, SOURCE, DAY)
    assert [row[0] for row in flights(home, "orders-20260105-01")] == [3, 4]
    local = tuple(replace(one, zone="Europe/Berlin" if one.name == "left_at" else None) for one in CONTRACT.columns)
    declare(monkeypatch, server, day_zone="Europe/Berlin", columns=local)
    assert ask(home, AFTER + timedelta(days=1), DAY - timedelta(days=1)).rows == 1, "moments are read in their own zone"
    weekly = replace(CONTRACT, cadence=Cadence(weekday=0))
    assert part_of_day(weekly, DAY, 1) == (datetime(2025, 12, 30, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC))


def test_a_query_of_the_contract_is_given_the_day_and_never_holds_it(
    server: Server, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that is pasted into SQL is SQL. What stands in quotes or in a comment is no parameter."""
    query = (
        "select flight, left_at, fare, late, '% :day' as note from flights -- :night\n"
        "where left_at >= :start and left_at < :end and flight > :slot order by 1"
    )
    declare(monkeypatch, server, query=query)
    assert ask(home).rows == 2
    admit(home, SOURCE, DAY)
    assert {row[3] for row in flights(home, "orders-20260105-01")} == {"% :day"}
    assert parameters(query) == {"start", "end", "slot"}
    assert with_parameters("select a::date, ':day', x[1:2] where b = :day", lambda name: f"${name}") == (
        "select a::date, ':day', x[1:2] where b = $day"
    )


@pytest.mark.parametrize(
    ("query", "batches", "why"),
    [
        ("select * from flights", 1, "does not use the day"),
        ("select * from flights where left_at >= :start", 1, "does not use the day"),
        ("select * from flights where note = ':day'", 1, "does not use the day"),
        ("select * from flights where d = :night", 1, "the parameter :night"),
        ("select * from flights where d = :day", 4, "4 batches are due"),
        ("", 1, "no SQL"),
    ],
)
def test_a_query_that_cannot_bring_single_batches_is_refused(query: str, batches: int, why: str) -> None:
    """Every day would bring all rows."""
    assert why in str(objection(query, batches))
    assert objection("select * from flights where d = :day", 1) is None
    assert objection("select * from flights where d = :day and part = :slot", 4) is None


TROUBLES = {
    "a table that is not there": ({"table": "voyages"}, "has no table voyages"),
    "a column that is not there": (
        {"query": "select flight, gate from flights where left_at >= :start and left_at < :end"},
        "has no column gate that the query asks for",
    ),
    "an event time that is not there": (
        {"event_time": "gone", "columns": (*CONTRACT.columns, Column("gone", "TIMESTAMP", required=True))},
        "has no column gone",
    ),
}


@pytest.mark.parametrize("what", TROUBLES)
def test_what_is_wrong_is_said_in_one_line_and_stops_no_other_source(
    what: str, server: Server, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that was changed costs its own source a day, which is late, and nothing else: no crash, no traceback."""
    more, words = TROUBLES[what]
    declare(monkeypatch, server, **more)
    landed = ask(home)
    assert (landed.batches, words in landed.trouble, landed.trouble.count("\n")) == (0, True, 0), landed.trouble
    assert landed.fetch is not None
    assert landed.fetch.missing == 1
    assert words in unreachable(home)[0]


def test_a_database_that_is_away_is_late_and_comes_when_it_is_back(
    tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two failures nobody asks it until the breaker lets a probe through; then the day lands by itself."""
    server = in_duckdb(tmp_path / "shop.db")
    declare(monkeypatch, server)
    (tmp_path / "shop.db").rename(tmp_path / "away.db")
    assert "does not answer" in ask(home).trouble
    with pytest.raises(SourceUnavailableError, match="does not answer"):
        request(home, SOURCE, {DAY: {1}})
    assert Breaker(operations_engine(home), SOURCE).view().state is BreakerState.OPEN
    (tmp_path / "away.db").rename(tmp_path / "shop.db")
    assert "left alone" in ask(home, datetime.now(UTC)).trouble
    assert ask(home, datetime.now(UTC) + timedelta(minutes=20)).batches == 1


def test_a_contract_is_proposed_of_a_table_and_reads_as_the_source_that_it_is_of(
    server: Server, tmp_path: Path
) -> None:
    """Whoever has a database would else export it first, and write where it is by hand."""
    change(server, "insert into flights values (5, '2026-01-07 09:00:00', 3.25, false, 'x')")
    url = f"{server.engine}://{server.address}"
    assert is_server(url)
    found = server_of(url, None)
    assert server_of(f"{server.engine}:///{server.address}", None) == found  # four slashes, as others write it
    sample = sample_of(found, "flights", tmp_path, full=False)
    proposal = proposed("flights", [str(sample)], {}, full=False)
    proposal.in_database(found, "flights", whole=True)
    (tmp_path / "flights.yml").write_text(contract_text(proposal, accepted=True))
    [contract] = read_contracts(tmp_path / "flights.yml")
    assert (contract.kind, contract.table, contract.event_time, contract.key) == (
        "database", "flights", "left_at", ("flight",),
    )  # fmt: skip
    assert [(one.engine, one.address) for one in contract.servers] == [(server.engine, server.address)]
    types = {one.name: one.type for one in contract.columns}
    assert (types["flight"], types["left_at"], types["note"]) == ("BIGINT", "TIMESTAMP", "VARCHAR")
    assert types["fare"].startswith("DECIMAL")


def test_an_address_with_a_password_is_refused_and_not_repeated() -> None:
    """It would stand in the contract, in the history of a shell and in the list of processes."""
    with pytest.raises(UsageError, match="say where the secret is with --credentials") as refused:
        server_of("postgresql://me:hunter2canary@db.example.com/shop", None)
    assert "hunter2canary" not in str(refused.value)
    assert server_of("postgresql://me@db.example.com/shop", "env:SHOP_PASSWORD") == Server(
        "postgresql", "shop", "database", "db.example.com", 5432, "public", "me", "env:SHOP_PASSWORD"
    )


def test_a_file_that_somebody_writes_to_is_no_broken_one(
    tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB lets one process write and nobody read meanwhile."""
    server = in_duckdb(tmp_path / "shop.db")
    declare(monkeypatch, server)
    held = f"import duckdb; c = duckdb.connect({server.address!r}); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        assert "is held by another program" in ask(home).trouble
        other.stdin.write("\n")


def test_nothing_is_ever_written_to_the_database(
    server: Server, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query of a contract is somebody's text."""
    declare(monkeypatch, server, query="insert into flights select :day, :day, 1, true, 'x' returning *")
    before = Path(server.address).read_bytes()
    assert "fails at the query" in ask(home).trouble
    assert Path(server.address).read_bytes() == before


def test_a_secondary_server_is_asked_where_the_first_does_not_answer_and_what_came_says_so(
    tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica has the same rows; whoever reads the manifest sees that it was the replica that was asked."""
    replica = replace(in_duckdb(tmp_path / "replica.db"), name="replica")
    declare(monkeypatch, Server("duckdb", str(tmp_path / "gone.db"), "shop"), replica)
    landed = ask(home)
    assert (landed.rows, "was asked at replica" in landed.trouble) == (2, True)
    [manifest] = landing_folder(home, SOURCE, DAY).glob("*.manifest.json")
    assert '"fallback": "replica"' in manifest.read_text()
    admit(home, SOURCE, DAY)
    assert fallbacks_used(home) == {(SOURCE, DAY): ["replica"]}
    manifest.write_text(manifest.read_text().replace('"fallback": "replica"', '"fallback": "somebody@example.org"'))
    admit(home, SOURCE, DAY)
    assert fallbacks_used(home) == {}, "only what the contract calls a server is one"
    assert Breaker(operations_engine(home), SOURCE).view().state is BreakerState.CLOSED


def test_a_day_that_is_larger_than_the_memory_of_its_pieces_does_not_fill_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million rows are in a file while they wait to be landed: Arrow holds some pieces of them at once."""
    more = "insert into flights select 10 + i, timestamp '2026-01-05 10:00', 1, true, repeat('x', 100) from range(1000000) r(i)"
    declare(monkeypatch, in_duckdb(tmp_path / "shop.db", more))
    before, pool = pa.total_allocated_bytes(), pa.default_memory_pool()
    peak = pool.max_memory() or 0  # of whatever this process has tested before
    [batch] = DatabaseSource(SOURCE, 60).deliver(DAY)
    assert batch.table.num_rows == 1_000_002
    assert batch.table.nbytes > 100_000_000
    assert pa.total_allocated_bytes() - before < 20_000_000
    assert (pool.max_memory() or 0) <= max(peak, before + 60_000_000)


def test_a_database_that_does_not_come_to_an_end_is_stopped(
    tmp_path: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else waits for the landing of a source."""
    endless = (
        "with recursive n(i) as (select 1 union all select i + 1 from n where i > 0) "
        "select i as flight, :day as left_at, null as fare, null as late, null as note from n where i < 0"
    )
    declare(monkeypatch, in_sqlite(tmp_path / "shop.db"), query=endless)
    brief = home.model_copy(update={"fetch_budget_seconds": 0.5})
    assert "has not answered within 0.5 s" in ask(brief).trouble

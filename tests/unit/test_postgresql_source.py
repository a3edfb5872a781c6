"""A source in a PostgreSQL server: its types, its refusals, and a password that shows nowhere."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import certifi
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from reliability_platform.cli.main import cli
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Cadence, Column, Contract
from reliability_platform.contracts.file_format import ROWS
from reliability_platform.contracts.servers import Server
from reliability_platform.landing.admission import admit
from reliability_platform.landing.bronze import bronze_folder
from reliability_platform.landing.deliveries import Landed, fetch, unreachable
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.database import DatabaseSource
from reliability_platform.sources.sampling import sample_of
from tests.postgresql_server import PASSWORD, PostgresqlServer, postgresql_server
from tests.tls_in_front import authority, tls_in_front

DAY = date(2026, 1, 5)
SOURCE = "orders"
CONTRACT = Contract(
    source=SOURCE,
    key=("flight",),
    event_time="left_at",
    columns=(
        Column("flight", "BIGINT", required=True),
        Column("left_at", "TIMESTAMP", required=True),
        Column("fare", "DECIMAL(12,2)", required=False),
        Column("total", "DECIMAL(12,2)", required=False),
        Column("late", "BOOLEAN", required=False),
        Column("extras", "VARCHAR", required=False, json=True),
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


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgresqlServer]:
    """A server with the table in a schema of its own."""
    with postgresql_server() as server:
        server.execute("create schema ops")
        server.execute(
            "create table ops.flights (flight int, left_at timestamptz, fare numeric(10,2), total numeric, late bool, "
            "extras jsonb, note text)"
        )
        server.execute(
            "create function ops.touch() returns int language sql as 'insert into ops.flights values (9) returning 1'"
        )
        for flight, left_at, total in (
            (1, "2026-01-04 23:59:59+00", "1"), (2, "2026-01-05 01:00:00+01", "12.5"), (3, "2026-01-05 23:59:59+00", "1.005"),
            (4, "2026-01-06 00:00:00+00", "1"),
        ):  # fmt: skip
            server.execute(
                "insert into ops.flights values (%s, %s, 1.5, %s, true, '{\"bags\": 2}', 'O''Hare 100%%')",
                (flight, left_at, total),
            )
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Where it lands; the password is in the environment."""
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    return load_settings(tmp_path / "home")


def declared(postgresql: PostgresqlServer, **more: Any) -> Server:
    """The server as a contract declares it."""
    found = Server(
        "postgresql", "postgres", "shop", "127.0.0.1", postgresql.port, "ops", "owner", credentials="env:SHOP_PASSWORD"
    )
    return replace(found, **more)


def declare(monkeypatch: pytest.MonkeyPatch, *servers: Server, **more: Any) -> None:
    """Let the source be there."""
    monkeypatch.setitem(CONTRACTS, SOURCE, replace(CONTRACT, servers=servers, **more))


def ask(home: Settings, hours: float = 0) -> Landed:
    """One fetch of the day, so many hours after its end."""
    now = datetime(2026, 1, 6, tzinfo=UTC) + timedelta(hours=hours)
    return fetch(home, operations_engine(home), SOURCE, [DAY], lambda: now)


def test_a_day_comes_with_the_types_of_the_server_and_a_bad_value_costs_its_row_alone(
    postgresql: PostgresqlServer, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A numeric without a scale may hold any number: one that is no amount must not keep the day out."""
    declare(monkeypatch, declared(postgresql))
    assert (ask(home).rows, unreachable(home)) == (2, [])
    [record] = admit(home, SOURCE, DAY)
    assert (record.status, record.reason) == ("admitted", None)
    rows = pq.read_table(bronze_folder(home, SOURCE, DAY) / f"{record.batch_id}.parquet", partitioning=None).to_pylist()
    assert [(row["flight"], row["left_at"], str(row["fare"]), str(row["total"])) for row in rows] == [
        (2, datetime(2026, 1, 5), "1.50", "12.50"),
        (3, datetime(2026, 1, 5, 23, 59, 59), "1.50", "None"),
    ]
    assert (rows[0]["late"], rows[0]["extras"], rows[0]["note"]) == (True, '{"bags": 2}', "O'Hare 100%")
    assert "1.005" in rows[1]["_rescued"]


def test_a_table_is_a_sample_for_a_contract(
    postgresql: PostgresqlServer, home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its types are those of the server; a numeric without a scale, and JSON, are texts."""
    found = sample_of(declared(postgresql), "flights", tmp_path, full=True)
    kinds = dict(zip((rows := pq.read_table(found)).column_names, map(str, rows.schema.types), strict=True))
    assert (rows.num_rows, kinds["left_at"], kinds["fare"]) == (4, "timestamp[us, tz=UTC]", "decimal128(10, 2)")
    assert {name for name, kind in kinds.items() if kind == "string"} == {"total", "extras", "note"}


def test_two_batches_of_a_day_are_of_one_moment(
    postgresql: PostgresqlServer, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that moves from the second half of a day to the first while the day is read would be in neither, or in both."""
    declare(monkeypatch, declared(postgresql), cadence=Cadence(2))
    batches = DatabaseSource(SOURCE, 60).batches(DAY, [1, 2], datetime(2026, 1, 6, tzinfo=UTC))
    assert next(batches).table["flight"].to_pylist() == [2]
    postgresql.execute("update ops.flights set left_at = '2026-01-05 02:00+00' where flight = 3")
    try:
        assert next(batches).table["flight"].to_pylist() == [3]
    finally:
        postgresql.execute("update ops.flights set left_at = '2026-01-05 23:59:59+00' where flight = 3")


TROUBLES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a wrong password": ({"credentials": "file:/dev/null"}, {}, "is no secret: it is empty"),
    "another password": ({"credentials": "command:printf wrong"}, {}, "refuses the user, or the credentials"),
    "no password": ({"credentials": None}, {}, "refuses the user, or the credentials"),
    "a secret that is not there": ({"credentials": "env:NO_SUCH_VARIABLE"}, {}, "NO_SUCH_VARIABLE, in which credentials"),
    "a server that is away": ({"port": 9}, {}, "does not answer"),
    "another database": ({"address": "till"}, {}, "does not answer"),
    "a table that is not there": ({}, {"table": "voyages"}, "has no table"),
    "a column that is not there": ({}, {"query": "select gate from ops.flights where :day > :start"}, "has no column gate"),
    "a value that the query cannot take": ({}, {"query": "select note::int from ops.flights where :day > :start - interval '1 day'"}, "fails at the query (SQLSTATE 22P02)"),
    "a function that writes": ({}, {"query": "select ops.touch() where :day > :start - interval '1 day'"}, "SQLSTATE 25006"),
    "a query that writes": ({}, {"query": "delete from ops.flights where left_at::date = :day returning *"}, "fails at the query"),
    "a server without TLS where it must be verified": ({"ca_file": certifi.where()}, {}, "does not speak TLS"),
}  # fmt: skip


@pytest.mark.parametrize("what", TROUBLES)
def test_what_is_wrong_is_said_without_the_password(
    what: str, postgresql: PostgresqlServer, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day is late, the run goes on, and whoever reads the line knows what to mend."""
    server, more, words = TROUBLES[what]
    declare(monkeypatch, declared(postgresql, **server), **more)
    landed = ask(home)
    assert (landed.batches, words in landed.trouble) == (0, True), landed.trouble
    assert PASSWORD not in landed.trouble


def test_a_password_shows_nowhere(
    postgresql: PostgresqlServer,
    home: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whoever reads a log, an error, a page, the store or the list of processes must not be able to ask the source."""
    log = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(log)])
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    shown = []
    for server in (
        declared(postgresql, credentials=f"file:{tmp_path / 'password'}"),
        declared(postgresql, user="nobody", credentials=f"command:cat {tmp_path / 'password'}"),
        declared(postgresql, port=9),
    ):
        declare(monkeypatch, server)
        shown += [repr(server), ask(home, hours=24).trouble, *unreachable(home)]
        for words in (["doctor"], ["sources"], ["sources", "--json"]):
            shown.append(CliRunner().invoke(cli, [*words, "--home", str(home.home)]).output)
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            shown.append(process.read_bytes().decode(errors="replace"))
    shown += [log.getvalue(), *capfd.readouterr()]
    left = [path for path in home.home.rglob("*") if path.is_file()]
    assert len(left) >= 3
    assert any("does not answer" in one for one in shown)
    assert [one for one in shown if PASSWORD in one] == []
    assert [path for path in left if PASSWORD.encode() in path.read_bytes()] == []


def test_psycopg_is_asked_for_where_it_is_missing(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is an extra: most projects have no PostgreSQL."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    declare(monkeypatch, Server("postgresql", "shop", host="127.0.0.1", port=9))
    assert "needs psycopg: install the platform with its extra `postgres`" in ask(home).trouble


def test_a_server_over_tls_is_verified_before_it_hears_anything(
    postgresql: PostgresqlServer, home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate must be of the authority that the contract names, and for the host that it names: else no byte of a
    name or a password goes to whoever answers."""
    right, wrong = authority(tmp_path / "right", "127.0.0.1"), authority(tmp_path / "wrong", "127.0.0.1")
    elsewhere = authority(tmp_path / "elsewhere", "db.example.com")
    unverified = "shows no certificate that can be verified"
    tried = (
        (wrong, right.ca_file, unverified),  # another authority of the same name
        (right, certifi.where(), unverified),  # one that nobody knows
        (elsewhere, elsewhere.ca_file, unverified),
        (right, right.ca_file, ""),
    )
    for hours, (shown, trusted, why) in enumerate(tried):  # so long apart that the breaker lets each through
        with tls_in_front(postgresql.port, shown) as front:
            declare(monkeypatch, declared(postgresql, port=front.port, ca_file=str(trusted)))
            landed, said = ask(home, hours), [str(one) for one in unreachable(home)]
            if why:
                assert landed.rows == 0
                assert not any(front.passed_on)
            else:
                assert landed.rows == 2
                assert front.passed_on[0] > 0
        assert [why in one for one in said] == ([True] if why else []), said

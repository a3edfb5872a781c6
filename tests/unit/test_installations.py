"""Two homes with one database: no row of the one is ever read, changed or healed by the other."""

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.demo_home import begin, may_be_emptied
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.day_clock import simulate
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.incidents.impact import Consumers
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.operations import operations_engine
from reliability_platform.operations.identity import given_identity, home_id, known_homes
from reliability_platform.operations.postgresql import Installation
from reliability_platform.operations.tables import metadata
from reliability_platform.pipeline import ticks
from reliability_platform.settings import Settings, load_settings
from tests.ground import EVENTS, Platform, day
from tests.postgresql_server import PostgresqlServer
from tests.unit.failing import NOW, result

FORK = get_context("fork")
CHECK = "bronze_orders__batch_completeness"


@pytest.fixture
def two(in_postgresql: PostgresqlServer, tmp_path: Path) -> tuple[Settings, Settings]:
    """Settings of two homes, whose stores are in one database."""
    return load_settings(tmp_path / "one"), load_settings(tmp_path / "other")


@pytest.fixture
def database(
    postgresql_of_the_session: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostgresqlServer]:
    """An empty one that no other test uses, for what an earlier release has left in its schema `public`."""
    server = postgresql_of_the_session
    server.execute("drop schema public cascade")
    server.execute("create schema public")
    monkeypatch.setenv("RELIABILITY_OPERATIONS_URL", server.url)
    yield server
    server.execute("drop schema public cascade")
    server.execute("create schema public")


def rows(settings: Settings) -> dict[str, list[Any]]:
    """All that a store says."""
    with operations_engine(settings).connect() as connection:
        return {table.name: list(map(tuple, connection.execute(select(table)))) for table in metadata.sorted_tables}


def test_an_incident_of_one_home_is_none_of_the_other(
    two: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each saw the other's failed checks, and healed them in its own warehouse."""
    monkeypatch.setattr(ticks, "consumers", lambda *_: Consumers({}, frozenset()))
    monkeypatch.setattr(ticks, "ensure_manifest", lambda: None)
    one, other = two
    CheckStore(operations_engine(one)).record([result(CHECK)])
    before = rows(other)
    assert ticks.notice(other, operations_engine(other), lambda: NOW) == ([], 0)
    [opened], _ = ticks.notice(one, operations_engine(one), lambda: NOW)
    assert IncidentStore(operations_engine(one)).get(opened).source == "orders"
    assert IncidentStore(operations_engine(other)).all() == []
    assert CheckStore(operations_engine(other)).latest() == []
    assert rows(other) == before
    assert known_homes(operations_engine(one)) == {home_id(one)} != known_homes(operations_engine(other))


def test_numbers_begin_at_one_in_each_home(two: tuple[Settings, Settings]) -> None:
    """A cursor counts the results of its own home."""
    for settings in two:
        CheckStore(operations_engine(settings)).record([result(CHECK)])
        assert CheckStore(operations_engine(settings)).last_id() == 1


def test_sql_that_names_no_schema_sees_its_own_home(two: tuple[Settings, Settings]) -> None:
    """Whoever writes the next query need not think of it; a transaction that is undone does not undo that either."""
    one, other = two
    for settings, words in zip(two, ("of one", "of other"), strict=True):
        with operations_engine(settings).begin() as connection:
            connection.execute(text("create table said (words text)"))
            connection.execute(text("insert into said values (:words)"), {"words": words})
    for settings, words in ((one, "of one"), (other, "of other"), (one, "of one")):
        with operations_engine(settings).connect() as connection:
            assert connection.execute(text("select words from said")).scalars().all() == [words]
            connection.rollback()
            assert connection.execute(text("select words from said")).scalars().all() == [words]


def _open_at_once(settings: Settings, gate: Barrier) -> None:
    gate.wait(60)
    operations_engine(settings)


def test_processes_that_open_a_new_home_at_once_give_it_one_identity(two: tuple[Settings, Settings]) -> None:
    """Each would have had a schema of its own."""
    gate = FORK.Barrier(4)
    processes = [FORK.Process(target=_open_at_once, args=(two[number % 2], gate)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert [known_homes(operations_engine(one)) for one in two] == [{home_id(one)} for one in two]


def test_a_home_that_has_published_is_not_given_an_empty_store(two: tuple[Settings, Settings]) -> None:
    """A schema that was dropped, or a store that is still in the home: nobody is told that there are no incidents."""
    one, _ = two
    (one.published / "v0001").mkdir(parents=True)
    with pytest.raises(EnvironmentUnusableError, match=f"has no schema {Installation.of(one).schema}") as said:
        operations_engine(one)
    assert "\n" not in str(said.value)
    assert known_homes(operations_engine(one, begin=True)) == {home_id(one)}


def test_an_identity_that_is_none_names_no_schema(two: tuple[Settings, Settings]) -> None:
    """It would go into SQL."""
    one, _ = two
    one.home.mkdir()
    one.identity.write_text(json.dumps({"id": 'x"; drop schema public cascade; --'}))
    with pytest.raises(EnvironmentUnusableError, match="does not say which home this is"):
        operations_engine(one)


def _of_an_earlier_release(server: PostgresqlServer, *homes: str) -> None:
    """The tables of a store as it was before installations had schemas."""
    from sqlalchemy import create_engine

    from reliability_platform.operations.schema import ensure_schema

    engine = create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"))
    ensure_schema(engine)
    CheckStore(engine).record([result(CHECK)])
    with engine.begin() as connection:
        for one in homes:
            connection.execute(metadata.tables["homes"].insert().values(id=one))
    engine.dispose()


def _home_with_identity(settings: Settings) -> str:
    settings.home.mkdir()
    return given_identity(settings, str(uuid.uuid4()))


def test_tables_of_an_earlier_release_come_along_with_their_home(database: PostgresqlServer, tmp_path: Path) -> None:
    """Its incidents would be gone."""
    one, other = load_settings(tmp_path / "one"), load_settings(tmp_path / "other")
    _of_an_earlier_release(database, _home_with_identity(one))
    assert CheckStore(operations_engine(other)).last_id() == 0
    assert CheckStore(operations_engine(one)).last_id() == 1
    CheckStore(operations_engine(one)).record([result(CHECK)])
    assert CheckStore(operations_engine(one)).last_id() == 2
    assert CheckStore(operations_engine(other)).last_id() == 0


def test_tables_that_two_homes_have_shared_are_nobodys(database: PostgresqlServer, tmp_path: Path) -> None:
    """Nothing says whose a row is."""
    one = load_settings(tmp_path / "one")
    _of_an_earlier_release(database, _home_with_identity(one), str(uuid.uuid4()))
    with pytest.raises(EnvironmentUnusableError, match="2 homes have shared the tables"):
        operations_engine(one)


def test_a_demo_has_its_home_to_itself(two: tuple[Settings, Settings]) -> None:
    """It begins with an empty store, beside another home that has one."""
    one, other = two
    CheckStore(operations_engine(other)).record([result(CHECK)])
    assert may_be_emptied(one, yes=True) == ""
    operations_engine(one)
    assert may_be_emptied(one, yes=True) == ""
    begin(one)
    CheckStore(operations_engine(one)).record([result(CHECK)])
    with pytest.raises(UsageError, match="give it a home of its own"):
        may_be_emptied(one, yes=True)


@pytest.mark.exhaustive  # 20 s
def test_of_two_real_homes_one_breaks_and_the_other_heals_nothing_of_it(
    two: tuple[Settings, Settings],
) -> None:
    """Both run the same days from the same sources; a batch of the one does not come."""
    broken, clean = (
        Platform(one.home, events_per_day=EVENTS, injections=faults)
        for one, faults in zip(two, ([Injection("missing_batch", "orders", day(2), "small")], []), strict=True)
    )
    for made in (broken, clean):
        simulate(made.engine, [day(1), day(2)], utc_now())
        made.run(day(1), day(2))
    opened, none = (ticks.notice(made.settings, made.engine, utc_now)[0] for made in (broken, clean))
    assert "missing_data" in opened[0]
    assert none == []
    before = rows(broken.settings)
    main(["heal", "--home", str(clean.settings.home)])
    assert rows(broken.settings) == before
    main(["heal", "--home", str(broken.settings.home)])
    healed = {one.id: one.state for one in IncidentStore(broken.engine).all()}
    assert set(healed.values()) == {State.RESOLVED}
    assert IncidentStore(clean.engine).all() == []


def test_a_file_that_two_homes_name_is_refused_to_the_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file has no schemas: whoever opens it first has it."""
    file = tmp_path / "operations.db"
    monkeypatch.setenv("RELIABILITY_OPERATIONS_URL", f"sqlite:///{file}")
    one, other = load_settings(tmp_path / "one"), load_settings(tmp_path / "other")
    operations_engine(one)
    with pytest.raises(EnvironmentUnusableError, match="is of another home"):
        operations_engine(other)
    with closing(sqlite3.connect(file)) as store:
        assert store.execute("select id from homes").fetchall() == [(home_id(one),)]

"""The schema of the operations store: homes of an earlier release keep what they know, those of a later one are refused."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event, select, update

from reliability_platform import operations
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.operations import operations_engine
from reliability_platform.operations.schema import HEAD, MIGRATIONS, ensure_schema
from reliability_platform.operations.tables import (
    alerts,
    backfill_decisions,
    check_results,
    metadata,
    openlineage_spool,
    operations_version,
)
from reliability_platform.settings import Settings, load_settings
from tests.rights import without_overriding_rights

RELEASE_0_3_0 = Path(__file__).parents[1] / "golden" / "operations_0_3_0.sql"
"""Written by the code of release 0.3.0: its tables, and some rows."""
FORK = get_context("fork")


@pytest.fixture(autouse=True)
def _makes_its_own_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is a copy."""
    monkeypatch.setattr(operations.engine, "ensure_schema", ensure_schema)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home without a store."""
    return load_settings(tmp_path / "home")


@pytest.fixture
def old(settings: Settings) -> Settings:
    """A home with the store of release 0.3.0."""
    settings.home.mkdir()
    with closing(sqlite3.connect(settings.home / "operations.sqlite")) as store:
        store.execute("pragma journal_mode = wal")
        store.executescript(RELEASE_0_3_0.read_text())
    return settings


def differences(engine: Engine) -> list[object]:
    """What the store's schema lacks of the tables in `operations/tables.py`, or has beside them."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": operations_version.name})
        return list(compare_metadata(context, metadata))


def version(engine: Engine) -> list[str]:
    """The versions that the store has noted."""
    with engine.connect() as connection:
        return list(connection.scalars(select(operations_version.c.version_num)))


def test_a_new_store_has_every_table_and_the_newest_version(settings: Settings) -> None:
    """What is made whole and what is migrated must be the same schema."""
    engine = operations_engine(settings)
    assert differences(engine) == []
    assert version(engine) == [HEAD]


def test_the_newest_version_is_that_of_the_last_revision() -> None:
    """A revision that `HEAD` does not know would never run."""
    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])
    assert script.get_heads() == [HEAD]


def test_a_store_of_the_release_before_is_migrated_and_keeps_its_rows(old: Settings) -> None:
    """A table was made where it was missing; a column could never change."""
    engine = operations_engine(old)
    assert differences(engine) == []
    assert version(engine) == [HEAD]
    kept = {
        check_results.c.status: "failed",
        alerts.c.summary: "INC-0001 opened",
        backfill_decisions.c.message: "more than 2 days need an approval",
        openlineage_spool.c.dead_letter_reason: "refused with 400",
    }
    with engine.connect() as connection:
        assert {column: connection.scalars(select(column)).all() for column in kept} == {
            column: [value] for column, value in kept.items()
        }


def test_the_first_revision_makes_the_tables_of_the_release_before(old: Settings, tmp_path: Path) -> None:
    """A store that has but a part of them, as homes of 0.2.0 have, gets the rest."""
    with closing(sqlite3.connect(old.home / "operations.sqlite")) as store:
        store.executescript("drop table fetch_durations; drop table drills; drop index alerts_by_time")
    assert differences(operations_engine(old)) == []


def test_a_store_of_a_newer_release_is_refused_in_one_line(settings: Settings) -> None:
    """This release would write rows that the newer one cannot read."""
    engine = operations_engine(settings)
    with engine.begin() as connection:
        connection.execute(update(operations_version).values(version_num="9999"))
    with pytest.raises(EnvironmentUnusableError, match="schema 9999, of a newer release") as said:
        operations_engine(settings)
    assert "install that release" in str(said.value)
    assert "\n" not in str(said.value)


DAMAGED_VERSIONS = {
    "update operations_version set version_num = '0002x'": "its version '0002x' is not known",
    "update operations_version set version_num = '0000'": "its version '0000' is not known",
    "update operations_version set version_num = ''": "its version '' is not known",
    "update operations_version set version_num = 'garbage'": "its version 'garbage' is not known",
    "update operations_version set version_num = '0001'": "its tables are not those of its version 0001",
    "delete from operations_version": "its version is missing",
    "drop table operations_version": "its version is missing",
    "drop table operations_version; create table operations_version (other text)": "its version cannot be read",
}


@pytest.mark.parametrize("damage", DAMAGED_VERSIONS)
def test_a_store_whose_version_is_damaged_is_refused_in_one_line_and_stays_as_it_is(
    settings: Settings, damage: str
) -> None:
    """It was called a fault of the platform, with the words masked, or of a newer release."""
    operations_engine(settings)
    with closing(sqlite3.connect(settings.home / "operations.sqlite")) as store:
        store.executescript(damage)
    before = _tables(settings)
    with pytest.raises(EnvironmentUnusableError) as said:
        operations_engine(settings)
    file = settings.home / "operations.sqlite"
    assert str(said.value) == (
        f"The operations store {file} is damaged: {DAMAGED_VERSIONS[damage]}; restore it from a snapshot."
    )
    assert _tables(settings) == before


def test_opening_a_store_asks_one_question(settings: Settings) -> None:
    """Each command opens the store; it asked for each of its tables."""
    engine = operations_engine(settings)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, statement, *_: asked.append(statement))
    ensure_schema(engine)
    assert len(asked) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_alembic_is_not_imported_for_a_store_that_needs_no_migration(settings: Settings, times: int) -> None:
    """It takes 0.2 s of each command."""
    code = (
        "import sys; from reliability_platform.operations import operations_engine; from reliability_platform.settings "
        f"import load_settings; [operations_engine(load_settings({str(settings.home)!r})) for _ in range({times})]; "
        "print('alembic' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.strip() == "False"


def open_at_once(settings: Settings, gate: Barrier) -> None:
    """In a process of its own."""
    gate.wait(60)
    operations_engine(settings)


@pytest.mark.parametrize("home", ["settings", "old"])
def test_two_processes_may_open_a_home_for_the_first_time_at_once(home: str, request: pytest.FixtureRequest) -> None:
    """The web server and the daemon start together."""
    settings: Settings = request.getfixturevalue(home)
    gate = FORK.Barrier(4)
    processes = [FORK.Process(target=open_at_once, args=(settings, gate)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    engine = operations_engine(settings)
    assert differences(engine) == []
    assert version(engine) == [HEAD]


def open_and_die(settings: Settings, statements: int) -> None:
    """Kill the process before a number of statements that change the schema."""
    left = iter(range(statements))

    def count(_c: object, _u: object, statement: str, *_: object) -> None:
        changes = statement.lstrip().upper().startswith(("CREATE", "DROP", "ALTER", "INSERT", "UPDATE"))
        if changes and next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    operations_engine(settings)


def _tables(settings: Settings) -> set[str]:
    with closing(sqlite3.connect(settings.home / "operations.sqlite")) as store:
        return {name for (name,) in store.execute("select name from sqlite_master")}


@pytest.fixture(params=[0, 1, 24, 46])
def dead_at(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many statements a migration made before it was killed."""
    yield request.param


def test_a_migration_that_was_killed_has_changed_nothing_and_is_made_by_the_next(old: Settings, dead_at: int) -> None:
    """Half of a migration is neither version."""
    before = _tables(old)
    process = FORK.Process(target=open_and_die, args=(old, dead_at))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert _tables(old) == before
    engine = operations_engine(old)
    assert differences(engine) == []
    assert version(engine) == [HEAD]


def test_a_store_that_cannot_be_written_opens_if_it_needs_no_migration(settings: Settings) -> None:
    """A copy on a read-only disk is there to be read."""
    operations_engine(settings)
    read_only(settings)
    with without_overriding_rights():
        assert version(operations_engine(settings)) == [HEAD]


def test_an_old_store_that_cannot_be_written_says_so(old: Settings) -> None:
    """Nothing can be migrated there."""
    read_only(old)
    with without_overriding_rights(), pytest.raises(EnvironmentUnusableError, match="operations store") as said:
        operations_engine(old)
    assert "\n" not in str(said.value)


def read_only(settings: Settings) -> None:
    """The store may be read by everybody and written by nobody."""
    (settings.home / "operations.sqlite").chmod(0o444)

"""The operations store's connections stay open, and are used again only where the file is the one that they were opened on."""

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text

from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a home with a store."""
    return load_settings(tmp_path / "home")


@pytest.fixture
def opened(settings: Settings) -> list[object]:
    """What was opened on the store since."""
    made: list[object] = []
    event.listen(operations_engine(settings), "connect", lambda connection, _record: made.append(connection))
    return made


def _say(engine: Engine, words: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("create table if not exists said (words text)"))
        connection.execute(text("insert into said values (:words)"), {"words": words})


def _said(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [str(row[0]) for row in connection.execute(text("select words from said order by rowid"))]


def test_one_after_the_other_needs_one_connection(settings: Settings, opened: list[object]) -> None:
    """A landing day asks the store a hundred times."""
    for words in "abc":
        _say(operations_engine(settings), words)
    assert _said(operations_engine(settings)) == ["a", "b", "c"]
    assert len(opened) <= 1  # the schema was made with one


def test_a_store_that_was_put_back_is_read_and_not_the_one_before(settings: Settings, tmp_path: Path) -> None:
    """Somebody restores a snapshot beside a daemon that has the store open."""
    engine, store = operations_engine(settings), settings.home / "operations.sqlite"
    _say(engine, "before")
    engine.dispose()
    kept = tmp_path / "kept"
    kept.write_bytes(store.read_bytes())
    _say(engine, "lost")
    for log in settings.home.glob("operations.sqlite-*"):
        log.unlink()
    kept.rename(store)
    assert _said(engine) == ["before"]
    _say(engine, "after")
    engine.dispose()
    assert _said(operations_engine(settings)) == ["before", "after"]


def test_a_log_that_was_taken_away_is_not_written_to(settings: Settings) -> None:
    """What is written into a file without a name, nobody else reads."""
    engine = operations_engine(settings)
    _say(engine, "kept")
    engine.dispose()
    assert _said(engine) == ["kept"]
    for log in settings.home.glob("operations.sqlite-*"):
        log.unlink()
    _say(engine, "after")
    assert (settings.home / "operations.sqlite-wal").stat().st_size > 0
    assert _said(engine) == ["kept", "after"]


def test_a_fork_opens_its_own(settings: Settings, opened: list[object]) -> None:
    """SQLite forbids to carry a connection over a fork: the locks are the parent's."""
    engine = operations_engine(settings)
    _say(engine, "parent")
    mine = len(opened)
    child = os.fork()
    if child == 0:
        try:
            _say(engine, "child")
            os._exit(0 if len(opened) == mine + 1 else 3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    _say(engine, "parent")
    assert _said(engine) == ["parent", "child", "parent"]
    assert len(opened) == mine

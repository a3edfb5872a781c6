"""The operations store: one SQLAlchemy engine for check results, incidents, timeline, ledgers.

Each package declares its own tables on `metadata`; nothing here knows what they hold.
"""

import re
from typing import Any

from sqlalchemy import Engine, ExceptionContext, MetaData, create_engine, event
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool, QueuePool

from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, PlatformError
from reliability_platform.settings import Settings

metadata = MetaData()

BUSY_TIMEOUT_MILLISECONDS = 30_000


_WORDS: tuple[tuple[str, type[PlatformError], str], ...] = (
    ("database is locked", HomeBusyError, "Another program holds the operations store: try again when it has ended."),
    ("disk is full", EnvironmentUnusableError, "There is no room for the operations store: make room, then try again."),
    (
        "malformed|not a database|disk i/o error",
        EnvironmentUnusableError,
        "The operations store cannot be read: put back a copy of it, or move it away and run the days again.",
    ),
)
"""What SQLite says, and what a person can do. Whatever it had begun is undone."""


def _in_words(context: ExceptionContext) -> None:
    said = str(context.original_exception)
    for sign, error, words in _WORDS:
        if re.search(sign, said, re.IGNORECASE):
            raise error(words) from context.original_exception


def operations_engine(settings: Settings, *, keep_open: bool = False) -> Engine:
    """An engine on the store, its tables made where they are missing.

    SQLite runs in WAL mode, so that the Dagster UI reads while a run writes, and waits for its turn instead
    of failing. NullPool: a connection per transaction, so that no process carries an open file over a fork.
    `keep_open` is for one that never forks and writes often: a small transaction takes a tenth of the time.
    """
    url = settings.operations
    if not url.startswith("sqlite"):
        engine = create_engine(url)
    else:
        settings.home.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, poolclass=QueuePool if keep_open else NullPool)

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: object) -> None:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MILLISECONDS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    event.listen(engine, "handle_error", _in_words)
    for attempts_left in reversed(range(len(metadata.tables) + 1)):
        try:
            metadata.create_all(engine)
            break
        except (OperationalError, ProgrammingError):
            # Another process made a table between the look and the making; it can do so once per table.
            if not attempts_left:
                raise
    return engine

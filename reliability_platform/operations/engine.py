"""Opens the operations store: one SQLAlchemy engine, and the platform's words for what keeps it from opening."""

import os
import re
import sqlite3
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, ExceptionContext, event
from sqlalchemy.pool import QueuePool

from reliability_platform.causes import DAMAGE, HELD, LIMIT, NO_RIGHTS, NO_ROOM, Cause, cause_of_number
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, PlatformError, UsageError
from reliability_platform.home_path import rename_former_folders
from reliability_platform.operations.address import parsed, usable
from reliability_platform.operations.identity import home_id, identify
from reliability_platform.operations.postgresql import Installation
from reliability_platform.operations.reuse import reuse_untouched
from reliability_platform.operations.schema import ensure_schema
from reliability_platform.operations.server import server_engine
from reliability_platform.operations.tables import metadata, operations_version
from reliability_platform.room import room_at
from reliability_platform.settings import Settings, variable

BUSY_TIMEOUT_MILLISECONDS = 30_000
OPERATIONS_URL, DAGSTER_URL = variable("operations_url"), variable("dagster_url")
RESTORED = "`reliability restore --damaged` puts it back"
"""The home's own store must not be moved away: nothing is published beside a new one."""
_NO_TABLE = re.compile(r"no such table: (\w+)")


_SQLITE: tuple[tuple[str, Cause], ...] = (
    ("SQLITE_BUSY", HELD),
    ("SQLITE_LOCKED", HELD),
    ("SQLITE_FULL", NO_ROOM),
    ("SQLITE_IOERR_SHMSIZE", NO_ROOM),
    ("SQLITE_READONLY", NO_RIGHTS),
    ("SQLITE_PERM", NO_RIGHTS),
    ("SQLITE_AUTH", NO_RIGHTS),
    ("SQLITE_NOMEM", LIMIT),
    ("SQLITE_CORRUPT", DAMAGE),
    ("SQLITE_NOTADB", DAMAGE),
    ("SQLITE_IOERR_CORRUPTFS", DAMAGE),
    ("SQLITE_IOERR_SHORT_READ", DAMAGE),
)
"""What SQLite's codes mean, by their beginning. SQLITE_CANTOPEN and the other SQLITE_IOERR mean anything: for these the
system is asked."""
_PROBE_BYTES = 1 << 16


def store_error(
    error: sqlite3.Error, file: Path, what: str = "The operations store", if_damaged: str = RESTORED
) -> PlatformError | None:
    """The platform's error for one of SQLite; None for what says nothing about the file: a statement of ours is wrong.

    Whatever it had begun is undone. `file` is the database, or the folder that holds it.
    """
    code = getattr(error, "sqlite_errorname", None) or ""
    cause = next((cause for sign, cause in _SQLITE if code.startswith(sign)), None)
    if cause is None and not code.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR")):
        return None
    asked = _what_the_system_says(file) if cause is None else None
    if asked is not None:
        cause = cause_of_number(asked.errno)
    said = os.strerror(asked.errno) if asked is not None and asked.errno else str(error)
    room = room_at(file if file.is_dir() else file.parent)
    cause = cause or (NO_ROOM if room.is_none else DAMAGE)
    if cause is NO_ROOM:
        said = f"{said}; {room.words}"
    if cause is HELD:
        return HomeBusyError(f"Another program holds the operations store {file}: {cause.remedy}.")
    how = "has no room" if cause is NO_ROOM else "cannot be read" if cause is DAMAGE else "cannot be used"
    remedy = if_damaged if cause is DAMAGE else cause.remedy
    return EnvironmentUnusableError(f"{what} {file} {how} ({said}): {remedy}.")


def _what_the_system_says(file: Path) -> OSError | None:
    """SQLite says "unable to open" or "disk I/O error" of a full disk, missing rights and too many open files alike."""
    folder = file if file.is_dir() else file.parent
    probe, second = (folder / f".probe.{os.getpid()}{end}" for end in ("", ".second"))
    beside = [one for one in (file, Path(f"{file}-wal")) if one.is_file()]
    try:
        for one in beside:
            os.close(os.open(one, os.O_RDWR))
        second.touch()  # SQLite makes two files beside its own: where there is room for one, there need not be for the other
        with probe.open("wb") as draft:
            draft.write(bytes(_PROBE_BYTES))
            draft.flush()
            os.fsync(draft.fileno())
            # As large as the largest of them would become: a limit of a file's size shows, and no room is taken.
            draft.truncate(_PROBE_BYTES + max((one.stat().st_size for one in beside), default=0))
    except OSError as error:
        return error
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
            second.unlink(missing_ok=True)
    return None


def store_url(settings: Settings) -> URL:
    """Where the store is; by parts where it is a file of the home: a `?` or a `%` in its path would be read as the URL's own.

    Raises `UsageError` for a setting that names no such place.
    """
    if settings.operations_url is None:
        return URL.create("sqlite", database=str(settings.home / "operations.sqlite"))
    return parsed(OPERATIONS_URL, settings.operations_url)


def _in_words(context: ExceptionContext) -> None:
    """SQLAlchemy's hook: let an error out as the platform's own where it is about the store and not a statement."""
    error, engine = context.original_exception, context.engine
    if not isinstance(error, sqlite3.Error):
        return
    file = Path(engine.url.database or "") if engine else Path()
    lost = _NO_TABLE.fullmatch(str(error))
    # SQLite has begun an empty file in the place of one that is gone; a new one has no version, and is asked for it first.
    if lost is not None and lost[1] in metadata.tables.keys() - {operations_version.name}:
        raise EnvironmentUnusableError(f"The operations store {file} lacks its table {lost[1]}: {RESTORED}.") from error
    ours = store_error(error, file)
    if ours is not None:
        raise ours from error


def operations_engine(settings: Settings, *, begin: bool = False) -> Engine:
    """An engine on the store, its schema that of this release.

    A home that has an identity has had a store: only `begin` makes a new one in the place of one that is lost. Whoever
    asked for the incidents of such a home was told that there are none.

    SQLite runs in WAL mode, so that the Dagster UI reads while a run writes, and waits for its turn instead
    of failing.
    """
    url = store_url(settings)
    _rename_former_folders(settings)
    _make_folder(settings)
    if url.get_backend_name() == "postgresql":
        installation = Installation.of(settings)
        engine = server_engine(OPERATIONS_URL, url, installation.schema)
        ensure_schema(engine, installation, begin=begin)
        return engine
    if not begin:
        _refuse_lost_store(settings)
    engine = _of_file(url)
    ensure_schema(engine)
    if settings.operations_url is not None:
        identify(settings, engine)
    return engine


def dagster_engine(settings: Settings) -> Engine | None:
    """The engine of Dagster's own tables where they are in a server, in a schema beside that of the home's; else None.

    Raises `UsageError` for a setting that names no server.
    """
    if settings.dagster_url is None:
        return None
    url = parsed(DAGSTER_URL, settings.dagster_url)
    if url.get_backend_name() != "postgresql":
        raise UsageError(f"{DAGSTER_URL} names no PostgreSQL server: unset it for SQLite in the home.")
    return server_engine(DAGSTER_URL, url, dagster_schema(settings))


def dagster_schema(settings: Settings) -> str:
    """The schema of a server that has Dagster's tables of this home."""
    if home_id(settings) is None:  # a home gets its identity together with its store
        identify(settings, operations_engine(settings))
    return f"{Installation.of(settings).schema}_dagster"


@lru_cache(maxsize=32)
def _of_file(url: URL) -> Engine:
    """The engine of a file for the whole process: it knows the texts of what was asked before, and its connections stay
    open, which takes 4 of 5 ms from a small transaction (a landing day has 112).
    """
    engine = usable(OPERATIONS_URL, url, poolclass=QueuePool, max_overflow=-1, pool_use_lifo=True)
    event.listen(engine, "handle_error", _in_words)
    reuse_untouched(engine)
    event.listen(engine, "connect", _prepare)
    return engine


def _refuse_lost_store(settings: Settings) -> None:
    file = settings.home / "operations.sqlite"
    if settings.operations_url is not None or not settings.identity.exists():
        return
    lost = "is missing" if not file.exists() else "is empty" if not _has_content(file) else None
    if lost is not None:
        raise EnvironmentUnusableError(f"The operations store {file} {lost}: {RESTORED}.")


def _has_content(file: Path) -> bool:
    """A store that has just been begun has all of it in its log."""
    return file.stat().st_size > 0 or Path(f"{file}-wal").exists()


def _rename_former_folders(settings: Settings) -> None:
    try:
        rename_former_folders(settings.home)
    except OSError as error:
        raise unusable_folder(settings.home, error) from None


def _make_folder(settings: Settings) -> None:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unusable_folder(settings.home, error) from None


def unusable_folder(folder: Path, error: OSError) -> EnvironmentUnusableError:
    """The error of a home that cannot be written, with what can be done about its cause."""
    cause = cause_of_number(error.errno)
    said = f"{error.strerror}; {room_at(folder).words}" if cause is NO_ROOM else error.strerror
    remedy = cause.remedy if cause in (NO_ROOM, NO_RIGHTS) else "choose another with --home"
    return EnvironmentUnusableError(f"The home folder {folder} cannot be used ({said}): {remedy}.")


def _prepare(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MILLISECONDS}")
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")


def _use_wal(connection: Any) -> None:
    """Change the mode of the store's file. SQLite does not wait its turn for that: of 900 processes that opened a new file, six
    at a time, ten were refused at once.
    """
    ends = time.monotonic() + BUSY_TIMEOUT_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > ends:
                raise
            time.sleep(0.01)

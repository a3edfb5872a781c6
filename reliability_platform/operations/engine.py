"""Opens the operations store: one SQLAlchemy engine, and the platform's words for what keeps it from opening."""

import os
import re
import sqlite3
from contextlib import suppress
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from reliability_platform.causes import DAMAGE, HELD, LIMIT, NO_RIGHTS, NO_ROOM, Cause, cause_of_number
from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, PlatformError, UsageError
from reliability_platform.home_path import rename_former_folders
from reliability_platform.operations.identity import identify
from reliability_platform.operations.postgresql import Installation, set_path
from reliability_platform.operations.reuse import reuse_untouched
from reliability_platform.operations.schema import ensure_schema
from reliability_platform.operations.tables import metadata, operations_version
from reliability_platform.room import room_at
from reliability_platform.settings import Settings, variable

BUSY_TIMEOUT_MILLISECONDS = 30_000
OPERATIONS_URL = variable("operations_url")
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
DATABASES = {"sqlite": "pysqlite", "postgresql": "psycopg"}
"""What a store may be in, and with which driver where the URL names none."""


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


def _usable(url: URL, **options: Any) -> Engine:
    """An engine for a URL. Raises `UsageError` in words without the URL: it may hold a password."""
    database, _, driver = url.drivername.partition("+")
    try:
        engine = create_engine(url, **options)
    except NoSuchModuleError:
        raise UsageError(
            f"{OPERATIONS_URL} names a driver {driver!r} that SQLAlchemy does not know for {database}: write {database}://."
        ) from None
    except ImportError as error:
        raise EnvironmentUnusableError(
            f"{OPERATIONS_URL} needs the driver {error.name or driver}, which is not installed: "
            "pip install 'reliability-platform[postgres]'."
        ) from None
    except (SQLAlchemyError, ValueError, TypeError):
        raise _no_url() from None
    _refuse_memory(engine.url)
    event.listen(engine, "handle_error", _in_words)
    return engine


def _parsed(said: str) -> URL:
    """The URL of a setting, with the driver that the platform brings. Raises `UsageError` in words without the URL."""
    scheme, between, rest = said.partition("://")
    database, plus, driver = scheme.partition("+")
    if not between or not re.fullmatch(r"[A-Za-z0-9_+.-]{1,40}", scheme):  # without a scheme it is all of the URL
        raise _no_url()
    known = {"postgres": "postgresql"}.get(database, database)
    if known not in DATABASES:
        alike = get_close_matches(database.lower(), DATABASES, n=1)
        better = f": write {alike[0]}://" if alike else ""
        raise UsageError(
            f"{OPERATIONS_URL} names a database {database!r}, and the store is one of SQLite or PostgreSQL{better}."
        )
    try:
        return make_url(f"{known}{plus or '+'}{driver or DATABASES[known]}://{rest}")
    except (SQLAlchemyError, ValueError):
        raise _no_url() from None


def _no_url() -> UsageError:
    return UsageError(
        f"{OPERATIONS_URL} is no URL of a database: write it as in postgresql://user:password@host/database, or unset it "
        "for SQLite in the home."
    )


def _refuse_memory(url: URL) -> None:
    """SQLite in memory is another store for each connection: tables that were just made would not be there."""
    in_memory = url.database in (None, "", ":memory:", "file::memory:") or "memory" in url.query.get("mode", ())
    if url.get_backend_name() == "sqlite" and in_memory:
        raise UsageError(
            f"{OPERATIONS_URL} names a SQLite database in memory, which ends with each connection: name a file, as in "
            "sqlite:////var/lib/reliability/operations.sqlite, or unset it for the one in the home."
        )


def store_url(settings: Settings) -> URL:
    """Where the store is; by parts where it is a file of the home: a `?` or a `%` in its path would be read as the URL's own.

    Raises `UsageError` for a setting that names no such place.
    """
    if settings.operations_url is None:
        return URL.create("sqlite", database=str(settings.home / "operations.sqlite"))
    return _parsed(settings.operations_url)


def _in_words(context: ExceptionContext) -> None:
    """SQLAlchemy's hook: let an error out as the platform's own where it is about the store and not a statement."""
    error, engine = context.original_exception, context.engine
    if isinstance(error, sqlite3.Error):
        file = Path(engine.url.database or "") if engine else Path()
        lost = _NO_TABLE.fullmatch(str(error))
        # SQLite has begun an empty file in the place of one that is gone; a new one has no version, and is asked for it first.
        if lost is not None and lost[1] in metadata.tables.keys() - {operations_version.name}:
            raise EnvironmentUnusableError(
                f"The operations store {file} lacks its table {lost[1]}: {RESTORED}."
            ) from error
        ours = store_error(error, file)
        if ours is not None:
            raise ours from error
    elif context.connection is None and engine is not None:  # it was about to connect
        raise EnvironmentUnusableError(
            f"The operations store at {engine.url.host or engine.url.drivername} cannot be reached "
            f"({type(error).__name__}): look whether it runs, and at user, password and database in {OPERATIONS_URL}."
        ) from error


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
        engine = _of_server(url, installation.schema)
        ensure_schema(engine, installation, begin=begin)
        return engine
    if not begin:
        _refuse_lost_store(settings)
    engine = _of_file(url)
    ensure_schema(engine)
    if settings.operations_url is not None:
        identify(settings, engine)
    return engine


@lru_cache(maxsize=32)
def _of_server(url: URL, schema: str) -> Engine:
    """The engine of an installation for the whole process."""
    engine = _usable(url, pool_pre_ping=True, max_overflow=-1, pool_use_lifo=True)
    event.listen(engine, "connect", lambda connection, _record: set_path(connection, schema))
    # A connection is the parent's: what a fork said on it, the parent would read as an answer.
    os.register_at_fork(after_in_child=lambda: engine.dispose(close=False))
    return engine


@lru_cache(maxsize=32)
def _of_file(url: URL) -> Engine:
    """The engine of a file for the whole process: it knows the texts of what was asked before, and its connections stay
    open, which takes 4 of 5 ms from a small transaction (a landing day has 112).
    """
    engine = _usable(url, poolclass=QueuePool, max_overflow=-1, pool_use_lifo=True)
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
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")

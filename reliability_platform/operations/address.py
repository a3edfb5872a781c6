"""Where a store is, as a setting names it: the URL of a database, which may hold a password and is never repeated."""

import re
from difflib import get_close_matches
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from reliability_platform.errors import EnvironmentUnusableError, UsageError

DATABASES = {"sqlite": "pysqlite", "postgresql": "psycopg"}
"""What a store may be in, and with which driver where the URL names none."""


def usable(setting: str, url: URL, **options: Any) -> Engine:
    """An engine for a URL. Raises `UsageError` in words without the URL: it may hold a password."""
    database, _, driver = url.drivername.partition("+")
    try:
        engine = create_engine(url, **options)
    except NoSuchModuleError:
        raise UsageError(
            f"{setting} names a driver {driver!r} that SQLAlchemy does not know for {database}: write {database}://."
        ) from None
    except ImportError as error:
        raise EnvironmentUnusableError(
            f"{setting} needs the driver {error.name or driver}, which is not installed: "
            "pip install 'reliability-platform[postgres]'."
        ) from None
    except (SQLAlchemyError, ValueError, TypeError):
        raise _no_url(setting) from None
    _refuse_memory(setting, engine.url)
    return engine


def parsed(setting: str, said: str) -> URL:
    """The URL that a setting (its variable) names, with the driver that the platform brings. Raises `UsageError` in words without the URL."""
    scheme, between, rest = said.partition("://")
    database, plus, driver = scheme.partition("+")
    if not between or not re.fullmatch(r"[A-Za-z0-9_+.-]{1,40}", scheme):  # without a scheme it is all of the URL
        raise _no_url(setting)
    known = {"postgres": "postgresql"}.get(database, database)
    if known not in DATABASES:
        alike = get_close_matches(database.lower(), DATABASES, n=1)
        better = f": write {alike[0]}://" if alike else ""
        raise UsageError(
            f"{setting} names a database {database!r}, and the store is one of SQLite or PostgreSQL{better}."
        )
    try:
        return make_url(f"{known}{plus or '+'}{driver or DATABASES[known]}://{rest}")
    except (SQLAlchemyError, ValueError):
        raise _no_url(setting) from None


def _no_url(setting: str) -> UsageError:
    return UsageError(
        f"{setting} is no URL of a database: write it as in postgresql://user:password@host/database, or unset it "
        "for SQLite in the home."
    )


def _refuse_memory(setting: str, url: URL) -> None:
    """SQLite in memory is another store for each connection: tables that were just made would not be there."""
    in_memory = url.database in (None, "", ":memory:", "file::memory:") or "memory" in url.query.get("mode", ())
    if url.get_backend_name() == "sqlite" and in_memory:
        raise UsageError(
            f"{setting} names a SQLite database in memory, which ends with each connection: name a file, as in "
            "sqlite:////var/lib/reliability/operations.sqlite, or unset it for the one in the home."
        )

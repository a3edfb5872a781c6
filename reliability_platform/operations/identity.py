"""Which home a store belongs to. Home and store know each other by one id, or that of another home would be taken for this
one's; in a database server it also names the schema that holds the home's tables.
"""

import json
import os
import uuid

from sqlalchemy import Engine, insert, select

from reliability_platform.atomic import write_atomically
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.locks import locked
from reliability_platform.operations.tables import homes
from reliability_platform.settings import Settings, variable


def home_id(settings: Settings) -> str | None:
    """The identity of the home; None for one that has none yet.

    Raises `EnvironmentUnusableError` for a file that says none: whose store and snapshots these are could not be told.
    """
    if not os.path.lexists(settings.identity):
        return None
    try:
        if not settings.identity.is_file():  # a pipe would wait for a writer
            raise ValueError
        return str(json.loads(settings.identity.read_text())["id"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise EnvironmentUnusableError(
            f"{settings.identity} does not say which home this is: put it back from a snapshot, or remove it if the "
            "operations store is the one of this home; it is written again then."
        ) from None


def known_homes(engine: Engine) -> set[str]:
    """The homes that a store belongs to: one, or several where an earlier release let them share it."""
    with engine.connect() as connection:
        return {str(row.id) for row in connection.execute(select(homes))}


def identity_trouble(settings: Settings, engine: Engine) -> str | None:
    """Why the store is not the one of this home, in words; None if it is, or if neither has an identity yet."""
    here, there = home_id(settings), known_homes(engine)
    if here is None or here in there:
        return None
    if there:
        return "is of another home"
    # A home that has published nothing has lost nothing that matters here.
    return "is new, and the one of this home is gone" if has_published(settings) else None


def has_published(settings: Settings) -> bool:
    """Whether versions lie in the home that consumers have read."""
    return any(settings.published.glob("v[0-9]*"))


def identify(settings: Settings, engine: Engine) -> str:
    """Give home and store one identity where one of them has none; returns that of the home.

    Raises `EnvironmentUnusableError` if the store was given by a URL and is of another home: of two in one store each
    would take the other's builds, results and incidents for its own.
    """
    here, there = home_id(settings), known_homes(engine)
    if settings.operations_url is not None and there and here not in there:
        raise EnvironmentUnusableError(
            f"The operations store that {variable('operations_url')} names is of another home: give {settings.home} a "
            "file of its own."
        )
    if here is None:
        # The store in a home's folder is its own.
        here = given_identity(settings, next(iter(there)) if len(there) == 1 else str(uuid.uuid4()))
    if here not in there:
        with engine.begin() as connection:
            connection.execute(insert(homes).values(id=here))
    return here


def given_identity(settings: Settings, wanted: str) -> str:
    """Give a home an identity, unless it has one or another process gives it one at the same time; returns the one it has."""
    with locked(settings.identity.with_name(f".{settings.identity.name}.lock")):
        here = home_id(settings)
        if here is None:
            write_atomically(settings.identity, (json.dumps({"id": wanted}) + "\n").encode())
    return here or wanted

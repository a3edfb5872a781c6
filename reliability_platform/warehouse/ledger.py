"""What the operations store knows of the published versions: the record of each, and the one that consumers read.

The record lies beside the tables of its version too, so that a change of one of the two shows; each record carries the
digest of the record before it. The store also knows whose it is, or that of another home would be taken for this one's.
"""

import hashlib
import json
import os
import uuid

from sqlalchemy import Engine, delete, insert, select, update

from reliability_platform.atomic import write_atomically
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.operations.tables import homes, published_versions
from reliability_platform.settings import Settings, variable

DRAFT, KEPT, CURRENT, WITHDRAWN = "draft", "kept", "current", "withdrawn"
"""A version that consumers have never read, have read, read now, and cannot read any more by a person's decision."""


def digest_of(record: str) -> str:
    """The name of a record."""
    return hashlib.sha256(record.encode()).hexdigest()


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
    return "is new, and the one of this home is gone" if any(settings.published.glob("v[0-9]*")) else None


def identify(settings: Settings, engine: Engine) -> str:
    """Give home and store one identity where one of them has none; returns that of the home.

    Raises `EnvironmentUnusableError` if the store was given by a URL and is of another home: of two in one store each
    would take the other's builds, results and incidents for its own.
    """
    here, there = home_id(settings), known_homes(engine)
    if settings.operations_url is not None and there and here not in there:
        raise EnvironmentUnusableError(
            f"The operations store that {variable('operations_url')} names is of another home: give {settings.home} a "
            "database of its own."
        )
    if here is None:
        # The store in a home's folder is its own.
        here = next(iter(there)) if len(there) == 1 else str(uuid.uuid4())
        write_atomically(settings.identity, (json.dumps({"id": here}) + "\n").encode())
    if here not in there:
        with engine.begin() as connection:
            connection.execute(insert(homes).values(id=here))
    return here


class Ledger:
    """The versions of one home."""

    def __init__(self, engine: Engine, home: str) -> None:
        self._engine, self._home = engine, home
        self._ours = published_versions.c.home == home

    def records(self) -> dict[str, str]:
        """The record of every version that consumers have ever read, as it was written, oldest first."""
        query = select(published_versions).where(self._ours, published_versions.c.state != DRAFT)
        with self._engine.connect() as connection:
            return {row.version: row.record for row in connection.execute(query.order_by(published_versions.c.version))}

    def record(self, version: str) -> str:
        """The record of one version, as it was written. Raises `NoResultFound` for one that the store does not know."""
        query = select(published_versions.c.record).where(self._ours, published_versions.c.version == version)
        with self._engine.connect() as connection:
            return str(connection.execute(query).scalar_one())

    def _versions(self, *states: str) -> list[str]:
        query = select(published_versions.c.version).where(self._ours, published_versions.c.state.in_(states))
        with self._engine.connect() as connection:
            return list(connection.execute(query.order_by(published_versions.c.version)).scalars())

    def versions(self) -> list[str]:
        """Every version that consumers have read and still can, oldest first."""
        return self._versions(KEPT, CURRENT)

    def withdrawn(self) -> list[str]:
        """Every version that a person has withdrawn, oldest first."""
        return self._versions(WITHDRAWN)

    def drafts(self) -> list[str]:
        """Versions whose publication was killed before consumers read them."""
        return self._versions(DRAFT)

    def current(self) -> str | None:
        """The version that consumers are to read."""
        return next(iter(self._versions(CURRENT)), None)

    def write(self, version: str, record: str) -> None:
        """Take a version in, before it gets its name in the home."""
        self.forget(version)
        with self._engine.begin() as connection:
            connection.execute(
                insert(published_versions).values(home=self._home, version=version, record=record, state=DRAFT)
            )

    def forget(self, version: str) -> None:
        """Drop a version."""
        with self._engine.begin() as connection:
            connection.execute(delete(published_versions).where(self._ours, published_versions.c.version == version))

    def keep(self, version: str) -> None:
        """Say that consumers have read a version."""
        self._say(version, KEPT)

    def withdraw(self, version: str) -> None:
        """Say that consumers cannot read a version any more. Its record stays: the next one follows from it."""
        self._say(version, WITHDRAWN)

    def _say(self, version: str, state: str) -> None:
        with self._engine.begin() as connection:
            one = (self._ours, published_versions.c.version == version)
            connection.execute(update(published_versions).where(*one).values(state=state))

    def point_to(self, version: str) -> None:
        """Say which version consumers are to read; the link in the home follows."""
        ours = update(published_versions).where(self._ours)
        with self._engine.begin() as connection:
            connection.execute(ours.where(published_versions.c.state == CURRENT).values(state=KEPT))
            connection.execute(ours.where(published_versions.c.version == version).values(state=CURRENT))

"""What the operations store knows of the published versions: the record of each, and the one that consumers read.

The record lies beside the tables of its version too, so that a change of one of the two shows; each record carries the
digest of the record before it.
"""

import hashlib

from sqlalchemy import Engine, delete, insert, select, update

from reliability_platform.operations.tables import published_versions

DRAFT, KEPT, CURRENT, WITHDRAWN = "draft", "kept", "current", "withdrawn"
"""A version that consumers have never read, have read, read now, and cannot read any more by a person's decision."""


def digest_of(record: str) -> str:
    """The name of a record."""
    return hashlib.sha256(record.encode()).hexdigest()


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

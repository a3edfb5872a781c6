"""The fingerprints of builds in the operations store: a content is kept once, and a line for each build that had it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from reliability_platform.operations.records import record
from reliability_platform.operations.tables import build_fingerprints, builds, fingerprints
from reliability_platform.warehouse.fingerprints.model import BuildFingerprint
from reliability_platform.warehouse.journal import SUCCEEDED


@dataclass(frozen=True)
class BuildOrigin:
    """Which fingerprint a build had, and who or what began it."""

    build: int
    """Its number in the journal of builds."""
    fingerprint: str
    """The digest."""
    started_by: str
    started_from: str
    """As the audit log has it: command line, api, dashboard, daemon."""
    run: str
    """The run that it belongs to; empty for a build by itself."""
    requested_run: str | None
    """The request of the API that began it."""


class BuildFingerprints:
    """Of all builds of a home."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, origin: BuildOrigin, fingerprint: BuildFingerprint, now: datetime) -> None:
        """Say what a build is made with."""
        columns = fingerprints.c
        with self._engine.connect() as connection:
            known = connection.scalar(select(columns.digest).where(columns.digest == fingerprint.digest))
        if known is None:
            # Of two builds that begin at once with the same, the second one finds it there.
            with suppress(IntegrityError), self._engine.begin() as connection:
                values = {"digest": fingerprint.digest, "content": fingerprint.content, "first_seen_at": now}
                connection.execute(insert(fingerprints).values(values))
        with self._engine.begin() as connection:
            connection.execute(insert(build_fingerprints).values(**vars(origin)))

    def origin(self, build: int) -> BuildOrigin | None:
        """Who began a build, with which fingerprint; None for one of a release that kept none, or that was refused."""
        with self._engine.connect() as connection:
            row = connection.execute(
                select(build_fingerprints).where(build_fingerprints.c.build == build)
            ).one_or_none()
        return None if row is None else record(BuildOrigin, row)

    def deployed(self) -> BuildOrigin | None:
        """Of the last build that ended well: what it was made with is what the tables are made with now."""
        query = (
            select(build_fingerprints)
            .join(builds, builds.c.id == build_fingerprints.c.build)
            .where(builds.c.outcome == SUCCEEDED)
            .order_by(builds.c.id.desc())
        )
        with self._engine.connect() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        return None if row is None else record(BuildOrigin, row)

    def read(self, digest: str) -> BuildFingerprint:
        """The fingerprint of a digest that an origin names."""
        with self._engine.connect() as connection:
            content = connection.scalar(select(fingerprints.c.content).where(fingerprints.c.digest == digest))
        return BuildFingerprint.read(content or "[]")

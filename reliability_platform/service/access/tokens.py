"""Tokens of the API in the operations store: made once, shown once, kept as a hash, valid until revoked or expired.

Whoever makes or revokes one writes that into the audit log.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, Row, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from reliability_platform.errors import UsageError
from reliability_platform.operations.records import record
from reliability_platform.operations.tables import api_tokens
from reliability_platform.service.access.roles import Role

PREFIX = "rel_"
"""By this a scanner of secrets knows one."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,79}")


@dataclass(frozen=True)
class ApiToken:
    """What is known of a token: not the token itself."""

    name: str
    role: Role
    made_by: str
    made_at: datetime
    expires_at: datetime | None
    revoked_by: str | None
    revoked_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _token(row: Row[tuple[object, ...]]) -> ApiToken:
    return record(ApiToken, row, role=Role)


class ApiTokens:
    """The tokens of one home."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def make(self, name: str, role: Role, who: str, now: datetime, expires_at: datetime | None = None) -> str:
        """Make one; the token, which nobody can be told again. Raises `UsageError` for a name that is taken or is none."""
        if _NAME.fullmatch(name) is None:
            raise UsageError(
                f"{name!r} is no name of a token: take letters, digits, `.`, `_`, `@` and `-`, at most 80."
            )
        token = PREFIX + secrets.token_urlsafe(32)
        values = {"name": name, "role": role.value, "hash": _hash(token), "made_by": who, "made_at": now}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(api_tokens).values(**values, expires_at=expires_at))
        except IntegrityError:
            raise UsageError(f"There is a token {name!r} already, or was one: choose another name.") from None
        return token

    def revoke(self, name: str, who: str, now: datetime) -> bool:
        """Take one back; whether that is new. Raises `UsageError` if there is none of this name."""
        if name not in {one.name for one in self.all()}:
            raise UsageError(f"There is no token {name!r}: see `reliability tokens list`.")
        query = update(api_tokens).where(api_tokens.c.name == name, api_tokens.c.revoked_at.is_(None))
        with self._engine.begin() as connection:
            return connection.execute(query.values(revoked_by=who, revoked_at=now)).rowcount == 1

    def all(self) -> list[ApiToken]:
        """Every token that was ever made, oldest first."""
        with self._engine.connect() as connection:
            return [_token(row) for row in connection.execute(select(api_tokens).order_by(api_tokens.c.id))]

    def of(self, token: str, now: datetime) -> ApiToken | None:
        """The token that somebody shows, if it is valid."""
        with self._engine.connect() as connection:
            row = connection.execute(select(api_tokens).where(api_tokens.c.hash == _hash(token))).first()
        found = None if row is None else _token(row)
        return found if found is not None and found.is_valid(now) else None

    def any_valid(self, now: datetime) -> bool:
        """Whether anybody could show one."""
        lasts = or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > now)
        query = select(api_tokens.c.id).where(api_tokens.c.revoked_at.is_(None), lasts).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def any_made(self) -> bool:
        """Whether there ever was one: from then on, nobody acts without."""
        with self._engine.connect() as connection:
            return connection.execute(select(api_tokens.c.id).limit(1)).first() is not None

"""The audit log: who did what, when, why and from where."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import ColumnElement, Engine

from reliability_platform.audit_log import AuditEntry, AuditLog
from reliability_platform.operations.tables import audit_log
from reliability_platform.service.queries.answer import EVERYTHING, Page, QueryAnswer, Window, page


class AuditedAct(QueryAnswer):
    """One entry of the audit log."""

    at: datetime
    """When."""
    who: str
    """The name of the token, or the user of the system."""
    command: str
    """What was done, as the command is called that does it."""
    what: str
    """To what."""
    phase: str
    """`done`; of what destroys something also `begun` before it, and `failed`."""
    why: str | None
    """The reason that was given; null where none was asked for."""
    acted_from: str | None
    """`command line`, `api`, `dashboard` or `daemon`; null for entries of before this was noted."""


@dataclass(frozen=True)
class ActFilter:
    """Which acts are asked for."""

    command: str | None = None
    who: str | None = None
    since: date | None = None
    """On this day (UTC) or later."""

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The same, of the log."""
        found = [
            audit_log.c[name] == value for name in ("command", "who") if (value := getattr(self, name)) is not None
        ]
        if self.since is not None:
            found.append(audit_log.c.at >= datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC))
        return found


def act_page(engine: Engine, asked: ActFilter = ActFilter(), window: Window = EVERYTHING) -> Page[AuditedAct]:
    """Acts, the newest first."""
    found, total = AuditLog(engine).newest(asked.conditions, window.limit, window.offset)
    return page([_act(one) for one in found], total, window)


def _act(one: AuditEntry) -> AuditedAct:
    return AuditedAct(**{**vars(one), "why": one.why or None, "acted_from": one.acted_from or None})

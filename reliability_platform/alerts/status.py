"""How alerting stands: each channel, what waits for it, and what could not be delivered."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from reliability_platform.alerts.channels import channels
from reliability_platform.alerts.ledger import WAITING, AlertLedger, Status
from reliability_platform.counted import counted
from reliability_platform.formats import moment
from reliability_platform.incidents.classes import Severity
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class ChannelStatus:
    """One channel, by its name; nothing in here is secret. Times carry UTC."""

    name: str
    state: str
    """`ok`, `failing`, `new`, or `removed` where it is not in the settings any more."""
    dry_run: bool
    severities: tuple[Severity, ...]
    waiting: int
    undelivered: int
    failures: int
    """In a row."""
    retry_at: datetime | None
    last_sent_at: datetime | None
    last_failed_at: datetime | None
    last_error: str

    @property
    def in_words(self) -> str:
        """How it does, in one sentence."""
        if self.state == "failing":
            since = f" since {moment(self.last_sent_at)}" if self.last_sent_at else ""
            return f"{self.name} has not taken anything{since}: {self.last_error} ({counted(self.failures, 'failure')} in a row)"
        return f"{self.name} is {self.state}"


def channel_statuses(settings: Settings, engine: Engine) -> list[ChannelStatus]:
    """The configured channels, then those that were removed and still have something waiting or undelivered."""
    ledger = AlertLedger(engine)
    healths = ledger.channels()
    counts = Counter((one.channel, one.dry_run, one.status) for one in ledger.unfinished())
    configured = {(one.name, settings.alert_dry_run): one for one in channels(settings)}
    left = {(name, dry_run): None for name, dry_run, _ in counts if (name, dry_run) not in configured}
    found = []
    for place, channel in {**configured, **left}.items():
        health = healths.get(place)
        found.append(
            ChannelStatus(
                name=place[0],
                state="removed" if channel is None else health.state if health else "new",
                dry_run=place[1],
                severities=tuple(sorted(channel.severities)) if channel else (),
                waiting=sum(counts[*place, status] for status in WAITING),
                undelivered=counts[*place, Status.FAILED],
                failures=health.failures if health else 0,
                retry_at=health.retry_at if health else None,
                last_sent_at=health.last_sent_at if health else None,
                last_failed_at=health.last_failed_at if health else None,
                last_error=health.last_error if health else "",
            )
        )
    return found

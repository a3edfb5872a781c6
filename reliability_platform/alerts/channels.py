"""The channels of an installation: who takes which severities, under a name that gives no secret away."""

import hashlib
from dataclasses import dataclass

from pydantic import SecretStr

from reliability_platform.incidents.classes import Severity
from reliability_platform.settings import Settings

REHEARSAL = "rehearsal"
"""The channel of a dry run where none is configured."""
PAGERDUTY = "pagerduty"


@dataclass(frozen=True)
class Channel:
    """One place where alerts go."""

    name: str
    """The scheme and some digits of a hash of the URL: a new token makes a new channel."""
    severities: frozenset[Severity]
    url: SecretStr

    @property
    def is_pager(self) -> bool:
        """Whether it takes one event for each incident instead of messages."""
        return self.url.get_secret_value().lower().startswith(f"{PAGERDUTY}://")


def _channel(setting: SecretStr) -> Channel:
    text = setting.get_secret_value()
    taken, separator, url = text.partition("=") if text[:1] == "P" and text[1:2].isdigit() else ("", "", text)
    severities = frozenset(Severity(one) for one in taken.split(",")) if separator else frozenset(Severity)
    scheme = url.partition("://")[0].lower()
    return Channel(f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:6]}", severities, SecretStr(url))


def channels(settings: Settings) -> list[Channel]:
    """Every channel once, in the order of the setting; in a dry run without any, one that only writes to a file."""
    if not settings.alert_urls and settings.alert_dry_run:
        return [Channel(REHEARSAL, frozenset(Severity), SecretStr(f"{REHEARSAL}://"))]
    found: dict[str, Channel] = {}
    for setting in settings.alert_urls:
        one = _channel(setting)
        known = found.get(one.name)
        found[one.name] = Channel(one.name, one.severities | known.severities, one.url) if known else one
    return list(found.values())

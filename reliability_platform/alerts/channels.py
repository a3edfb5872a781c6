"""The channels of an installation: those of the settings, and those of the recipients of the routing file. Each has a name
that gives no secret away."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

from pydantic import SecretStr

from reliability_platform.alerts.policy import NEVER_QUIET, QuietHours, quiet_hours
from reliability_platform.alerts.routing.declared import Routing, Tracker, routing_file, routing_of
from reliability_platform.credentials import CredentialsError, secret
from reliability_platform.incidents.classes import Severity
from reliability_platform.settings import Settings

REHEARSAL = "rehearsal"
"""The channel of a dry run where none is configured."""
PAGERDUTY = "pagerduty"


@dataclass(frozen=True)
class Channel:
    """One place where alerts go."""

    name: str
    """Of a recipient, its name; else the scheme and some digits of a hash of the URL: a new token makes a new channel."""
    severities: frozenset[Severity]
    url: SecretStr | None = None
    reference: str = ""
    """Where the URL is, if it is not given."""
    recipient: str = ""
    """Whose it is by the routing file; empty for a channel of the settings, which hears of all that it takes."""
    quiet: QuietHours = NEVER_QUIET
    tracker: Tracker | None = field(default=None, compare=False)
    """Where it keeps a ticket for each incident instead of getting messages; its address is the token then."""

    @cached_property
    def address(self) -> SecretStr:
        """The URL. Raises `CredentialsError` where it is not where it should be."""
        return secret(self.reference) if self.url is None else self.url

    @property
    def is_pager(self) -> bool:
        """Whether it takes one event for each incident instead of messages. One whose URL is not to be had is none."""
        if self.tracker is not None:
            return False
        try:
            return self.address.get_secret_value().lower().startswith(f"{PAGERDUTY}://")
        except CredentialsError:
            return False


def parted(text: str) -> tuple[frozenset[Severity], str]:
    """The severities that stand in front of a URL or a reference, all where none do; and the rest."""
    taken, separator, rest = text.partition("=") if text[:1] == "P" and text[1:2].isdigit() else ("", "", text)
    return (frozenset(Severity(one) for one in taken.split(",")) if separator else frozenset(Severity)), rest


def _channel(setting: SecretStr, quiet: QuietHours) -> Channel:
    severities, url = parted(setting.get_secret_value())
    scheme = url.partition("://")[0].lower()
    name = f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:6]}"
    return Channel(name, severities, SecretStr(url), quiet=quiet)


def channels_of_settings(settings: Settings) -> list[Channel]:
    """Every channel once, in the order of the setting; in a dry run without any, and without a routing file, one that only
    writes to a file."""
    quiet = quiet_hours(settings)
    if not settings.alert_urls and settings.alert_dry_run and routing_file(settings) is None:
        return [Channel(REHEARSAL, frozenset(Severity), SecretStr(f"{REHEARSAL}://"), quiet=quiet)]
    found: dict[str, Channel] = {}
    for setting in settings.alert_urls:
        one = _channel(setting, quiet)
        known = found.get(one.name)
        found[one.name] = replace(one, severities=one.severities | known.severities) if known else one
    return list(found.values())


def channels_of_recipients(settings: Settings, routing: Routing) -> list[Channel]:
    """The channels of everybody in the routing file: `anna`, and where there are several `anna.2` and so on."""
    usual, found = quiet_hours(settings), []
    for name, recipient in routing.recipients.items():
        own = recipient.quiet
        quiet = usual if own is None else QuietHours(own.hours, own.zone, frozenset(Severity) - set(own.through))
        for number, said in enumerate(recipient.channels, start=1):
            severities, reference = parted(said)
            called = name if number == 1 else f"{name}.{number}"
            found.append(Channel(called, severities, reference=reference, recipient=name, quiet=quiet))
    return found


def channels_of_trackers(routing: Routing) -> list[Channel]:
    """Every tracker of the routing file, by its name. A ticket wakes nobody: no hours are quiet for it."""
    return [
        Channel(name, frozenset(one.when.severity or Severity), reference=one.token, tracker=one)
        for name, one in routing.trackers.items()
    ]


def channels_of_routing(settings: Settings, routing: Routing) -> list[Channel]:
    """All that the routing file knows."""
    return channels_of_recipients(settings, routing) + channels_of_trackers(routing)


def channels(settings: Settings) -> list[Channel]:
    """All channels. Raises `UsageError` for a routing file that is none."""
    routing = routing_of(settings)
    return channels_of_settings(settings) + ([] if routing is None else channels_of_routing(settings, routing))

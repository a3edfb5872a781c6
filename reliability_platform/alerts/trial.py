"""A harmless message to every channel, to see whether it arrives."""

import secrets
from datetime import datetime
from typing import Any

from reliability_platform.alerts.channels import Channel, channels
from reliability_platform.alerts.delivery import Delivered, Delivery
from reliability_platform.alerts.message import AlertMessage
from reliability_platform.settings import Settings

TITLE = "A test of the Reliability Platform"
BODY = "This channel gets alerts about incidents. Nothing is wrong; this is only a test."
_KEY = "reliability-platform/test"


def trial_message(channel: Channel, now: datetime) -> AlertMessage:
    """Words for a chat; for a pager, an event of the lowest severity that is resolved at once."""
    payload = {"summary": f"{TITLE}. {BODY}", "source": "reliability alerts test", "severity": "info"}
    if channel.tracker is not None:  # a ticket that nobody has: that it may look for one is seen, and nothing is opened
        probe = {"probe": True, "marker": f"rp{secrets.token_hex(10)}", "since": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return AlertMessage(secrets.token_hex(8), TITLE, BODY, "info", (), [probe])
    events: list[dict[str, Any]] = [
        {"event_action": "trigger", "dedup_key": _KEY, "payload": payload},
        {"event_action": "resolve", "dedup_key": _KEY},
    ]
    return AlertMessage(secrets.token_hex(8), TITLE, BODY, "info", (), events if channel.is_pager else ())


def try_channels(settings: Settings, now: datetime, delivery: Delivery) -> dict[str, Delivered]:
    """Deliver the test to each channel; the outcome by the channel's name. Nothing of it counts as an alert."""
    found = {}
    for channel in channels(settings):
        message = trial_message(channel, now)
        found[channel.name] = delivery(settings, channel, [message], now)[message.id]
    return found

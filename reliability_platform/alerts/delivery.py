"""Brings messages to a channel by a sender, or in a dry run only into a file; says what became of each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from reliability_platform.alerts.channels import Channel
from reliability_platform.alerts.message import AlertMessage
from reliability_platform.alerts.tickets.shapes import SETTLES_SECONDS
from reliability_platform.credentials import CredentialsError
from reliability_platform.settings import PROJECT_ROOT, Settings

SENDER_SECONDS = 20.0
"""How long a channel may take for all messages of a tick; then its sender is stopped. Shorter than `ledger.HOLD`."""


class DeliveryOutcome(StrEnum):
    """What became of a message; whether it is tried again depends on nothing else."""

    SENT = "sent"
    TRANSIENT = "transient"
    PERMANENT = "permanent"


@dataclass(frozen=True)
class Delivered:
    """The outcome of one message, and in fixed words why."""

    outcome: DeliveryOutcome
    words: str = ""
    ticket: str = ""
    """The key of the ticket that a tracker has now, also where something else failed after it was opened."""
    pause: float = 0.0
    """The seconds for which the channel asks to be left alone."""
    untried: bool = False
    """Whether nothing was sent, because a message before it found the channel dead."""


Delivery = Callable[[Settings, Channel, Sequence[AlertMessage], datetime], dict[str, Delivered]]
"""Messages of one channel → outcome by the message's id."""


def keep(path: Path, channel: str, messages: Sequence[AlertMessage], at: datetime, why: str) -> None:
    """Append messages to a file, a line of JSON each, in one write: two dispatchers do not mix their lines."""
    lines = [
        json.dumps(
            {
                "at": at.isoformat(),
                "channel": channel,
                "why": why,
                "incidents": sorted({alert.incident_id for alert in message.alerts}),
                "title": message.title,
                "body": message.body,
                "events": list(message.events),
            },
            ensure_ascii=False,
        )
        for message in messages
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(target, "".join(f"{line}\n" for line in lines).encode())
    finally:
        os.close(target)


def rehearse(
    settings: Settings, channel: Channel, messages: Sequence[AlertMessage], now: datetime
) -> dict[str, Delivered]:
    """The delivery of a dry run: nothing leaves the home."""
    keep(settings.alerts / "dry_run.jsonl", channel.name, messages, now, "dry run")
    return {message.id: Delivered(DeliveryOutcome.SENT) for message in messages}


def task_of(settings: Settings, channel: Channel, messages: Sequence[AlertMessage]) -> dict[str, Any]:
    """What the sender needs to know. It holds the URL: it goes through a pipe, and nowhere else."""
    if channel.tracker is not None:
        return {
            "tracker": vars(channel.tracker.place),
            "token": channel.address.get_secret_value(),
            "messages": [{"id": one.id, "events": list(one.events)} for one in messages],
        }
    return {
        "url": channel.address.get_secret_value(),
        "endpoint": settings.alert_pagerduty_url,
        "messages": [
            {"id": one.id, "title": one.title, "body": one.body, "level": one.level, "events": list(one.events)}
            for one in messages
        ],
    }


def outcomes_of(messages: Sequence[AlertMessage], said: str, silent: str, pause: float = 0.0) -> dict[str, Delivered]:
    """What the sender said of each message; what it did not speak of was not delivered, for the reason `silent`."""
    found = {message.id: Delivered(DeliveryOutcome.TRANSIENT, silent, pause=pause) for message in messages}
    for line in said.splitlines():
        if line.endswith("}"):  # the last line of one that was stopped may be torn
            told = json.loads(line)
            identity, outcome = told.pop("id"), DeliveryOutcome(told.pop("outcome"))
            found[identity] = Delivered(outcome, **told)
    return found


def send(settings: Settings, channel: Channel, messages: Sequence[AlertMessage], now: datetime) -> dict[str, Delivered]:
    """Deliver for real, within `SENDER_SECONDS`. A channel whose URL is not to be had is one that gives no answer."""
    del now
    try:
        task = task_of(settings, channel, messages)
    except CredentialsError as error:
        words = str(error)
        return outcomes_of(messages, "", words[:1].lower() + words[1:].rstrip("."))
    sender = subprocess.Popen(
        [sys.executable, "-m", "reliability_platform.alerts.sender"],
        stdin=subprocess.PIPE,  # not an argument: everybody may read those
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=PROJECT_ROOT,
        text=True,
    )
    silent = "its delivery broke off"
    try:
        said, _ = sender.communicate(json.dumps(task), timeout=SENDER_SECONDS)
    except subprocess.TimeoutExpired:
        sender.kill()
        said, _ = sender.communicate()
        silent = f"it did not answer within {SENDER_SECONDS:g} seconds"
    return outcomes_of(messages, said, silent, 0.0 if channel.tracker is None else SETTLES_SECONDS)

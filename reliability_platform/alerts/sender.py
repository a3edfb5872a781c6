"""The sender: a process of its own that alone speaks to channels.

A library that logs a URL, hangs, or leaves threads behind does so in here, where nobody listens and where it can be
stopped. What comes out are outcomes in fixed words. Standard input: one JSON document; standard output: a line of JSON
for each message as soon as its outcome is known.
"""

import json
import logging
import os
import re
import sys
from typing import IO, Any

PERMANENT = frozenset(range(400, 500)) - {408, 425, 429}
"""HTTP answers that will not change by asking again."""
ACCEPTED = range(200, 300)
PAGER_TIMEOUT_SECONDS = 4.0
USER_AGENT = "Reliability Platform"

_ANSWER = re.compile(r"error=(\d{3})\b")


class _Heard(logging.Handler):
    """Keeps what the libraries log, to find the HTTP status in it; the text itself goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def outcome_of(status: int | None) -> dict[str, str]:
    """The outcome of an answer with this HTTP status; None where there was no answer."""
    if status is None:
        return {"outcome": "transient", "words": "it could not be reached or gave no answer"}
    if status in ACCEPTED:
        return {"outcome": "sent", "words": ""}
    kind = "permanent" if status in PERMANENT else "transient"
    return {"outcome": kind, "words": f"it answered with HTTP status {status}"}


def _page(service: Any, endpoint: str | None, events: list[dict[str, Any]]) -> dict[str, str]:
    import urllib3
    from apprise.plugins.pagerduty import PAGERDUTY_API_LOOKUP

    timeout = urllib3.Timeout(connect=PAGER_TIMEOUT_SECONDS, read=PAGER_TIMEOUT_SECONDS)
    url = endpoint or PAGERDUTY_API_LOOKUP[service.region_name]
    outcome = outcome_of(None)
    with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
        for event in events:
            body = {"routing_key": service.integration_key, **event}
            try:
                answer = pool.request("POST", url, json=body, headers={"User-Agent": USER_AGENT}, redirect=False)
            except (urllib3.exceptions.HTTPError, ValueError):
                return outcome_of(None)
            outcome = outcome_of(answer.status)
            if outcome["outcome"] != "sent":
                break
    return outcome


def _notify(service: Any, heard: _Heard, message: dict[str, Any]) -> dict[str, str]:
    from apprise import Apprise, NotifyType
    from apprise.common import NotifyFormat

    heard.lines.clear()
    speaker = Apprise(asset=service.asset)
    speaker.add(service)
    sent = speaker.notify(
        body=message["body"],
        title=message["title"],
        notify_type=NotifyType(message["level"]),
        body_format=NotifyFormat.TEXT,
    )
    if sent:
        return outcome_of(200)
    answers = _ANSWER.findall("\n".join(heard.lines))
    status = int(answers[-1]) if answers else None
    return outcome_of(None if status is not None and status < 300 else status)


def _service(url: str) -> Any:
    """The channel as Apprise understands it, keeping nothing on disk and following no redirect; None if it does not."""
    from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(storage_mode="memory", http_redirects=False, app_id=USER_AGENT, app_desc=USER_AGENT)
    try:
        return Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    except Exception:  # whatever a plugin makes of a wrong URL, its message may hold the URL
        return None


def run(task: dict[str, Any], out: IO[str]) -> None:
    """Deliver the messages in their order; after one that found the channel dead, the rest is not tried."""
    heard = _Heard()
    logging.getLogger("apprise").addHandler(heard)

    def tell(identity: str, outcome: dict[str, Any]) -> None:
        out.write(json.dumps({"id": identity, **outcome}) + "\n")
        out.flush()

    if "tracker" in task:
        from reliability_platform.alerts.tickets.speak import deliver

        deliver(task, tell)
        return
    service = _service(task["url"])
    dead: dict[str, str] | None = None
    for message in task["messages"]:
        if service is None:
            tell(message["id"], {"outcome": "permanent", "words": "Apprise does not understand its URL"})
            continue
        if dead is None:
            try:
                events = message["events"]
                outcome = _page(service, task["endpoint"], events) if events else _notify(service, heard, message)
            except Exception as error:  # the type alone: a message may hold the URL
                outcome = {"outcome": "transient", "words": f"its plugin failed with {type(error).__name__}"}
            dead = outcome if outcome["outcome"] == "transient" else None
        tell(message["id"], dead or outcome)


def main() -> None:
    """Keep the real output for outcomes; whatever else is printed goes nowhere."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as out:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        run(json.load(sys.stdin), out)


if __name__ == "__main__":
    main()

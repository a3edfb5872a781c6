"""The OpenLineage endpoint behind HTTP, by the client's own transport: one event, one answer, in bounded time.

No text of the library is passed on: it may hold the address with what somebody put into it. What is said of a
failure is the kind of error or the HTTP status.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import requests
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

from reliability_platform.errors import UsageError
from reliability_platform.settings import Settings

DEFAULT_PATH = "/api/v1/lineage"
NOT_THE_EVENTS_FAULT = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429})
"""4xx that speak of the key, the address or the moment: the next event would fare no better, a later try may."""


class Answer(StrEnum):
    """What became of an event."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The endpoint does not want this event; others may still pass."""
    UNREACHED = "unreached"
    """The endpoint is down, slow or misconfigured: try later."""


@dataclass(frozen=True)
class Reply:
    """An answer, and why where it is not the wished one."""

    answer: Answer
    why: str = ""


class Endpoint:
    """Where events are sent. Not for two threads at once."""

    def __init__(self, settings: Settings) -> None:
        if settings.openlineage_url is None:
            raise UsageError("No endpoint is set: set RELIABILITY_OPENLINEAGE_URL to the URL of an OpenLineage server.")
        parts = urlsplit(settings.openlineage_url)
        key = settings.openlineage_api_key
        session = requests.Session()
        session.max_redirects = 0  # a redirected POST comes back as a GET that says 200 and delivers nothing
        session.stream = True  # an endless body is never read
        self._transport = HttpTransport(
            HttpConfig(
                url=f"{parts.scheme}://{parts.netloc}",
                endpoint=parts.path if parts.path.strip("/") else DEFAULT_PATH,
                timeout=settings.openlineage_timeout_seconds,
                auth=ApiKeyTokenProvider({"api_key": key.get_secret_value()}) if key else TokenProvider({}),
                session=session,
                retry={"total": 0, "redirect": 0},  # what fails waits in the spool; trying at once would only take time
            )
        )

    def post(self, event: dict[str, Any]) -> Reply:
        """Send one event. Never raises for what the network or the server does."""
        try:
            # Declared for its own classes; a dictionary is serialized as it is.
            self._transport.emit(event)  # type: ignore[arg-type]
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            refused = 400 <= status < 500 and status not in NOT_THE_EVENTS_FAULT
            return Reply(Answer.REFUSED if refused else Answer.UNREACHED, f"HTTP {status}")
        except (requests.RequestException, OSError, ValueError) as error:
            return Reply(Answer.UNREACHED, type(error).__name__)
        return Reply(Answer.DELIVERED)

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.close()

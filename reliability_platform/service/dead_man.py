"""The dead man's switch: an address of somebody else's service that is asked once a tick while all is well.

That service tells people once nobody has asked for a while: whether the daemon, the machine or the network is gone, nothing
here could. The address is a secret; neither it nor anything that a server answers is ever shown.
"""

import threading
from datetime import datetime
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from reliability_platform.credentials import CredentialsError, is_reference, secret
from reliability_platform.service.queries.heartbeats import heartbeats
from reliability_platform.settings import Settings

SILENCE_SECONDS = 5.0
"""Between two pieces of an answer."""
ANSWER_SECONDS = 10.0
"""For the whole: a server that sends a byte now and then is never silent."""


class _Redirected(HTTPRedirectHandler):
    """Follows none: where it leads to need not be who was meant."""

    def redirect_request(self, *_: Any) -> Request | None:
        return None


_OPENER = build_opener(_Redirected)
_asking: threading.Thread | None = None


def ping(settings: Settings, now: datetime) -> str | None:
    """Ask, if an address is set and everybody is at home; what came of it, in words. Never raises for what a network does."""
    if settings.dead_man_url is None:
        return None
    away = heartbeats(settings, now).away
    if away:
        return f"The dead man's switch is not asked: {' '.join(away)}"
    try:
        said = settings.dead_man_url.get_secret_value()
        return _bounded(secret(said).get_secret_value() if is_reference(said) else said)
    except CredentialsError as error:
        return f"The dead man's switch is not asked: {error}"


def _bounded(url: str) -> str:
    """In a thread of its own, which is left alone where it takes too long; the next tick asks only after its end."""
    global _asking  # one for the process, as its sensors are
    if _asking is not None and _asking.is_alive():
        return "The dead man's switch has not answered the last time."
    found: list[str] = []
    _asking = threading.Thread(target=lambda: found.append(_ask(url)), daemon=True)
    _asking.start()
    _asking.join(ANSWER_SECONDS)
    return found[0] if found else f"The dead man's switch has not answered within {ANSWER_SECONDS:g} s."


def _ask(url: str) -> str:
    """One request; only its status is read."""
    if not url.startswith(("http://", "https://")):
        return "The dead man's switch is not asked: its address is no http:// or https:// URL."
    try:
        answer: HTTPResponse | IO[bytes] = _OPENER.open(Request(url), timeout=SILENCE_SECONDS)  # noqa: S310 - see above
        answer.close()
    except HTTPError as refused:
        refused.close()
        return f"The dead man's switch refused: HTTP {refused.code}."
    except (OSError, HTTPException, ValueError) as error:  # ValueError: an address that is none
        return f"The dead man's switch did not answer: {type(error).__name__}."
    return "The dead man's switch was asked."

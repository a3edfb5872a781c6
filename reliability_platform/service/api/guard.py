"""What every request passes before anything reads it: whose host it names, how large it is, how many came before."""

import time
from collections.abc import Collection, Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reliability_platform.actor import ActsFrom, acting_from
from reliability_platform.service.api.problems import problem
from reliability_platform.service.hosts import refusal

MAX_BODY_BYTES = 64 * 1024
"""The longest request is a reason of 2,000 characters and a few names."""
TOO_LARGE = f"The body is longer than {MAX_BODY_BYTES:,} bytes: no request needs that."
MAX_CLIENTS = 10_000
"""So many callers are counted at once; then the count begins anew, so that it takes no memory without end."""
CALLERS_BEHIND_ONE_ADDRESS = 10
"""An address has so many times the requests of a caller: a proxy has many behind it, and whoever shows another token each
time is still one address."""
DASHBOARD = "/ui"
"""What is done from a page begins with this."""
ASKED_OFTEN = frozenset({"/v1/health", "/health"})
"""What a supervisor may ask as often as it likes."""


class Rate:
    """How many requests each caller has left: a bucket that fills evenly."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, caller: str, now: float) -> float:
        """Seconds until this request may come; 0 if it may now, and then it is counted."""
        if len(self._left) > MAX_CLIENTS:
            self._left.clear()
        left, since = self._left.get(caller, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * self._per_minute / 60)
        if left < 1:
            self._left[caller] = (left, now)
            return (1 - left) * 60 / self._per_minute
        self._left[caller] = (left - 1, now)
        return 0.0


REFUSAL = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{status}</title></head>
<body><main><p>Error {status}</p><h1>{detail}</h1></main></body></html>
"""
"""A page of its own, which loads nothing: whoever is refused gets nothing else either."""


def _told(scope: Scope, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal in the form of whoever asked: a page for somebody at a page of ours, else a problem."""
    if scope["path"] != "/" and not scope["path"].startswith(DASHBOARD):
        return problem(status, detail, headers)
    own = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cache-Control": "no-store"}
    page = REFUSAL.format(status=status.value, detail=escape(detail))
    return HTMLResponse(page, status, {**own, **(headers or {})})


class RequestGuard:
    """The ASGI app in front of the API."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], requests_per_minute: int) -> None:
        self._app, self._hosts = app, frozenset(hosts)
        self._callers = Rate(requests_per_minute)
        self._addresses = Rate(requests_per_minute * CALLERS_BEHIND_ONE_ADDRESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refused(scope, headers)
        if refused is not None:
            await refused(scope, receive, send)
            return
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BODY_BYTES:  # of a body that did not say how long it is
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
            return message

        with acting_from(ActsFrom.DASHBOARD if scope["path"].startswith(DASHBOARD) else ActsFrom.API):
            await self._app(scope, limited, send)

    def _refused(self, scope: Scope, headers: Headers) -> Any:
        why = refusal("http", scope["method"], scope["path"], headers, self._hosts, "RELIABILITY_API_URL")
        if why is not None:
            return _told(scope, HTTPStatus.FORBIDDEN, why)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return _told(scope, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE)
        if scope["path"] not in ASKED_OFTEN:
            address, now = (scope.get("client") or ("",))[0], time.monotonic()
            of_its_address = self._addresses.wait(address, now)
            seconds = of_its_address or self._callers.wait(headers.get("authorization") or address, now)
            if seconds > 0:
                said = f"So many requests were made that none is answered for {seconds:.0f} s."
                return _told(scope, HTTPStatus.TOO_MANY_REQUESTS, said, {"Retry-After": f"{int(seconds) + 1}"})
        return None

"""Dagster's web server, which answers only to its own host names: the program that `reliability dev` starts.

Dagster's UI asks nobody who he is, and whoever reaches it can launch runs. On loopback that is the person at the
machine, and every page that is open in his browser: a foreign name that is made to resolve to 127.0.0.1 (DNS
rebinding) makes a web page anywhere "same origin" with the UI, and a form or a picture can post to it without that.
So a request must name a host that is ours, and one that another site makes the browser send is refused.
"""

from urllib.parse import urlsplit

import dagster_webserver.app
from dagster_webserver.cli import main
from dagster_webserver.webserver import DagsterWebserver
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from reliability_platform.orchestration.code_socket import wait_for_the_code
from reliability_platform.service.hosts import LOOPBACK, refusal
from reliability_platform.settings import Settings, load_settings


def own_hosts(settings: Settings) -> frozenset[str]:
    """The names under which the UI may be asked for: those of loopback, and the one that links in alerts have."""
    return LOOPBACK | {(urlsplit(settings.ui_url).hostname or "localhost").lower()}


class OwnHostsOnly:
    """Refuses before anything of Dagster sees the request."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one web socket."""
        if scope["type"] in ("http", "websocket"):
            method = scope.get("method", "GET")
            why_not = refusal(scope["type"], method, scope["path"], Headers(scope=scope), self._hosts)
            if why_not is not None:
                refused = WebSocketClose(reason=why_not) if scope["type"] == "websocket" else _forbidden(why_not)
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _forbidden(why: str) -> PlainTextResponse:
    return PlainTextResponse(f"{why}\n", status_code=403)


class GuardedWebserver(DagsterWebserver):  # type: ignore[type-arg]
    """Dagster's own, behind the guard."""

    def build_middleware(self) -> list[Middleware]:
        """The guard is asked first."""
        return [Middleware(OwnHostsOnly, hosts=own_hosts(load_settings())), *super().build_middleware()]


if __name__ == "__main__":
    wait_for_the_code()
    dagster_webserver.app.DagsterWebserver = GuardedWebserver  # type: ignore[attr-defined, misc]
    main()  # type: ignore[no-untyped-call]

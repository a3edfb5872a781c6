"""The UI answers to its own names alone: no page in somebody's browser may launch a run."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from reliability_platform.orchestration.webserver import GuardedWebserver, OwnHostsOnly, own_hosts
from reliability_platform.settings import Settings

HOME = "127.0.0.1:3000"
UI = Settings(ui_url="https://data.example.com/dagster")


async def fine(_: Request) -> PlainTextResponse:
    return PlainTextResponse("fine")


async def subscribed(socket: WebSocket) -> None:
    await socket.accept()


APP = Starlette(
    routes=[Route("/{path:path}", fine, methods=["GET", "POST"]), WebSocketRoute("/graphql", subscribed)],
    middleware=[Middleware(OwnHostsOnly, hosts=own_hosts(UI))],
)


def first_word(kind: str, method: str, address: str, headers: dict[str, str]) -> Any:
    """What a server behind the guard says first."""
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": f"{kind}.{'connect' if kind == 'websocket' else 'request'}"}

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = address.partition("?")
    raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "path": path, "query_string": query.encode(), "headers": raw}
    scope |= {"subprotocols": []} if kind == "websocket" else {"method": method}
    asyncio.run(APP(scope, receive, send))
    return sent[0]


def answer(method: str, address: str, **headers: str) -> int:
    """The status of one request."""
    return int(first_word("http", method, address, headers)["status"])


@pytest.mark.parametrize("host", [HOME, "localhost:3000", "[::1]:3000", "LOCALHOST", "data.example.com"])
def test_its_own_names_are_answered(host: str) -> None:
    """Loopback under all its names, and the address that links in alerts have, behind whatever proxy."""
    assert answer("POST", "/graphql", Host=host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin") == 200


@pytest.mark.parametrize(
    "host", ["rebound.example.org", "127.0.0.1.example.org:3000", "localhost.example.org", "evil@example.org", "[", ""]
)
def test_a_name_that_only_resolves_here_is_refused(host: str) -> None:
    """DNS rebinding: the browser takes the page for same-origin, so only the name tells."""
    assert answer("GET", "/", Host=host) == 403
    assert answer("POST", "/graphql", Host=host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin") == 403


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/graphql", {"Origin": "https://evil.example.org"}),
        ("POST", "/graphql", {"Origin": "null"}),
        ("GET", "/graphql?query=mutation", {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}),
        ("GET", "/graphql?query=mutation", {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}),
        ("POST", "/report_asset_materialization/x", {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}),
        ("GET", "/logs/1/2/out", {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"}),
    ],
)
def test_another_site_may_not_make_the_browser_ask(method: str, path: str, headers: dict[str, str]) -> None:
    """A form, a picture and a script of a foreign page carry the right host name, and whose they are."""
    assert answer(method, path, Host=HOME, **headers) == 403


def test_a_link_from_elsewhere_opens_the_page_and_programs_are_answered() -> None:
    """People come from the links in alerts; scripts send neither origin nor fetch headers."""
    assert answer("GET", "/runs/1", Host=HOME, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate") == 200
    assert answer("POST", "/graphql", Host=HOME) == 200


def test_a_web_socket_of_another_site_is_closed_before_it_opens() -> None:
    """Subscriptions go over a web socket, which no browser keeps to one origin by itself."""
    for origin, word in (("http://127.0.0.1:3000", "accept"), ("https://evil.example.org", "close")):
        said = first_word("websocket", "GET", "/graphql", {"Host": HOME, "Origin": origin})
        assert said["type"] == f"websocket.{word}"


def test_dagsters_own_server_is_behind_the_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is built is Dagster's application with the guard outermost, in the program that `dev` starts."""
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path))
    [guard, *rest] = GuardedWebserver.build_middleware(object.__new__(GuardedWebserver))
    assert guard.cls is OwnHostsOnly and rest

"""Which requests a server of ours answers: those that name a host of its own, and that no other site makes a browser send.

Whoever reaches a server on loopback is the person at the machine, and every page that is open in his browser: a foreign
name that is made to resolve to 127.0.0.1 (DNS rebinding) makes a web page anywhere "same origin", and a form or a
picture can post without that.
"""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def refusal(
    kind: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    hosts: Collection[str | None],
    setting: str = "RELIABILITY_UI_URL",
) -> str | None:
    """Why a request is not answered; None if it is. `kind` is ASGI's: http or websocket. `setting` names the hosts."""
    if _name(f"//{headers.get('host', '')}") not in hosts:
        return f"This host name is not one of this server: open it as {setting} says, or as 127.0.0.1."
    origin = headers.get("origin")
    if origin is not None and _name(origin) not in hosts:
        return "Another site may not ask this server."
    # A link from elsewhere may open a page. It may not run a query, which a picture's address could be, too.
    opens_a_page = kind == "http" and method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not (opens_a_page and "/graphql" not in path):
        return "Another site may not ask this server."
    return None


def in_url(address: str) -> str:
    """An address of this machine as a URL has it."""
    return f"[{address}]" if ":" in address else address


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None

"""`reliability serve`: the HTTP API and the dashboard on loopback."""

import socket
from ipaddress import ip_address

import click

from reliability_platform.cli.options import home_option, progress
from reliability_platform.cli.parameters import Whole
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.service.hosts import in_url
from reliability_platform.settings import Settings


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address; any but loopback needs a token first."
)
@click.option("--port", type=Whole(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@home_option
def serve(host: str, port: int, settings: Settings) -> None:
    """Serve the HTTP API and the dashboard. Stop it with Ctrl-C.

    On loopback, and until a token is made, whoever asks is you. On any other address nobody is let in without a token of
    `reliability tokens make`; put a proxy in front that speaks TLS, and name it in RELIABILITY_API_URL.
    """
    from reliability_platform.clock import utc_now
    from reliability_platform.operations import operations_engine
    from reliability_platform.service.access.tokens import ApiTokens

    tokens = ApiTokens(operations_engine(settings))
    outside = not _is_loopback(host)
    if outside and not tokens.any_valid(utc_now()):
        raise UsageError(
            f"{host[:100]!r} can be reached by others, and no token is valid: make one with `reliability tokens make NAME --role "
            "ROLE`, or stay on loopback."
        )
    listener = _listen(host, port)
    from reliability_platform.actor import whoami
    from reliability_platform.lab.faults.catalogue import CATALOGUE
    from reliability_platform.service.api.app import create_app
    from reliability_platform.service.api.server import run
    from reliability_platform.warehouse.dbt_manifest import ensure_manifest

    ensure_manifest()  # else the first question about lineage would take as long as dbt takes to parse
    address, bound = listener.getsockname()[:2]
    app = create_app(
        settings, tokens_needed=outside, at_the_machine=whoami(), faults=list(CATALOGUE), hosts=[host.lower()]
    )
    said = "a token is needed" if outside or tokens.any_made() else "whoever asks is you, until a token is made"
    place = f"http://{in_url(address)}:{bound}"
    progress.print(f"API: {place}/v1 and dashboard: {place}/ui/ ({said}); stop with Ctrl-C.", markup=False)
    run(app, listener)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens; taken before anything is imported that takes time."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that is none for the domain name system
        why = getattr(error, "strerror", None) or "it is no name of a host"
        raise EnvironmentUnusableError(
            f"Port {port} on {host[:100]!r} cannot be used ({why}): choose another with --port, or --host."
        ) from None
    return listener

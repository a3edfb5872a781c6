"""Where sources answer over HTTP: by the settings of an installation, or else by their contract."""

import base64
from dataclasses import dataclass

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.servers import HTTP
from reliability_platform.credentials import secret
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class SourceEndpoint:
    """A source behind HTTP."""

    url: str
    user: str | None = None
    credentials: str | None = None
    """Where the secret is."""
    ca_file: str | None = None
    fallback: str = ""
    """What it is called; empty for the first one."""

    def headers(self) -> dict[str, str]:
        """Who asks, as RFC 6750 and RFC 7617 have it. Raises `CredentialsError`."""
        if self.credentials is None:
            return {}
        value = secret(self.credentials).get_secret_value()
        if self.user is None:
            return {"Authorization": f"Bearer {value}"}
        return {"Authorization": f"Basic {base64.b64encode(f'{self.user}:{value}'.encode()).decode()}"}


def endpoints_of(settings: Settings, source: str) -> tuple[SourceEndpoint, ...]:
    """Where a source answers, the fallbacks after the first; none if it does not come over HTTP, or if the home replays a
    recording. What a contract says of credentials goes to its own servers alone."""
    if settings.recording.exists():
        return ()
    url = settings.url_of(source)
    if url is not None:
        return (SourceEndpoint(url, credentials=settings.source_credentials.get(source)),)
    contract = CONTRACTS[source]
    servers = zip(contract.servers, ("", *contract.fallbacks), strict=True) if contract.servers else ()
    return tuple(
        SourceEndpoint(one.address, one.user, one.credentials, one.ca_file, fallback)
        for one, fallback in servers
        if one.engine == HTTP
    )

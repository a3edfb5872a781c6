"""Where a source is reached: the `servers` of its contract.

The first one counts; those after it that say `fallback` are asked, in their order, where it does not answer. A secret
stands in none of them: it is referred to (`credentials`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from open_data_contract_standard.model import Server as Declared

from reliability_platform.credentials import HOW, is_reference

FILES, HTTP, KAFKA = "files", "http", "kafka"
DATABASES = ("duckdb", "sqlite", "postgresql")
KIND = {FILES: "drop", HTTP: "http", KAFKA: "stream"} | dict.fromkeys(DATABASES, "database")
"""The kind of source that a server of each engine makes."""
_ENGINE_OF = {"api": HTTP, "kafka": KAFKA, "duckdb": "duckdb", "postgresql": "postgresql", "postgres": "postgresql"}
"""By the standard's type of a server; any other is one where files lie."""
PROPERTIES = ("engine", "user", "credentials", "caFile", "tls", "options", "fallback", "deadLetterTopic")
"""The custom properties of a server that the platform reads."""
_SECRET = re.compile(r"secret|token|password|passwd|key|credential|signature|connection_string", re.IGNORECASE)
_UNVERIFIED = re.compile(r"verify|insecure|ssl_context", re.IGNORECASE)
_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}")
_LOCAL = re.compile(r"localhost|127(\.\d+){3}|::1|\[::1\]|/.*")


@dataclass(frozen=True)
class Server:
    """One place where a source is reached."""

    engine: str
    """`files`, `http`, `kafka`, or one of `DATABASES`."""
    address: str
    """A pattern of paths or a URL; of a database its file or its name; of a Kafka cluster its brokers, as `one:9092,two:9092`."""
    name: str = ""
    host: str = ""
    port: int | None = None
    schema: str | None = None
    user: str | None = None
    credentials: str | None = None
    """Where the secret is."""
    ca_file: str | None = None
    """The certificates that vouch for it; by default those of the system."""
    tls: bool = True
    """Whether a database on another machine is spoken to in TLS; what it shows is verified, or nothing is sent."""
    options: tuple[tuple[str, Any], ...] = ()
    """What the driver of a bucket or of a cluster is given; where a text is a reference, the secret that it names."""
    dead_letter_topic: str | None = None
    """Where in a Kafka cluster records are sent once more that cannot be decoded."""

    @property
    def is_local(self) -> bool:
        """Whether what is sent to its host stays on this machine."""
        if self.engine == KAFKA:
            return all(_LOCAL.fullmatch(one.strip().rpartition(":")[0]) for one in self.address.split(","))
        return not self.host or _LOCAL.fullmatch(self.host) is not None


@dataclass(frozen=True)
class Servers:
    """Those that count, and what is wrong with what a contract says of them: (place in the file, what)."""

    usable: tuple[Server, ...]
    objections: tuple[tuple[tuple[str | int, ...], str], ...] = ()


def servers_of(declared: Sequence[Declared]) -> Servers:
    """What the servers of a contract say."""
    found: list[Server] = []
    objections: list[tuple[tuple[str | int, ...], str]] = []
    for number, one in enumerate(declared):
        custom = {other.property: other.value for other in one.customProperties or [] if other.property}
        wrong = [*_wrong_properties(custom)]
        fallback = custom.get("fallback", False)
        if number and not fallback:  # another environment, as test beside production
            continue
        server = _server(one, custom)
        wrong += [server] if isinstance(server, str) else _objections(server)
        objections += [(("servers", number), f"its server {what}") for what in wrong]
        if isinstance(server, Server):
            found.append(server)
    if len(found) > 1 and found[0].engine == KAFKA:
        objections.append(
            (("servers",), "its servers are several clusters: offsets are those of one, and a stream has no fallback")
        )
    if len({KIND[one.engine] for one in found}) > 1:
        objections.append((("servers",), "its servers are of several kinds: a fallback delivers as the first one does"))
    return Servers(tuple(found), tuple(objections))


def _wrong_properties(custom: dict[str, Any]) -> Iterator[str]:
    for name in custom:
        close = get_close_matches(name.lower(), [one.lower() for one in PROPERTIES], n=1, cutoff=0.8)
        meant = next((one for one in PROPERTIES if [one.lower()] == close), None)
        if name not in PROPERTIES and meant is not None:
            yield f"has the custom property {name!r}, which says nothing: did you mean {meant}?"
    for name in ("fallback", "tls"):
        if not isinstance(custom.get(name, False), bool):
            yield f"says {name}: {custom[name]!r}, which is neither true nor false"
    for name in ("user", "caFile", "deadLetterTopic"):
        if not isinstance(custom.get(name, ""), str):
            yield f"says {name}: {custom[name]!r}, which is no text"
    if "credentials" in custom and not is_reference(custom["credentials"]):
        yield f"has credentials that are no reference, and a contract holds no secret: {HOW}"
    options = custom.get("options", {})
    if not isinstance(options, dict):
        yield "has options that are no mapping"
        return
    for name, value in options.items():
        if _UNVERIFIED.search(str(name)):
            yield f"has the option {name}: what speaks TLS is always verified; say caFile where its authority is your own"
        if not isinstance(value, str | int | float | bool):
            yield f"has the option {name}, which is neither text nor number"
        elif isinstance(value, str) and not is_reference(value) and _SECRET.search(str(name)):
            yield f"has the option {name}, which is no reference, and a contract holds no secret: {HOW}"


def _server(one: Declared, custom: dict[str, Any]) -> Server | str:
    """A server as it is declared; as text, what is wrong with it."""
    kind = (one.type or "").lower()
    engine = _ENGINE_OF.get(kind, FILES)
    if kind == "sqlite":
        return "is of the type sqlite, which the standard does not have: say type: custom, and engine: sqlite as a custom property"
    if "engine" in custom:
        if kind != "custom" or custom["engine"] != "sqlite":
            return "may say engine: sqlite, where its type is custom, and no other engine"
        engine = "sqlite"
    places = {
        FILES: one.path or one.location, HTTP: one.location, "duckdb": one.database or one.path,
        "sqlite": one.database or one.path, "postgresql": one.database, KAFKA: one.host,
    }  # fmt: skip
    address = places[engine]
    if not address:
        lacks = {
            FILES: "says neither path nor location: where do deliveries appear?", HTTP: "says no location: at which URL does it answer?",
            "postgresql": "says no database: what is it called?", KAFKA: "says no host: where do its brokers answer?",
        }  # fmt: skip
        return lacks.get(engine, "says no database: in which file is it?")
    if one.port is not None and not str(one.port).isdecimal():
        return f"has the port {one.port!r}, which is no number"
    if engine == KAFKA and one.port is not None:
        address = f"{address}:{one.port}"
    options = dict(custom.get("options", {})) if isinstance(custom.get("options", {}), dict) else {}
    if engine == FILES and one.endpointUrl:
        options["endpoint_url"] = one.endpointUrl
    return Server(
        engine=engine,
        address=address,
        name=one.server or one.id or "",
        host=one.host or "" if engine != KAFKA else "",
        port=None if one.port is None else int(one.port),
        schema=one.schema_,
        user=custom.get("user"),
        credentials=custom.get("credentials"),
        ca_file=custom.get("caFile"),
        tls=bool(custom.get("tls", True)),
        options=tuple(sorted(options.items())),
        dead_letter_topic=custom.get("deadLetterTopic"),
    )


def _objections(server: Server) -> Iterator[str]:
    """What may not stand in one, whatever its engine is. None of them repeats an address: it may be a secret."""
    for url in (server.address, str(dict(server.options).get("endpoint_url", ""))):
        try:
            parts = urlsplit(url) if "://" in url else None
            _ = parts.port if parts is not None else None
        except ValueError:
            yield "has a URL that is none"
            continue
        if parts is not None and (parts.username or parts.password or "=" in parts.query):
            yield f"has a URL with a user, a password or a query, and a contract holds no secret: say user, and credentials ({HOW})"
    if server.engine == HTTP:
        parts = urlsplit(server.address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            yield "answers at no http:// or https:// URL with a host alone"
        elif server.credentials and parts.scheme == "http" and _LOCAL.fullmatch(parts.hostname) is None:
            yield "would send credentials over plain http to another machine: say https"
    if server.engine == "postgresql" and ("=" in server.address or "://" in server.address):
        yield "names a database by a connection string: say host, port and database"
    if server.engine == KAFKA and not all(_BROKER.fullmatch(one.strip()) for one in server.address.split(",")):
        yield "has a host that names no brokers: say host: one.example.com:9092, several with commas between them"
    if server.engine != KAFKA and server.dead_letter_topic:
        yield "has a deadLetterTopic, and is no Kafka cluster"
    if server.engine == FILES and (server.credentials or server.user):
        yield "is one where files lie: give its driver what it asks for under `options`, as {key: env:NAME, secret: env:NAME}"

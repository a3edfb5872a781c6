"""A source over HTTP that asks who is there, on an authority's certificate; and a second one where it does not answer."""

import base64
import hashlib
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import trustme

from reliability_platform.clock import utc_now
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.servers import Server
from reliability_platform.credentials import CredentialsError, secret
from reliability_platform.errors import SourceUnavailableError, UsageError
from reliability_platform.lab.simulation.server import SourceServer, _Handler
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import simulated_sources
from reliability_platform.landing.breaker import Breaker, BreakerState
from reliability_platform.landing.client import ClientTerms
from reliability_platform.landing.deliveries import unreachable
from reliability_platform.landing.fetch import Asked, fetch_again, fetch_day
from reliability_platform.landing.writer import landing_folder
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources.endpoint import SourceEndpoint, endpoints_of
from reliability_platform.sources.source import kind_of

DAY = date(2026, 1, 5)
WORLD = Simulation(7, 800)
QUICK = ClientTerms(retries=1, backoff_seconds=0.01, jitter_seconds=0.01, silence_seconds=3)
CANARY = "hunter2canary"
BEARER = f"Bearer {CANARY}"
BASIC = f"Basic {base64.b64encode(f'reader:{CANARY}'.encode()).decode()}"


class _Guarded(_Handler):
    """Answers those alone who say what the server wants to hear."""

    def do_GET(self) -> None:  # noqa: N802 (the name is the base class's)
        if self.headers.get("Authorization") == self.server.wanted:  # type: ignore[attr-defined]
            super().do_GET()
        else:
            self._send(401, {"WWW-Authenticate": "Bearer"}, f"no: {self.headers.get('Authorization')}".encode())


@contextmanager
def guarded(wanted: str | None, authority: trustme.CA | None = None) -> Iterator[str]:
    """Its address; over TLS where an authority vouches for it."""
    with SourceServer(simulated_sources(WORLD)) as server:
        server.RequestHandlerClass = _Guarded
        server.wanted = wanted  # type: ignore[attr-defined]
        scheme = "http"
        if authority is not None:
            scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Where it lands; the secret is in the environment."""
    monkeypatch.setenv("ORDERS_TOKEN", CANARY)
    return load_settings(tmp_path / "home")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    """One that no system trusts, and the file of its certificate."""
    found, path = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    found.cert_pem.write_to_path(path)
    return found, str(path)


def fetch(home: Settings, *endpoints: SourceEndpoint) -> Asked:
    """One fetch of the day."""
    found = fetch_day(home, "orders", DAY, endpoints, 4, utc_now, QUICK)
    assert found is not None
    return found


def landed(home: Settings) -> int:
    """The batches of the day that are there."""
    return len(list(landing_folder(home, "orders", DAY).glob("*.parquet")))


@pytest.mark.parametrize(("wanted", "user"), [(BEARER, None), (BASIC, "reader")], ids=["bearer", "basic"])
def test_who_asks_is_said_as_the_source_wants_it(wanted: str, user: str | None, home: Settings) -> None:
    """A source that knows nobody answers nobody; what is asked for again must be asked for by the same."""
    with guarded(wanted) as url:
        endpoint = SourceEndpoint(url, user, "env:ORDERS_TOKEN")
        assert (fetch(home, endpoint).missing, landed(home)) == (0, 4)
        nobody = SourceEndpoint(url, user, "env:NO_SUCH_VARIABLE")
        assert fetch_again(home, "orders", DAY, 2, 2, [nobody, endpoint], utc_now, QUICK).attempt == 2


def test_a_source_that_refuses_is_named_and_the_secret_is_not(
    home: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs, the store and errors are read by many; a refusal may even repeat what it was sent."""
    caplog.set_level(logging.DEBUG)
    shown = []
    with guarded("Bearer another") as url:
        endpoint = SourceEndpoint(url, None, "env:ORDERS_TOKEN")
        shown.append(fetch(home, endpoint).why)
        assert "it answered 401" in shown[0]
        other = load_settings(tmp_path / "other")  # where no breaker is open
        with pytest.raises(SourceUnavailableError) as refused:
            fetch_again(other, "orders", DAY, 2, 2, [endpoint], utc_now, QUICK)
        shown += [str(refused.value), repr(endpoint)]
        assert "it answered 401" in shown[1]
    left = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for hidden in (CANARY, BASIC.split()[1]):
        assert [one for one in [*shown, caplog.text] if hidden in one] == []
        assert [one for one in left if hidden.encode() in one] == []


def test_a_certificate_is_verified_by_the_authority_of_the_contract(
    home: Settings, tmp_path: Path, authority: tuple[trustme.CA, str]
) -> None:
    """Whoever sits in between would read the token, and send rows of his own."""
    with guarded(BEARER, authority[0]) as url:
        assert fetch(home, SourceEndpoint(url, None, "env:ORDERS_TOKEN", authority[1])).missing == 0
        other = load_settings(tmp_path / "other")
        doubted = fetch(other, SourceEndpoint(url, None, "env:ORDERS_TOKEN"))
        assert (landed(other), "no certificate that can be verified" in doubted.why) == (0, True)


def test_a_fallback_is_asked_where_the_first_endpoint_does_not_answer_and_has_a_breaker_of_its_own(
    home: Settings,
) -> None:
    """The manifest says where rows came from; the first endpoint stays known as the one that is away."""
    engine = operations_engine(home)
    with guarded(None) as url:
        told = fetch(home, SourceEndpoint("http://127.0.0.1:9"), SourceEndpoint(url, fallback="replica"))
    assert (told.missing, landed(home), "does not answer" in told.why) == (0, 4, True)
    assert all('"fallback": "replica"' in one.read_text() for one in landing_folder(home, "orders", DAY).glob("*.json"))
    assert Breaker(engine, "orders").view().state is BreakerState.OPEN
    assert Breaker(engine, "orders (replica)").view().state is BreakerState.CLOSED


def test_a_fallback_is_left_alone_while_the_first_endpoint_answers(home: Settings) -> None:
    """A batch that has not come yet is no outage: the source itself says what there is."""
    with guarded(None) as url, guarded(None) as other:
        found = fetch_day(
            home, "orders", DAY, [SourceEndpoint(url), SourceEndpoint(other, fallback="replica")], 5, utc_now, QUICK
        )
    assert found is not None
    assert (found.missing, found.why) == (1, "")


def test_a_contract_says_where_a_source_answers_and_the_settings_of_an_installation_come_before(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drill on loopback must not be sent the token of the real source."""
    servers = (
        Server("http", "https://api.example.com", credentials="env:ORDERS_TOKEN", ca_file="/ca.pem"),
        Server("http", "https://replica.example.com", "replica"),
    )
    monkeypatch.setitem(CONTRACTS, "orders", replace(CONTRACTS["orders"], kind="http", servers=servers))
    assert endpoints_of(home, "orders") == (
        SourceEndpoint("https://api.example.com", None, "env:ORDERS_TOKEN", "/ca.pem"),
        SourceEndpoint("https://replica.example.com", fallback="replica"),
    )
    assert kind_of(home, "orders") == "http"
    drill = home.model_copy(update={"source_url": "http://127.0.0.1:9"})
    assert endpoints_of(drill, "orders") == (SourceEndpoint("http://127.0.0.1:9"),)
    own = drill.model_copy(update={"source_credentials": {"orders": "env:DRILL_TOKEN"}})
    assert endpoints_of(own, "orders") == (SourceEndpoint("http://127.0.0.1:9", None, "env:DRILL_TOKEN"),)
    assert unreachable(own) == [
        "orders: The environment variable DRILL_TOKEN, in which credentials should be, is not set"
    ]


def test_a_secret_in_place_of_its_reference_is_refused_by_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A settings file is committed as a contract is."""
    monkeypatch.setenv("RELIABILITY_SOURCE_CREDENTIALS", f'{{"orders": "{CANARY}"}}')
    with pytest.raises(UsageError, match="it holds references, and no secret") as refused:
        load_settings()
    assert CANARY not in str(refused.value)


def test_a_secret_comes_from_the_environment_a_file_or_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is how some installation keeps its secrets; none of them is started in a shell."""
    monkeypatch.setenv("ORDERS_TOKEN", CANARY)
    (tmp_path / "token").write_text(f"{CANARY}\n")
    for reference in ("env:ORDERS_TOKEN", f"file:{tmp_path / 'token'}", f"command:cat '{tmp_path / 'token'}'"):
        found = secret(reference)
        assert (found.get_secret_value(), CANARY in repr(found)) == (CANARY, False)
    (tmp_path / "token").write_text(hashlib.sha256(b"2").hexdigest())
    assert secret(f"file:{tmp_path / 'token'}").get_secret_value() != CANARY, "a new one counts at once"


MISSING: dict[str, tuple[str, str]] = {
    "no variable": ("env:NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE, in which credentials should be, is not set"),
    "no file": ("file:/no/such/file", "cannot be read: No such file"),
    "an empty file": ("file:/dev/null", "is no secret: it is empty"),
    "no command": ("command:no-such-program hunter2canary", "The command no-such-program, which should print"),
    "a command that fails": ("command:false hunter2canary", "The command false, which should print credentials, failed: it ended with 1"),
    "a command with several lines": (r"command:printf 'hunter2canary\n2'", "is no secret: it is empty, or has line breaks"),
    "an open quote": ("command:printf 'hunter2canary", "cannot be taken apart"),
    "a pipe, which only a shell would know": ("command:cat /no/such | true hunter2canary", "ended with 1"),
    "no reference": ("hunter2canary", "are given by reference"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISSING)
def test_a_secret_that_is_not_there_is_said_without_what_is(what: str) -> None:
    """The words of a command may hold the secret of a vault, and what it prints is one."""
    reference, words = MISSING[what]
    with pytest.raises(CredentialsError) as missing:
        secret(reference)
    assert words in str(missing.value)
    assert CANARY not in str(missing.value)

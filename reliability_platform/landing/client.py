"""Asks a source behind HTTP: with patience, but not without end, and never past its breaker.

urllib3 retries refusals, failures, timeouts and cut bodies with exponential backoff and jitter, for as long as
`Retry-After` says. A wait that would exceed the budget is not begun: the request counts as unanswered, and the breaker
leaves the source alone for as long as it asked. An answer counts only when it is whole and has the expected checksum.
"""

import hashlib
import time
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError, ReadTimeoutError, ResponseError, SSLError

from reliability_platform.causes import SOURCE_DOWN, cause_of_status
from reliability_platform.clock import Clock
from reliability_platform.landing.breaker import Breaker, Permit
from reliability_platform.sources.endpoint import SourceEndpoint

CHUNK_BYTES = 65_536
MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""More than any page needs: an endless body must not fill the memory."""


@dataclass(frozen=True)
class ClientTerms:
    """How patient the client is."""

    retries: int = 4
    backoff_seconds: float = 0.2
    jitter_seconds: float = 0.2
    longest_backoff_seconds: float = 30
    connect_seconds: float = 5
    silence_seconds: float = 10
    """Between two pieces of an answer."""
    answer_seconds: float = 30
    """For a whole body: one that trickles never falls silent."""


class _RefusedError(ResponseError):
    """The source answered, and not with what it was asked for."""


def _why(error: HTTPError) -> str:
    """Why there was no answer, without the address: it may hold what only its owner should see."""
    if isinstance(error, _RefusedError):
        return str(error)
    reason = error.reason if isinstance(error, MaxRetryError) else error
    if isinstance(reason, SSLError):
        return "it shows no certificate that can be verified: name the file of its authority as caFile"
    return "it does not answer, or not as a whole"


@dataclass
class _Budget:
    """What all requests of a client share."""

    ends: float
    """On the monotonic clock, in seconds."""
    refusals: int = 0
    asked_to_wait: float = 0.0
    """By the last refusal; 0 if it asked for nothing."""
    asked_at: float = 0.0

    @property
    def left(self) -> float:
        return self.ends - time.monotonic()


class _Patience(urllib3.Retry):
    """urllib3's retries that count every failed attempt, and begin no wait that the budget does not allow."""

    def __init__(self, *args: Any, budget: _Budget, **arguments: Any) -> None:
        super().__init__(*args, **arguments)
        self.budget = budget

    def new(self, **arguments: Any) -> Self:
        """The state after an attempt."""
        return super().new(budget=self.budget, **arguments)

    def parse_retry_after(self, retry_after: str) -> float:
        """Seconds; what cannot be read asks for nothing."""
        try:
            return super().parse_retry_after(retry_after)
        except (InvalidHeader, ValueError, OverflowError):
            return 0.0

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Count a failed attempt. Raises `MaxRetryError` if there is to be no other one."""
        self.budget.refusals += 1
        wait = (self.get_retry_after(response) or 0.0) if response is not None else 0.0
        self.budget.asked_to_wait, self.budget.asked_at = wait, time.monotonic()
        following = super().increment(method, url, response, error, _pool, _stacktrace)
        if max(wait, following.get_backoff_time()) >= self.budget.left:
            raise MaxRetryError(_pool, url or "", error or ResponseError("the time for this fetch is used up"))
        return following


@dataclass
class Client:
    """Requests to one source, within one budget of time."""

    endpoint: SourceEndpoint
    breaker: Breaker
    clock: Clock
    budget_seconds: float
    terms: ClientTerms = ClientTerms()
    why: str = ""
    """Why the last request had no answer."""
    _pool: urllib3.PoolManager = field(init=False)
    _budget: _Budget = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Accept-Encoding": "identity", **self.endpoint.headers()}
        self._pool = urllib3.PoolManager(headers=headers, cert_reqs="CERT_REQUIRED", ca_certs=self.endpoint.ca_file)
        self._budget = _Budget(time.monotonic() + self.budget_seconds)

    @property
    def refusals(self) -> int:
        """Attempts that were turned away, failed or broke off, those that a retry made good among them."""
        return self._budget.refusals

    def ask(self, path: str, checksum: str | None = None) -> bytes | None:
        """A whole answer with this SHA-256, or with the one in its own ETag; None if there was none or the breaker is open."""
        permit = self.breaker.enter(self.clock()) if self._waited() else None
        if permit is None:
            self.why = self.why or "it is left alone until its breaker lets a probe through"
            return None
        self._budget.asked_to_wait = 0.0
        try:
            body = self._request(f"{self.endpoint.url.rstrip('/')}/{path}", permit, checksum)
        except HTTPError as error:
            self.why = _why(error)
            self.breaker.failed(permit, self.clock(), timedelta(seconds=self._budget.asked_to_wait))
            return None
        self.breaker.succeeded(permit, self.clock())
        self.why = ""
        return body

    def _waited(self) -> bool:
        """Whether there is time for a request, once the source has been left alone for as long as it last asked.

        That holds after the last attempt of a request, too; while the breaker is open nobody waits for anything.
        """
        wait = self._budget.asked_to_wait - (time.monotonic() - self._budget.asked_at)
        if wait > 0 and self.breaker.view().passes(self.clock()):
            time.sleep(min(wait, max(self._budget.left, 0)))
        return self._budget.left > 0

    def _request(self, url: str, permit: Permit, checksum: str | None) -> bytes:
        terms = self.terms
        patience = _Patience(
            total=0 if permit.is_probe else terms.retries,
            status_forcelist=SOURCE_DOWN.statuses,
            backoff_factor=terms.backoff_seconds,
            backoff_jitter=terms.jitter_seconds,
            backoff_max=terms.longest_backoff_seconds,
            budget=self._budget,
        )
        while True:
            left = max(self._budget.left, 0.001)
            response = self._pool.request(
                "GET",
                url,
                retries=patience,
                preload_content=False,
                redirect=False,
                timeout=urllib3.Timeout(
                    connect=min(terms.connect_seconds, left), read=min(terms.silence_seconds, left)
                ),
            )
            assert isinstance(response.retries, _Patience)
            patience = response.retries
            try:
                if response.status == 200:
                    return self._body(response, checksum)
            except HTTPError as error:
                patience = patience.increment("GET", url, error=error)
                patience.sleep()
            else:
                self._budget.refusals += 1
                raise _RefusedError(f"it answered {response.status}: {cause_of_status(response.status).why}")
            finally:
                response.close()

    def _body(self, response: urllib3.BaseHTTPResponse, checksum: str | None) -> bytes:
        """The body. Raises `HTTPError` if it is too slow, not whole, or not what the checksum says."""
        ends = time.monotonic() + min(self.terms.answer_seconds, self._budget.left)
        body = bytearray()
        while piece := response.read1(CHUNK_BYTES):
            body += piece
            if time.monotonic() > ends:
                raise ReadTimeoutError(None, None, "the answer trickles")  # type: ignore[arg-type]
            if len(body) > MAX_ANSWER_BYTES:
                raise ResponseError("the answer has no end")
        expected = checksum or response.headers.get("ETag", "").strip('"')
        if hashlib.sha256(body).hexdigest() != expected:
            raise ResponseError("the answer does not have its checksum")
        return bytes(body)

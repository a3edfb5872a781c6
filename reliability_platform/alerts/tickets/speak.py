"""Speaks to a tracker, within a sender: finds the ticket or opens it, says what is new, closes it.

Nothing is done twice. A ticket is looked for by its marker before one is opened, and a comment by its mark before it is said
again. What is not of the published form, or was refused for now, is tried again; only what the tracker says is wrong with
the request itself is not.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import urllib3

from reliability_platform.alerts.tickets.kinds import shape_of
from reliability_platform.alerts.tickets.shapes import (
    SETTLES_SECONDS,
    Jira,
    Shape,
    TrackerPlace,
    TrackerRequest,
    UnexpectedAnswerError,
)

TIMEOUT_SECONDS = 6.0
MAX_ANSWER = 8_000_000
MAX_PAGES = 20
LONGEST_PAUSE_SECONDS = 3_600.0
"""Whatever a tracker asks for."""
WRONG = frozenset({400, 404, 405, 410, 413, 422})
"""Answers about the request itself. A token that is refused may be a good one tomorrow."""
TOO_MANY = frozenset({429, 503})


class RefusedError(Exception):
    """The tracker did not do it."""

    def __init__(self, words: str, *, for_good: bool = False, pause: float = 0.0) -> None:
        super().__init__(words)
        self.words, self.for_good, self.pause = words, for_good, pause


def _pause(headers: Mapping[str, str], now: datetime) -> float:
    """The seconds that a tracker asks for, by any of the usual headers."""
    said = headers.get("Retry-After", "").strip()
    reset = headers.get("X-RateLimit-Reset", "") or headers.get("RateLimit-Reset", "")
    try:
        if said:
            left = float(said) if said.isdecimal() else (parsedate_to_datetime(said) - now).total_seconds()
        elif reset.isdecimal():
            left = float(reset) - now.timestamp()
        else:
            left = 0.0
    except (ValueError, TypeError):
        left = 0.0
    return min(max(left, 0.0), LONGEST_PAUSE_SECONDS)


class Speaker:
    """One tracker, for one run of a sender."""

    def __init__(self, place: TrackerPlace, token: str) -> None:
        self.shape: Shape = shape_of(place)
        self._headers = {"User-Agent": "Reliability Platform", **self.shape.headers(token)}
        timeout = urllib3.Timeout(connect=TIMEOUT_SECONDS, read=TIMEOUT_SECONDS)
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout)

    def ask(self, request: TrackerRequest) -> Any:
        """The answer as JSON; None where there is none. Raises `RefusedError`."""
        body = None if request.body is None else json.dumps(request.body).encode()
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        url = self.shape.place.url + request.path
        if request.query:
            url += "?" + urlencode(request.query)
        try:
            answer = self._pool.request(
                request.method, url, body=body, headers=headers, redirect=False, preload_content=False
            )
            said = answer.read(MAX_ANSWER + 1)
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, ValueError, OSError):
            raise RefusedError("it could not be reached or gave no answer") from None
        if not 200 <= answer.status < 300:
            pause = _pause(answer.headers, datetime.now(UTC))
            limited = answer.status in TOO_MANY or (
                answer.status == 403 and answer.headers.get("X-RateLimit-Remaining") == "0"
            )
            words = f"it answered with HTTP status {answer.status}"
            raise RefusedError(words, for_good=answer.status in WRONG, pause=pause if limited else 0.0)
        if len(said) > MAX_ANSWER:
            raise UnexpectedAnswerError
        try:
            return json.loads(said) if said.strip() else None
        except (ValueError, RecursionError):
            raise UnexpectedAnswerError from None

    def find(self, marker: str, since: str) -> str | None:
        """The key of the ticket that bears a marker."""
        for page in range(1, MAX_PAGES + 1):
            key, more = self.shape.found(self.ask(self.shape.find(marker, since, page)), marker)
            if key is not None or not more:
                return key
        raise RefusedError("it has too many tickets of these days to know whether this one is among them")

    def _create(self, task: Mapping[str, Any]) -> str:
        request = self.shape.create(task)
        try:
            return self.shape.created(self.ask(request))
        except (RefusedError, UnexpectedAnswerError) as error:
            # It may be open all the same, now or in a moment: nobody asks before the search can know of it.
            words = error.words if isinstance(error, RefusedError) else NOT_ITS_FORM
            for_good, pause = (error.for_good, error.pause) if isinstance(error, RefusedError) else (False, 0.0)
            raise RefusedError(
                words, for_good=for_good, pause=max(pause, 0.0 if for_good else SETTLES_SECONDS)
            ) from None

    def _move(self, key: str, task: Mapping[str, Any]) -> None:
        closes = task["move"] == "close"
        request = self.shape.close(key, task) if closes else self.shape.reopen(key, task)
        if request is None and isinstance(self.shape, Jira):
            wanted = self.shape.place.closing if closes else self.shape.place.reopening
            if not wanted:
                return
            request = self.shape.transition(key, self.ask(self.shape.transitions(key)), wanted)
            if request is None:
                if self.shape.is_done(self.ask(self.shape.status(key))) == closes:
                    return
                raise RefusedError(f"from where {key} is, no transition is called {wanted[:60]!r}", for_good=True)
        if request is not None:
            self.ask(request)

    def tell(self, task: Mapping[str, Any], keep: Callable[[str], None]) -> None:
        """All that is new of one incident. `keep` is called with the key as soon as it is known."""
        if task.get("probe"):
            self.find(task["marker"], task["since"])
            return
        key = task["ticket"] or self.find(task["marker"], task["since"])
        if key is None:
            key = self._create(task)
            keep(key)
        else:
            keep(key)
            # `again`: an earlier try may have opened the ticket or said it, and been killed before it could tell.
            if task["comment"] is not None and not (task["again"] and self._was_said(key, task)):
                self.ask(self.shape.comment(key, task))
        if task["move"]:
            self._move(key, task)

    def _was_said(self, key: str, task: Mapping[str, Any]) -> bool:
        said = self.shape.comments(key, task["mark"], task["since"])
        return said is not None and task["mark"] in json.dumps(self.ask(said))


NOT_ITS_FORM = "its answer is not of the form that such a tracker gives"


def deliver(task: Mapping[str, Any], tell: Callable[[str, dict[str, Any]], None]) -> None:
    """Every message of a sender's task; after one that was refused for now, the rest is not tried."""
    speaker = Speaker(TrackerPlace(**task["tracker"]), task["token"])
    dead: dict[str, Any] | None = None
    for message in task["messages"]:
        outcome: dict[str, Any] = {"outcome": "sent", "words": ""}
        if dead is None:
            known: list[str] = []
            try:
                speaker.tell(message["events"][0], known.append)
            except RefusedError as error:
                outcome = {"outcome": "permanent" if error.for_good else "transient", "words": error.words}
                outcome["pause"] = error.pause
            except UnexpectedAnswerError:
                outcome = {"outcome": "transient", "words": NOT_ITS_FORM}
            outcome["ticket"] = known[-1] if known else ""
            dead = {**outcome, "ticket": ""} if outcome["outcome"] == "transient" else None
            tell(message["id"], outcome)
        else:
            tell(message["id"], {**dead, "untried": True})

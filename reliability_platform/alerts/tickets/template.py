"""A tracker of a team's own, declared in a file: which requests find, open, update, close and reopen a ticket, and where the
answers say its key.

A placeholder such as `"{title}"` is the whole of a text in a body or a query, and is replaced by a JSON value: what came with data
cannot become anything else. Only the key of a ticket stands within a path, and it is quoted.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reliability_platform.alerts.tickets.shapes import (
    Shape,
    TrackerPlace,
    TrackerRequest,
    UnexpectedAnswerError,
    key_of,
)
from reliability_platform.settings import suggestion
from reliability_platform.strict_yaml import Location, StrictYaml, said_of

TOKEN, KEY, PAGE = "{token}", "{key}", "{page}"
_SECRETIVE = re.compile(r"auth|token|key|secret|cookie|password", re.IGNORECASE)
_OURS = frozenset({"host", "connection", "content-length", "content-type", "transfer-encoding", "user-agent"})
_PATH = re.compile(r"/[A-Za-z0-9_.~/{}-]*")
_PLACEHOLDER = re.compile(r"\{([a-z_]*)\}")
OF_TICKET = ("key", "marker", "incident", "severity", "source", "failure_class", "state")
"""What every request about a ticket may hold."""
PLACEHOLDERS: Mapping[str, tuple[str, ...]] = {
    "find": ("marker", "since", "page"),
    "open": ("title", "body", *OF_TICKET[1:]),
    "update": ("comment", *OF_TICKET),
    "close": ("words", *OF_TICKET),
    "reopen": OF_TICKET,
    "said": ("key", "mark", "since"),
}
"""By request, what it may hold."""

Text = Annotated[str, Field(min_length=1, max_length=1_000, strict=True)]
Dotted = Annotated[str, Field(pattern=r"^$|^[^.\s]+(\.[^.\s]+)*$", max_length=200, strict=True)]
"""Where something stands within an answer: names of fields, parted by dots; empty for the answer itself."""


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TemplateRequest(_Form):
    """One request; the path is below the tracker's url."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    path: Text
    query: dict[Text, Text] = {}
    body: Any = None
    """JSON; nothing for a request without a body."""


class TemplateSearch(TemplateRequest):
    """Asks for the tickets among which the one of an incident would be."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "GET"
    tickets: Dotted = ""
    """Where the list of tickets stands in the answer."""
    marker: Dotted
    """Where the text that holds the marker stands in a ticket."""


class TemplateOpening(TemplateRequest):
    """Opens a ticket."""

    ticket: Dotted = ""
    """Where the ticket stands in the answer."""


class TicketTemplate(_Form):
    """The whole file."""

    headers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")], Text] = {}
    """`{token}` stands for the secret of `routing.yml`, within a text, too."""
    key: Dotted
    """Where its key stands in a ticket."""
    find: TemplateSearch
    open: TemplateOpening
    update: TemplateRequest
    close: TemplateRequest
    reopen: TemplateRequest | None = None
    """Without it, the comment says that it came back."""
    said: TemplateRequest | None = None
    """Asks for the comments of a ticket; without it, one whose delivery was killed half-way may stand there twice."""
    link: Text = "/"
    """The page of a ticket for people, below the tracker's url."""


def read_template(path: Path) -> TicketTemplate:
    """The template of a file. Raises `UsageError` that names the line and what to do."""
    file = StrictYaml.of_file(path, path.name)
    try:
        template = TicketTemplate.model_validate(file.content)
    except ValidationError as error:
        first = error.errors()[0]
        raise file.problem(first["loc"], f"{said_of(first)}.") from None
    for where, what in _problems(template):
        raise file.problem(where, what)
    return template


def _problems(template: TicketTemplate) -> Iterator[tuple[Location, str]]:
    for name, value in template.headers.items():
        if name.lower() in _OURS:
            yield ("headers", name), "it is set by the platform: leave it out."
        if not (value.isascii() and value.isprintable()):
            yield ("headers", name), "printable ASCII signs in one line alone can stand there."
        if _SECRETIVE.search(name) and TOKEN not in value:
            yield (
                ("headers", name),
                f"a secret never stands in a file: write {TOKEN}, and `token` in routing.yml says where it is.",
            )
    for name, known in PLACEHOLDERS.items():
        request = getattr(template, name)
        if request is None:
            continue
        yield from (((name, "path"), words) for words in _wrong_path(request.path, has_key="key" in known))
        try:
            json.dumps(request.body, allow_nan=False)
        except (TypeError, ValueError):
            yield (name, "body"), "it is no JSON: texts, finite numbers, true, false, null, lists and objects are."
        for part in ("query", "body"):
            yield from (((name, part, *where), words) for where, words in _wrong_texts(getattr(request, part), known))
    yield from ((("link",), words) for words in _wrong_path(template.link, has_key=True))
    if "marker" not in _used(template.open.body):
        yield ("open", "body"), "it must hold {marker}: the ticket is found by it."


def _wrong_path(path: str, *, has_key: bool) -> Iterator[str]:
    left = path.replace(KEY, "") if has_key else path
    if not _PATH.fullmatch(path):
        yield "it is no path such as /tickets: letters, digits and . _ ~ - between slashes, below the url of routing.yml."
    if "{" in left or "}" in left:
        yield f"only {KEY} may stand within a path" + (
            "." if has_key else ", and not in that of a ticket that is not known yet."
        )
    if ".." in path or "//" in path:
        yield "it must name a place below the url, without .. and //."


def _wrong_texts(node: Any, known: tuple[str, ...]) -> Iterator[tuple[Location, str]]:
    for where, text in _texts(node):
        found = _PLACEHOLDER.search(text)
        if found is None:
            continue
        if found.group() != text:
            yield where, f"{found.group()} must be the whole text: it is replaced by a JSON value, never within a text."
        elif found[1] not in known:
            allowed = ", ".join(f"{{{one}}}" for one in known)
            yield (
                where,
                f"there is no {text[:60]} here{suggestion(found[1], known)[:-1].rstrip('?')}; allowed: {allowed}.",
            )


def _texts(node: Any, where: tuple[int | str, ...] = ()) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Every text that is a value, and where it stands."""
    parts: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, value in parts:
        yield from _texts(value, (*where, name))
    if isinstance(node, str):
        yield where, node


def _used(node: Any) -> set[str]:
    return {found[1] for _, text in _texts(node) if (found := _PLACEHOLDER.fullmatch(text))}


def filled(node: Any, values: Mapping[str, Any]) -> Any:
    """The JSON with a value for each text that is a placeholder; every other text stays as it is."""
    if isinstance(node, dict):
        return {name: filled(value, values) for name, value in node.items()}
    if isinstance(node, list):
        return [filled(value, values) for value in node]
    found = _PLACEHOLDER.fullmatch(node) if isinstance(node, str) else None
    return node if found is None else values[found[1]]


def _at(answer: Any, dotted: str) -> Any:
    for name in dotted.split(".") if dotted else ():
        if not isinstance(answer, dict) or name not in answer:
            raise UnexpectedAnswerError
        answer = answer[name]
    return answer


class TemplateShape(Shape):
    """Speaks to a tracker as its template says. Texts are plain."""

    def __init__(self, place: TrackerPlace) -> None:
        super().__init__(place)
        self.template = TicketTemplate.model_validate(place.template)

    def headers(self, token: str) -> dict[str, str]:
        """Those of the template."""
        return {name: value.replace(TOKEN, token) for name, value in self.template.headers.items()}

    def _request(self, asked: TemplateRequest, values: Mapping[str, Any]) -> TrackerRequest:
        path = asked.path.replace(KEY, quote(str(values.get("key", "")), safe=""))
        query = {name: str(value) for name, value in filled(asked.query, values).items()}
        return TrackerRequest(asked.method, path, filled(asked.body, values), query)

    def find(self, marker: str, since: str, page: int) -> TrackerRequest:
        """As declared."""
        return self._request(self.template.find, {"marker": marker, "since": since, "page": page})

    def found(self, answer: Any, marker: str) -> tuple[str | None, bool]:
        """The first whose text holds the marker; another page only where pages are asked for."""
        search = self.template.find
        tickets = _at(answer, search.tickets)
        if not isinstance(tickets, list):
            raise UnexpectedAnswerError
        for one in tickets:
            if not isinstance(one, dict):
                raise UnexpectedAnswerError
            text = ""
            with suppress(UnexpectedAnswerError):  # one of somebody else's has no such field
                text = str(_at(one, search.marker))
            if marker in text:
                return self._key(one), False
        return None, bool(tickets) and PAGE in (*search.query.values(), *(text for _, text in _texts(search.body)))

    def _key(self, ticket: Any) -> str:
        return key_of(_at(ticket, self.template.key))

    def create(self, task: Mapping[str, Any]) -> TrackerRequest:
        """As declared."""
        return self._request(self.template.open, task)

    def created(self, answer: Any) -> str:
        """The key in the answer."""
        return self._key(_at(answer, self.template.open.ticket))

    def comment(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """As declared."""
        return self._request(self.template.update, {**task, "key": key})

    def comments(self, key: str, mark: str, since: str) -> TrackerRequest | None:
        """As declared, if it is."""
        said = self.template.said
        return None if said is None else self._request(said, {"key": key, "mark": mark, "since": since})

    def close(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """As declared."""
        return self._request(self.template.close, {**task, "key": key})

    def reopen(self, key: str, task: Mapping[str, Any]) -> TrackerRequest | None:
        """As declared, if it is."""
        reopen = self.template.reopen
        return None if reopen is None else self._request(reopen, {**task, "key": key})

    def link(self, key: str) -> str:
        """The page of the ticket."""
        return self.place.url + self.template.link.replace(KEY, quote(key, safe=""))

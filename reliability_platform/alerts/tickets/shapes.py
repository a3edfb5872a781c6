"""The requests that each kind of tracker understands, and what its answers say. Nothing is sent here.

From the published references: GitHub REST 2022-11-28 (issues, comments), GitLab REST v4 (issues, notes), Jira Cloud REST v3
(issue, comment, transitions, search/jql), Jira Data Center REST v2 (the same, search), ServiceNow Table API (incident, sys_journal_field).
"""

import base64
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

PAGE = 50
"""Tickets of one answer: of 65,536 characters each they are 3 MB."""
SETTLES_SECONDS = 60.0
"""For so long a tracker is left alone that may be opening a ticket: Jira's search lags by seconds, and a slow tracker goes on
after its caller has left."""
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""A ticket's key becomes a part of addresses."""


class UnexpectedAnswerError(Exception):
    """An answer that is not of the published form."""


@dataclass(frozen=True)
class TrackerPlace:
    """Where tickets are kept, and what this installation calls things."""

    kind: str
    url: str
    project: str
    user: str = ""
    issue_type: str = ""
    closing: str = ""
    reopening: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)
    """How a tracker of a team's own is spoken to (`TicketTemplate`)."""


@dataclass(frozen=True)
class TrackerRequest:
    """One HTTP request; the address is below the tracker's own."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


def _listed(answer: Any) -> list[Mapping[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
        raise UnexpectedAnswerError
    return answer


def key_of(answer: Any, *names: str) -> str:
    """The key of a ticket within an answer, as text."""
    for name in names:
        answer = answer.get(name) if isinstance(answer, dict) else None
    if isinstance(answer, bool) or not isinstance(answer, str | int) or not KEY.fullmatch(str(answer)):
        raise UnexpectedAnswerError
    return str(answer)


class Shape(ABC):
    """How one kind of tracker is spoken to."""

    def __init__(self, place: TrackerPlace) -> None:
        self.place = place

    def headers(self, token: str) -> dict[str, str]:
        """Who we are. With a user it is their password or API token, else a bearer token."""
        pair = base64.b64encode(f"{self.place.user}:{token}".encode()).decode()
        return {"Authorization": f"Basic {pair}" if self.place.user else f"Bearer {token}"}

    @abstractmethod
    def find(self, marker: str, since: str, page: int) -> TrackerRequest:
        """Ask for the ticket that bears the marker; `since` is a moment (ISO 8601, UTC) before which there was none."""

    @abstractmethod
    def found(self, answer: Any, marker: str) -> tuple[str | None, bool]:
        """The key of the ticket, and whether another page may have it."""

    @abstractmethod
    def create(self, task: Mapping[str, Any]) -> TrackerRequest:
        """Open a ticket. Tasks are those of `ticket_task`."""

    @abstractmethod
    def created(self, answer: Any) -> str:
        """The key of the ticket that was opened."""

    @abstractmethod
    def comment(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """Say something on a ticket."""

    @abstractmethod
    def comments(self, key: str, mark: str, since: str) -> TrackerRequest | None:
        """Ask for what was said on it, the part in which a mark would be; None where it cannot be asked."""

    @abstractmethod
    def close(self, key: str, task: Mapping[str, Any]) -> TrackerRequest | None:
        """Close it; None where the tracker must be asked for its ways first (`transitions`)."""

    @abstractmethod
    def reopen(self, key: str, task: Mapping[str, Any]) -> TrackerRequest | None:
        """Open it again; None as for `close`."""

    @abstractmethod
    def link(self, key: str) -> str:
        """The page of the ticket for people."""


class _ListedIssues(Shape):
    """Issues in Markdown, listed and not searched: the list knows a new one at once. The marker stands at the end of the text."""

    number: ClassVar[str]
    """Where an issue says its number,"""
    text: ClassVar[str]
    """and what it says."""

    @abstractmethod
    def _path(self, key: str = "", rest: str = "") -> str:
        """Of the project's issues, or of one of them and what belongs to it."""

    def found(self, answer: Any, marker: str) -> tuple[str | None, bool]:
        """By the marker; the oldest, if there are two."""
        issues = _listed(answer)
        keys = [key_of(one, self.number) for one in issues if marker in str(one.get(self.text))]
        return (min(keys, key=int) if keys else None), len(issues) >= PAGE

    def create(self, task: Mapping[str, Any]) -> TrackerRequest:
        """Title and Markdown."""
        return TrackerRequest(
            "POST", self._path(), {**self.place.fields, "title": task["title"], self.text: task["body"]}
        )

    def created(self, answer: Any) -> str:
        """Its number within the project."""
        return key_of(answer, self.number)


class GitHub(_ListedIssues):
    """Issues of a repository `owner/name`."""

    number, text = "number", "body"

    def headers(self, token: str) -> dict[str, str]:
        """As its reference asks."""
        return {
            **super().headers(token), "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28",
        }  # fmt: skip

    def _path(self, key: str = "", rest: str = "") -> str:
        return f"/repos/{quote(self.place.project)}/issues" + (f"/{key}{rest}" if key else "")

    def find(self, marker: str, since: str, page: int) -> TrackerRequest:
        """What was touched since then, the newest first."""
        del marker
        query = {"state": "all", "since": since, "sort": "created", "direction": "desc"}
        return TrackerRequest("GET", self._path(), None, {**query, "per_page": str(PAGE), "page": str(page)})

    def comment(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """Markdown."""
        return TrackerRequest("POST", self._path(key, "/comments"), {"body": task["comment"]})

    def comments(self, key: str, mark: str, since: str) -> TrackerRequest:
        """Those since then."""
        del mark
        return TrackerRequest("GET", self._path(key, "/comments"), None, {"since": since, "per_page": "100"})

    def close(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """As done."""
        del task
        return TrackerRequest("PATCH", self._path(key), {"state": "closed", "state_reason": "completed"})

    def reopen(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """As it was."""
        del task
        return TrackerRequest("PATCH", self._path(key), {"state": "open", "state_reason": "reopened"})

    def link(self, key: str) -> str:
        """GitHub's API has a host of its own, an Enterprise server one path of its own."""
        host = self.place.url.replace("://api.github.com", "://github.com").removesuffix("/api/v3")
        return f"{host}/{quote(self.place.project)}/issues/{key}"


class GitLab(_ListedIssues):
    """Issues of a project `group/name`."""

    number, text = "iid", "description"

    def headers(self, token: str) -> dict[str, str]:
        """An access token of a person, a project or a group."""
        return {"PRIVATE-TOKEN": token}

    def _path(self, key: str = "", rest: str = "") -> str:
        path = f"/api/v4/projects/{quote(self.place.project, safe='')}/issues"
        return path + (f"/{key}{rest}" if key else "")

    def find(self, marker: str, since: str, page: int) -> TrackerRequest:
        """What was opened since then."""
        del marker
        query = {"state": "all", "scope": "all", "created_after": since, "order_by": "created_at", "sort": "desc"}
        return TrackerRequest("GET", self._path(), None, {**query, "per_page": str(PAGE), "page": str(page)})

    def comment(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """A note."""
        return TrackerRequest("POST", self._path(key, "/notes"), {"body": task["comment"]})

    def comments(self, key: str, mark: str, since: str) -> TrackerRequest:
        """The last notes."""
        del mark, since
        return TrackerRequest("GET", self._path(key, "/notes"), None, {"sort": "desc", "per_page": "100"})

    def close(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """By an event of its state."""
        del task
        return TrackerRequest("PUT", self._path(key), {"state_event": "close"})

    def reopen(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """By an event of its state."""
        del task
        return TrackerRequest("PUT", self._path(key), {"state_event": "reopen"})

    def link(self, key: str) -> str:
        """Its page."""
        return f"{self.place.url}/{quote(self.place.project)}/-/issues/{key}"


class Jira(Shape):
    """Issues of a project of Jira Cloud; texts are documents (ADF). The marker is a label."""

    api, search = "/rest/api/3", "/search/jql"

    def _path(self, key: str = "", rest: str = "") -> str:
        return f"{self.api}/issue" + (f"/{key}{rest}" if key else "")

    def find(self, marker: str, since: str, page: int) -> TrackerRequest:
        """By the label."""
        del since, page
        jql = f'project = "{self.place.project}" AND labels = "{marker}" ORDER BY created ASC'
        return TrackerRequest("POST", self.api + self.search, {"jql": jql, "fields": ["labels"], "maxResults": PAGE})

    def found(self, answer: Any, marker: str) -> tuple[str | None, bool]:
        """The first one that really has the label."""
        if not isinstance(answer, dict):
            raise UnexpectedAnswerError
        for one in _listed(answer.get("issues")):
            fields = one.get("fields")
            if isinstance(fields, dict) and marker in (fields.get("labels") or []):
                return key_of(one, "key"), False
        return None, False

    def create(self, task: Mapping[str, Any]) -> TrackerRequest:
        """The fields of the project's create screen."""
        more = dict(self.place.fields)
        labels = [*more.pop("labels", ()), task["marker"]]
        own = {
            "project": {"key": self.place.project}, "issuetype": {"name": self.place.issue_type},
            "summary": task["title"], "description": task["body"], "labels": labels,
        }  # fmt: skip
        return TrackerRequest("POST", self._path(), {"fields": {**more, **own}})

    def created(self, answer: Any) -> str:
        """Its key, as DATA-17."""
        return key_of(answer, "key")

    def comment(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """A document."""
        return TrackerRequest("POST", self._path(key, "/comment"), {"body": task["comment"]})

    def comments(self, key: str, mark: str, since: str) -> TrackerRequest:
        """The last ones."""
        del mark, since
        query = {"orderBy": "-created", "maxResults": "100"}
        return TrackerRequest("GET", self._path(key, "/comment"), None, query)

    def close(self, key: str, task: Mapping[str, Any]) -> None:
        """By a transition."""

    def reopen(self, key: str, task: Mapping[str, Any]) -> None:
        """By a transition."""

    def transitions(self, key: str) -> TrackerRequest:
        """Ask where it may go from where it is."""
        return TrackerRequest("GET", self._path(key, "/transitions"))

    def transition(self, key: str, answer: Any, wanted: str) -> TrackerRequest | None:
        """Take the transition of this name or id; None where there is none."""
        if not isinstance(answer, dict):
            raise UnexpectedAnswerError
        for one in _listed(answer.get("transitions")):
            if wanted.casefold() in (str(one.get("id")).casefold(), str(one.get("name")).casefold()):
                return TrackerRequest(
                    "POST", self._path(key, "/transitions"), {"transition": {"id": key_of(one, "id")}}
                )
        return None

    def status(self, key: str) -> TrackerRequest:
        """Ask where it is."""
        return TrackerRequest("GET", self._path(key), None, {"fields": "status"})

    def is_done(self, answer: Any) -> bool:
        """Whether its status is of the category of what is done, whatever it is called here."""
        try:
            return bool(answer["fields"]["status"]["statusCategory"]["key"] == "done")
        except (KeyError, TypeError):
            raise UnexpectedAnswerError from None

    def link(self, key: str) -> str:
        """Its page."""
        return f"{self.place.url}/browse/{key}"


class JiraDataCenter(Jira):
    """Issues of a project of Jira Data Center or Server; texts are plain."""

    api, search = "/rest/api/2", "/search"


class ServiceNow(Shape):
    """Records of a table of ServiceNow, `incident` by default; texts are plain. The marker is the correlation id."""

    def _path(self, key: str = "") -> str:
        return f"/api/now/table/{quote(self.place.project)}" + (f"/{key}" if key else "")

    def find(self, marker: str, since: str, page: int) -> TrackerRequest:
        """By the correlation id."""
        del since, page
        query = {"sysparm_query": f"correlation_id={marker}^ORDERBYsys_created_on", "sysparm_limit": "1"}
        return TrackerRequest("GET", self._path(), None, {**query, "sysparm_fields": "sys_id,correlation_id"})

    def found(self, answer: Any, marker: str) -> tuple[str | None, bool]:
        """A query with a wrong name returns everything: the id is compared."""
        if not isinstance(answer, dict):
            raise UnexpectedAnswerError
        own = [one for one in _listed(answer.get("result")) if one.get("correlation_id") == marker]
        return (key_of(own[0], "sys_id") if own else None), False

    def create(self, task: Mapping[str, Any]) -> TrackerRequest:
        """Short and long description."""
        own = {
            "short_description": task["title"], "description": task["body"],
            "correlation_id": task["marker"], "correlation_display": "Reliability Platform",
        }  # fmt: skip
        return TrackerRequest("POST", self._path(), {**self.place.fields, **own})

    def created(self, answer: Any) -> str:
        """Its sys_id."""
        return key_of(answer, "result", "sys_id")

    def comment(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """A work note."""
        return TrackerRequest("PATCH", self._path(key), {"work_notes": task["comment"]})

    def comments(self, key: str, mark: str, since: str) -> TrackerRequest:
        """The work note with the mark."""
        del since
        query = f"element_id={key}^element=work_notes^valueLIKE{mark}"
        return TrackerRequest(
            "GET", "/api/now/table/sys_journal_field", None, {"sysparm_query": query, "sysparm_limit": "1"}
        )

    def close(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """State 6 is resolved; the code and the notes are asked for."""
        return TrackerRequest(
            "PATCH", self._path(key), {"state": "6", "close_code": self.place.closing, "close_notes": task["words"]}
        )

    def reopen(self, key: str, task: Mapping[str, Any]) -> TrackerRequest:
        """State 2 is in progress."""
        del task
        return TrackerRequest("PATCH", self._path(key), {"state": "2"})

    def link(self, key: str) -> str:
        """Its page."""
        return f"{self.place.url}/nav_to.do?uri={self.place.project}.do?sys_id={key}"

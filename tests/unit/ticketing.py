"""Trackers on loopback that keep tickets as the published interfaces do, and object to what is not of their form."""

import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from jsonschema import Draft202012Validator

TEXT = {"type": "string", "minLength": 1}
INLINE = {
    "type": "object", "additionalProperties": False, "required": ["type", "text"],
    "properties": {"type": {"const": "text"}, "text": TEXT, "marks": {"type": "array"}},
}  # fmt: skip


def _node(kind: str, content: dict[str, Any], attrs: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {"type": {"const": kind}, "content": {"type": "array", "items": content}}
    more = {"attrs": {"type": "object", "additionalProperties": False, "properties": attrs}} if attrs else {}
    return {"type": "object", "additionalProperties": False, "required": ["type"], "properties": {**properties, **more}}


PARAGRAPH = _node("paragraph", INLINE)
ADF = {
    "type": "object", "additionalProperties": False, "required": ["version", "type", "content"],
    "properties": {
        "version": {"const": 1}, "type": {"const": "doc"},
        "content": {"type": "array", "items": {"oneOf": [
            PARAGRAPH,
            _node("heading", INLINE, {"level": {"type": "integer", "minimum": 1, "maximum": 6}}),
            {**_node("bulletList", _node("listItem", PARAGRAPH)), "required": ["type", "content"]},
            _node("codeBlock", INLINE, {"language": TEXT}),
        ]}},
    },
}  # fmt: skip
"""The part of the Atlassian Document Format that is used, from its reference of nodes."""


def _form(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object", "additionalProperties": False,
        "required": list(required), "properties": {**required, **optional},
    }  # fmt: skip


LABELS = {"type": "array", "items": {"type": "string", "pattern": r"^\S{1,255}$"}}
FORMS: dict[str, dict[str, dict[str, Any]]] = {
    "github": {
        "POST /repos/acme/data/issues": _form(
            {"title": {**TEXT, "maxLength": 256}}, body={"type": "string", "maxLength": 65_536}, labels=LABELS
        ),
        "POST /repos/acme/data/issues/N/comments": _form({"body": {**TEXT, "maxLength": 65_536}}),
        "PATCH /repos/acme/data/issues/N": _form(
            {}, state={"enum": ["open", "closed"]}, state_reason={"enum": ["completed", "not_planned", "reopened", None]}
        ),
    },
    "gitlab": {
        "POST /api/v4/projects/acme/data/issues": _form(
            {"title": {**TEXT, "maxLength": 255}}, description={"type": "string", "maxLength": 1_048_576}, labels=TEXT
        ),
        "POST /api/v4/projects/acme/data/issues/N/notes": _form({"body": {**TEXT, "maxLength": 1_000_000}}),
        "PUT /api/v4/projects/acme/data/issues/N": _form({}, state_event={"enum": ["close", "reopen"]}),
    },
    "jira": {
        "POST /rest/api/3/issue": _form({"fields": _form(
            {
                "project": _form({"key": {"const": "DATA"}}), "issuetype": _form({"name": {"const": "Task"}}),
                "summary": {**TEXT, "maxLength": 254, "pattern": r"^[^\n\r]*$"},
            },
            description=ADF, labels=LABELS, priority=_form({"name": TEXT}),
        )}),
        "POST /rest/api/3/issue/N/comment": _form({"body": ADF}),
        "POST /rest/api/3/issue/N/transitions": _form({"transition": _form({"id": TEXT})}),
        "POST /rest/api/3/search/jql": _form(
            {"jql": TEXT}, fields={"type": "array", "items": TEXT}, maxResults={"type": "integer", "maximum": 5_000}
        ),
    },
    "jira_data_center": {
        "POST /rest/api/2/issue": _form({"fields": _form(
            {
                "project": _form({"key": {"const": "DATA"}}), "issuetype": _form({"name": {"const": "Task"}}),
                "summary": {**TEXT, "maxLength": 254, "pattern": r"^[^\n\r]*$"},
            },
            description={"type": "string", "maxLength": 32_767}, labels=LABELS, priority=_form({"name": TEXT}),
        )}),
        "POST /rest/api/2/issue/N/comment": _form({"body": {**TEXT, "maxLength": 32_767}}),
        "POST /rest/api/2/issue/N/transitions": _form({"transition": _form({"id": TEXT})}),
        "POST /rest/api/2/search": _form(
            {"jql": TEXT}, fields={"type": "array", "items": TEXT}, maxResults={"type": "integer", "maximum": 1_000}
        ),
    },
    "template": {
        "POST /desk/tickets": _form({"about": TEXT, "text": TEXT, "external": _form({"id": TEXT}), "tags": LABELS, "urgent": {"const": True}}),
        "POST /desk/tickets/N/notes": _form({"text": TEXT}),
        "PATCH /desk/tickets/N": _form({"status": {"enum": ["open", "done"]}}, why=TEXT),
    },
    "servicenow": {
        "POST /api/now/table/incident": _form(
            {"short_description": {**TEXT, "maxLength": 160}}, description={"type": "string", "maxLength": 4_000},
            correlation_id={"type": "string", "maxLength": 100}, correlation_display={"type": "string", "maxLength": 100},
        ),
        "PATCH /api/now/table/incident/N": _form(
            {}, work_notes=TEXT, state={"enum": ["2", "6"]}, close_code=TEXT, close_notes={"type": "string", "maxLength": 4_000}
        ),
    },
}  # fmt: skip
SECRET = {"github": ("Authorization", "Bearer "), "gitlab": ("PRIVATE-TOKEN", ""), "jira": ("Authorization", "Basic "),
          "jira_data_center": ("Authorization", "Bearer "), "template": ("X-Desk-Key", "Desk "),
          "servicenow": ("Authorization", "Basic ")}  # fmt: skip


class TrackerServer:
    """A tracker of one kind. `objections` says what was not of the published form; it must stay empty."""

    def __init__(self, kind: str) -> None:
        self.kind, self.tickets, self.objections = kind, list[dict[str, Any]](), list[str]()
        self.asked: list[str] = []
        self.instead: Callable[[str], tuple[int, dict[str, str], bytes] | None] = lambda _: None
        """What it answers before it does anything."""
        self.loses: set[str] = set()
        """Requests that it carries out without an answer, once each."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                asked, number = outer.place(f"{self.command} {unquote(parts.path)}")
                outer.asked.append(asked)
                name, scheme = SECRET[outer.kind]
                if not self.headers.get(name, "").startswith(scheme) or (
                    body and "json" not in self.headers["Content-Type"]
                ):
                    outer.objections.append(f"{asked}: headers")
                special = outer.instead(asked)
                if special is None:
                    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                    special = outer.answer(asked, number, json.loads(body) if body else {}, query)
                if asked in outer.loses:
                    outer.loses.discard(asked)
                    self.close_connection = True
                    return
                status, headers, said = special
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PATCH = do_PUT = serve  # noqa: N815 - the names that the base class calls

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def place(asked: str) -> tuple[str, int]:
        """The request with N for the ticket, and its place."""
        found = re.search(r"/(?:DATA-|sys)?(\d+)(?=/|$)", re.sub(r"/api/\d/", "/api/version/", asked))
        if found is None:
            return asked, 0
        return asked.replace(found[0], "/N"), int(found[1]) - 1

    def answer(self, asked: str, number: int, body: Any, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        form = FORMS[self.kind].get(asked)
        if form is not None:
            self.objections += [f"{asked}: {one.message[:200]}" for one in Draft202012Validator(form).iter_errors(body)]
        elif not asked.startswith("GET "):
            self.objections.append(f"{asked}: no such request")
        said = getattr(self, f"_{self.kind}")(asked, number, body, query)
        return (
            (204, {}, b"")
            if said is None
            else (201 if asked.startswith("POST") else 200, {}, json.dumps(said).encode())
        )

    def _open(self, body: dict[str, Any]) -> int:
        self.tickets.append({"fields": body, "comments": [], "open": True})
        return len(self.tickets)

    def _github(self, asked: str, number: int, body: Any, query: dict[str, str]) -> Any:
        if asked == "POST /repos/acme/data/issues":
            return {"number": self._open(body), "state": "open"}
        if asked == "GET /repos/acme/data/issues":
            page = slice(int(query["per_page"]) * (int(query["page"]) - 1), int(query["per_page"]) * int(query["page"]))
            every = [{"number": place, "body": one["fields"].get("body")} for place, one in enumerate(self.tickets, 1)]
            return every[::-1][page]
        return self._noted(asked, number, body, "state", "closed")

    def _gitlab(self, asked: str, number: int, body: Any, _query: dict[str, str]) -> Any:
        if asked == "POST /api/v4/projects/acme/data/issues":
            return {"id": 9_000 + len(self.tickets), "iid": self._open(body)}
        if asked == "GET /api/v4/projects/acme/data/issues":
            return [
                {"id": 9_000 + place, "iid": place, "description": one["fields"].get("description")}
                for place, one in enumerate(self.tickets, 1)
            ]
        return self._noted(asked, number, body, "state_event", "close")

    def _noted(self, asked: str, number: int, body: Any, key: str, closing: str) -> Any:
        ticket = self.tickets[number]
        if asked.startswith("GET"):
            return [{"body": one} for one in ticket["comments"]]
        if asked.startswith("POST"):
            ticket["comments"].append(body["body"])
        else:
            ticket["open"] = body[key] != closing
        return {"id": 1}

    def _jira(self, asked: str, number: int, body: Any, _query: dict[str, str]) -> Any:
        if "/search" in asked:
            wanted = re.search(r'labels = "(\w+)"', body["jql"])
            return {"isLast": True, "issues": [
                {"id": str(place), "key": f"DATA-{place}", "fields": {"labels": one["fields"]["fields"]["labels"]}}
                for place, one in enumerate(self.tickets, 1) if wanted and wanted[1] in one["fields"]["fields"]["labels"]
            ]}  # fmt: skip
        if asked.endswith("/issue"):
            place = self._open(body)
            return {"id": str(10_000 + place), "key": f"DATA-{place}", "self": "…"}
        ticket = self.tickets[number]
        ways = [{"id": "31", "name": "Done"}] if ticket["open"] else [{"id": "11", "name": "To Do"}]
        if asked.endswith("/comment"):
            if asked.startswith("POST"):
                ticket["comments"].append(body["body"])
            return {"comments": [{"body": one} for one in ticket["comments"]]}
        if asked.endswith("/transitions"):
            if asked.startswith("POST"):
                assert body["transition"]["id"] == ways[0]["id"]
                ticket["open"] = not ticket["open"]
                return None
            return {"transitions": ways}
        return {"fields": {"status": {"statusCategory": {"key": "new" if ticket["open"] else "done"}}}}

    _jira_data_center = _jira

    def _template(self, asked: str, number: int, body: Any, query: dict[str, str]) -> Any:
        if asked == "POST /desk/tickets":
            return {"made": {"nr": self._open(body)}}
        if asked == "GET /desk/tickets":
            place, page = [*enumerate(self.tickets, 1)], int(query["page"]) - 1
            others = [{"nr": 99}, {"nr": 98, "external": None}] if page == 0 else []
            own = [{"nr": nr, "external": one["fields"]["external"]} for nr, one in place[page : page + 1]]
            return {"found": [*others, *own]}
        return self._noted(asked, number, {**body, "body": body.get("text")}, "status", "done")

    def _servicenow(self, asked: str, number: int, body: Any, query: dict[str, str]) -> Any:
        if asked.startswith("POST"):
            return {"result": {"sys_id": f"sys{self._open(body)}"}}
        if asked == "GET /api/now/table/incident":
            wanted = re.match(r"correlation_id=(\w+)", query["sysparm_query"])
            return {"result": [
                {"sys_id": f"sys{place}", "correlation_id": one["fields"]["correlation_id"]}
                for place, one in enumerate(self.tickets, 1) if wanted and one["fields"]["correlation_id"] == wanted[1]
            ]}  # fmt: skip
        if asked.startswith("GET"):
            element, mark = re.match(r"element_id=sys(\d+)\^.*valueLIKE(\w+)", query["sysparm_query"]).groups()  # type: ignore[union-attr]
            return {"result": [{"value": one} for one in self.tickets[int(element) - 1]["comments"] if mark in one]}
        ticket = self.tickets[number]
        if "work_notes" in body:
            ticket["comments"].append(body["work_notes"])
        if "state" in body:
            ticket["open"] = body["state"] != "6"
        return {"result": {"sys_id": f"sys{number + 1}"}}


def slow(seconds: float) -> Callable[[str], None]:
    """Answers late."""
    return lambda _: time.sleep(seconds)

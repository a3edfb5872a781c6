"""The API on a home that has lived: what it answers, whom it lets do what, and how it refuses."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from reliability_platform.actor import ActsFrom, acting_from
from reliability_platform.audit_log import AuditLog, Changes
from reliability_platform.checks.holds import Holds
from reliability_platform.cli.options import home_session
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations.tables import audit_log
from reliability_platform.service.access.roles import LEAST_ROLE, Act, Role, may
from reliability_platform.service.access.tokens import ApiTokens
from reliability_platform.service.api.app import create_app, operations
from reliability_platform.service.api.examples import EXAMPLES
from reliability_platform.service.api.guard import CALLERS_BEHIND_ONE_ADDRESS, MAX_BODY_BYTES, Rate
from reliability_platform.service.launching import worker
from reliability_platform.service.launching.requests import RequestState, RunRequest, RunRequests
from reliability_platform.service.launching.worker import _until_it_ends, carry_out
from tests.ground import Platform, day
from tests.unit.asked_of import REJECTED, lived_with_troubles

FAULTS = ("duplicate_retry_storm", "null_spike")
BASE = "http://127.0.0.1:8000"
JSON = {"Content-Type": "application/json"}


@dataclass
class Api:
    """A home and a client of its API."""

    home: Platform
    client: TestClient
    started: list[RunRequest]
    """The long work that would have been begun."""

    def get(self, path: str, status: int = 200, **how: Any) -> Any:
        """The answer to a question, of the expected status."""
        return self._checked(self.client.get(path, **how), status)

    def post(self, path: str, body: dict[str, Any], status: int = 200, **how: Any) -> Any:
        """The answer to an act, of the expected status."""
        return self._checked(self.client.post(path, json=body, **how), status)

    @staticmethod
    def _checked(answer: Any, status: int) -> Any:
        assert answer.status_code == status, answer.text
        found = answer.json()
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert (found["status"], found["type"]) == (status, "about:blank")
            assert found["detail"]
        return found

    def token(self, role: Role, name: str = "", **how: Any) -> dict[str, str]:
        """The header of a new token."""
        token = ApiTokens(self.home.engine).make(name or f"a-{role.value}", role, "test", utc_now(), **how)
        return {"Authorization": f"Bearer {token}"}


def api_of(home: Platform, started: list[RunRequest], **how: Any) -> Api:
    """A client of the API of a home."""
    arguments: dict[str, Any] = {"tokens_needed": False, "at_the_machine": "ada", "faults": FAULTS}
    app = create_app(home.settings, **{**arguments, **how})
    return Api(home, TestClient(app, base_url=BASE, raise_server_exceptions=False), started)


@pytest.fixture(scope="module")
def looked_at(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Api:
    """For questions: nothing changes it."""
    return api_of(lived_with_troubles(lived, tmp_path_factory.mktemp("api") / "home"), [])


@pytest.fixture
def acted_on(lived: Callable[[Path], Platform], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    """For acts. Long work is kept and not begun: a command takes 20 s, and a test of its own begins one."""
    started: list[RunRequest] = []
    monkeypatch.setattr(worker, "start", lambda *work: started.append(work[-1]))
    return api_of(lived_with_troubles(lived, tmp_path / "home"), started)


PATHS_OF_OLD = (
    "/health", "/pipeline-summary", "/pipeline-runs", "/incidents", "/incidents/INC-0001", "/scorecards", "/sla-status",
    "/data-contracts", "/quarantine", "/downstream-impact",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS_OF_OLD)
def test_each_path_answers_with_and_without_its_version(looked_at: Api, path: str) -> None:
    def shape(found: Any) -> Any:
        return sorted(found) if isinstance(found, dict) else [sorted(one) for one in found]

    assert shape(looked_at.get(path)) == shape(looked_at.get(f"/v1{path}"))


def test_answers_are_those_of_the_read_layer(looked_at: Api) -> None:
    incidents = looked_at.get("/v1/incidents?limit=1")
    assert (incidents["total"], incidents["next_offset"], len(incidents["items"])) == (2, 1, 1)
    assert [one["source"] for one in looked_at.get("/v1/incidents?source=orders&open=true")["items"]] == ["orders"]
    one = looked_at.get("/v1/incidents/INC-0001")
    assert one["timeline"][0]["kind"] == "opened"
    assert "## " in one["runbook"]["text"]
    assert "agg_daily_revenue" in one["impact"]["published"]
    assert looked_at.get("/v1/quarantine?limit=1")["totals"]["waiting_rows"] == 4 * REJECTED
    assert looked_at.get(f"/v1/checks?from={day(2)}&to={day(2)}")["counts"]["failed"] == 1
    assert looked_at.get("/v1/publications/current")["is_current"] is True
    assert {one["incident"][:8] for one in looked_at.get("/v1/downstream-impact")["items"]} == {"INC-0001", "INC-0002"}
    assert looked_at.get("/v1/health/ready")["status"] == "degraded"
    assert looked_at.get("/v1/lineage?dataset=bronze/orders")["feeds"][0].keys() == {"from", "to", "rows"}


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/v1/incidents/INC-9", 404, "There is no incident 'INC-9'"),
        ("/v1/incidents?source=nothing", 422, "choose one of orders"),
        ("/v1/incidents?onyl_open=true", 422, "onyl_open"),
        ("/v1/incidents?limit=501", 422, "limit: it must be at most 500"),
        ("/v1/incidents?limit=many", 422, "limit: it must be a whole number"),
        ("/v1/incidents?severity=P9", 422, "severity: it must be 'P0', 'P1', 'P2' or 'P3'"),
        ("/v1/incidents?offset=-1", 422, "offset"),
        ("/v1/incidents?day=0", 422, "write it as in 2026-01-31"),
        ("/v1/publications/v999999", 404, "v999999"),
        ("/v1/scorecards/..%2F..%2Foperations.sqlite", 404, "There is nothing at this address"),
        ("/v1/scorecards/operations", 404, "reliability scorecard"),
        ("/v1/lineage?dataset=nothing", 404, "There is no dataset 'nothing'"),
        ("/v1/sla-status?dataset=nothing", 404, "agg_daily_revenue"),
        ("/v1/requested-runs/none", 404, "There is no requested run"),
        ("/v1/incidents?day=2026-01-01&day=2026-01-02", 422, "'day' is given more than once"),
        ("/v1/nothing", 404, "There is nothing at this address"),
        ("/v1/incidents/", 404, "There is nothing at this address"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_says_why(looked_at: Api, path: str, status: int, told: str) -> None:
    assert told in looked_at.get(path, status)["detail"]


def test_another_method_is_refused_with_those_that_are_allowed(looked_at: Api) -> None:
    answer = looked_at.client.delete("/v1/incidents")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8000"},
    ],
)
def test_no_page_in_a_browser_makes_a_request(acted_on: Api, headers: dict[str, str]) -> None:
    """A foreign name that resolves to 127.0.0.1, a form of another site, a script of one."""
    acted_on.post("/v1/incidents/INC-0001/acknowledge", {"why": "x"}, 403, headers=headers)
    assert IncidentStore(acted_on.home.engine).get("INC-0001").state is not State.ACKNOWLEDGED


def test_a_form_of_a_browser_is_no_request(acted_on: Api) -> None:
    """What needs no preflight: a form can send text, not JSON."""
    sent = acted_on.client.post(
        "/v1/incidents/INC-0001/note", content='{"why": "x"}', headers={"Content-Type": "text/plain"}
    )
    assert sent.status_code == 422
    assert "access-control-allow-origin" not in sent.headers


def test_bodies_that_are_too_long_or_no_json_change_nothing(acted_on: Api) -> None:
    path, before = "/v1/incidents/INC-0001/note", IncidentStore(acted_on.home.engine).last_position()
    assert acted_on.client.post(path, content=b"x" * (MAX_BODY_BYTES + 1), headers=JSON).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1000 + 2):
            yield b" " * 1000

    assert acted_on.client.post(path, content=endless(), headers=JSON).status_code == 413
    for body in (
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"why": ""}',
        b'{"why": "  "}',
        b'{"why": 1}',
        b'{"why": "x", "who": "y"}',
    ):
        answer = acted_on.client.post(path, content=body, headers=JSON)
        assert answer.status_code == 422, (body, answer.text)
        assert "Input should" not in answer.text
        assert "Field required" not in answer.text
    assert IncidentStore(acted_on.home.engine).last_position() == before


def test_a_field_that_stands_twice_in_a_body_is_refused(acted_on: Api) -> None:
    """Of two days one would have been held, and nobody told which."""
    body = f'{{"source": "orders", "date": "{day(1)}", "date": "{day(2)}", "why": "x"}}'
    answer = acted_on.client.post("/v1/hold", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "'date' more than once" in answer.json()["detail"]


def test_a_supervisor_may_ask_for_no_body_and_a_browser_is_refused_with_a_page(looked_at: Api) -> None:
    assert looked_at.client.head("/v1/health").status_code == 200
    refused = looked_at.client.get("/ui/", headers={"host": "<b>.example"})
    assert (refused.status_code, refused.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "This host name is not one of this server" in refused.text
    assert looked_at.client.get("/v1/incidents", headers={"host": "x.example"}).json()["status"] == 403


def test_the_rate_is_limited_and_says_when_to_come_again(looked_at: Api) -> None:
    rate = Rate(60)
    assert [rate.wait("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert rate.wait("a", 0.0) == pytest.approx(1.0)
    assert rate.wait("b", 0.0) == 0.0
    assert rate.wait("a", 1.0) == 0.0
    few = looked_at.home.settings.model_copy(update={"api_requests_per_minute": 2})
    app = create_app(few, tokens_needed=False, at_the_machine="ada", faults=FAULTS)
    client = TestClient(app, base_url=BASE)
    assert [client.get("/v1/scorecards").status_code for _ in range(3)] == [200, 200, 429]
    # Another token each time is still one address.
    guesses = [{"Authorization": f"Bearer rel_{number}"} for number in range(2 * CALLERS_BEHIND_ONE_ADDRESS)]
    assert client.get("/v1/scorecards", headers=guesses[0]).status_code == 401
    assert [client.get("/v1/scorecards", headers=one).status_code for one in guesses][-1] == 429
    assert int(client.get("/v1/scorecards").headers["retry-after"]) >= 1
    assert client.get("/v1/health").status_code == 200


def test_decisions_stand_on_the_timeline_with_the_name_of_the_token(acted_on: Api) -> None:
    ada = acted_on.token(Role.RESPONDER, "ada@example.com")
    done = acted_on.post("/v1/incidents/INC-0001/acknowledge", {}, headers=ada)
    assert (done["state"], done["assignee"]) == ("acknowledged", "ada@example.com")
    acted_on.post("/v1/incidents/INC-0001/assign", {"to": "grace"}, headers=ada)
    acted_on.post("/v1/incidents/INC-0001/assign", {"to": "alan", "role": "responder"}, headers=ada)
    acted_on.post("/v1/incidents/INC-0001/update", {"say": "call 4111 1111 1111 1111", "next_hours": 2}, headers=ada)
    promised = acted_on.get("/v1/incidents/INC-0001", headers=ada)["response"]
    assert promised["next_update_promised_by"] == "ada@example.com" and not promised["update_overdue"]
    acted_on.post("/v1/incidents/INC-0001/note", {"why": "call 4111 1111 1111 1111"}, headers=ada)
    acted_on.post("/v1/incidents/INC-0001/resolve", {"why": "mended"}, headers=ada)
    told = acted_on.post("/v1/incidents/INC-0001/acknowledge", {}, 409, headers=ada)
    assert "cannot become acknowledged" in told["detail"]
    incident = IncidentStore(acted_on.home.engine).get("INC-0001")
    assert (incident.state, incident.assignee, incident.responders) == (State.RESOLVED, "grace", ["alan"])
    assert (
        "have the all-clear" in acted_on.post("/v1/incidents/INC-0001/update", {"say": "x"}, 409, headers=ada)["detail"]
    )
    assert {entry.actor for entry in incident.timeline[-5:]} == {"ada@example.com"}
    assert "4111" not in json.dumps([entry.why for entry in incident.timeline]), "personal data is masked"


def test_a_landing_day_is_held_and_let_go(acted_on: Api) -> None:
    body = {"source": "orders", "date": day(1).isoformat(), "why": "looks odd"}
    assert acted_on.post("/v1/hold", body)["changed"] is True
    assert acted_on.post("/v1/hold", body)["changed"] is False
    [held] = Holds(acted_on.home.engine).standing().values()
    assert (held.actor, held.why) == ("ada", "looks odd")
    assert acted_on.post("/v1/release", body)["holds"] == []
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert "not over yet" in acted_on.post("/v1/hold", body | {"date": tomorrow}, 422)["detail"]


def test_whoever_looks_reports_what_looks_wrong_once_a_key(acted_on: Api) -> None:
    viewer = acted_on.token(Role.VIEWER)
    body = {"dataset": "agg_daily_revenue", "from": day(1).isoformat(), "to": day(1).isoformat(), "words": "half of it"}
    keyed = {**viewer, "Idempotency-Key": "seen-1"}
    first = acted_on.client.post("/v1/incidents", json=body, headers=keyed)
    again = acted_on.client.post("/incidents", json=body, headers=keyed)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.headers["Location"] == f"/v1/incidents/{first.json()['id']}"
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["failure_class"] == "reported_by_people"
    other = acted_on.client.post("/v1/incidents", json=body | {"words": "none of it"}, headers=keyed)
    assert (other.status_code, other.json()["title"]) == (409, "Conflict")
    for wrong in ({"dataset": "nothing"}, {"to": "2025-12-31"}, {"words": " "}, {"words": "x" * 2001}, {"more": 1}):
        assert acted_on.client.post("/v1/incidents", json=body | wrong, headers=viewer).status_code == 422


def test_from_the_first_token_on_nobody_is_let_in_without(acted_on: Api) -> None:
    acted_on.get("/v1/incidents")
    viewer = acted_on.token(Role.VIEWER)
    assert "Show a token" in acted_on.get("/v1/incidents", 401)["detail"]
    acted_on.get("/v1/incidents", 401, headers={"Authorization": "Bearer rel_guessed"})
    acted_on.get("/v1/incidents", headers=viewer)
    acted_on.get("/v1/health")
    short = acted_on.token(Role.ADMIN, "short", expires_at=utc_now() - timedelta(seconds=1))
    acted_on.get("/v1/incidents", 401, headers=short)
    tokens = ApiTokens(acted_on.home.engine)
    assert tokens.revoke("a-viewer", "test", utc_now())
    assert not tokens.revoke("a-viewer", "test", utc_now())
    acted_on.get("/v1/incidents", 401, headers=viewer)
    assert not tokens.any_valid(utc_now())
    acted_on.get("/v1/incidents", 401)


def test_a_store_that_is_read_by_somebody_opens_nothing(acted_on: Api) -> None:
    token = acted_on.token(Role.ADMIN)["Authorization"].removeprefix("Bearer ")
    files = list(acted_on.home.settings.home.glob("operations.sqlite*"))
    assert files
    assert all(token.encode() not in one.read_bytes() for one in files)


ACTS: tuple[tuple[str, dict[str, Any], Act], ...] = (
    ("/v1/incidents/INC-0001/acknowledge", {}, Act.DECIDE),
    ("/v1/incidents/INC-0001/heal", {}, Act.HEAL),
    ("/v1/incidents", {"dataset": "orders", "from": "2026-01-01", "to": "2026-01-01", "words": "x"}, Act.REPORT),
    ("/v1/hold", {"source": "orders", "date": "2026-01-01", "why": "x"}, Act.HOLD),
    ("/v1/release", {"source": "orders", "date": "2026-01-01", "why": "x"}, Act.RELEASE),
    ("/v1/pause", {"kind": "table", "name": "agg_daily_revenue", "why": "x"}, Act.PAUSE),
    ("/v1/run-pipeline", {"from": "2026-01-01", "to": "2026-01-01"}, Act.RUN),
    ("/v1/run-backfill", {"from": "2026-01-01", "to": "2026-01-01"}, Act.RUN),
    ("/v1/run-backfill", {"from": "2026-01-01", "to": "2026-01-01", "approve": True, "why": "x"}, Act.OVERRULE),
    ("/v1/simulate-failure", {"failure_type": "null_spike"}, Act.SIMULATE),
    ("/v1/quarantine/replay", {"source": "orders", "date": "2026-01-01"}, Act.REPLAY),
    ("/v1/publications/withdraw-table", {"table": "agg_daily_funnel", "why": "x"}, Act.WITHDRAW),
    ("/v1/quarantine/discard", {"batch": "orders-20260101-01", "why": "x"}, Act.DISCARD),
    ("/v1/publications/roll-back", {"leaving": "v000001", "why": "x"}, Act.ROLL_BACK),
)


def test_each_act_takes_the_role_that_the_table_says_and_no_less(acted_on: Api) -> None:
    headers = {role: acted_on.token(role) for role in Role}
    for path, body, act in ACTS:
        for role in Role:
            answer = acted_on.client.post(path, json=body, headers=headers[role])
            assert (answer.status_code == 403) is not may(role, act), (path, role, answer.text)
            if answer.status_code == 403:
                least = {LEAST_ROLE[act], LEAST_ROLE[Act.RUN] if act is Act.OVERRULE else LEAST_ROLE[act]}
                assert any(f"a role of {one.value}" in answer.json()["detail"] for one in least)
    for role in Role:
        assert (acted_on.client.get("/v1/audit-log", headers=headers[role]).status_code == 403) is not may(
            role, Act.AUDIT
        )
    assert {act for _, _, act in ACTS} == set(Act) - {Act.LOOK, Act.AUDIT}


def test_long_work_is_answered_at_once_and_asked_for_once(acted_on: Api) -> None:
    body, key = {"from": day(1).isoformat(), "to": day(1).isoformat()}, {"Idempotency-Key": "nightly-1"}
    first = acted_on.client.post("/v1/run-pipeline", json=body, headers=key)
    assert first.status_code == 202
    assert first.headers["location"] == f"/v1/requested-runs/{first.json()['id']}"
    again = acted_on.post("/v1/run-pipeline", body, 202, headers=key)
    assert again["id"] == first.json()["id"]
    assert [one.kind for one in acted_on.started] == ["run-pipeline"]
    told = acted_on.post("/v1/run-backfill", body, 409, headers=key)
    assert "was used for another request" in told["detail"]
    assert acted_on.post("/v1/run-pipeline", body, 202)["id"] != first.json()["id"]
    assert acted_on.get("/v1/requested-runs")["total"] == 2
    assert acted_on.get(first.headers["location"])["state"] == RequestState.LOST, "nobody carries it out here"


def test_who_asks_the_same_at_the_same_moment_is_not_told_that_it_is_lost(acted_on: Api) -> None:
    """Else he asks again with another key, and it is done twice."""
    requests, now = RunRequests(acted_on.home.settings, acted_on.home.engine), utc_now()
    with requests.asked("heal", {}, "ada", "once", now) as (first, is_new, _):
        with requests.asked("heal", {}, "ada", "once", now) as (second, is_second_new, _):
            assert (is_new, is_second_new, second.id) == (True, False, first.id)
            assert second.state is RequestState.WAITING, "it is not begun yet, and is about to be"
        assert [one.name for one in acted_on.home.settings.requests.iterdir()] == [f"{first.id}.lock"]
    assert requests.get(first.id).state is RequestState.LOST


def test_a_backfill_that_the_guard_objects_to_is_a_conflict_that_says_why(acted_on: Api) -> None:
    body = {"from": day(2).isoformat(), "to": day(2).isoformat()}
    told = acted_on.post("/v1/run-backfill", body, 409)
    assert "INC-0001" in told["objections"]["open incidents"]
    assert told["approvable"] is True
    dry_run = told["dry_run"]
    assert acted_on.post(dry_run["href"], dry_run["body"], 202)["asked"]["dry_run"] is True
    assert acted_on.post("/v1/run-backfill", body | {"approve": True, "why": "mended"}, 202)["asked"]["why"] == "mended"
    assert "go together" in acted_on.post("/v1/run-backfill", body | {"approve": True}, 422)["detail"]
    assert "lies before" in acted_on.post("/v1/run-backfill", {"from": body["to"], "to": "2026-01-01"}, 422)["detail"]


def test_what_long_work_would_fail_for_is_refused_before(acted_on: Api) -> None:
    told = acted_on.post("/v1/simulate-failure", {"failure_type": "flood"}, 422)
    assert "duplicate_retry_storm" in told["detail"]
    assert (
        acted_on.post("/simulate-failure", {"failure_type": "duplicate_retry_storm"}, 202)["kind"] == "simulate-failure"
    )
    assert "say what is meant" in acted_on.post("/v1/quarantine/replay", {"source": "orders"}, 422)["detail"]
    assert (
        "look again" in acted_on.post("/v1/publications/roll-back", {"leaving": "v000077", "why": "x"}, 409)["detail"]
    )
    acted_on.post("/v1/incidents/INC-0001/resolve", {"why": "by hand"})
    assert "nothing is left" in acted_on.post("/v1/incidents/INC-0001/heal", {}, 409)["detail"]


def test_a_request_says_how_its_command_ended(acted_on: Api) -> None:
    requests = RunRequests(acted_on.home.settings, acted_on.home.engine)
    request, _ = requests.ask("run-pipeline", {"first": "2026-01-01"}, "ada", None, utc_now())
    requests.end(request.id, RequestState.REFUSED, utc_now(), 2, None, "no such day")
    found = acted_on.get(f"/v1/requested-runs/{request.id}")
    assert (found["state"], found["exit_code"], found["message"]) == ("refused", 2, "no such day")


def test_what_is_at_work_is_stopped_by_whoever_may_ask_for_it(acted_on: Api) -> None:
    """Its command ends as by Ctrl-C. Asked twice, it stands on record once; what has ended cannot be stopped."""
    settings, engine = acted_on.home.settings, acted_on.home.engine
    requests = RunRequests(settings, engine)
    with requests.asked("run-pipeline", {}, "ada", None, utc_now()) as (request, _, _):
        path, ended = f"/v1/requested-runs/{request.id}/stop", list[tuple[int, str, str]]()
        words = ["serve", "--port", "0", "--home", str(settings.home)]  # goes on until it is stopped

        def carry_out() -> None:
            ended.append(_until_it_ends(words, dict(os.environ), requests, request.id))

        command = threading.Thread(target=carry_out)
        command.start()
        for _ in range(2):
            assert acted_on.post(path, {"why": "wrong days"}, 202)["state"] == RequestState.WAITING
        command.join(60)
    [(code, _, _)] = ended
    assert code in (-signal.SIGTERM, ExitCode.TERMINATED)
    assert "is lost" in acted_on.post(path, {"why": "again"}, 409)["detail"]
    acted_on.post("/v1/requested-runs/none/stop", {"why": "no such run"}, 404)
    [entry] = AuditLog(engine).newest([audit_log.c.command == Changes.STOP.value], None)[0]
    assert (entry.what, entry.why) == (f"run-pipeline {request.id}", "wrong days")


def test_what_waits_for_a_busy_home_is_stopped_before_its_turn_comes(acted_on: Api) -> None:
    """It would have begun at any time within half an hour."""
    settings = acted_on.home.settings
    requests = RunRequests(settings, acted_on.home.engine)
    asked = {"failure_type": "null_spike", "source": "orders", "date": day(2).isoformat()}
    with (
        acting_from(ActsFrom.API),
        home_session(settings),
        requests.asked("simulate-failure", asked, "ada", None, utc_now()) as (request, _, _),
        ThreadPoolExecutor(1) as pool,
    ):
        done = pool.submit(carry_out, settings, request.id)
        until = time.monotonic() + 60
        while (found := requests.get(request.id)).began_at is None or found.state is not RequestState.WAITING:
            assert time.monotonic() < until, found.message
            time.sleep(0.1)
        assert acted_on.post(f"/v1/requested-runs/{request.id}/stop", {"why": "not now"}, 202)["state"] == "waiting"
        done.result(30)
        told = acted_on.get(f"/v1/requested-runs/{request.id}")
    assert (told["state"], told["exit_code"]) == (RequestState.STOPPED, ExitCode.BUSY)
    assert told["message"].startswith("Stopped by ")
    assert told["message"].endswith(": not now")


def test_what_is_refused_says_why_and_nothing_after_it_is_done(acted_on: Api) -> None:
    """An injection that is followed by a run, of which there is nothing to run."""
    requests = RunRequests(acted_on.home.settings, acted_on.home.engine)
    with acting_from(ActsFrom.API):
        request, _ = requests.ask("simulate-failure", {"failure_type": "flood"}, "ada", None, utc_now())
    carry_out(acted_on.home.settings, request.id)
    told = requests.get(request.id)
    assert (told.state, told.exit_code) == (RequestState.REFUSED, ExitCode.USAGE)
    assert told.message is not None
    assert "flood" in told.message


def test_a_home_whose_store_is_gone_is_told_with_503(acted_on: Api) -> None:
    for file in acted_on.home.settings.home.glob("operations.sqlite*"):
        file.unlink()
    acted_on.home.engine.dispose()
    assert "lacks its table" in acted_on.get("/v1/incidents", 503)["detail"]
    for file in acted_on.home.settings.home.glob("operations.sqlite*"):
        file.unlink()
    (acted_on.home.settings.home / "operations.sqlite").mkdir()
    assert "operations store" in acted_on.get("/v1/incidents", 503)["detail"]
    acted_on.get("/v1/health")


def test_each_operation_has_an_example_that_is_answered_well(acted_on: Api) -> None:
    """The page of the API shows them; a program begins with them."""
    document = acted_on.get("/v1/openapi.json")
    assert [f"{method} {path}" for method, path, _ in operations(document)] == sorted_like(document)
    scorecards = acted_on.home.settings.home / "scorecards"
    scorecards.mkdir(exist_ok=True)
    name = "pipeline_reliability_scorecard"
    declared = {"name": name, "about": "What became of it?", "file": f"scorecards/{name}.json"}
    (scorecards / "reports.json").write_text(json.dumps([declared]))
    (scorecards / f"{name}.json").write_text('[{"fault": "null_spike"}]')
    requests = RunRequests(acted_on.home.settings, acted_on.home.engine)
    with requests.asked("heal", {}, "ada", None, utc_now()) as (request, _, _):
        for name, example in EXAMPLES.items():
            method = name.partition(" ")[0]
            path = example.path.replace("{run_id}", request.id)
            answer = acted_on.client.request(method, path, json=example.body)
            assert answer.status_code == example.status, (name, answer.text)
    assert acted_on.get("/v1/scorecards/pipeline_reliability_scorecard")["items"] == [{"fault": "null_spike"}]


def sorted_like(document: Any) -> list[str]:
    """The examples in the order of the document: none is missing, none is of what is not there."""
    described = [f"{method} {path}" for method, path, _ in operations(document)]
    return sorted(EXAMPLES, key=lambda name: described.index(name) if name in described else -1)


def test_every_field_of_the_document_says_what_it_means(looked_at: Api) -> None:
    document = looked_at.get("/v1/openapi.json")
    silent = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, one in schema.get("properties", {}).items()
        if "description" not in one
    ]
    assert silent == []
    assert all(one.get("summary") and one.get("description") for _, _, one in operations(document))

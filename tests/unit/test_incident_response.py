"""How people deal with an incident, as the API and its page tell it: who hears of it, promises, tickets, what is left to do."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from reliability_platform.alerts.tickets.text import TICKET
from reliability_platform.clock import utc_now
from reliability_platform.incidents.decisions import add_action_item, give_update
from reliability_platform.incidents.model import State
from reliability_platform.service.api.app import create_app
from tests.unit.alerting import Ground, routing_at

HOSTILE = "<img src=x onerror=alert(1)>"
FILE = """
recipients:
  anna: {channels: [env:ANNA]}
  security: {channels: [env:SECURITY]}
rotations: {duty: {calendar: "http://127.0.0.1:1/s3cr3t.ics", otherwise: [anna]}}
routes: [{name: on call, tell: [duty]}, {name: breaches, when: {type: [breach]}, tell: [security]}]
otherwise: [anna]
escalation: [{name: all, steps: [{tell: [security]}]}]
trackers:
  board: {kind: github, project: acme/data, token: env:NONE, when: {type: [breach]}}
  code: {kind: jira, url: "https://jira.example.com", project: DATA, token: env:NONE, closing: Done, when: {severity: [P0]}}
"""


@pytest.fixture
def platform(tmp_path: Path) -> Ground:
    """As of now: whoever asks a server is answered as of now."""
    one = Ground(tmp_path / "home", routing_file=routing_at(tmp_path, FILE), alert_dry_run=True)
    one.now = utc_now() - timedelta(hours=5)
    return one


@pytest.fixture
def get(platform: Ground) -> Callable[[str], Any]:
    app = create_app(platform.settings, tokens_needed=False, at_the_machine="ada", faults=(), hosts=["testserver"])
    return TestClient(app).get


def test_the_api_tells_how_people_deal_with_an_incident(platform: Ground, get: Callable[[str], Any]) -> None:
    """Updates and promises, the past of its class, the clock of the law, tickets and what is left to do."""
    for _ in range(3):
        over = platform.open("P0", "pii_leak", source="orders", root_dataset="stg_orders")
        platform.pass_by(minutes=10)
        platform.move(over, State.RECOVERING, State.VERIFIED)
    one = platform.open("P0", "pii_leak", source="orders", root_dataset="stg_orders")
    silent = get(f"/v1/incidents/{one}").json()["response"]
    assert not silent["updates"] and silent["next_update_promised_by"] is None and silent["update_overdue"]
    give_update(platform.store, one, HOSTILE, platform.now + timedelta(hours=1), platform.now, "grace")
    add_action_item(platform.store, one, HOSTILE, "grace", platform.now.date() - timedelta(days=1), platform.now, "ada")
    ticket = {"phase": TICKET, "channel": "board", "ticket": "7", "link": "https://github.com/acme/data/issues/7"}
    platform.store.append(one, platform.now, "alerts", "alert", "its ticket", ticket)
    found = get(f"/v1/incidents/{one}").json()["response"]
    assert [(said["who"], said["said"]) for said in found["updates"]] == [("grace", HOSTILE)]
    assert found["next_update_due"] == found["updates"][0]["next_by"]
    assert (found["next_update_promised_by"], found["update_overdue"]) == ("grace", True)
    assert (found["expected_recovery"]["incidents"], found["expected_recovery"]["p90"]) == (3, "PT10M")
    assert len(found["recurrence"]["occurrences"]) == 4 and found["recurrence"]["words"].startswith("Fourth time")
    assert found["breach"]["decided_at"] is None and not found["breach"]["overdue"] and not found["breach"]["looks"]
    assert [(item["owner"], item["overdue"]) for item in found["action_items"]] == [("grace", True)]
    assert [kept["link"] for kept in found["tickets"]] == ["https://github.com/acme/data/issues/7"]
    hearings = get(f"/v1/incidents/{one}/hearings").json()
    assert [(hearing["recipient"], hearing["role"]) for hearing in hearings["now"]] == [
        ("anna", "works on it"), ("security", "works on it"),
    ]  # fmt: skip
    assert "it was never read" in hearings["now"][0]["why"], "nobody who looks waits for a server"
    assert [(kept["tracker"], kept["ticket"]) for kept in hearings["tickets"]] == [("board", "7"), ("code", "")]
    assert [hearing["recipient"] for hearing in hearings["if_nobody_answers"]] == ["security"]
    assert get("/v1/incidents/INC-9/hearings").status_code == 404


def test_its_page_shows_the_same_and_hostile_words_as_words(platform: Ground, get: Callable[[str], Any]) -> None:
    """A routing file that somebody is mending costs the page nothing but what it says."""
    one = platform.open("P0", "pii_leak", source="orders", root_dataset="stg_orders")
    give_update(platform.store, one, HOSTILE, platform.now + timedelta(hours=1), platform.now, HOSTILE)
    add_action_item(platform.store, one, HOSTILE, HOSTILE, platform.now.date(), platform.now, "ada")
    page = get(f"/ui/incidents/{one}").text
    for words in ("promised by &lt;img", ": overdue", "Report it to the data protection authority", "As it stands",
                  "A ticket would be opened in board (github acme/data): type breach", "What has to be done"):  # fmt: skip
        assert words in page, words
    assert "<img" not in page
    status = get("/ui/status-page")
    assert "may be late or incomplete" in status.text and "&lt;img" in status.text and "<img" not in status.text
    assert "script" not in status.headers["Content-Security-Policy"] and "pii" not in status.text
    assert platform.settings.routing_file is not None
    platform.settings.routing_file.write_text("recipients: {")
    broken = get(f"/ui/incidents/{one}")
    assert broken.status_code == 200 and "Who would hear of it cannot be told: " in broken.text
    assert get(f"/v1/incidents/{one}/hearings").status_code == 422

"""One ticket for each incident, in each kind of tracker, whatever is retried, killed, slow, limited or untrue."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.alerts.channels import Channel
from reliability_platform.alerts.delivery import Delivered
from reliability_platform.alerts.message import AlertMessage
from reliability_platform.alerts.routing.declared import routing_of
from reliability_platform.alerts.status import channel_statuses
from reliability_platform.alerts.tickets import speak
from reliability_platform.alerts.tickets.template import read_template
from reliability_platform.cli.main import cli
from reliability_platform.errors import UsageError
from reliability_platform.incidents.model import State
from reliability_platform.settings import PROJECT_ROOT, Settings
from tests.unit.alerting import TOKEN, Ground, in_process, refusal, routing_at
from tests.unit.ticketing import TrackerServer, slow

KINDS = ("github", "gitlab", "jira", "jira_data_center", "servicenow", "template")
RETRIED = ["github", *(pytest.param(one, marks=pytest.mark.exhaustive) for one in KINDS[1:])]
"""What is retried goes the same way for each kind: one stands for all where minutes count."""
OF_KIND = {
    "github": "project: acme/data",
    "gitlab": "project: acme/data",
    "jira": "project: DATA, user: bot@example.com, closing: done, reopening: to do, fields: {priority: {name: High}}",
    "jira_data_center": "project: DATA, closing: done, reopening: to do, fields: {priority: {name: High}}",
    "servicenow": "user: bot",
    "template": "template: desk.ticket.yml",
}
DESK = """
headers: {X-Desk-Key: "Desk {token}", Accept: application/json}
key: nr
find: {path: /desk/tickets, query: {external: "{marker}", page: "{page}"}, tickets: found, marker: external.id}
open:
  path: /desk/tickets
  body: {about: "{title}", text: "{body}", external: {id: "{marker}"}, tags: [data, "{severity}"], urgent: true}
  ticket: made
update: {path: "/desk/tickets/{key}/notes", body: {text: "{comment}"}}
said: {method: GET, path: "/desk/tickets/{key}/notes"}
close: {method: PATCH, path: "/desk/tickets/{key}", body: {status: done, why: "{words}"}}
reopen: {method: PATCH, path: "/desk/tickets/{key}", body: {status: open}}
link: "/desk/{key}"
"""
FILE = """
recipients: {{team: {{channels: [env:NOBODY]}}}}
routes: [{{name: all, tell: [team]}}]
otherwise: [team]
trackers:
  board: {{kind: {kind}, url: "{url}", token: env:BOARD_TOKEN, when: {{severity: [P0, P1]}}, {more}}}
"""
Kept = tuple[Ground, TrackerServer]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Kept]]:
    """Makes a home whose incidents are kept in a tracker of a kind."""
    servers: list[TrackerServer] = []
    monkeypatch.setenv("BOARD_TOKEN", TOKEN)

    def make(kind: str, **settings: Any) -> Kept:
        servers.append(TrackerServer(kind))
        (tmp_path / "desk.ticket.yml").write_text(DESK)
        text = FILE.format(kind=kind, url=servers[-1].url, more=OF_KIND[kind])
        return Ground(tmp_path / "home", routing_file=routing_at(tmp_path, text), **settings), servers[-1]

    yield make
    for server in servers:
        assert server.objections == []
        server.close()


def board(platform: Ground) -> list[str]:
    return [one.status.value for one in platform.ledger.all() if one.channel == "board"]


HOSTILE = "@all ![x](http://evil) <script>alert(1)</script> ``` {code} [~admin] #1 \u202e"


@pytest.mark.parametrize("kind", KINDS)
def test_a_ticket_opens_and_closes_with_its_incident(kind: str, kept: Callable[[str], Kept]) -> None:
    """Against the published forms; and it opens again when the incident does. Hostile text is nothing but text in it."""
    platform, tracker = kept(kind)
    one, other = platform.open("P1", severity_reason=HOSTILE, column=HOSTILE), platform.open("P3")
    platform.tick()
    assert len(tracker.tickets) == 1 and tracker.tickets[0]["open"]
    said = json.dumps(tracker.tickets[0]["fields"])
    assert one in said and other not in said and f"reliability incidents ack {one}" in said
    assert "1 landing day" in said and "Who reads it" in said and TOKEN not in said
    platform.move(one, State.ACKNOWLEDGED)
    platform.store.append(one, platform.now, "x", "update", HOSTILE, {"said": HOSTILE, "next": "2026-02-02"})
    platform.move(one, State.RESOLVED)
    platform.tick()
    said = json.dumps([tracker.tickets[0]["fields"], tracker.tickets[0]["comments"]], ensure_ascii=False)
    assert not [bad for bad in ("@all", "](", "<script", "[~", "{code", "#1", "\u202e", "x](") if bad in said]
    assert said.count("evil") == 3, "it is there, as text"
    assert not tracker.tickets[0]["open"] and len(tracker.tickets[0]["comments"]) == 1
    platform.move(one, State.REOPENED)
    platform.tick()
    assert tracker.tickets[0]["open"] and len(tracker.tickets) == 1
    told = [entry for entry in platform.store.get(one).timeline if entry.data.get("phase") == "ticket"]
    assert len(told) == 1 and told[0].data["channel"] == "board" and tracker.url in told[0].why


@pytest.mark.parametrize("kind", RETRIED)
def test_whoever_is_killed_opens_no_second_ticket_and_says_nothing_twice(
    kind: str, kept: Callable[[str], Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender had opened the ticket, and nobody wrote it down; so too with the comment, and the closing."""
    platform, tracker = kept(kind)
    one = platform.open("P1")

    def killed(
        settings: Settings, channel: Channel, messages: Sequence[AlertMessage], now: datetime
    ) -> dict[str, Delivered]:
        if channel.tracker is not None:
            in_process(settings, channel, messages, now)
            raise KeyboardInterrupt
        return in_process(settings, channel, messages, now)

    for states in ((), (State.ACKNOWLEDGED,), (State.RESOLVED,)):
        platform.move(one, *states)
        platform.delivery = killed
        with pytest.raises(KeyboardInterrupt):
            platform.tick()
        platform.delivery = in_process
        platform.pass_by(minutes=3)
        platform.tick()
    assert len(tracker.tickets) == 1 and len(tracker.tickets[0]["comments"]) == 2 and not tracker.tickets[0]["open"]


def test_a_ticket_whose_opening_was_not_answered_is_found(kept: Callable[[str], Kept]) -> None:
    """It was opened, and the connection broke off: looked for a minute later, when every search knows of it."""
    platform, tracker = kept("jira")
    tracker.loses.add("POST /rest/api/3/issue")
    platform.open("P1")
    platform.tick()
    asked = len(tracker.asked)
    platform.pass_by(seconds=55)
    platform.tick()
    assert len(tracker.asked) == asked, "an index may lag: nobody asks yet"
    platform.pass_by(seconds=10)
    platform.tick()
    assert len(tracker.tickets) == 1 and board(platform) == ["sent"]


def test_a_tracker_that_asks_for_a_pause_gets_it(kept: Callable[[str], Kept]) -> None:
    """Also from what is urgent; what waits is told when the pause is over."""
    platform, tracker = kept("github")
    tracker.instead = lambda _: (429, {"Retry-After": "600"}, b"")
    platform.open("P1"), platform.open("P0", "pii_leak")
    platform.tick()
    assert len(tracker.asked) == 1, "the second was not tried"
    tracker.instead = lambda _: None
    platform.pass_by(minutes=9)
    platform.tick()
    assert not tracker.tickets
    platform.pass_by(minutes=2)
    platform.tick()
    assert len(tracker.tickets) == 2


def test_a_dead_tracker_is_told_and_never_given_up(kept: Callable[[str], Kept]) -> None:
    """A ticket that comes a day late is a record all the same. Its channel is shown as failing, its incident says so."""
    platform, tracker = kept("jira")
    tracker.instead = lambda _: (500, {}, b"")
    one = platform.open("P1")
    for _ in range(5):
        platform.tick()
        platform.pass_by(minutes=30)
    health = {found.name: found for found in channel_statuses(platform.settings, platform.engine)}["board"]
    assert health.state == "failing" and health.last_error == "it answered with HTTP status 500" and health.waiting == 1
    assert "failed" in platform.told_kinds(one)
    tracker.instead = lambda _: None
    platform.tick()
    assert len(tracker.tickets) == 1 and "failed" not in board(platform)


@pytest.mark.parametrize("kind", RETRIED)
def test_an_untrue_answer_opens_no_ticket(kind: str, kept: Callable[[str], Kept]) -> None:
    """200 with a page of login, or with nothing of what was asked for: nothing is believed, and nothing is lost."""
    platform, tracker = kept(kind)
    platform.open("P1")
    for answer in (b"<html>", b"{}", b'[{"number": "../../x", "iid": true}]', b"[[]]", b"null", b"", b"[" * 100_000):
        tracker.instead = lambda _, said=answer: (200, {}, said)  # type: ignore[misc]
        before = len(tracker.asked)
        platform.tick()
        assert board(platform) == ["pending"] and len(tracker.asked) > before
        platform.pass_by(minutes=30)
    tracker.instead = lambda _: None
    platform.tick()
    assert board(platform) == ["sent"] and len(tracker.tickets) == 1


def test_a_slow_tracker_is_left(kept: Callable[[str], Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs no other channel its turn, and its ticket waits."""
    monkeypatch.setattr(speak, "TIMEOUT_SECONDS", 0.1)
    platform, tracker = kept("gitlab")
    tracker.instead = slow(0.3)  # type: ignore[assignment]
    platform.open("P1")
    assert platform.tick().retried >= 1 and board(platform) == ["pending"]


def test_what_the_tracker_calls_wrong_is_given_up_and_kept(kept: Callable[[str], Kept]) -> None:
    """A field that its project asks for is missing: no try will change that."""
    platform, tracker = kept("jira")
    tracker.instead = lambda asked: (400, {}, b"{}") if asked == "POST /rest/api/3/issue" else None
    platform.open("P1")
    platform.tick()
    assert board(platform) == ["failed"]
    assert "board" in (platform.settings.alerts / "undelivered.jsonl").read_text()


def test_a_storm_opens_tickets_the_worst_first_and_within_the_cap(kept: Callable[..., Kept]) -> None:
    """Twenty at once, and ten an hour: the worst of them, and no more."""
    platform, tracker = kept("github", alert_cap_per_hour=10)
    for number in range(20):
        platform.open("P0" if number % 5 == 4 else "P1", "pii_leak" if number % 5 == 4 else "missing_data")
    for _ in range(2):
        platform.tick()
        platform.pass_by(seconds=15)
    assert len(tracker.tickets) == 10
    assert sum("P0" in one["fields"]["title"] for one in tracker.tickets) == 4


@pytest.mark.parametrize(
    ("said", "instead", "error"),
    [
        (
            "kind: jira",
            "kind: jera",
            "must be one of github, gitlab, jira, jira_data_center, servicenow, template: do you mean jira?",
        ),
        ("token: env:BOARD_TOKEN", "token: s3cr3t", "a token never stands in a file"),
        ("closing: done, ", "", "give closing"),
        ("closing: done", "closng: done", "there is no such key: do you mean closing"),
        (
            "severity: [P0, P1]",
            "class: [pii_leek]",
            "trackers.board.when.class.0: there is no failure class 'pii_leek'",
        ),
        ("project: DATA", "project: 'DA/../TA'", "the project of Jira is its key"),
        ("  board:", "  team:", "it is the name of a recipient"),
        ("https://jira.example.com", "https://bot:s3cr3t@jira.example.com", "without a user or a query"),
    ],
)
def test_a_wrong_tracker_is_refused_with_its_line(said: str, instead: str, error: str, tmp_path: Path) -> None:
    """And the secret that stood where none may is not repeated."""
    text = FILE.format(kind="jira", url="https://jira.example.com", more=OF_KIND["jira"])
    words = refusal(tmp_path, text, said, instead)
    assert error in words and "line 6" in words and "s3cr3t" not in words


@pytest.mark.parametrize(
    ("said", "instead", "error"),
    [
        ('about: "{title}"', 'about: "Data: {title}"', "open.body.about: {title} must be the whole text"),
        (
            'about: "{title}"',
            'about: "{titel}"',
            "there is no {titel} here: do you mean title; allowed: {title}, {body}",
        ),
        ('id: "{marker}"', "id: 7", "open.body: it must hold {marker}"),
        ('tags: [data, "{severity}"]', "tags: [.nan]", "open.body: it is no JSON"),
        ("path: /desk/tickets\n", 'path: "/desk/{title}"\n', "open.path: only {key} may stand within a path"),
        ('"/desk/{key}"', '"/../{key}"', "it must name a place below the url"),
        ("path: /desk/tickets,", "path: https://other.example,", "find.path: it is no path such as /tickets"),
        ('"Desk {token}"', "s3cr3t", "headers.X-Desk-Key: a secret never stands in a file"),
        ("X-Desk-Key", "Host", "headers.Host: it is set by the platform"),
        ('"Desk {token}"', '"Desk {token}\\r\\nX: 1"', "headers.X-Desk-Key: printable ASCII signs in one line alone"),
        ("method: PATCH", "method: DELETE", "Input should be 'GET', 'POST', 'PUT' or 'PATCH'"),
        ("said:", "sayd:", "sayd: Extra inputs are not permitted"),
        ("key: nr", "kye: nr", "key: Field required"),
    ],
)
def test_a_template_that_would_fail_at_night_is_refused_with_its_line(
    said: str, instead: str, error: str, tmp_path: Path
) -> None:
    """Where a value could become more than a value, too."""
    assert said in DESK
    (tmp_path / "desk.ticket.yml").write_text(DESK.replace(said, instead, 1))
    text = FILE.format(kind="template", url="https://desk.example.com", more=OF_KIND["template"])
    words = refusal(tmp_path, text, "  board:", "  desk:")
    assert words.startswith("desk.ticket.yml, line ") and error in words and "s3cr3t" not in words


def test_a_template_is_read_again_when_it_has_changed(kept: Callable[[str], Kept]) -> None:
    """And names a file beside routing.yml alone."""
    platform, _ = kept("template")
    file = platform.settings.routing_file
    assert file is not None and routing_of(platform.settings) is not None
    (file.parent / "desk.ticket.yml").write_text(DESK.replace("status: done", "state: done"))
    changed = routing_of(platform.settings)
    assert changed is not None and changed.trackers["board"].place.template["close"]["body"]["state"] == "done"
    for name in ("../desk.ticket.yml", "other.ticket.yml", "desk.yml"):
        file.write_text(file.read_text().replace("desk.ticket.yml", name))
        with pytest.raises(UsageError, match=r"as desk\.ticket\.yml|cannot be read"):
            routing_of(platform.settings)
        file.write_text(file.read_text().replace(name, "desk.ticket.yml"))


def test_the_template_of_the_guide_is_one(tmp_path: Path) -> None:
    """Whoever copies it begins with something that works."""
    guide = (PROJECT_ROOT / "docs" / "how-to" / "alerts.md").read_text()
    [block] = [one for one in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL) if "headers:" in one]
    (tmp_path / "desk.ticket.yml").write_text(block)
    assert read_template(tmp_path / "desk.ticket.yml").key == "id"


def test_what_would_be_asked_for_is_shown(kept: Callable[[str], Kept], capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is sent, and the token is not shown."""
    platform, tracker = kept("jira")
    one = platform.open("P1")
    home = ["--home", str(platform.settings.home)]
    routing = {"RELIABILITY_ROUTING_FILE": str(platform.settings.routing_file)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in routing.items():
            patch.setenv(name, value)
        cli.main(["alerts", "tickets", one, "--dry-run", "--json", *home], standalone_mode=False)
        shown = json.loads(capsys.readouterr().out)
        assert [request["method"] for request in shown[one][0]["requests"]] == ["POST", "POST"] and not tracker.asked
        platform.tick()
        cli.main(["alerts", "tickets", "--json", *home], standalone_mode=False)
        said = capsys.readouterr().out
    assert json.loads(said)[0]["link"] == f"{tracker.url}/browse/DATA-1" and TOKEN not in said

"""Who hears of which incident by routing.yml, on real local servers: the right people, once, in time, and nobody else."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.alerts.dispatch import dispatch
from reliability_platform.alerts.routing.explain import explain
from reliability_platform.cli.main import cli
from reliability_platform.errors import UsageError
from reliability_platform.incidents.decisions import give_update
from reliability_platform.incidents.model import State
from reliability_platform.remediation.owner_letters import write_letter
from tests.unit.alerting import TOKEN, Ground, Server, refusal, routing_at

FILE = """
recipients:
  anna: {channels: [env:ANNA], known_as: [Anna Muster]}
  team:
    channels: [env:TEAM]
    quiet: {hours: "20:00-08:00", zone: Europe/Zurich, through: [P0]}
  orders: {channels: [env:ORDERS], known_as: [Commerce-Platform@example.com]}
  finance: {channels: [env:FINANCE], known_as: [Finance Analytics]}
  security: {channels: [env:SECURITY]}
  board: {channels: [env:BOARD]}
rotations:
  duty: {shifts: [{recipient: anna, from: 2026-02-01T08:00, until: 2026-02-01T20:00}], otherwise: [team]}
routes:
  - {name: on call, when: {severity: [P0, P1]}, tell: [duty]}
  - {name: breaches, when: {type: [breach]}, tell: [security]}
  - {name: worst, when: {severity: [P0]}, tell: [board]}
  - {name: owners, when: {severity: [P0, P1, P2]}, tell: [source_owner, reader_owners]}
otherwise: [team]
escalation:
  - {name: urgent, when: {severity: [P0, P1]}, steps: [{tell: [duty]}, {after_minutes: 15, tell: [team]}]}
"""


class Post(Server):
    """One server for everybody: who was told stands in the path."""

    def told(self, who: str) -> list[dict[str, Any]]:
        return [one for path, one in zip(self.paths, self.heard, strict=True) if path == f"/{TOKEN}/{who}"]

    @property
    def everybody(self) -> set[str]:
        return {path.rpartition("/")[2] for path in self.paths}


class Routed(Ground):
    """Ground whose letters are written as the daemon writes them, where a test reads them: each takes 0.1 s."""

    with_letters = False

    def tick(self) -> Any:
        write = write_letter if self.with_letters else None
        return dispatch(self.settings, self.engine, self.now, delivery=self.delivery, write=write)


@pytest.fixture
def post() -> Any:
    one = Post()
    yield one
    one.close()


@pytest.fixture
def routed(post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Routed]:
    """Makes a home with a routing file whose recipients live at one server."""

    def make(text: str = FILE, *urls: str) -> Routed:
        for name in ("anna", "team", "orders", "finance", "security", "board"):
            monkeypatch.setenv(name.upper(), f"{post.url}/{name}")
        return Routed(tmp_path / "home", *urls, routing_file=routing_at(tmp_path, text))

    return make


@pytest.mark.parametrize(
    ("said", "instead", "error"),
    [
        (
            "tell: [duty]}",
            "tell: [dutty]}",
            "line 14: routes.0.tell.0: there is no recipient 'dutty': do you mean duty?",
        ),
        ("type: [breach]", "class: [pii_leek]", "there is no failure class 'pii_leek': do you mean pii_leak?"),
        ("type: [breach]", "dataset: [stg_order]", "no dataset is called 'stg_order': do you mean stg_orders?"),
        ("type: [breach]", "source: [order]", "there is no source 'order': do you mean orders?"),
        ("type: [breach]", "clas: [pii_leak]", "there is no such key: do you mean class"),
        ("env:BOARD", "slack://tok3n/a/b", "recipients.board.channels.0: a channel is a reference to its Apprise URL"),
        ("otherwise: [team]}", "otherwise: [duty]}", "rotations.duty.otherwise.0: there is no recipient 'duty'"),
        ("until: 2026-02-01T20:00", "until: 2026-02-01T07:00", "until must be later than from"),
        (
            '"20:00-08:00"',
            '"20:00-20:00"',
            "recipients.team.quiet: hours that begin and end at the same minute never end",
        ),
        ("Europe/Zurich", "Europe/Zurch", "'Europe/Zurch' is not a time zone"),
        (
            "shifts: [{recipient: anna, from: 2026-02-01T08:00, until: 2026-02-01T20:00}]",
            "calendar: 'https://a/b?tok3n=1'",
            "a calendar's URL with a user or a query is a secret",
        ),
        ("[Anna Muster]", "[finance analytics]", "'Finance Analytics' is anna already"),
        ("\notherwise: [team]\n", "\n", "otherwise: Field required"),
        ("severity: [P0]}", "severity: []}", "routes.2.when.severity: it must hold 1 or more."),
        ("severity: [P0]}", "severity: P0}", "routes.2.when.severity: it must be a list, as in [one, two]."),
        ("known_as: [Anna Muster]", "known_as: [12]", "known_as.0: it must be text: put it in quotes."),
    ],
)
def test_a_wrong_routing_file_is_refused_with_its_line(said: str, instead: str, error: str, tmp_path: Path) -> None:
    """An alert that goes to a misspelt name goes to nobody."""
    words = refusal(tmp_path, FILE, said, instead)
    assert error in words and "tok3n" not in words


def test_each_hears_of_what_concerns_them_and_nobody_else_does(post: Post, routed: Callable[..., Routed]) -> None:
    """Severity, kind, owners of the source and of what reads it; shipments are no business of finance."""
    platform = routed()
    platform.open("P1", source="orders", root_dataset="stg_orders")
    platform.tick()
    assert post.everybody == {"anna", "orders", "finance"}
    post.paths.clear(), post.heard.clear()
    platform.open("P0", "pii_leak", source="shipments", root_dataset="stg_shipments")
    platform.tick()
    assert post.everybody == {"anna", "security", "board"}
    post.paths.clear(), post.heard.clear()
    platform.open("P3", source="web_events")
    platform.tick()
    assert post.everybody == {"team"}  # no route names anybody: nothing is lost
    post.paths.clear(), post.heard.clear()
    platform.open("P2", source="orders", root_dataset="stg_orders")
    platform.tick()
    assert post.everybody == {"orders", "finance", "team"}  # owners alone would leave it to nobody
    platform.pass_by(minutes=5)
    assert platform.tick().new == 0


def test_owners_hear_the_beginning_the_promised_update_and_the_end_in_their_words(
    post: Post, routed: Callable[..., Routed]
) -> None:
    """Who reads a dashboard needs no states of a machine; who was told that it is wrong must hear that it is right."""
    platform = routed()
    platform.with_letters = True
    one = platform.open("P1", source="orders", root_dataset="stg_orders")
    platform.tick()
    platform.move(one, State.ACKNOWLEDGED)
    platform.pass_by(minutes=30)
    platform.tick()
    platform.pass_by(minutes=31)
    platform.tick()
    platform.move(one, State.RECOVERING, State.VERIFIED)
    platform.pass_by(minutes=1)
    platform.tick()
    platform.move(one, State.RESOLVED)
    platform.tick()
    titles = [message["title"] for message in post.told("finance")]
    assert titles == [
        "Data incident P1: Expected batches are missing",
        "Data incident P1: Expected batches are missing",
        "All clear: Expected batches are missing",
    ]
    first = post.told("finance")[0]["message"]
    assert "owner of finance_dashboard, which is marked critical" in first
    assert "Next update by 2026-02-01 13:00 UTC" in first and post.told("finance")[1]["message"] != first
    assert [one["title"] for one in post.told("orders")] == [
        "orders: Expected batches are missing",
        "orders: Expected batches are missing",
        "All clear: Expected batches are missing",
    ]
    assert [one["title"].split(" · ")[0] for one in post.told("anna")] == [
        "P1 opened", "P1 acknowledged", "P1 verified", "P1 resolved",
    ]  # fmt: skip


def test_nobody_answers_and_each_step_is_taken_once(post: Post, routed: Callable[..., Routed]) -> None:
    """A chain that rings twice teaches people to wait for the second ring."""
    platform = routed()
    one = platform.open("P1", source="web_events", root_dataset="stg_web_events")
    platform.tick()
    for minutes in (59, 2, 18, 2):
        platform.pass_by(minutes=minutes)
        platform.tick()
    steps = [entry for entry in platform.store.get(one).timeline if entry.kind == "escalation"]
    assert [(entry.data["step"], entry.data["recipients"]) for entry in steps] == [(1, ["anna"]), (2, ["team"])]
    assert [(entry.at - platform.store.get(one).detected_at).seconds // 60 for entry in steps] == [61, 79]
    assert any("anna must take it on: nobody has answered" in said["title"] for said in post.told("anna"))
    assert [said["title"].split(" · ")[0] for said in post.told("team")] == [
        "P1 team must take it on: nobody has answered"
    ]
    platform.move(one, State.ACKNOWLEDGED)
    platform.tick()
    assert post.told("team")[-1]["title"].startswith(
        "P1 acknowledged"
    )  # who was called hears that it is no more needed


def test_who_has_answered_is_not_called_again(post: Post, routed: Callable[..., Routed]) -> None:
    """An acknowledgement ends the chain."""
    platform = routed()
    one = platform.open("P1", source="web_events", root_dataset="stg_web_events")
    platform.move(one, State.ACKNOWLEDGED)
    platform.pass_by(hours=3)
    platform.tick()
    assert not [entry for entry in platform.store.get(one).timeline if entry.kind == "escalation"]
    assert "team" not in post.everybody


def test_quiet_hours_are_those_of_the_recipient_and_what_waits_comes_together(
    post: Post, routed: Callable[..., Routed]
) -> None:
    """Eight o'clock is another moment in Zurich; only a P0 wakes the team."""
    platform = routed()
    platform.now = platform.now.replace(hour=19, minute=30)  # 20:30 in Zurich
    for _ in range(3):
        platform.open("P3", source="web_events")
    platform.tick()
    assert post.heard == []
    platform.now = platform.now + timedelta(hours=11, minutes=29)
    platform.tick()
    assert post.heard == []
    platform.pass_by(minutes=2)
    platform.tick()
    assert [one["title"] for one in post.told("team")] == ["3 incidents changed, the worst is P3"]


def test_a_gap_in_the_rotation_is_named_and_filled(post: Post, routed: Callable[..., Routed]) -> None:
    """An alert to nobody is worse than one to somebody else."""
    platform = routed()
    platform.now = platform.now.replace(hour=21)
    platform.open("P0", source="web_events")
    platform.tick()
    [message] = post.told("team")
    assert "Nobody is on call in duty: team instead." in message["message"]
    assert "It is quiet for you (20:00-08:00 Europe/Zurich), and this goes through." in message["message"]
    assert not post.told("anna")


def test_who_comes_on_call_is_told_once_of_what_nobody_has_answered(post: Post, routed: Callable[..., Routed]) -> None:
    """At the change of the shift the one who was told goes home: what he did not answer is nobody's."""
    shifts = "[{recipient: anna, from: 2026-02-01T08:00, until: 2026-02-01T13:00}, "
    shifts += "{recipient: security, from: 2026-02-01T13:00, until: 2026-02-01T18:00}]"
    begin, end = FILE.index("[{recipient: anna, from"), FILE.index(", otherwise: [team]}")
    platform = routed(FILE[:begin] + shifts + FILE[end:].partition("escalation:")[0])
    worst = [platform.open(severity, source="web_events", root_dataset="stg_web_events") for severity in ("P1", "P0")]
    answered, small = platform.open("P1", source="web_events"), platform.open("P3", source="web_events")
    platform.move(answered, State.ACKNOWLEDGED)
    platform.tick()
    platform.pass_by(minutes=59)
    assert platform.tick().new == 0 and not post.told("security")
    before = len(post.told("anna"))
    for _ in range(3):
        platform.pass_by(minutes=2)
        platform.tick()
    [message] = post.told("security")
    assert message["title"] == "2 incidents are open and nobody is on them; you are on call, the worst is P0"
    first, second = message["message"].splitlines()[:2]
    assert first.startswith("- P0 open since 2026-02-01 12:00 UTC, nobody is on it") and worst[0] in second
    assert answered not in message["message"] and small not in message["message"]
    assert len(post.told("anna")) == before, "she has heard of it"
    platform.move(worst[1], State.ACKNOWLEDGED)
    platform.tick()
    assert post.told("security")[-1]["title"].startswith("P0 acknowledged"), "and of what follows"
    platform.now = platform.now.replace(hour=18, minute=1)  # nobody is on call: those who stand in are told, too
    platform.tick()
    assert "P1 open since" in json.dumps(post.told("team")[-1]) and worst[1] not in post.told("team")[-1]["message"]


def test_an_owner_hears_of_several_incidents_in_one_message_and_in_their_words(
    post: Post, routed: Callable[..., Routed]
) -> None:
    """A list of classes and a command line tell nobody which numbers to avoid; what is right again is no worst."""
    platform = routed()
    platform.with_letters = True
    several = [platform.open("P1", source="orders", root_dataset="stg_orders") for _ in range(7)]
    platform.tick()
    (told,) = post.told("finance")
    assert told["title"] == "7 incidents changed, the worst is P1" and "reliability " not in told["message"]
    assert told["message"].count("owner of finance_dashboard") == told["message"].count("Please do not") == 5
    assert told["message"].count("Data incident P1: Expected batches are missing") == 7
    assert "reliability incidents list" in post.told("anna")[0]["message"]
    for one in several[:2]:
        platform.move(one, State.RECOVERING, State.VERIFIED)
    platform.pass_by(minutes=1)
    platform.tick()
    assert post.told("finance")[-1]["title"] == "2 incidents changed, all of them are over"
    assert post.told("finance")[-1]["message"].count("All clear: Expected batches are missing") == 2


def test_a_storm_is_one_message_for_each_and_all_of_it_is_told(post: Post, routed: Callable[..., Routed]) -> None:
    """A person reads the worst first, and not one message for each incident."""
    platform = routed()
    for number in range(40):
        platform.open("P0" if number == 30 else "P2", source="orders", root_dataset="stg_orders")
    platform.tick()
    for who in ("finance", "orders"):
        assert len(post.told(who)) == 1
    assert "worst is P0" in post.told("finance")[-1]["title"]
    assert post.told("finance")[-1]["message"].splitlines()[0].startswith("- P0 ")
    of_finance = [one for one in platform.ledger.all() if one.channel == "finance"]
    assert len(of_finance) == 40 and {one.status.value for one in of_finance} == {"sent"}


def test_a_secret_that_is_not_there_costs_nobody_else_anything(
    post: Post, routed: Callable[..., Routed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a channel that gives no answer: tried again, and said."""
    from reliability_platform.alerts.delivery import Delivered, send

    platform = routed()
    real = platform.delivery

    def deliver(settings: Any, channel: Any, messages: Any, now: Any) -> dict[str, Delivered]:
        return (send if channel.name == "finance" else real)(settings, channel, messages, now)

    platform.delivery = deliver
    monkeypatch.delenv("FINANCE")
    platform.open("P2", source="orders", root_dataset="stg_orders")
    done = platform.tick()
    assert (done.sent, done.retried) == (2, 1) and post.everybody == {"orders", "team"}
    health = platform.ledger.channels()["finance", False]
    assert health.last_error == "the environment variable FINANCE, in which credentials should be, is not set"


def test_a_broken_file_loses_nothing_and_stops_no_channel_of_the_settings(
    post: Post, routed: Callable[..., Routed]
) -> None:
    """Whoever saves half a file at night finds all alerts delivered once it is whole."""
    platform = routed(FILE, f"{post.url}/board")
    assert platform.settings.routing_file is not None
    platform.settings.routing_file.write_text("recipients: {")
    platform.open("P2", source="orders", root_dataset="stg_orders")
    done = platform.tick()
    assert done.sent == 1 and post.everybody == {"board"} and "routing.yml" in done.trouble[0]
    platform.settings.routing_file.write_text(FILE)
    platform.pass_by(days=2)
    platform.tick()
    assert {"finance", "orders"} <= post.everybody


def test_hostile_names_mean_nothing_in_a_letter(post: Post, routed: Callable[..., Routed]) -> None:
    """What a producer calls a column must not mention everybody in the owner's chat."""
    platform = routed()
    platform.with_letters = True
    signal = {
        "check": "orders__x", "dataset": "stg_orders", "source": "orders", "partition": "2026-01-01", "status": "failed",
        "value": 1.0, "threshold": "0", "message": "unknown column <!channel> @everyone https://evil.example [x](y)", "sample": [],
    }  # fmt: skip
    platform.open("P1", "schema_break", source="orders", root_dataset="stg_orders", signals=[signal])
    platform.tick()
    [letter] = post.told("orders")
    assert "unknown column" in letter["message"]
    assert not any(sign in letter["message"] for sign in ("<!", "@", "://", "](", "evil.example"))


def test_the_dry_run_says_who_when_and_why(
    post: Post, routed: Callable[..., Routed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the night in which it counts."""
    from click.testing import CliRunner

    platform = routed()
    one = platform.open("P1", source="orders", root_dataset="stg_orders")
    found = explain(platform.settings, platform.engine, platform.store.get(one), platform.now)
    assert [(hearing.recipient, hearing.role) for hearing in found.now] == [
        ("anna", "works on it"), ("orders", "owns the source"), ("finance", "owns what reads it"),
    ]  # fmt: skip
    assert "on call (on call in duty until 2026-02-01 20:00 UTC)" in found.now[0].why
    assert found.now[2].why.startswith("owners (owner of finance_dashboard); an update by 2026-02-01 13:00 UTC")
    assert [(hearing.recipient, hearing.at.hour, hearing.at.minute) for hearing in found.if_nobody_answers] == [
        ("anna", 13, 0), ("team", 13, 15),
    ]  # fmt: skip
    assert found.nobody == ("Risk Engineering and risk-engineering@example.com, owner of fraud_feature_set",)
    assert post.heard == []
    monkeypatch.setenv("RELIABILITY_ROUTING_FILE", str(platform.settings.routing_file))
    home = str(platform.settings.home)
    said = json.loads(CliRunner().invoke(cli, ["alerts", "explain", one, "--json", "--home", home]).output)
    assert {hearing["recipient"] for hearing in said["now"]} == {"team", "orders", "finance"}  # today duty has a gap
    shown = json.loads(CliRunner().invoke(cli, ["alerts", "routing", "--json", "--home", home]).output)
    assert shown["on_call"][0]["is_gap"] and len(shown["on_call"][0]["gaps"]) == 1
    assert any("payments@example.com" in owner for owner in shown["unknown_owners"])
    assert "nobody is on call in duty" in CliRunner().invoke(cli, ["alerts", "routing", "--home", home]).output


def test_the_update_of_a_person_reaches_all_who_were_told_and_a_late_one_is_told_of_once(
    post: Post, routed: Callable[..., Routed]
) -> None:
    """A promise that nobody keeps track of is no promise."""
    platform = routed()
    platform.with_letters = True
    one = platform.open("P1", source="orders", root_dataset="stg_orders")
    platform.tick()
    said = "The desk sends the files again, says ada@example.org <!channel>."
    give_update(platform.store, one, said, platform.now + timedelta(hours=3), platform.now, "grace")
    platform.pass_by(minutes=1)
    platform.tick()
    assert post.told("anna")[-1]["title"].startswith("P1 update, detected")
    for who in ("anna", "finance", "orders"):
        assert "The desk sends the files again" in post.told(who)[-1]["message"]
        assert "ada" not in post.told(who)[-1]["message"] and "<!" not in post.told(who)[-1]["message"]
    before = len(post.told("finance"))
    platform.pass_by(hours=2)
    platform.tick()
    assert len(post.told("finance")) == before  # the person's word counts, not the hour of the severity
    for _ in range(2):
        platform.pass_by(minutes=60)
        platform.tick()
    late = [entry for entry in platform.store.get(one).timeline if entry.data.get("deadline") == "update"]
    assert [entry.why for entry in late] == [
        "grace had promised an update by 2026-02-01 15:00 UTC, and there was none."
    ]
    assert any("update overdue" in message["title"] for message in post.told("anna"))
    assert len(post.told("finance")) == before + 2  # how it stands, at once and an hour later


@pytest.mark.parametrize(
    ("hours", "said", "error"), [(0, "x", "within 7 days"), (200, "x", "within 7 days"), (1, " ", "empty")]
)
def test_an_update_that_is_none_is_refused(routed: Callable[..., Routed], hours: int, said: str, error: str) -> None:
    """Neither for ever nor in the past, and never without a word."""
    platform = routed()
    one = platform.open()
    with pytest.raises(UsageError, match=error):
        give_update(platform.store, one, said, platform.now + timedelta(hours=hours), platform.now, "grace")
    platform.move(one, State.RESOLVED)
    with pytest.raises(UsageError, match="have the all-clear"):
        give_update(platform.store, one, "x", platform.now + timedelta(hours=1), platform.now, "grace")

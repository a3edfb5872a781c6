"""Who is on call: by shifts, by a calendar that a real server gives out, and what happens when it does not."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reliability_platform.alerts.routing.declared import Routing
from reliability_platform.alerts.routing.rotation import OnCall, gaps, on_call, turns_between
from reliability_platform.settings import Settings, load_settings

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//duty//EN
BEGIN:VEVENT
UID:one
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Zurich:20260302T080000
DTEND;TZID=Europe/Zurich:20260309T080000
RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=10
SUMMARY:On call: Anna Muster
END:VEVENT
BEGIN:VEVENT
UID:two
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260310
DTEND;VALUE=DATE:20260313
SUMMARY:Duty
ATTENDEE;CN=B. Beispiel:mailto:Bob@example.com
END:VEVENT
BEGIN:VEVENT
UID:three
DTSTAMP:20260101T000000Z
DTSTART:20260314T000000Z
DTEND:20260315T000000Z
SUMMARY:Somebody else <b>
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


class CalendarServer:
    """A server that gives out whatever the test says."""

    def __init__(self) -> None:
        self.body, self.status, self.asked = CALENDAR, 200, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(outer.body.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/s3cr3t.ics"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def calendar() -> Iterator[CalendarServer]:
    one = CalendarServer()
    yield one
    one.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "home").model_copy(update={"routing_file": tmp_path / "routing.yml"})


def routing_with(**rotation: object) -> Routing:
    return Routing.model_validate(
        {
            "recipients": {
                "anna": {"channels": ["env:ANNA"], "known_as": ["Anna Muster"]},
                "bob": {"channels": ["env:BOB"], "known_as": ["bob@example.com"]},
                "team": {"channels": ["env:TEAM"]},
            },
            "rotations": {"duty": {"zone": "Europe/Zurich", "otherwise": ["team"], **rotation}},
            "routes": [{"name": "all", "tell": ["duty"]}],
            "otherwise": ["team"],
        }
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.fixture
def asked(settings: Settings) -> Callable[[Routing, str], OnCall]:
    return lambda routing, moment: on_call(settings, routing, "duty", at(moment))


def test_a_calendar_says_who_is_on_call(calendar: CalendarServer, asked: Callable[[Routing, str], OnCall]) -> None:
    """Repetitions, whole days of the zone, names in titles and addresses of attendees."""
    routing = routing_with(calendar=calendar.url)
    assert asked(routing, "2026-03-02T06:59:59").is_gap
    assert asked(routing, "2026-03-02T07:00:00").recipients == ("anna",)
    assert asked(routing, "2026-03-30T06:30:00").recipients == ("anna",)  # 08:30: summer time has begun
    assert asked(routing, "2026-03-09T22:59:59").is_gap
    assert asked(routing, "2026-03-09T23:00:00").recipients == ("bob",)
    assert asked(routing, "2026-03-12T22:59:59").recipients == ("bob",)
    stranger = asked(routing, "2026-03-14T12:00:00")
    assert stranger.is_gap and stranger.why == "duty names Somebody else <b>, who is no recipient: team instead"


def test_a_server_is_asked_now_and_then_and_its_last_good_answer_counts_while_it_is_dead(
    calendar: CalendarServer, asked: Callable[[Routing, str], OnCall], settings: Settings
) -> None:
    """The calendar's server is down exactly in the night in which everything is."""
    routing = routing_with(calendar=calendar.url)
    assert asked(routing, "2026-03-03T12:00:00").trouble == ""
    asked(routing, "2026-03-03T12:14:00")
    assert calendar.asked == 1
    for body, status, words in (
        (CALENDAR, 500, "its server answered with HTTP status 500"),
        ("<html>Sign in</html>", 200, "is no calendar"),
        (
            CALENDAR.replace("WEEKLY;INTERVAL=2;COUNT=10", "SECONDLY"),
            200,
            "has events that repeat more than once an hour",
        ),
        ("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", 200, "is a calendar without any event"),
        (CALENDAR.replace("RRULE:", "RRULE:garbage\r\nRRULE:"), 200, "cannot be unfolded"),
        (
            CALENDAR.replace("20260302T080000", "19010302T080000").replace("WEEKLY;INTERVAL=2;COUNT=10", "HOURLY"),
            200,
            "and 50,000 are allowed",
        ),
        (CALENDAR + "X" * 500_000, 200, "it is longer than 500,000 bytes"),
    ):
        calendar.body, calendar.status = body, status
        moment = at("2026-03-03T12:00:00") + timedelta(minutes=16 * calendar.asked)
        found = on_call(settings, routing, "duty", moment)
        assert found.recipients == ("anna",) and not found.is_gap
        assert words in found.trouble and found.trouble.endswith("its last good copy is of 2026-03-03 12:00 UTC")
        assert "s3cr3t" not in found.why
    calendar.close()
    found = asked(routing, "2026-03-04T12:00:00")
    assert found.recipients == ("anna",) and "could not be reached" in found.trouble


def test_a_calendar_that_was_never_read_is_a_gap_with_its_reason(
    asked: Callable[[Routing, str], OnCall], tmp_path: Path
) -> None:
    """Nothing is lost where the address is wrong from the beginning."""
    found = asked(routing_with(calendar="http://127.0.0.1:9/x.ics"), "2026-03-03T12:00:00")
    assert found.is_gap and found.recipients == ("team",) and "could not be reached" in found.why
    found = asked(routing_with(calendar="env:NO_SUCH_CALENDAR"), "2026-03-03T12:00:00")
    assert found.is_gap and "the environment variable NO_SUCH_CALENDAR" in found.why
    found = asked(routing_with(calendar="duty.ics"), "2026-03-03T12:00:00")
    assert found.is_gap and "its file duty.ics cannot be read" in found.why
    (tmp_path / "duty.ics").write_bytes(CALENDAR.encode())
    assert asked(routing_with(calendar="duty.ics"), "2026-03-03T12:00:00").recipients == ("anna",)


def test_shifts_count_in_the_zone_of_the_rotation_and_gaps_are_named(settings: Settings) -> None:
    """Eight o'clock in Zurich; the night between two shifts is nobody's."""
    routing = routing_with(
        shifts=[
            {"recipient": "bob", "from": "2026-03-03T20:00", "until": "2026-03-04T08:00"},
            {"recipient": "anna", "from": "2026-03-02T08:00", "until": "2026-03-03T08:00"},
        ]
    )
    assert on_call(settings, routing, "duty", at("2026-03-02T07:00:00")).recipients == ("anna",)
    assert on_call(settings, routing, "duty", at("2026-03-03T07:00:00")).is_gap
    begin, end = datetime(2026, 3, 2, 7, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    found = turns_between(settings, routing, "duty", begin, end, begin)
    assert gaps(found, begin, end) == [
        (at("2026-03-03T07:00:00"), at("2026-03-03T19:00:00")),
        (at("2026-03-04T07:00:00"), at("2026-03-05T00:00:00")),
    ]

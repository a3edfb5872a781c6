"""The dashboard: every page answers its question from the read layer, escapes what it shows, and loads nothing from elsewhere."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from reliability_platform.checks.holds import Holds
from reliability_platform.clock import utc_now
from reliability_platform.contracts import SOURCES
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import quarantine_counts, requested_runs
from reliability_platform.pauses import Pauses
from reliability_platform.service.access.roles import Role, may
from reliability_platform.service.access.tokens import ApiTokens
from reliability_platform.service.api.access import Caller, Ground
from reliability_platform.service.api.app import create_app
from reliability_platform.service.dashboard.acts import ACTS, SentForm
from reliability_platform.service.dashboard.charts import LEAST_DAYS, bars, line
from reliability_platform.service.dashboard.markdown import as_html
from reliability_platform.service.dashboard.page import DashboardPage, PageRequest
from reliability_platform.service.dashboard.pages import PAGES
from reliability_platform.service.dashboard.rendering import SECURITY_POLICY, _environment
from reliability_platform.service.launching import worker
from reliability_platform.service.launching.kinds import KINDS
from reliability_platform.service.launching.requests import RequestState, RunRequests
from reliability_platform.settings import Settings, load_settings
from tests.ground import Platform, day
from tests.unit.asked_of import lived_with_troubles

HOSTILE = "<img src=x onerror=alert(1)>"
BUILDING = (
    "import sys; from pathlib import Path; from reliability_platform.settings import load_settings;"
    "from reliability_platform.warehouse.lease import warehouse_lease\n"
    "with warehouse_lease(load_settings(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
)
TRIED = "00000000-0000-4000-8000-000000000000"
OF_ONE = {"incident": "INC-0001", "failure_class": "null_spike", "source": "orders", "request": TRIED}
"""What stands in the addresses of pages about one thing."""


def client_of(settings: Settings, *, tokens_needed: bool = False) -> TestClient:
    """A browser that goes to the dashboard of a home."""
    app = create_app(settings, tokens_needed=tokens_needed, at_the_machine="ada", faults=(), hosts=["testserver"])
    return TestClient(app)


@pytest.fixture(scope="module")
def home(lived: Callable[[Path], Platform], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Two clean days and troubles, one of them with a hostile reason; nothing here changes it. All the while another process
    has the writers' lease, for which nobody here would wait.
    """
    made = lived_with_troubles(lived, tmp_path_factory.mktemp("dashboard") / "home")
    row = {"landing_date": day(2), "source": "orders", "state": "quarantined", "rows": 1}
    with made.engine.begin() as connection:
        connection.execute(insert(quarantine_counts), [row | {"batch_id": "orders-hostile", "reason": HOSTILE}])
        connection.execute(
            insert(requested_runs),
            [
                {"id": TRIED, "kind": "heal", "asked": '{"dry_run": true, "incident": "INC-0001"}', "asked_by": HOSTILE}
                | {"asked_at": utc_now(), "state": "done", "exit_code": 0, "message": HOSTILE, "result": '["<b>"]'}
            ],
        )
    IncidentStore(made.engine).append("INC-0001-null_spike-orders-2026-01-02", utc_now(), HOSTILE, "note", HOSTILE, {})
    made.settings = made.settings.model_copy(update={"lease_timeout_seconds": 0.01})
    with subprocess.Popen(
        [sys.executable, "-c", BUILDING, str(made.settings.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield made
        holder.communicate("")


class Seen(HTMLParser):
    """What a page holds: elements, and the addresses that they name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def of(self, *tags: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of these kinds."""
        return [attributes for tag, attributes in self.elements if tag in tags]

    def addresses(self) -> list[str]:
        """All that the page links to or loads."""
        named = ("href", "src", "action", "data", "poster", "srcset")
        return [str(value) for _, one in self.elements for name, value in one.items() if name in named]


def address(page: DashboardPage) -> str:
    """Where a page is found."""
    return f"/ui/{page.path.format(**OF_ONE)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.template)
def test_a_page_answers_its_question(home: Platform, page: DashboardPage) -> None:
    answer = client_of(home.settings).get(address(page))
    assert answer.status_code == 200, answer.text
    path = {name: OF_ONE[name] for name in re.findall(r"\{(\w+)\}", page.path)}
    sentence = page.view(PageRequest(home.settings, home.engine, utc_now(), {}, path)).sentence
    seen = Seen(answer.text)
    assert _environment().from_string("{{ it }}").render(it=sentence) in answer.text
    assert page.question in answer.text
    assert len(seen.of("h1")) == len(seen.of("main")) == 1
    assert all(one.get("scope") in ("col", "row") for one in seen.of("th"))
    assert seen.of("a")[0] == {"class": "skip", "href": "#main"}
    current = [one for one in seen.of("a") if one.get("aria-current") == "page"]
    assert [one["href"] for one in current] == (
        [] if page.template == "request" else [f"/ui/{page.path.split('/')[0]}"]
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.template)
def test_a_page_shows_hostile_text_as_text_and_asks_nobody_else(home: Platform, page: DashboardPage) -> None:
    """A reason or a note comes from a delivery or from somebody else; a picture's address could tell who looks."""
    answer = client_of(home.settings).get(address(page))
    seen = Seen(answer.text)
    assert HOSTILE not in answer.text
    assert not seen.of("img", "iframe", "object", "embed", "style")
    assert not [name for _, one in seen.elements for name in one if name.startswith("on") or name == "style"]
    known = ("/ui", "#", "data:,", f"{home.settings.ui_url}/assets/incident?")
    assert all(one.startswith(known) for one in seen.addresses()), seen.addresses()
    assert answer.headers["content-security-policy"] == SECURITY_POLICY
    assert "http" not in SECURITY_POLICY
    assert "unsafe" not in SECURITY_POLICY


@pytest.mark.parametrize("page", [one for one in PAGES if "{" not in one.path], ids=lambda page: page.template)
def test_an_empty_home_says_what_would_be_here(tmp_path_factory: pytest.TempPathFactory, page: DashboardPage) -> None:
    answer = client_of(load_settings(tmp_path_factory.getbasetemp() / "nothing")).get(address(page))
    assert answer.status_code == 200, answer.text
    if page.template not in WITHOUT_A_HOME:
        assert 'class="empty"' in answer.text
        assert "<code>reliability " in answer.text


WITHOUT_A_HOME = ("contracts", "runbooks", "dag")
"""These show what is declared, which is there before anything was run."""


def test_what_a_page_shows_is_what_the_home_holds(home: Platform) -> None:
    client = client_of(home.settings)
    assert "2 incidents are open" in client.get("/ui/").text
    listed = client.get("/ui/incidents?source=orders").text
    assert "INC-0001" in listed
    assert "INC-0002" not in listed
    assert "Runs that ended well" in (levels := client.get("/ui/sla").text) and "99.5 % promised" in levels
    one = client.get("/ui/incidents/INC-0001").text
    assert "reliability incidents ack INC-0001" in one or "reliability heal --incident INC-0001" in one
    assert "&lt;img src=x onerror=alert(1)&gt;" in one


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ui/nothing", 404),
        ("/ui/incidents/INC-9999", 404),
        ("/ui/incidents/%3Cscript%3E", 404),
        ("/ui/incidents?offset=x", 422),
        ("/ui/incidents?offset=-1", 422),
        ("/ui/incidents?offset=" + "9" * 5000, 422),
        ("/ui/incidents?offset=5000", 422),
        ("/ui/impact?offset=5000", 422),
        ("/ui/quarantine?offset=5000", 422),
        ("/ui/incidents?severity=P9", 422),
        ("/ui/static/../app.py", 404),
        ("/ui/static/%2e%2e/app.py", 404),
    ],
)
def test_what_does_not_exist_is_a_page_that_says_so(home: Platform, path: str, status: int) -> None:
    answer = client_of(home.settings).get(path)
    assert answer.status_code == status
    assert "<script>" not in answer.text
    assert answer.headers["content-security-policy"] == SECURITY_POLICY


def test_the_table_of_pages_is_whole() -> None:
    """A path or a template that two pages share, or a question that is none."""
    assert len({page.path for page in PAGES}) == len({page.template for page in PAGES}) == len(PAGES)
    assert all(page.question.endswith("?") for page in PAGES)
    assert set(CLASSES) >= {OF_ONE["failure_class"]}
    assert OF_ONE["source"] in SOURCES


def test_a_document_holds_no_html_link_or_picture() -> None:
    made = as_html(f"# Title\n\n{HOSTILE} [a](http://x.example) ![b](http://x.example/y.png)\n\n| a |\n|---|\n| b |\n")
    assert not Seen(made).of("a", "img", "script", "h1")
    assert "&lt;img" in made
    assert Seen(made).of("th") == [{"scope": "col"}]


def test_the_first_address_leads_to_the_dashboard(home: Platform) -> None:
    client = client_of(home.settings)
    for path in ("/", "/ui"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "/ui/")


def test_nobody_looks_without_a_token_where_one_is_needed(tmp_path: Path) -> None:
    """A dashboard that is open beside an API that is not would make the tokens worthless."""
    settings = load_settings(tmp_path / "home")
    token = ApiTokens(operations_engine(settings)).make("wall", Role.VIEWER, "ada", utc_now())
    client = client_of(settings, tokens_needed=True)
    for page in PAGES:
        answer = client.get(address(page), follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/sign-in")
    form = Seen(client.get("/ui/sign-in").text).of("input")[0]
    assert client.post("/ui/sign-in", data={"token": token}).status_code == 401, "not from our own page"
    said = {"form_token": str(form["value"])}
    assert client.post("/ui/sign-in", data=said | {"token": "rel_wrong"}).status_code == 401
    signed_in = client.post("/ui/sign-in", data=said | {"token": token}, follow_redirects=False)
    cookie = signed_in.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/ui/").status_code == 200
    out = Seen(client.get("/ui/").text).of("input")[0]
    assert client.post("/ui/sign-out", data=said, follow_redirects=False).status_code == 403
    client.post("/ui/sign-out", data={"form_token": str(out["value"])}, follow_redirects=False)
    assert client.get("/ui/", follow_redirects=False).status_code == 303
    assert client.get("/ui/", headers={"host": "rebound.example"}).status_code == 403


@pytest.fixture
def acted_on(lived: Callable[[Path], Platform], tmp_path: Path) -> Platform:
    """A home that acts may change."""
    return lived_with_troubles(lived, tmp_path / "home")


def test_a_responder_acts_from_the_page_of_an_incident(acted_on: Platform) -> None:
    """By the functions of the command line, with his name on the timeline, and by no form of another page."""
    client, store = client_of(acted_on.settings), IncidentStore(acted_on.engine)
    page = client.get("/ui/incidents/INC-0001").text
    said = {"form_token": next(str(one["value"]) for one in Seen(page).of("input") if one.get("name") == "form_token")}
    where = f"/ui/incidents/{store.get('INC-0001').id}"
    assert client.post(f"{where}/note", data={"why": "forged"}).status_code == 403
    assert client.post(f"{where}/note", data=said).status_code == 422, "without a reason"
    assert client.post(f"{where}/note", data=said | {"why": HOSTILE}).status_code == 200
    assert client.post(f"{where}/update", data=said | {"say": "x", "next_hours": "soon"}).status_code == 422
    assert "at noon" in client.post(f"{where}/update", data=said | {"say": "at noon", "next_hours": "2"}).text
    assert client.post(f"{where}/hold", data=said | {"why": "asked the owner"}).status_code == 200
    assert [one.source for one in Holds(acted_on.engine).standing().values()] == ["orders"]
    ended = client.post(f"{where}/false-alarm", data=said | {"why": "a test of ours"})
    assert "It is over (false alarm)" in ended.text
    assert HOSTILE not in ended.text
    assert client.post(f"{where}/false-alarm", data=said | {"why": "again"}).status_code == 409
    timeline = store.get("INC-0001").timeline
    assert [one.why for one in timeline if one.actor == "ada"][-1] == "a test of ours"


def test_a_source_and_a_table_are_paused_from_their_pages_and_go_on(acted_on: Platform) -> None:
    """By the functions of the command line; who, since when and why stands where the button was."""
    client, paused = client_of(acted_on.settings), Pauses(acted_on.engine)
    for page, kind, name in (("contracts", "source", "orders"), ("dag", "table", "agg_daily_revenue")):
        shown = client.get(f"/ui/{page}").text
        said = {"form_token": str(next(one["value"] for one in Seen(shown).of("input") if one["name"] == "form_token"))}
        assert f'action="/ui/pause/{kind}/{name}"' in shown
        assert client.post(f"/ui/pause/{kind}/{name}", data=said).status_code == 422, "without a reason"
        assert client.post(f"/ui/pause/{kind}/nothing", data=said | {"why": "x"}).status_code == 422
        shown = client.post(f"/ui/pause/{kind}/{name}", data=said | {"why": HOSTILE}).text
        assert [one for _, one in paused.standing(utc_now())] == [name]
        assert "Paused by ada since" in shown
        assert HOSTILE not in shown
        shown = client.post(f"/ui/resume/{kind}/{name}", data=said | {"why": "mended"}).text
        assert f'action="/ui/pause/{kind}/{name}"' in shown
        assert not paused.standing(utc_now())


def test_what_is_at_work_is_stopped_from_its_page(acted_on: Platform) -> None:
    client, requests = client_of(acted_on.settings), RunRequests(acted_on.settings, acted_on.engine)
    with requests.asked("heal", {}, "ada", None, utc_now()) as (request, _, _):
        page = client.get(f"/ui/requests/{request.id}").text
        said = {"form_token": str(next(one["value"] for one in Seen(page).of("input") if one["name"] == "form_token"))}
        stopped = client.post(f"/ui/requests/{request.id}/stop", data=said | {"why": "not now"})
        assert stopped.status_code == 200
        assert requests.stopped_by(request.id) == "ada: not now"
        requests.end(request.id, RequestState.STOPPED, utc_now(), 143, None, "Stopped by ada: not now")
    assert "was stopped" in client.get(f"/ui/requests/{request.id}").text
    assert client.post(f"/ui/requests/{request.id}/stop", data=said | {"why": "again"}).status_code == 409


def test_a_form_that_is_not_filled_in_well_says_what_is_wrong_in_words(acted_on: Platform) -> None:
    client = client_of(acted_on.settings)
    page = client.get("/ui/incidents/INC-0001").text
    said = {"form_token": next(str(one["value"]) for one in Seen(page).of("input") if one.get("name") == "form_token")}
    for why, told in (("  ", "why: it is empty: say it in a few words."), ("a\0b", "why: it holds control characters")):
        answer = client.post("/ui/incidents/INC-0001/note", data=said | {"why": why})
        assert answer.status_code == 422
        assert told in answer.text


def test_whoever_sees_something_wrong_reports_it_from_any_page(acted_on: Platform) -> None:
    """The form is filled in with what the page shows; pressed twice, it is one report."""
    client = client_of(acted_on.settings)

    def filled(path: str) -> dict[str, str]:
        page = client.get(path).text
        form = page[page.index('action="/ui/report"') :]
        selected = re.findall(r"<option selected>(\w+)", form)
        inputs = [one for one in Seen(form).of("input") if one.get("name")]
        return {str(one["name"]): str(one["value"]) for one in inputs} | {"dataset": "".join(selected)}

    assert [filled("/ui/profiles?source=orders")[name] for name in ("dataset", "from")] == ["orders", "2026-01-03"]
    said = filled("/ui/incidents/INC-0001")
    incident = IncidentStore(acted_on.engine).get("INC-0001")
    assert (said["dataset"], said["from"]) == (incident.source, incident.partitions[0].isoformat())
    assert client.post("/ui/report", data=said | {"words": " "}).status_code == 422
    for _ in range(2):
        page = client.post("/ui/report", data=said | {"words": "<b>none</b> of it"})
        assert page.status_code == 200
        assert "&lt;b&gt;none&lt;/b&gt; of it" in page.text
    [one] = [one for one in IncidentStore(acted_on.engine).open() if one.failure_class == "reported_by_people"]
    assert len(one.signals) == 1


def test_the_cookie_goes_by_tls_alone_where_a_proxy_speaks_it(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home").model_copy(update={"api_url": "https://data.example.com"})
    token = ApiTokens(operations_engine(settings)).make("wall", Role.VIEWER, "ada", utc_now())
    client = client_of(settings)
    for host, secure in (("data.example.com", True), ("127.0.0.1", False)):
        form = Seen(client.get("/ui/sign-in", headers={"host": host}).text).of("input")[0]
        sent = {"form_token": str(form["value"]), "token": token}
        answer = client.post("/ui/sign-in", data=sent, headers={"host": host}, follow_redirects=False)
        assert ("; secure" in answer.headers["set-cookie"].lower()) is secure
        client.cookies.clear()


def test_who_may_not_is_shown_no_form_and_refused(acted_on: Platform) -> None:
    token = ApiTokens(acted_on.engine).make("wall", Role.VIEWER, "ada", utc_now())
    client = client_of(acted_on.settings)
    form = Seen(client.get("/ui/sign-in").text).of("input")[0]
    client.post("/ui/sign-in", data={"form_token": str(form["value"]), "token": token})
    page = client.get("/ui/incidents/INC-0001").text
    assert "/acknowledge" not in page
    assert "/false-alarm" not in page
    said = {"form_token": next(str(one["value"]) for one in Seen(page).of("input") if one.get("name") == "form_token")}
    before = len(IncidentStore(acted_on.engine).get("INC-0001").timeline)
    for act in ACTS:
        if may(Role.VIEWER, act.act):
            continue
        path = act.path.format(incident="INC-0001", request=TRIED, kind="source", name="orders")
        assert client.post(f"/ui/{path}", data=said | {"why": "I may not"}).status_code == 403
    assert len(IncidentStore(acted_on.engine).get("INC-0001").timeline) == before


def test_two_who_press_the_same_button_do_it_once(acted_on: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them had a key of their own, and the source was asked twice."""
    started: list[str] = []
    monkeypatch.setattr(worker, "start", lambda _settings, _lock, request: started.append(request.id))
    requests = RunRequests(acted_on.settings, acted_on.engine)
    tried, _ = requests.ask("heal", {"incident": "INC-0001", "dry_run": True}, "ada", None, utc_now())
    requests.end(tried.id, RequestState.DONE, utc_now(), 0, None, "It would ask the source again.")
    shown = set()
    for name in ("ada", "grace"):
        ground = Ground(acted_on.settings, acted_on.engine, False, name, ())
        form = SentForm(ground, Caller(name, Role.OPERATOR), utc_now(), {"request": tried.id}, {})
        [carry_out] = [one for one in ACTS if one.path.endswith("carry-out")]
        shown.add(carry_out.do(form))
    assert len(shown) == len(started) == 1


def test_an_incident_shows_what_its_checks_measured_over_the_past_and_some_rows(home: Platform) -> None:
    """Whoever was called had to open the runbook for the number, and a terminal for its past."""
    body = client_of(home.settings).get("/ui/incidents/INC-0001").text
    assert '<path class="dot alarm"' in body
    assert "as the incident found it" in body
    assert "/assets/incident?view=partitions&amp;partition=INC-0001-null_spike-orders-2026-01-02" in body
    assert "Some rows that stg_orders__missing_customer_id objects to, masked" in body


def test_one_day_is_no_wall() -> None:
    """The chart of a home of one landing day was one bar from edge to edge."""
    found = bars("Incidents", "", [day(1)], {"P1": {day(1): 2}}, {"P1": "P1"})
    assert found is not None
    assert found.width == LEAST_DAYS
    assert found.below == (day(1).isoformat(),)


def test_a_young_source_shows_its_rows_and_from_when_on_it_is_measured(home: Platform) -> None:
    """Of eight landing days the page said that nothing had been measured, and not why."""
    body = client_of(home.settings).get("/ui/profiles?source=orders").text
    assert "orders is young: 2 landing days" in body
    assert "measured from its landing day number 15 on" in body
    assert "orders, accepted rows" in body


def test_a_line_of_what_cannot_be_negative_has_no_room_below_nothing() -> None:
    chart = line("share", "share by day", {day(1): 0.0, day(2): 0.9})
    assert chart is not None
    assert float(chart.bottom) == 0
    below = line("level", "level by day", {day(1): -1.0, day(2): 0.9})
    assert below is not None
    assert float(below.bottom) < -1


def test_long_work_is_done_only_after_it_was_tried_without_effect(acted_on: Platform) -> None:
    client, requests = client_of(acted_on.settings), RunRequests(acted_on.settings, acted_on.engine)
    page = client.get("/ui/").text + client.get("/ui/incidents/INC-0001").text
    said = {"form_token": next(str(one["value"]) for one in Seen(page).of("input") if one.get("name") == "form_token")}
    untried, _ = requests.ask("heal", {"incident": "INC-0001"}, "ada", None, utc_now())
    requests.end(untried.id, RequestState.DONE, utc_now(), 0, None, "")
    assert client.post(f"/ui/requests/{untried.id}/carry-out", data=said).status_code == 409
    assert client.post("/ui/requests/none/carry-out", data=said).status_code == 409
    assert "carry-out" not in client.get(f"/ui/requests/{untried.id}").text
    tried, _ = requests.ask("heal", {"incident": "INC-0001", "dry_run": True}, "ada", None, utc_now())
    requests.end(tried.id, RequestState.DONE, utc_now(), 0, None, "It would ask the source again.")
    assert "carry-out" in client.get(f"/ui/requests/{tried.id}").text
    backfill, _ = requests.ask("run-backfill", {"dry_run": True, "approve": False}, "ada", None, utc_now())
    requests.end(backfill.id, RequestState.DONE, utc_now(), 0, '{"tables": ["a"]}', "")
    shown = client.get(f"/ui/requests/{backfill.id}").text
    assert "carry-out" not in shown, "a button that would be refused"
    assert "\n  &#34;tables&#34;: [" in shown
    assert "approve" not in shown
    for kind in KINDS:
        asked, _ = requests.ask(
            kind, {"source": "orders", "date": "2026-01-02", "dry_run": True}, "ada", None, utc_now()
        )
        assert " was lost: " in client.get(f"/ui/requests/{asked.id}").text, kind

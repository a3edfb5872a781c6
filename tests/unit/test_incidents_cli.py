"""What people type about incidents, through the real command line on a real store."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.clock import utc_now
from reliability_platform.errors import ExitCode
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.documents.render import WIDTH
from reliability_platform.incidents.impact import reach
from reliability_platform.incidents.overview import overview, screen
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.operations.tables import row_counts
from reliability_platform.remediation import documents
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from tests.unit.failing import NOW, Numbers, day, later, result

SCREEN_LINES = 44
SCREEN_COLUMNS = 110
HOSTILE = "[red]x[/red] \x1b[31m `rm` {{ x }}\nsecond line"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two open incidents."""
    engine = operations_engine(load_settings(tmp_path))
    checks = CheckStore(engine)
    checks.record([result("bronze_shipments__batch_completeness", 5), result("stg_payments__missing_customer_id", 9)])
    observe(engine, checks.after(0, 100), NOW)
    return tmp_path


def reliability(capsys: pytest.CaptureFixture[str], *words: str, home: Path) -> str:
    """What the command prints; it must succeed."""
    main([*words, "--home", str(home)])
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str, home: Path) -> str:
    """What the command says instead of doing something wrong."""
    with pytest.raises(SystemExit) as stop:
        main([*words, "--home", str(home)])
    assert stop.value.code not in (0, None)
    return capsys.readouterr().err


def listed(capsys: pytest.CaptureFixture[str], home: Path, *filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(reliability(capsys, "incidents", "list", "--json", *filters, home=home))
    return found


def test_who_looks_at_an_incident_does_not_wait_for_a_run(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run had the warehouse for five minutes, and nobody could see what was wrong until it had ended."""
    monkeypatch.setattr(documents, "LOOK_SECONDS", 0.1)
    lease = load_settings(home).lease
    audited = {"landing_date": day(5), "source": "shipments"}
    became = [{"disposition": "accepted", "rows": 9}, {"disposition": "quarantined", "rows": 3}]
    with operations_engine(load_settings(home)).begin() as connection:
        connection.execute(insert(row_counts), [audited | one for one in became])
    taken = "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_EX); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", taken, str(lease)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        for words in (["show"], ["runbook"], ["message"], ["postmortem"]):
            assert "INC-0001" in reliability(capsys, "incidents", *words, "INC-0001", home=home)
        shown = reliability(capsys, "incidents", "show", "INC-0001", home=home)
        assert "12 rows delivered on these days, 3 of them kept back, 0 files refused" in shown
        other.kill()


def test_an_incident_from_the_alarm_to_its_end(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """Each step by the command that the screen names."""
    shown = reliability(capsys, "incidents", "show", "INC-0001", home=home)
    assert "reliability incidents ack INC-0001" in shown
    said = reliability(capsys, "incidents", "ack", "INC-0001", home=home)
    assert "is acknowledged, assigned to" in said
    reliability(capsys, "incidents", "assign", "INC-0001", "--to", "Grace", home=home)
    reliability(capsys, "incidents", "note", "INC-0001", "--why", HOSTILE, home=home)
    told = reliability(capsys, "incidents", "timeline", "INC-0001", home=home)
    assert "\x1b" not in told
    assert "[red]x[/red]" in told
    assert max(map(len, told.splitlines())) <= WIDTH, "in a pipe it was 350 columns wide"
    assert "\x1b" not in reliability(capsys, "incidents", "show", "INC-0001", home=home)
    assert [one["id"][:8] for one in listed(capsys, home, "--assignee", "Grace")] == ["INC-0001"]
    reliability(capsys, "incidents", "resolve", "INC-0001", "--why", "the producer sent them", home=home)
    reliability(
        capsys,
        "incidents",
        "actions",
        "INC-0001",
        "--add",
        "Alert earlier",
        "--owner",
        "us",
        "--due",
        "2999-01-01",
        home=home,
    )
    assert "action items to do" in refused(capsys, "incidents", "close", "INC-0001", home=home)
    (item,) = json.loads(reliability(capsys, "incidents", "actions", "--json", home=home))
    assert (item["number"], item["owner"], item["overdue"]) == (1, "us", False)
    assert "Alert earlier" in reliability(capsys, "incidents", "actions", home=home)
    reliability(capsys, "incidents", "actions", "INC-0001", "--done", "1", home=home)
    assert "Nothing is left" in reliability(capsys, "incidents", "actions", home=home)
    assert "is closed" in reliability(capsys, "incidents", "close", "INC-0001", home=home)
    assert "is reopened" in reliability(capsys, "incidents", "reopen", "INC-0001", "--why", "not over", home=home)
    assert "is false alarm" in reliability(capsys, "incidents", "false-alarm", "INC-0002", "--why", "a test", home=home)
    assert "entries are whole" in reliability(capsys, "incidents", "audit", home=home)


def test_filters_find_what_they_say(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """Ten thousand incidents are no list."""
    assert len(listed(capsys, home, "--open")) == 2
    assert [one["source"] for one in listed(capsys, home, "--source", "payments")] == ["payments"]
    assert [one["failure_class"] for one in listed(capsys, home, "--class", "missing_data")] == ["missing_data"]
    assert [one["severity"] for one in listed(capsys, home, "--severity", "p1")] == ["P1"]
    assert [one["source"] for one in listed(capsys, home, "--day", "2026-01-09")] == ["payments"]
    assert listed(capsys, home, "--state", "closed") == []
    assert listed(capsys, home, "--since", "2026-02-02") == []
    assert len(listed(capsys, home, "--since", "2026-02-01")) == 2
    document = listed(capsys, home)[0]
    assert document["type"] == "pipeline failure"
    assert document["overdue"], "nobody has answered for months"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("incidents", "ack", "INC-0009"), "There is no incident"),
        (("incidents", "close", "INC-0001"), "cannot become closed"),
        (("incidents", "note", "INC-0001", "--why", " "), "The reason is empty"),
        (("incidents", "list", "--state", "asleep"), "is not one of"),
        (("incidents", "actions", "--done", "1"), "INC-0003 --done 1"),
        (("incidents", "actions", "INC-0001", "--add", "x"), "--owner and --due"),
        (("incidents", "actions", "INC-0001", "--add", "x", "--owner", "y", "--due", "2020-01-01"), "is over"),
        (("incidents", "actions", "INC-0001", "--done", "3"), "no action item 3"),
        (("incidents", "actions", "--owner", "y"), "--owner goes with --add"),
        (("incidents", "actions", "INC-0001", "--due", "tomorrow"), "--due goes with --add"),
        (("incidents", "actions", "INC-0001", "--why", "done long ago"), "--why goes with --done"),
        (("incidents", "audit", "--noted", "feed"), "'feed' is not a hash"),
    ],
)
def test_a_slip_gets_a_sentence_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], home: Path, words: tuple[str, ...], expected: str
) -> None:
    """At three in the morning fingers slip."""
    store = IncidentStore(operations_engine(load_settings(home)))
    before = store.last_position()
    assert expected in refused(capsys, *words, home=home)
    assert store.last_position() == before


def test_a_chain_that_lacks_a_noted_hash_is_a_finding_and_no_wrong_request(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    """An edited timeline ended with the exit code of a typing error: whoever scripts the audit must tell the two apart."""
    noted = "feed" * 16
    assert main(["incidents", "audit", "--noted", noted, "--home", str(home)]) == ExitCode.NOT_HEALED
    assert f"has no entry with the hash {noted}" in capsys.readouterr().err


@pytest.mark.parametrize("failure_class", CLASSES)
def test_one_screen_says_it_all_in_its_order(tmp_path: Path, failure_class: str) -> None:
    """Whoever was just woken up does not scroll."""
    ensure_manifest()
    engine = operations_engine(load_settings(tmp_path))
    names = [name for name, spec in CHECKS.items() if spec.failure_class == failure_class][:6] or [
        "stg_orders__row_count"
    ]
    observe(engine, Numbers()(*(result(name, one, detail=HOSTILE * 9) for name in names for one in (5, 6, 7))), NOW)
    incident = IncidentStore(engine).all()[0]
    policy = read_policy(Settings().response_policy)
    blocks = overview(
        incident, reach(ensure_manifest(), incident.source), None, policy, later(999), HOSTILE * 20, tmp_path
    )
    lines = screen(blocks).splitlines()
    assert len(lines) <= SCREEN_LINES
    assert all(len(line) <= SCREEN_COLUMNS or line.startswith("    reliability") for line in lines)
    heads = [line for line in lines if line.startswith(("What", "Who", "Since", "Is it"))]
    assert heads == [
        "What is wrong", "Who is hit", "Since when", "Is it still going on", "What has been done", "What to do now",
    ]  # fmt: skip
    assert utc_now() > incident.detected_at


def test_an_advice_is_cut_between_its_sentences(tmp_path: Path) -> None:
    """`incidents show` ended its advice in the middle of a word, and what was left said something else."""
    ensure_manifest()
    engine = operations_engine(load_settings(tmp_path))
    observe(engine, Numbers()(result("stg_orders__row_count", 5)), NOW)
    [incident] = IncidentStore(engine).all()
    first = "Ask the owner of the source to deliver the batch again, and run its day when it has come, by hand or by itself."
    policy, found = read_policy(Settings().response_policy), reach(ensure_manifest(), incident.source)
    said = screen(overview(incident, found, None, policy, later(9), f"{first} Then {'verify ' * 30}it."))
    assert "by itself." in said
    assert "Then" not in said
    said = screen(overview(incident, found, None, policy, later(9), "verify " * 30))
    assert "verify …" in said

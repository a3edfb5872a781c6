"""A breach of personal data: the clock of the law runs from the detection on, whatever is healed; who looked is known."""

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from reliability_platform.alerts.message import MessageContext, breach_lines
from reliability_platform.audit_log import Changes, note_act
from reliability_platform.cli.main import cli
from reliability_platform.errors import UsageError
from reliability_platform.incidents.breach import affected_rows, breach_of, settle_report, unmasked_looks
from reliability_platform.incidents.deadlines import note_missed
from reliability_platform.incidents.documents.messages import internal
from reliability_platform.incidents.documents.render import text
from reliability_platform.incidents.documents.runbook import runbook
from reliability_platform.incidents.model import State
from reliability_platform.incidents.overview import overview, screen
from reliability_platform.incidents.response import breach_report_due, overdue, read_policy
from tests.unit.alerting import Ground
from tests.unit.documented import REACH, TERMS, situation
from tests.unit.failing import day


@pytest.fixture
def platform(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "home")


def test_the_clock_runs_on_when_it_is_healed_and_lateness_is_told_once(platform: Ground) -> None:
    """That clean rows have come makes no breach unread. A report in time, or a false alarm, is never late."""
    leak, false, done = (platform.open("P0", "pii_leak") for _ in range(3))
    other = platform.open("P0")
    platform.move(leak, State.ACKNOWLEDGED, State.RESOLVED)
    platform.move(false, State.FALSE_ALARM)
    settle_report(platform.store, done, platform.now, "Ada", "told the authority at noon", reported=True)
    due = platform.now + timedelta(hours=72)
    assert breach_report_due(platform.store.get(leak), TERMS) == due
    assert (
        breach_report_due(platform.store.get(false), TERMS)
        is breach_report_due(platform.store.get(other), TERMS)
        is None
    )
    note_missed(platform.settings, platform.engine, due - timedelta(minutes=1))
    assert "breach report" not in platform.store.get(leak).missed
    assert leak in note_missed(platform.settings, platform.engine, due + timedelta(minutes=1))
    note_missed(platform.settings, platform.engine, due + timedelta(minutes=2))
    late = {
        one: [entry.data["deadline"] for entry in platform.store.get(one).timeline if entry.kind == "deadline"].count("breach report")
        for one in (leak, false, done, other)
    }  # fmt: skip
    assert late == {leak: 1, false: 0, done: 0, other: 0}
    assert "breach report" not in overdue(platform.store.get(done), TERMS, due + timedelta(days=9))
    with pytest.raises(UsageError, match="is no breach"):
        settle_report(platform.store, other, platform.now, "Ada", "x", reported=False)


def test_another_law_has_another_term(tmp_path: Path, platform: Ground) -> None:
    """The terms are a file of the installation."""
    file = tmp_path / "terms.yml"
    file.write_text(
        "".join(f"P{n}: {{respond_within_hours: 1, notify: x, breach_report_within_hours: 24}}\n" for n in range(4))
    )
    incident = platform.store.get(platform.open("P0", "pii_leak"))
    assert breach_report_due(incident, read_policy(file)) == platform.now + timedelta(hours=24)


def test_who_looked_and_how_many_keys_are_said_and_no_key_is(platform: Ground) -> None:
    """Looks at other batches are counted apart, looks of before not at all; on the screen, in runbook, message and alert."""
    note_act(
        platform.engine,
        Changes.UNMASK,
        "the batch orders-20260101-01",
        "Eve",
        "before",
        platform.now - timedelta(days=60),
    )
    incident = platform.store.get(platform.open("P0", "pii_leak"))
    for batch, who in (("orders-20260101-02-a2", "Ada"), ("payments-20260101-01", "Bob")):
        note_act(
            platform.engine, Changes.UNMASK, f"the batch {batch}", who, "to see", platform.now + timedelta(hours=1)
        )
    looks = unmasked_looks(platform.engine, incident)
    assert [(one.who, one.is_of_incident) for one in looks] == [("Ada", True), ("Bob", False)]
    found = breach_of(platform.settings, platform.engine, incident)
    assert found is not None and found.affected is None, "there is no warehouse here"
    policy, about = read_policy(platform.settings.response_policy), situation(incident, breach=found)
    pages = {
        "screen": screen(overview(incident, REACH, None, policy, platform.now, "Wait.", breach=found)),
        "runbook": text(runbook(incident, about)),
        "message": text(internal(incident, about).blocks),
    }
    for name, said in pages.items():
        flat = " ".join(said.split())
        assert "Report it to the data protection authority by 2026-02-04 12:00" in flat, name
        assert "1 look at its rows unmasked, 1 look at other rows since." in flat, name
    assert "Ada" in pages["runbook"] and "Eve" not in pages["runbook"]
    context = MessageContext("http://localhost", policy, lambda _: ())
    assert "reported to the authority by 2026-02-04 12:00" in breach_lines(incident, context)[0]


def test_affected_keys_are_counted_also_where_clean_rows_have_replaced_them() -> None:
    """They were read before. Rows that are rejected for something else are nobody's leak."""
    with duckdb.connect() as connection:
        connection.execute(
            "create table qtn_rows as select * from (values ('orders', date '2026-01-05', '1', 'amount_missing,payload_personal_data'), "
            "('orders', date '2026-01-05', '1', 'payload_personal_data'), "
            "('orders', date '2026-01-05', '2', 'note_personal_data,payload_poisonous'), "
            "('orders', date '2026-01-05', '3', 'personal_data_missing,no_personal_data_violated'), "
            "('orders', date '2026-01-06', '4', 'payload_personal_data'), "
            "('payments', date '2026-01-05', '5', 'payload_personal_data')) t(source, landing_date, record_key, reject_reasons)"
        )
        assert vars(affected_rows(connection, "orders", [day(5)])) == {"rows": 3, "keys": 2}


def test_the_decision_is_recorded_on_the_timeline(platform: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks a year later finds who decided, when, and why; without the addresses that stood in it."""
    leak = platform.open("P0", "pii_leak")
    home = ["--home", str(platform.settings.home), "--json"]
    cli.main(
        ["incidents", "breach", leak, "--not-reportable", "only bob@example.com, encrypted", *home],
        standalone_mode=False,
    )
    shown = json.loads(capsys.readouterr().out)
    assert shown["decided_at"] is not None and shown["unmasked_looks"] == []
    entry = platform.store.get(leak).timeline[-1]
    assert entry.kind == "breach_report" and entry.data == {"reported": False} and "bob@" not in entry.why

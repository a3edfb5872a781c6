"""Incidents and situations for tests of documents: made by the real store, with hostile names where data could have any."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.documents.situation import Readers, Situation
from reliability_platform.incidents.impact import Exposure, Numbers, Reach
from reliability_platform.incidents.model import NOT_RECOVERED, OUTCOME, Incident, State
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.documents import remedy_of
from reliability_platform.settings import Settings, load_settings
from tests.unit import failing
from tests.unit.failing import NOW, later, passed, result

GOLDEN = Path(__file__).parent.parent / "golden"
HOSTILE = (
    "a|b `rm -rf ~` {{ config() }} <script>alert(1)</script> [x](javascript:1)\nnew line\x00\u202e https://evil.example"
)
TERMS = read_policy(Settings().response_policy)
REACH = Reach(
    tables=["stg_orders", "int_orders__deduplicated", "agg_daily_revenue", "fct_customer_days"],
    published=["agg_daily_revenue", "fct_customer_days"],
    exposures=[
        Exposure("finance_dashboard", "Finance Analytics", "finance-analytics@example.com", True),
        Exposure("operations_report", "Operations", "operations@example.com", False),
    ],
    columns={"agg_daily_revenue": ["event_date", "orders"], "fct_customer_days": ["event_date", "customer_id"]},
)
READS = {
    "finance_dashboard": ["agg_daily_payments", "agg_daily_revenue"],
    "operations_report": ["fct_customer_days"],
}
NUMBERS = Numbers(1000, 730, 0, 270, 0, 1, [failing.day(4), failing.day(5)], 20)


def compare(name: str, found: str) -> None:
    """Equal to the golden file, byte for byte."""
    golden = GOLDEN / name
    if not golden.exists():
        golden.write_text(found)
        pytest.fail(f"{name} was missing and has been written: read it and commit it")
    assert found == golden.read_text()


def situation(incident: Incident, minutes: int = 30, *, plan: str | None = None, **more: Any) -> Situation:
    """So many minutes after the tests begin; the policy's own remedy, the default terms."""
    facts = {"reach": REACH, "numbers": NUMBERS, "reads": READS, **more}
    return Situation(later(minutes), remedy=remedy_of(incident.failure_class, plan), terms=TERMS, **facts)


def opened(home: Path, *checks: str, number: int = 5, detail: str = "") -> Incident:
    """One incident of checks that failed on the n-th landing day."""
    engine = operations_engine(load_settings(home))
    found = [(one, result(check, number, detail=detail)) for one, check in enumerate(checks, start=1)]
    observe(engine, found, NOW)
    return IncidentStore(engine).all()[0]


def hostile(home: Path) -> Incident:
    """A renamed column whose producer chose its name with care, acted upon; one of its two checks has passed."""
    engine = operations_engine(load_settings(home))
    store = IncidentStore(engine)
    renamed = f'orders-20260105-02: schema_column_renamed {{"rename": {{"{HOSTILE}": "customer_id"}}}}'
    results = [
        result("bronze_orders__schema_contract", detail=renamed, sample=[{HOSTILE: HOSTILE, "amount": 1}]),
        result("bronze_orders__batch_completeness", detail="missing: 2"),
        result("stg_orders__missing_customer_id", 6, value=12.5),
    ]
    one, _ = observe(engine, list(enumerate(results, start=1)), NOW)
    store.move(one, State.ACKNOWLEDGED, later(5), HOSTILE, HOSTILE)
    store.move(one, State.RECOVERING, later(6), "remediation sensor", "Action: replay", phase="begun")
    observe(engine, [(9, passed("bronze_orders__batch_completeness"))], later(9))
    return store.get(one)


HELD = Readers("v000007", "v000006", [], {failing.day(5): [f"bronze_orders__schema_contract {HOSTILE}"]})


def measure(name: str, published: str | None, warehouse: str | None) -> dict[str, Any]:
    """One measure of an impact entry."""
    values = {"event_dates": ["2026-01-05"], "published": published, "warehouse": warehouse}
    values |= {"published_dates": 1, "warehouse_dates": int(warehouse is not None)}
    return {"table": "agg_daily_revenue", "measure": name, **values}


def healed(home: Path, *, published: str = "10500.00", answered_after: int = 20) -> Incident:
    """A scale that shifted: approved, healed at the second attempt, its impact measured. `published` is what readers saw."""
    engine = operations_engine(load_settings(home))
    store = IncidentStore(engine)
    check = "int_orders__deduplicated__amount_scale"
    (one,) = observe(engine, [(5, result(check, value=100.0, sample=[{"amount": HOSTILE}]))], NOW)
    wrote = (NOW - timedelta(minutes=90)).isoformat()
    store.append(one, later(1), "incident sensor", "note", "The build is known.", {"first_bad_write": wrote})
    bad = [measure("gross_amount_eur", published, "1050000.00"), measure("orders", "80", "80")]
    store.append(one, later(2), "remediation", "impact", "Before healing.", {"phase": "bad", "measures": bad})
    store.append(one, later(3), "alert sensor", "alert", "Sent.", {"phase": "sent", "channel": "json-1"})
    store.move(one, State.ACKNOWLEDGED, later(answered_after), HOSTILE, "I look at it.")
    for minutes in (30, 40):
        store.move(one, State.RECOVERING, later(minutes), "command line", "Action: ask again", phase="begun")
        data = {"phase": "done", "reruns": []}
        store.append(one, later(minutes + 1), "command line", "action", "Asked orders again.", data)
        if minutes == 30:
            why, outcome = "Not recovered: it still fails.", {OUTCOME: NOT_RECOVERED}
            store.move(one, State.CONTAINED, later(33), "remediation sensor", why, **outcome)
    observe(engine, [(9, passed(check))], later(44))
    steps = [(State.VERIFIED, "Its checks pass."), (State.RESOLVED, "Recovery verified.")]
    store.move_through(one, steps, later(45), "remediation sensor")
    good = [measure("gross_amount_eur", "10500.00", "10500.00"), measure("orders", "80", "80")]
    store.append(one, later(46), "remediation", "impact", "After healing.", {"phase": "recovered", "measures": good})
    return store.get(one)

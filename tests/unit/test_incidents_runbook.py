"""The runbook: complete, exact, and every command and question in it works as pasted."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import duckdb
import pytest

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.cli.main import cli
from reliability_platform.errors import UsageError
from reliability_platform.incidents.blocks import Commands, Heading
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.detection import observe
from reliability_platform.incidents.impact import Exposure, Numbers, Reach, consumers, numbers, reach
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.render import markdown, text
from reliability_platform.incidents.response import read_policy
from reliability_platform.incidents.runbook import questions, runbook
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings, load_settings
from reliability_platform.sources import SOURCES
from reliability_platform.warehouse.dbt_runner import MANIFEST, ensure_manifest
from tests.conftest import Platform
from tests.unit import failing
from tests.unit.failing import NOW, later, passed, result

GOLDEN = Path(__file__).parent.parent / "golden"
HOSTILE = (
    "a|b `rm -rf ~` {{ config() }} <script>alert(1)</script> [x](javascript:1)\nnew line\x00\u202e https://evil.example"
)
REACH = Reach(
    tables=["stg_orders", "int_orders__deduplicated", "agg_daily_revenue", "fct_customer_days"],
    published=["agg_daily_revenue", "fct_customer_days"],
    exposures=[
        Exposure("finance_dashboard", "Finance Analytics", "finance-analytics@example.com", True),
        Exposure("operations_report", "Operations", "operations@example.com", False),
    ],
    columns={"agg_daily_revenue": ["event_date", "orders"], "fct_customer_days": ["event_date", "customer_id"]},
)
POLICY = read_policy(Settings().response_policy)
NUMBERS = Numbers(1000, 730, 0, 270, 0, 1, [failing.day(4), failing.day(5)], 20)


def make(home: Path, *checks: str, number: int = 5, detail: str = "") -> Incident:
    engine = operations_engine(load_settings(home))
    found = [(one, result(check, number, detail=detail)) for one, check in enumerate(checks, start=1)]
    observe(engine, found, NOW)
    return IncidentStore(engine).all()[0]


def compare(name: str, found: str) -> None:
    """Equal to the golden file, byte for byte."""
    golden = GOLDEN / name
    if not golden.exists():
        golden.write_text(found)
        pytest.fail(f"{name} was missing and has been written: read it and commit it")
    assert found == golden.read_text()


@pytest.fixture
def hostile(tmp_path: Path) -> Incident:
    """A renamed column whose producer chose its name with care, acted upon and recovered."""
    engine = operations_engine(load_settings(tmp_path))
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


def test_the_markdown_is_the_golden_one(hostile: Incident) -> None:
    """Whatever a producer sends, the document on call reads the same."""
    found = markdown(
        runbook(hostile, REACH, NUMBERS, POLICY, Path("/srv/my home"), f"Replay a file whose column is {HOSTILE}")
    )
    compare("runbook_schema_break.md", found)


def test_the_plain_text_is_the_golden_one(hostile: Incident) -> None:
    """The same document for a terminal or a mail."""
    compare("runbook_schema_break.txt", text(runbook(hostile, REACH, None, POLICY)))


def test_every_section_is_there_in_the_order_in_which_it_is_needed(hostile: Incident) -> None:
    """A stranger reads it from the top at three in the morning."""
    headings = [block.text for block in runbook(hostile, REACH, NUMBERS, POLICY) if isinstance(block, Heading)]
    assert headings[1:] == [
        "Symptoms", "How it was detected", "What is affected", "Containment already done", "First steps", "Recovery",
        "Questions to the warehouse", "Validation", "Prevention", "Timeline (UTC)",
    ]  # fmt: skip


def commands(incident: Incident) -> list[str]:
    blocks = [
        one for one in runbook(incident, REACH, NUMBERS, POLICY, Path("/srv/my home")) if isinstance(one, Commands)
    ]
    return [line for block in blocks if block.language == "shell" for line in block.lines if line[:1] != "#"]


@pytest.mark.parametrize("failure_class", CLASSES)
def test_every_command_is_one_that_the_command_line_takes(tmp_path: Path, failure_class: str) -> None:
    """A runbook whose commands fail is worse than none: it is trusted."""
    checks = [name for name, spec in CHECKS.items() if spec.failure_class == failure_class] or ["stg_orders__row_count"]
    incident = make(tmp_path, checks[0])
    lines = commands(incident)
    assert any(line.startswith(f"reliability heal --incident {incident.id}") for line in lines)
    for line in lines:
        words = shlex.split(line)
        if words[0] == "export":
            assert words == ["export", "RELIABILITY_HOME=/srv/my home"]
            continue
        assert words[0] == "reliability"
        command: click.Command = cli
        rest, context = words[1:], None
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), rest[0])
            assert found is not None, line
            command, rest = found, rest[1:]
        context = command.make_context(command.name, list(rest))  # raises what a user would see
        assert context.params


def test_the_home_of_the_commands_survives_the_shell() -> None:
    """A folder may have any name; it must not become a second command."""
    home = Path("/srv/it's; rm -rf ~")
    assert shlex.split(f"export RELIABILITY_HOME={shlex.quote(str(home))}") == ["export", f"RELIABILITY_HOME={home}"]


def test_personal_data_is_not_in_the_document(tmp_path: Path) -> None:
    """Samples come masked; the runbook adds nothing of its own."""
    found = markdown(runbook(make(tmp_path, "stg_orders__missing_customer_id"), REACH, NUMBERS, POLICY))
    assert not re.search(r"\b\d{13,19}\b", found)


def test_lineage_reaches_the_exposures_and_their_owners() -> None:
    """Who reads what is dbt's to say; a source must not forget its critical readers."""
    ensure_manifest()
    orders = reach(MANIFEST, "orders")
    assert {"stg_orders", "int_orders__deduplicated", "agg_daily_revenue", "rec_orders__vs__payments"} <= set(
        orders.tables
    )
    assert orders.published == ["agg_daily_revenue", "fct_customer_days"]
    assert {one.name for one in orders.exposures if one.critical} == {"finance_dashboard", "fraud_feature_set"}
    assert all("@" in one.email and one.owner for one in orders.exposures)
    assert "customer_id" in orders.columns["fct_customer_days"]
    assert {one.name for one in reach(MANIFEST, "shipments").exposures} == {"operations_report"}


def test_a_source_that_does_not_exist_becomes_no_sql() -> None:
    """A name is part of a statement only if it is one of ours."""
    with duckdb.connect() as connection, pytest.raises(UsageError):
        numbers(connection, "orders; drop table orders", [failing.day(1)])


def test_questions_and_numbers_on_a_real_warehouse(platform: Callable[..., Platform], tmp_path: Path) -> None:
    """Every question of every class runs read-only as it stands; the numbers add up; what is shown is known."""
    made = platform(events_per_day=300)
    one = failing.day(1)
    made.run(one, one)
    with duckdb.connect(str(made.settings.warehouse), read_only=True) as connection:
        for number, name in enumerate(CHECKS):
            incident = make(tmp_path / str(number), name, number=1) if name.startswith(("stg_", "bronze_")) else None
            for _, sql in questions(incident) if incident else ():
                connection.execute(sql).fetchall()
        incident = make(tmp_path / "any", "stg_orders__row_count", number=1)
        for failure_class in CLASSES:
            incident.failure_class = failure_class
            for _, sql in questions(incident):
                connection.execute(sql).fetchall()
        for source in SOURCES:
            found = numbers(connection, source, [one])
            assert found.delivered_rows == found.accepted_rows > 0
            assert (found.quarantined_rows, found.quarantined_keys, found.refused_files) == (0, 0, 0)
            assert one in found.event_dates
    seen = consumers(made.settings, MANIFEST)
    assert set(seen.critical["payments"]) == {"finance_dashboard", "fraud_feature_set"}
    assert seen.critical["shipments"] == []
    assert {(source, one) for source in SOURCES} <= seen.shown

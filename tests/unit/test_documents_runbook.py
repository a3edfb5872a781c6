"""The runbook: complete, exact, and every command in it is one that the command line takes."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import duckdb
import pytest

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.cli.main import cli
from reliability_platform.contracts import SOURCES
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.documents import web
from reliability_platform.incidents.documents.blocks import Commands, Heading, Hints, Paragraph
from reliability_platform.incidents.documents.questions import declared, questions_of
from reliability_platform.incidents.documents.render import markdown, text
from reliability_platform.incidents.documents.runbook import containment_done, containment_to_do, runbook
from reliability_platform.incidents.documents.situation import Readers
from reliability_platform.incidents.impact import consumers, numbers, reach
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from tests.ground import Platform, day
from tests.unit import failing
from tests.unit.documented import HELD, HOSTILE, compare, hostile, opened, situation
from tests.unit.failing import later

ELSEWHERE = Path("/srv/my home")


def test_the_runbook_is_the_golden_one(tmp_path: Path) -> None:
    """Whatever a producer sends, the document on call reads the same: in tickets, on a page, in a terminal."""
    incident = hostile(tmp_path)
    plan = f"Replay a file whose column is {HOSTILE}"
    blocks = runbook(incident, situation(incident, home=ELSEWHERE, plan=plan, readers=HELD))
    compare("runbook_schema_break.md", markdown(blocks))
    compare("runbook_schema_break.html", web.page(blocks))
    compare("runbook_schema_break.txt", text(runbook(incident, situation(incident, numbers=None))))


def test_the_runbook_of_a_class_that_waits_for_an_approval_is_the_golden_one(tmp_path: Path) -> None:
    """Whoever approves must see that nothing happens before, and what it would do."""
    incident = opened(tmp_path, "int_orders__deduplicated__volume", detail="a third of the usual rows")
    readers = Readers("v000007", "v000006", [failing.day(5)])
    blocks = runbook(incident, situation(incident, 300, plan="Ask orders again for 4 batches.", readers=readers))
    compare("runbook_volume_anomaly.md", markdown(blocks))
    compare("runbook_volume_anomaly.html", web.page(blocks))


def test_every_section_is_there_in_the_order_in_which_it_is_needed(tmp_path: Path) -> None:
    """A stranger reads it from the top at three in the morning."""
    incident = hostile(tmp_path)
    headings = [one for one in runbook(incident, situation(incident)) if isinstance(one, Heading)]
    assert [one.text for one in headings[1:] if one.level == 2] == [
        "What is wrong", "Severity and due times", "Symptoms", "How it was detected", "Who is hit",
        "First five minutes", "Containment", "Questions to the warehouse", "Recovery", "Validation", "Escalation",
        "Prevention", "Timeline (UTC)",
    ]  # fmt: skip


def commands(incident: Incident) -> list[str]:
    blocks = [one for one in runbook(incident, situation(incident, home=ELSEWHERE)) if isinstance(one, Commands)]
    return [line for block in blocks if block.language == "shell" for line in block.lines if line[:1] != "#"]


def in_hints(incident: Incident) -> list[str]:
    """Commands inside sentences, but for those that leave a name to the reader."""
    hints = [item for one in runbook(incident, situation(incident)) if isinstance(one, Hints) for item in one.items]
    found = [code for item in hints for code in re.findall(r"`(reliability [^`]+)`", item)]
    return [line for line in found if not re.search(r"\b(DAY|ID)\b", line)]


def taken(line: str) -> None:
    """The command line takes the line: it names a command, and its arguments are complete."""
    words = shlex.split(line)
    assert words[0] == "reliability"
    command: click.Command = cli
    rest = words[1:]
    while isinstance(command, click.Group) and not (command.invoke_without_command and (not rest or rest[0][0] == "-")):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, line
        command, rest = found, rest[1:]
    assert command.make_context(command.name, list(rest)).params  # raises what a user would see


@pytest.mark.parametrize("failure_class", CLASSES)
def test_every_command_is_one_that_the_command_line_takes(tmp_path: Path, failure_class: str) -> None:
    """A runbook whose commands fail is worse than none: it is trusted."""
    checks = [name for name, spec in CHECKS.items() if spec.failure_class == failure_class] or ["stg_orders__row_count"]
    incident = opened(tmp_path, checks[0])
    first, *lines = commands(incident)
    assert shlex.split(first) == ["export", "RELIABILITY_HOME=/srv/my home"]
    assert f"reliability heal --incident {incident.id}" in lines
    for line in [*lines, *in_hints(incident)]:
        taken(line)


def test_commands_fit_the_state(tmp_path: Path) -> None:
    """What cannot be done any more must not be offered: nobody acknowledges twice, nobody heals what is over."""
    incident = opened(tmp_path, "stg_orders__row_count")
    store = IncidentStore(operations_engine(load_settings(tmp_path)))
    assert any("incidents ack" in line for line in commands(incident))
    store.move(incident.id, State.ACKNOWLEDGED, later(5), "somebody", "seen")
    assert not any("incidents ack" in line for line in commands(store.get(incident.id)))
    store.move(incident.id, State.RESOLVED, later(6), "somebody", "mended")
    left = commands(store.get(incident.id))
    assert not any(word in line for line in left for word in ("ack", "heal", "resolve", "reliability run"))


def test_containment_is_shown_and_not_promised(tmp_path: Path) -> None:
    """A class may say that the day is held; only the timeline and the publication know whether it is."""
    incident = opened(tmp_path, "bronze_orders__batch_completeness")
    incident.timeline = [entry for entry in incident.timeline if entry.kind != "transition"]
    shown = Readers("v000002", "v000001", [failing.day(5)])
    assert containment_done(incident, situation(incident, numbers=None, readers=shown)) == []
    first = containment_to_do(incident, situation(incident, readers=shown))[0]
    assert "Readers of v000002 see the rows of orders of 2026-01-05" in first
    assert "`reliability publish --rollback`" in first
    held = Readers("v000002", "v000001", [], {failing.day(5): ["bronze_orders__batch_completeness failed"]})
    done = containment_done(incident, situation(incident, numbers=None, readers=held))
    assert done == [
        "orders 2026-01-05 is held: bronze_orders__batch_completeness failed. Readers of v000002 keep the last good rows."
    ]


def test_what_recovery_leaves_to_people_is_not_called_nothing(tmp_path: Path) -> None:
    """A leak that had healed said "Nothing is left to do", while its raw files held the values and a postmortem was due."""
    incident = opened(tmp_path, "stg_web_events__no_personal_data")
    store = IncidentStore(operations_engine(load_settings(tmp_path)))
    store.move(incident.id, State.RESOLVED, later(6), "somebody", "mended")
    over = store.get(incident.id)
    assert any("quarantine purge" in one for one in containment_to_do(over, situation(over)))
    opening = runbook(over, situation(over))[1]
    assert isinstance(opening, Paragraph)
    assert "its postmortem is due and Containment says what must follow" in opening.text
    minor = opened(tmp_path / "minor", "bronze_orders__no_unknown_columns")
    store = IncidentStore(operations_engine(load_settings(tmp_path / "minor")))
    store.move(minor.id, State.RESOLVED, later(6), "somebody", "mended")
    assert "Nothing is left to do." in markdown(runbook(store.get(minor.id), situation(store.get(minor.id)))[:2])


def test_every_question_is_asked_by_some_class_and_every_class_asks_some() -> None:
    """A question that nobody asks rots; a class without one leaves whoever is on call alone."""
    asked = {name for one in CLASSES.values() for name in one.texts.questions}
    assert asked == set(declared())
    assert all(len(one.texts.questions) >= 2 for one in CLASSES.values())


def test_many_days_in_a_row_are_one_condition_and_others_are_named() -> None:
    """A month in a statement is two dates, not thirty; a gap in it stays one."""
    month = [day(number) for number in range(1, 31)]
    statements = [one.sql for one in questions_of("data_loss", "orders", month)]
    assert "landing_date between date '2026-01-01' and date '2026-01-30'" in statements[0]
    assert not any("date '2026-01-02'" in one for one in statements)
    gap = questions_of("data_loss", "orders", [*month[:5], *month[6:9]])[0].sql
    assert "between" not in gap
    assert "date '2026-01-05', date '2026-01-07'" in gap


def test_hours_of_a_day_are_compared_with_days_and_not_with_a_week() -> None:
    """The sum of seven days stood beside one day: whoever was on call saw six of seven rows missing at every hour."""
    connection = duckdb.connect()
    connection.execute(
        "create table int_orders__deduplicated as select date '2026-01-01' + day::integer as landing_date, "
        "landing_date + hour * interval 1 hour as event_time from range(8) d(day), range(24) h(hour), range(5)"
    )
    found = next(one for one in questions_of("missing_data", "orders", [day(8)]) if "hours" in one.answers)
    rows = connection.execute(found.sql).fetchall()
    assert (len(rows), {row[1:] for row in rows}) == (24, {(5.0, 5.0)})


def test_the_home_of_the_commands_survives_the_shell() -> None:
    """A folder may have any name; it must not become a second command."""
    home = Path("/srv/it's; rm -rf ~")
    assert shlex.split(f"export RELIABILITY_HOME={shlex.quote(str(home))}") == ["export", f"RELIABILITY_HOME={home}"]


def test_personal_data_is_not_in_the_document(tmp_path: Path) -> None:
    """Samples come masked; the runbook adds nothing of its own."""
    incident = opened(tmp_path, "stg_orders__missing_customer_id")
    found = markdown(runbook(incident, situation(incident)))
    assert not re.search(r"\b\d{13,19}\b", found)


def test_lineage_reaches_the_exposures_and_their_owners() -> None:
    """Who reads what is dbt's to say; a source must not forget its critical readers."""
    ensure_manifest()
    orders = reach(ensure_manifest(), "orders")
    assert {"stg_orders", "int_orders__deduplicated", "agg_daily_revenue", "rec_orders__vs__payments"} <= set(
        orders.tables
    )
    assert orders.published == ["agg_daily_revenue", "fct_customer_days"]
    assert {one.name for one in orders.exposures if one.critical} == {"finance_dashboard", "fraud_feature_set"}
    assert all("@" in one.email and one.owner for one in orders.exposures)
    assert "customer_id" in orders.columns["fct_customer_days"]
    assert {one.name for one in reach(ensure_manifest(), "shipments").exposures} == {"operations_report"}


def test_a_source_that_does_not_exist_becomes_no_sql() -> None:
    """A name is part of a statement only if it is one of ours."""
    with duckdb.connect() as connection, pytest.raises(UsageError):
        numbers(connection, "orders; drop table orders", [failing.day(1)])


def test_numbers_on_a_real_warehouse(lived: Callable[[Path], Platform], tmp_path: Path) -> None:
    """The numbers add up; what is shown is known."""
    made, one = lived(tmp_path / "home"), failing.day(1)
    with duckdb.connect(str(made.settings.warehouse), read_only=True) as connection:
        for source in SOURCES:
            found = numbers(connection, source, [one])
            assert found.delivered_rows == found.accepted_rows > 0
            assert (found.quarantined_rows, found.quarantined_keys, found.refused_files) == (0, 0, 0)
            assert one in found.event_dates
    seen = consumers(made.settings, ensure_manifest())
    assert set(seen.critical["payments"]) == {"finance_dashboard", "fraud_feature_set"}
    assert seen.critical["shipments"] == []
    assert {(source, one) for source in SOURCES} <= seen.shown

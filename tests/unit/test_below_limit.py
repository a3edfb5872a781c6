"""Rejected rows that are too few for an incident are one line of each source, which collects days and ends by itself."""

import json
from pathlib import Path

import pytest

from reliability_platform.checks.facts import Facts
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import main
from reliability_platform.incidents.below_limit import below_limit
from reliability_platform.incidents.detection import observe
from reliability_platform.operations import operations_engine
from reliability_platform.settings import load_settings
from tests.unit.failing import NOW, day, result


def few(source: str, number: int, rows: int, reason: str = "amount_out_of_range") -> CheckResult:
    """A day with so many rejected rows, below the limit."""
    facts = Facts(rejected_for=(reason,), rejected_rows=rows)
    return result(f"stg_{source}__reject_share", number, status=CheckStatus.PASSED, value=0.1, facts=facts)


def test_days_are_collected_in_one_line_a_source_until_no_row_is_rejected_any_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six rows a day were published as missing, each day, and nothing that people look at said so."""
    engine = operations_engine(load_settings(tmp_path))
    checks = CheckStore(engine)
    checks.record(
        [few("orders", 3, 6), few("orders", 9, 1, "customer_id_missing"), few("orders", 10, 2), few("payments", 3, 0)]
    )
    assert observe(engine, checks.after(0, 100), NOW) == []
    [line] = below_limit(engine)
    assert (line.source, line.rows, line.days, line.severity) == ("orders", 9, (day(3), day(9), day(10)), "P3")
    assert line.reasons == ("amount_out_of_range", "customer_id_missing")

    main(["incidents", "list", "--home", str(tmp_path)])
    assert "P3 orders: 9 rejected rows on 3 landing days (2026-01-03 to 2026-01-10)" in " ".join(
        capsys.readouterr().out.split()
    )
    main(["incidents", "rejected", "--json", "--home", str(tmp_path)])
    [told] = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["days"][0], told["severity"]) == (9, "2026-01-03", "P3")

    checks.record([few("orders", number, 0) for number in (3, 9, 10)])
    assert below_limit(engine) == []


def test_a_day_of_an_open_incident_is_told_by_that_alone(tmp_path: Path) -> None:
    """Six nulls below the limit beside a missing batch would be told twice."""
    engine = operations_engine(load_settings(tmp_path))
    checks = CheckStore(engine)
    checks.record([few("shipments", 5, 6), few("shipments", 6, 1), result("bronze_shipments__batch_completeness", 5)])
    observe(engine, checks.after(0, 100), NOW)
    [line] = below_limit(engine)
    assert (line.rows, line.days) == (1, (day(6),))

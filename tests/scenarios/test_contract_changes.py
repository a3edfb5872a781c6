"""A contract changes while its source delivers, on a project of one's own."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reliability_platform.errors import ExitCode
from tests.scenarios.test_own_project import CONTRACT, DAYS, MART, MART_YML, produce, read, reliability

GOOD = [(carrier, number) for carrier in ("AA", "UA", "DL") for number in range(1, 101)]
UNKNOWN = [("WN", number) for number in range(1, 6)]


def published(project: Path) -> dict[str, Any]:
    """The record of what consumers read."""
    record: dict[str, Any] = json.loads((project / "data" / "published" / "current" / "publication.json").read_text())
    return record


def change(project: Path, *replaced: tuple[str, str]) -> None:
    """Edit the contract as a person would."""
    file = project / "contracts" / "flights.yml"
    for old, new in replaced:
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))


@pytest.mark.exhaustive  # 60 s; each part is held by tests/unit/test_contract_changes.py
def test_what_waits_enters_once_and_two_readings_are_never_mixed(tmp_path: Path) -> None:
    """A column that was added ended every build; rows that a widened contract would have taken waited for ever; after a
    change of the key the rows of both were added up."""
    project = tmp_path / "airport"
    assert reliability(tmp_path, "init", str(project)).returncode == ExitCode.OK
    (project / "contracts" / "flights.yml").write_text(CONTRACT)
    (project / "settings.env").write_text("RELIABILITY_FIRST_DAY=2019-03-01\n")
    marts = project / "dbt_project" / "models" / "marts"
    marts.mkdir()
    (marts / "agg_daily_flights.sql").write_text(MART)
    (marts / "agg_daily_flights.yml").write_text(MART_YML)
    assert read(project, "generate")["contract_changes"] == []
    produce(project, DAYS[0], GOOD)
    produce(project, DAYS[1], [*GOOD, *UNKNOWN])
    assert list(read(project, "run", "--from", str(DAYS[0]), "--to", str(DAYS[1]))["held"]) == [f"flights/{DAYS[1]}"]

    # Compatible: a label, and a column that no file of before can have.
    cancelled = "      - {name: cancelled, physicalType: bool, required: true}\n"
    change(project, ("{value: DL}", "{value: DL}, {value: WN}"), (cancelled, cancelled + "      - {name: gate, physicalType: varchar}\n"))  # fmt: skip
    said = read(project, "generate")
    assert {(one["kind"], one["compatible"]) for one in said["contract_changes"]} == {
        ("labels added", True),
        ("column added", True),
    }
    assert said["to_build_again"] == []
    assert [one["rows"] for one in said["may_fit_now"]] == [len(UNKNOWN)]
    assert read(project, "heal")["open"] == []
    assert "read again" not in reliability(project, "heal").stderr, "once is enough"
    assert [one["state"] for one in read(project, "quarantine", "list")["rows"]] == ["replayed"]
    record = published(project)
    assert (record["held"], record["tables"][0]["rows"], record["contracts"]) == ({}, 7, {"flights": ["1.0.0"]})

    # Incompatible: said with its cost, held until the days are read anew, and named where it is published.
    scheduled = "{name: scheduled, physicalType: TIMESTAMPTZ, "
    change(project, (scheduled + "primaryKey: true}", scheduled + "required: true}"))
    refused = reliability(project, "generate")
    assert (refused.returncode, "2 landing days" in refused.stdout) == (ExitCode.USAGE, True), refused.stderr
    change(project, ("version: 1.0.0", "version: 2.0.0"))
    assert read(project, "generate")["to_build_again"][0]["rows"] == 2 * len(GOOD) + len(UNKNOWN)
    produce(project, date(2019, 3, 3), [("AA", 500)])
    read(project, "run", "--from", "2019-03-03", "--to", "2019-03-03")
    assert {f"flights/{day}" for day in DAYS} <= set(published(project)["held"])
    read(project, "backfill", "--from", str(DAYS[0]), "--to", str(DAYS[1]), "--approve", "--why", "another key")
    assert published(project)["contracts"] == {"flights": ["2.0.0"]}
    assert read(project, "verify")["equal"]

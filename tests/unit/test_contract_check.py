"""A producer asks before he sends: what admission and staging would say of a file, from a contract alone."""

import hashlib
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from reliability_platform.cli.main import cli
from reliability_platform.errors import ExitCode, UsageError

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: flights
version: 1.0.0
status: active
customProperties:
  - {property: eventTime, value: flown_at}
  - {property: sourceKind, value: drop}
  - {property: fileFormat, value: {format: csv, delimiter: ";"}}
schema:
  - name: flights
    properties:
      - {name: flight, physicalType: VARCHAR, primaryKey: true}
      - {name: flown_at, physicalType: TIMESTAMP, required: true}
      - {name: carrier, physicalType: VARCHAR, enum: [{value: UA}, {value: AA}]}
      - {name: fare, physicalType: "DECIMAL(12,2)", required: true, logicalTypeOptions: {minimum: 0}}
      - {name: note, logicalType: object}
"""
HEADER = "flight;flown_at;carrier;fare;note"
GOOD = [f"UA{number};2026-01-05 10:00:00;UA;{number}.50;" for number in range(150)]


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """A contract file, and nothing else."""
    path = tmp_path / "flights.yml"
    path.write_text(CONTRACT)
    return path


def file(folder: Path, *rows: str, header: str = HEADER) -> Path:
    """What he would send."""
    path = folder / "flights.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def ask(contract: Path, path: Path, *options: str) -> tuple[ExitCode, dict[str, Any]]:
    """Exit code, and what is said of the file."""
    command = ["contract", "check", str(path), "--contract", str(contract), "--json", *options]
    done = CliRunner().invoke(cli, command, standalone_mode=False)
    return done.return_value, json.loads(done.stdout)["files"][0]


def test_a_good_file_is_good(contract: Path, tmp_path: Path) -> None:
    """The exit code lets his pipeline send it."""
    code, said = ask(contract, file(tmp_path, *GOOD))
    assert (code, said["good"], said["rows"], said["rejected"]) == (ExitCode.OK, True, 150, {})


@pytest.mark.parametrize(
    ("row", "rejected"),
    [
        (";2026-01-05 10:00:00;UA;1;", "flight_missing"),
        ("X;yesterday;UA;1;", "flown_at_unreadable"),
        ("X;2026-01-05 10:00:00;LH;1;", "carrier_unknown_value"),
        ("X;2026-01-05 10:00:00;UA;-1;", "fare_out_of_range"),
        ("X;2026-01-05 10:00:00;UA;;", "fare_missing"),
        ("X;2026-01-05 10:00:00;UA;1;{", "note_malformed"),
        ("UA1;2026-01-05 10:00:00;UA;7;", "key_conflict"),
    ],
)
def test_each_rule_of_the_contract_is_counted_and_one_row_is_too_many_only_if_asked(
    contract: Path, tmp_path: Path, row: str, rejected: str
) -> None:
    """Under 1 % of the rows go to quarantine and hold nothing; a producer may want to know all the same."""
    path = file(tmp_path, *GOOD, row)
    code, said = ask(contract, path)
    assert (code, said["rejected"], said["holds"]) == (ExitCode.OK, {rejected: 1}, [])
    assert ask(contract, path, "--strict")[0] == ExitCode.NOT_HEALED
    path = file(tmp_path, *GOOD[:50], row)
    code, said = ask(contract, path)
    assert (code, said["holds"]) == (ExitCode.NOT_HEALED, [rejected])


def test_a_nested_column_may_hold_a_list_and_nothing_where_it_is_optional(contract: Path, tmp_path: Path) -> None:
    """Lists were called malformed, and so was each row without a value that nobody had promised."""
    rows = ['Y;2026-01-05 10:00:00;UA;1;"[{""a"": 1}]"', "Z;2026-01-05 10:00:00;UA;1;"]
    code, said = ask(contract, file(tmp_path, *GOOD, *rows), "--strict")
    assert (code, said["rejected"]) == (ExitCode.OK, {})
    contract.write_text(contract.read_text().replace("name: note,", "name: note, required: true,"))
    code, said = ask(contract, file(tmp_path, "Z;2026-01-05 10:00:00;UA;1;"))
    assert said["rejected"] == {"note_malformed": 1}


def test_a_file_that_would_be_refused_says_why(contract: Path, tmp_path: Path) -> None:
    """A renamed column, a torn row, a manifest that speaks of other bytes."""
    code, said = ask(contract, file(tmp_path, *GOOD, header=HEADER.replace("fare", "price")))
    assert (code, said["refused"]) == (ExitCode.NOT_HEALED, "schema_column_missing")
    assert "without fare" in said["detail"]
    code, said = ask(contract, file(tmp_path, *GOOD, "UA;1"))
    assert (said["refused"], said["detail"]) == ("unreadable_file", "row 152 has 2 columns, the header 5")
    path = file(tmp_path, *GOOD)
    manifest = {
        "batch_id": "flights-20260105-01", "source": "flights", "landing_date": "2026-01-05", "sequence": 1, "attempt": 1,
        "kind": "scheduled", "expected_rows": 151, "checksum": hashlib.sha256(path.read_bytes()).hexdigest(), "columns": [],
        "schema_fingerprint": "", "produced_at": "2026-01-05T23:00:00Z", "landed_at": "2026-01-05T23:00:00Z",
    }  # fmt: skip
    (tmp_path / "flights.manifest.json").write_text(json.dumps(manifest))
    assert ask(contract, path)[1]["refused"] == "row_count_mismatch"
    (tmp_path / "flights.manifest.json").write_text(json.dumps(manifest | {"checksum": "0" * 64}))
    assert ask(contract, path)[1]["refused"] == "manifest_unreadable"


def test_a_file_without_rows_or_of_another_day_than_its_name_is_not_good(contract: Path, tmp_path: Path) -> None:
    """A header alone, and yesterday's file under tomorrow's name: both hold the day."""
    code, said = ask(contract, file(tmp_path))
    assert (code, said["holds"]) == (ExitCode.NOT_HEALED, ["no_rows"])
    early = file(tmp_path, *GOOD).rename(tmp_path / "flights-2026-01-04.csv")
    code, said = ask(contract, early)
    assert (code, said["rejected"]) == (ExitCode.NOT_HEALED, {"flown_at_in_future": 150})


def test_a_ci_reads_the_result_as_junit(contract: Path, tmp_path: Path) -> None:
    """One test case a file, with hostile names and contents escaped."""
    path = file(tmp_path, *GOOD, header=HEADER.replace("fare", "price"))
    hostile = path.rename(tmp_path / '<evil> & "x".csv')
    code, _ = ask(contract, hostile, "--junit", str(tmp_path / "out.xml"))
    assert code == ExitCode.NOT_HEALED
    [case] = ElementTree.parse(tmp_path / "out.xml").getroot()  # noqa: S314 (our own)
    assert case.get("name", "").endswith('<evil> & "x".csv')
    assert case[0].get("type") == "schema_column_missing"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.csv", "--contract", "flights.yml"], "There is no file"),
        (["flights.csv", "--contract", "none.yml"], "cannot be read"),
        (["flights.csv", "--contract", "flights.yml", "--source", "trains"], "There is no source 'trains'"),
        (["flights.csv"], "Say which source"),
    ],
)
def test_what_cannot_be_judged_is_said_in_one_line(
    contract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    """Exit code 2: the question is wrong, not the file."""
    assert contract.exists()
    file(tmp_path, *GOOD)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["contract", "check", *words])
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)


def test_a_file_is_judged_by_the_version_that_holds_on_its_day(contract: Path, tmp_path: Path) -> None:
    """A producer who asked for March was told what February's contract says, and sent what would be refused."""
    later = tmp_path / "flights-2.yml"
    later.write_text(
        contract.read_text()
        .replace("version: 1.0.0", "version: 2.0.0\ncontractCreatedTs: 2026-02-01")
        .replace(
            "customProperties:\n",
            "slaProperties: [{property: generalAvailability, value: 2026-03-01}]\ncustomProperties:\n",
            1,
        )
        .replace("{value: AA}", "{value: AA}, {value: DL}")
        .replace("- {name: note", "- {name: gate, physicalType: VARCHAR}\n      - {name: note")
    )
    found = {}
    for day, header in (
        ("2026-02-27", HEADER),
        ("2026-03-02", HEADER),
        ("2026-02-28", HEADER.replace("note", "note;gate")),
    ):
        path = tmp_path / f"flights-{day}.csv"
        row = f"DL1;{day} 10:00:00;DL;10.00;" + (";A1" if "gate" in header else "")
        path.write_text(f"{header}\n{row}\n")
        code, said = ask(contract, path, "--contract", str(later))
        found[day] = (code, said["contract_version"], said["refused"], said["rejected"], said["unknown_columns"])
    assert found == {
        "2026-02-27": (ExitCode.NOT_HEALED, "1.0.0", None, {"carrier_unknown_value": 1}, []),
        "2026-03-02": (ExitCode.NOT_HEALED, "2.0.0", "schema_column_missing", {}, []),
        "2026-02-28": (ExitCode.NOT_HEALED, "1.0.0", None, {"carrier_unknown_value": 1}, []),
    }

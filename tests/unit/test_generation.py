"""What follows from contracts is written into a project, and never over what a person has written."""

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import jinja2
import pytest
import yaml
from click.testing import CliRunner

from reliability_platform.checks.soda_files import SodaFileError, names_in_file
from reliability_platform.checks.soda_scan import scan_days
from reliability_platform.cli import doctor
from reliability_platform.cli import generate as module
from reliability_platform.cli.main import cli, main
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.generation import Change, generated_files, planned, write
from reliability_platform.errors import ExitCode
from reliability_platform.settings import load_settings

STAGING = "dbt_project/models/staging/stg_orders.sql"
HOSTILE = 'it\'s "{{ 1/0 }}" {% set x %} # ü'


def changes(project: Path) -> dict[str, Change]:
    """What generating would change in a project."""
    return {one.path: one.change for one in planned(project, CONTRACTS) if one.change is not Change.SAME}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project into which the contracts of the shop were generated."""
    write(tmp_path, planned(tmp_path, CONTRACTS))
    return tmp_path


def test_generating_again_changes_nothing(project: Path) -> None:
    """Whoever generates after each change of a contract sees in git what it changed, and nothing else."""
    assert changes(project) == {}


def test_what_a_person_has_edited_is_not_overwritten(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file edited by hand: nothing is written, the message names it and how to keep it, and --overwrite replaces it."""
    monkeypatch.setattr(module, "PROJECT", project)
    edited = project / STAGING
    edited.write_text(edited.read_text().replace("as disposition", "as fate"))
    (project / "soda_checks" / "stg_orders.yml").unlink()
    assert changes(project) == {STAGING: Change.EDITED, "soda_checks/stg_orders.yml": Change.NEW}
    refused = CliRunner().invoke(cli, ["generate"])
    assert STAGING in str(refused.exception)
    assert "takenOver" in str(refused.exception)
    assert "as fate" in edited.read_text()
    assert not (project / "soda_checks" / "stg_orders.yml").exists()
    assert main(["generate", "--check"]) is ExitCode.NOT_HEALED
    written = CliRunner().invoke(cli, ["generate", "--overwrite", "--json"])
    assert {one["change"] for one in json.loads(written.output)["files"]} == {"same", "new", "edited by hand"}
    assert changes(project) == {}


def test_a_file_that_a_person_wrote_is_his(tmp_path: Path) -> None:
    """One that lies where a generated one would, and says nothing of having been generated."""
    (tmp_path / STAGING).parent.mkdir(parents=True)
    (tmp_path / STAGING).write_text("select 1\n")
    assert changes(tmp_path)[STAGING] is Change.EDITED


def test_a_table_that_a_person_has_taken_over_is_left_to_him(project: Path) -> None:
    """A line in the contract, and the file is neither compared nor removed."""
    (project / STAGING).write_text("select 1\n")
    taken = CONTRACTS | {"orders": replace(CONTRACTS["orders"], taken_over=("stg_orders",))}
    assert STAGING not in {one.path for one in planned(project, taken)}


def test_what_is_being_taken_over_is_not_removed(project: Path) -> None:
    """Whoever said so in the contract before he began to edit lost the file that he wanted to begin with."""
    taken = CONTRACTS | {"orders": replace(CONTRACTS["orders"], taken_over=("stg_orders",))}
    write(project, planned(project, taken))
    assert (project / STAGING).exists() and (project / "soda_checks" / "stg_orders.yml").exists()


def test_a_table_that_was_taken_over_is_compared_with_its_contract(project: Path) -> None:
    """A person's staging that lacked a column, or had it as text, was found by whatever read it, one build later."""
    taken = CONTRACTS | {"orders": replace(CONTRACTS["orders"], taken_over=("stg_orders", "int_orders__deduplicated"))}
    files = {one.path: one for one in planned(project, taken)}
    test = files["dbt_project/tests/assert_int_orders__deduplicated_has_its_columns.sql"].text
    assert test is not None and "dbt_project/tests/assert_stg_orders_has_its_columns.sql" in files
    query = test.partition("\n")[2].replace("{{ ref('int_orders__deduplicated') }}", "mine")
    own = ("event_date", "landing_date", "batch_id", "row_number")
    columns = {one.name: one.type for one in CONTRACTS["orders"].columns} | dict.fromkeys(own, "VARCHAR")
    with duckdb.connect() as connection:
        found = []
        for made in (
            columns,
            {**columns, "amount": "VARCHAR", "more": "DATE"},
            {k: v for k, v in columns.items() if k != "channel"},
        ):
            connection.execute(
                f"create or replace table mine ({', '.join(f'{name} {kind}' for name, kind in made.items())})"
            )
            found.append([row[0] for row in connection.execute(query).fetchall()])
    assert found == [[], ["amount"], ["channel"]]
    write(project, planned(project, taken))
    assert changes(project)["dbt_project/tests/assert_stg_orders_has_its_columns.sql"] is Change.GONE


def test_what_follows_from_a_contract_goes_with_it(project: Path) -> None:
    """A source that is no longer declared would be built and checked for ever."""
    fewer = {name: contract for name, contract in CONTRACTS.items() if name != "shipments"}
    gone = [one for one in planned(project, fewer) if one.change is Change.GONE]
    assert {Path(one.path).name for one in gone} >= {"stg_shipments.sql", "int_shipments__deduplicated.sql"}
    write(project, planned(project, fewer))
    assert not list(project.rglob("*shipments*"))
    assert not [one for one in planned(project, fewer) if one.change is not Change.SAME]


def test_a_reference_table_is_a_source_of_dbt_unless_a_person_declares_it(tmp_path: Path) -> None:
    """The staging of a source with a reference read a source of dbt that nobody had declared: the project did not parse."""
    name = "dbt_project/models/sources/reference_customers.yml"
    [found] = [one for one in planned(tmp_path, CONTRACTS) if one.path == name]
    assert found.text is not None
    [source] = yaml.safe_load(found.text)["sources"]
    [table] = source["tables"]
    assert (source["name"], table["name"], table["columns"][0]["name"]) == ("reference", "customers", "customer_id")
    write(tmp_path, [found])
    (tmp_path / "dbt_project/models/sources/reference.yml").write_text(
        "sources: [{name: reference, tables: [{name: customers}]}]\n"
    )
    assert changes(tmp_path)[name] is Change.GONE


def test_texts_of_a_contract_are_texts_and_no_templates(tmp_path: Path) -> None:
    """A description and a label may hold quotes, braces and signs; YAML, dbt's templates and SQL take them as they are."""
    hostile = Contract(
        source="flights",
        key=("carrier", "flight"),
        event_time="time_hour",
        columns=(
            Column("carrier", "VARCHAR", required=True, valid_values=("AA", HOSTILE), description=HOSTILE),
            Column("flight", "BIGINT", required=True, minimum=1),
            Column("time_hour", "TIMESTAMP", required=True),
        ),
        cadence=CONTRACTS["orders"].cadence,
        deadline_minutes=60,
        owner="desk",
        critical=False,
        description=HOSTILE,
    )
    files = generated_files({"flights": hostile})
    # As dbt does it: the yml is parsed, then each text of it is rendered.
    for path in (one for one in files if one.endswith(".yml") and "soda" not in one):
        text = json.dumps(yaml.safe_load(files[path]))
        assert "1/0" not in text or "{{ 1/0" not in text
    [rule] = [
        line for line in files["dbt_project/models/staging/stg_flights.sql"].splitlines() if "unknown_value" in line
    ]
    condition = jinja2.Template("{% set rules = {" + rule + "} %}{{ rules.values() | first }}").render()
    with duckdb.connect() as connection:
        connection.execute(
            "create table live as select unnest($values) as carrier", {"values": [HOSTILE, "AA", "other"]}
        )
        assert connection.execute(f"select carrier from live where {condition}").fetchall() == [("other",)]


def test_an_optional_nested_column_may_be_empty() -> None:
    """Each row without a value that nobody had promised was malformed, and its day held."""
    columns = [
        replace(one, required=required)
        for required in (True, False)
        for one in CONTRACTS["web_events"].columns
        if one.json
    ]
    web_events = CONTRACTS["web_events"]
    for column in columns:
        others = tuple(column if one.json else one for one in web_events.columns)
        staging = generated_files({"web_events": replace(web_events, columns=others)})[
            "dbt_project/models/staging/stg_web_events.sql"
        ]
        [rule] = [line for line in staging.split("\n") if "payload_malformed" in line]
        template = "{% set rules = {" + rule.strip().rstrip(",") + "} %}{{ rules | tojson }}"
        found = jinja2.Template(template).render()
        condition = json.loads(found)["payload_malformed"]
        with duckdb.connect() as connection:
            rows = connection.execute(
                "select payload from (values (null, null), ('bad', 'malformed'), ('good', null)) "
                f"live(payload, _fault_of_payload) where {condition}"
            )
            assert [row for (row,) in rows.fetchall()] == ([None, "bad"] if column.required else ["bad"])


SODA_TAKES = ("👍🏽", 'say "ja"', "50 % -- ;", "1", "no", "Zürich: a, [b] #")
LEFT_TO_STAGING = ("O'Brien", "two\nlines", "a\\b", "n\x85l\u2028s", HOSTILE, "👍🏽")


@pytest.mark.parametrize("unknown", [0, 1])
def test_labels_of_any_signs_are_judged_by_soda(tmp_path: Path, unknown: int) -> None:
    """An apostrophe among the labels of one column crashed every check of the table, an emoji made the file unreadable."""
    contract = replace(
        CONTRACTS["orders"],
        source="flights",
        key=("number",),
        event_time="scheduled",
        relations=(),
        columns=(
            Column("number", "BIGINT", required=True),
            Column("scheduled", "TIMESTAMP", required=True),
            Column("carrier", "VARCHAR", required=False, valid_values=SODA_TAKES),
            Column("airline", "VARCHAR", required=False, valid_values=LEFT_TO_STAGING),
        ),
    )
    files = generated_files({"flights": contract})
    file = tmp_path / "stg_flights.yml"
    file.write_text(files["soda_checks/stg_flights.yml"], encoding="utf-8")
    assert {f"stg_flights__valid_{name}" for name in ("carrier", "airline")} <= set(names_in_file(file))
    rules = [
        line.strip().rstrip(",")
        for line in files["dbt_project/models/staging/stg_flights.sql"].split("\n")
        if "_unknown_value" in line
    ]
    told = jinja2.Template("{% set rules = {" + ", ".join(rules) + "} %}{{ rules | tojson }}").render()
    reasons = [f"case when {rule} then '{code}' end" for code, rule in json.loads(told).items()]
    with duckdb.connect() as connection:
        connection.execute(
            "create table live as select unnest($carriers) as carrier, unnest($airlines) as airline",
            {"carriers": [*SODA_TAKES, *["x"] * unknown], "airlines": [*LEFT_TO_STAGING, *["O''Brien"] * unknown]},
        )
        connection.execute(
            f"""create table stg_flights as select row_number() over () as number, timestamp '2026-01-05' as scheduled, *,
            date '2026-01-05' as landing_date, 'b' as batch_id, concat_ws(',', {", ".join(reasons)}) as reject_reasons,
            false as is_superseded, 'valid' as disposition from live"""
        )
        [(_, found, errors)] = scan_days(connection, [file], [date(2026, 1, 5)])
    assert not errors
    judged = {one.name: (one.outcome.value, round(one.check_value)) for one in found if "__valid_" in one.name}
    wanted = ("fail", round(100 / 7)) if unknown else ("pass", 0)
    assert judged == {"stg_flights__valid_carrier": wanted, "stg_flights__valid_airline": wanted}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('checks for a:\n  - row_count > 0:\n      name: "\\ud83d\\udc4d"\n', 3),
        ("checks for a:\n  - row_count > 0\n", 2),
        ("checks for a: 1\n", 1),
        ("- 1\n", 1),
    ],
)
def test_a_soda_file_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    """It was `ScannerError`, and called a fault of the platform."""
    file = tmp_path / "stg_a.yml"
    file.write_text(text)
    with pytest.raises(SodaFileError) as raised:
        list(names_in_file(file))
    said = str(raised.value)
    assert said.startswith(f"{file}, line {line}") and "reliability generate" in said and "\n" not in said
    assert raised.value.exit_code is ExitCode.USAGE


def test_a_second_run_of_generate_after_a_kill_makes_it_whole(project: Path) -> None:
    """Each file is written whole or not at all."""
    shutil.rmtree(project / "dbt_project" / "models" / "staging")
    write(project, planned(project, CONTRACTS))
    assert changes(project) == {}


def test_a_project_that_lost_its_contracts_keeps_what_was_generated(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With a folder that is gone, every model and check of the project was removed without a question."""
    monkeypatch.setattr(module, "PROJECT", project)
    monkeypatch.setattr("reliability_platform.contracts.CONTRACTS", {})
    with pytest.raises(SystemExit) as ended:
        main(["generate", "--overwrite"])
    assert ended.value.code == ExitCode.USAGE
    assert "declares no source" in capfd.readouterr().err
    assert changes(project) == {}


def test_doctor_says_what_generate_would_change(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract that was changed and not generated from was judged by its old rules, and nobody said so."""
    monkeypatch.setattr(doctor, "PROJECT", project)
    assert doctor._generated(load_settings(project)) == "what follows from the contracts is as they say"
    (project / STAGING).write_text((project / STAGING).read_text() + "-- mine\n")
    with pytest.raises(doctor._WrongError, match="edited by hand"):
        doctor._generated(load_settings(project))

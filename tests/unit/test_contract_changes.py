"""A contract changes: what is other is said with its type, and no landed day is read by a rule that was not its own."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import jinja2
import pyarrow as pa
import pytest
from click.testing import CliRunner

from reliability_platform.checks.as_built import outdated_partitions
from reliability_platform.cli import generate as module
from reliability_platform.cli.main import cli
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.changes import Kind, all_changes, changes, short_notice
from reliability_platform.contracts.contract import Cadence, Contract
from reliability_platform.contracts.declared import contracts_in
from reliability_platform.contracts.generation import generated_files
from reliability_platform.contracts.odcs import ContractError
from reliability_platform.errors import ExitCode, UsageError
from reliability_platform.landing.breach import Breach, refusal_words
from reliability_platform.landing.bronze import ensure_bronze
from reliability_platform.landing.columns import breach, owed_notice
from reliability_platform.landing.reading import contract_fingerprint
from reliability_platform.landing.versions import in_later_types
from reliability_platform.settings import load_settings
from reliability_platform.warehouse.fitting import fit_tables

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: flights
version: 1.0.0
status: active
slaProperties:
  - {property: frequency, value: 1, unit: d}
  - {property: noticePeriod, value: 30, unit: d}
customProperties:
  - {property: eventTime, value: flown_at}
  - {property: sourceKind, value: drop}
schema:
  - name: flights
    properties:
      - {name: flight, physicalType: VARCHAR, primaryKey: true}
      - {name: flown_at, physicalType: TIMESTAMP, required: true}
      - {name: carrier, physicalType: VARCHAR, enum: [{value: UA}, {value: AA}]}
      - {name: seats, physicalType: INTEGER, required: true, logicalTypeOptions: {minimum: 1, maximum: 400}}
      - {name: delay, physicalType: DOUBLE}
"""
DELAY = "      - {name: delay, physicalType: DOUBLE}\n"
SECOND = (
    CONTRACT.replace("version: 1.0.0", "version: 2.0.0\ncontractCreatedTs: 2026-01-20")
    .replace("value: 1, unit: d}", "value: 1, unit: d}\n  - {property: generalAvailability, value: 2026-03-01}")
    .replace("maximum: 400", "maximum: 200")
    .replace("{value: AA}]", "{value: AA}, {value: DL}]")
    .replace(DELAY, "      - {name: delay, physicalType: INTEGER}\n      - {name: gate, physicalType: VARCHAR}\n")
)


def declared(folder: Path, *files: str) -> Contract:
    """The contract that files of a folder declare together."""
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(files):
        (folder / f"flights-{number}.yml").write_text(text)
    return contracts_in(folder)["flights"]


@pytest.fixture
def old(tmp_path: Path) -> Contract:
    """The first version alone."""
    return declared(tmp_path / "old", CONTRACT)


@pytest.fixture
def both(tmp_path: Path) -> Contract:
    """The first version, and one from March on."""
    return declared(tmp_path / "both", CONTRACT, SECOND)


@pytest.mark.parametrize(
    ("before", "after", "kind", "compatible"),
    [
        (DELAY, DELAY + "      - {name: gate, physicalType: VARCHAR}\n", Kind.COLUMN_ADDED, True),
        (DELAY, DELAY + "      - {name: gate, physicalType: VARCHAR, required: true}\n", Kind.COLUMN_ADDED, False),
        (DELAY, "", Kind.COLUMN_REMOVED, False),
        ("delay, physicalType: DOUBLE", "delay, physicalType: VARCHAR", Kind.TYPE, False),
        ("seats, physicalType: INTEGER", "seats, physicalType: BIGINT", Kind.TYPE, True),
        ("seats, physicalType: INTEGER", "seats, physicalType: SMALLINT", Kind.TYPE, False),
        ("delay, physicalType: DOUBLE", "delay, physicalType: DOUBLE, required: true", Kind.REQUIRED, False),
        ("INTEGER, required: true", "INTEGER", Kind.OPTIONAL, True),
        ("maximum: 400", "maximum: 800", Kind.RANGE_WIDENED, True),
        ("minimum: 1, maximum: 400", "minimum: 2, maximum: 800", Kind.RANGE_NARROWED, False),
        ("{value: AA}", "{value: AA}, {value: DL}", Kind.LABELS_ADDED, True),
        (", {value: AA}", "", Kind.LABELS_REMOVED, False),
        (", enum: [{value: UA}, {value: AA}]", "", Kind.LABELS_ADDED, True),
        ("{name: flown_at, physicalType: TIMESTAMP, required: true}", "{name: flown_at, physicalType: TIMESTAMP, primaryKey: true}", Kind.KEY, False),
        (DELAY, DELAY + "      - {name: gone_at, physicalType: TIMESTAMP, required: true}\n", Kind.COLUMN_ADDED, False),
        ("physicalType: DOUBLE", "physicalType: DOUBLE, customProperties: [{property: role, value: measure}]", Kind.ROLE, True),
        ("physicalType: DOUBLE", "physicalType: DOUBLE, physicalName: DELAY_MIN", Kind.ALIASES_ADDED, True),
        ("physicalType: DOUBLE", "physicalType: DOUBLE, classification: personal", Kind.PERSONAL, True),
        ("value: 1, unit: d", "value: 2, unit: batches_per_day", Kind.CADENCE, False),
        ("value: 30", "value: 60", Kind.NOTICE, True),
        ("value: drop}", "value: drop}\n  - {property: compatibility, value: strict}", Kind.MODE, False),
        ("value: drop}", "value: drop}\n  - {property: dayZone, value: Europe/Berlin}", Kind.DAYS, False),
    ],
)  # fmt: skip
def test_each_change_is_typed_and_classed(
    old: Contract, tmp_path: Path, before: str, after: str, kind: Kind, compatible: bool
) -> None:
    """Whoever changes a contract must know before anything runs whether days that have landed are to be built again."""
    assert before in CONTRACT
    found = changes(old, declared(tmp_path / "new", CONTRACT.replace(before, after)))
    assert [(one.kind, one.is_compatible) for one in found] == [(kind, compatible)], [one.line for one in found]


def test_a_contract_that_did_not_change_has_no_change(
    old: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description is for people: no row is read in another way, and nothing that waits is read again for it."""
    again = declared(tmp_path / "new", CONTRACT.replace("flight, phys", "flight, description: Its number., phys"))
    assert changes(old, again) == []
    readings = set()
    for contract in (old, again):
        monkeypatch.setitem(CONTRACTS, "flights", contract)
        readings.add(contract_fingerprint("flights", date(2026, 2, 1)))
    assert len(readings) == 1


def test_a_producer_can_ask_in_his_own_ci_what_his_change_breaks(tmp_path: Path) -> None:
    """The exit code is what his pipeline stops at."""
    paths = [tmp_path / name for name in ("old.yml", "wider.yml", "narrower.yml")]
    for path, most in zip(paths, (400, 800, 100), strict=True):
        path.write_text(CONTRACT.replace("maximum: 400", f"maximum: {most}"))
    ends = {}
    for new in paths:
        done = CliRunner().invoke(cli, ["contract", "diff", str(paths[0]), str(new), "--json"], standalone_mode=False)
        ends[new.name] = (done.return_value, json.loads(done.stdout)["compatible"])
    assert ends == {
        "old.yml": (ExitCode.OK, True),
        "wider.yml": (ExitCode.OK, True),
        "narrower.yml": (ExitCode.NOT_HEALED, False),
    }
    said = CliRunner().invoke(cli, ["contract", "diff", str(paths[0]), str(paths[2])], standalone_mode=False).stdout
    assert "flights.seats: range narrowed, from 1 to 400 → from 1 to 100" in said
    assert "30 days of notice are owed" in said


def test_each_landing_day_is_read_by_the_version_that_holds_on_it(both: Contract) -> None:
    """A change that was announced for March made what came in February wrong, or what comes in April right, too."""
    assert [both.on(date(2026, 2, 28)).version, both.on(date(2026, 3, 1)).version] == ["1.0.0", "2.0.0"]
    names = [one.name for one in both.columns]
    assert names == ["flight", "flown_at", "carrier", "seats", "delay", "gate"]
    seats, carrier = both.columns[3], both.columns[2]
    assert (seats.maximum, carrier.valid_values) == (400, ("UA", "AA", "DL")), (
        "what any of them allows is no fault of all"
    )
    table = pa.table({"flight": ["1"], "flown_at": pa.array([None], pa.timestamp("us")), "carrier": ["UA"], "seats": pa.array([1], pa.int32()), "delay": [1.5]})  # fmt: skip
    assert breach(both.on(date(2026, 2, 1)), table, date(2026, 2, 1)) is None
    late = breach(both.on(date(2026, 4, 1)), table, date(2026, 4, 1))
    assert late is not None and late.missing == ("gate",)


def test_the_rules_of_staging_are_those_of_the_landing_day(both: Contract) -> None:
    """The condition of a rejection, as DuckDB judges rows of both sides of the day."""
    staging = generated_files({"flights": both})["dbt_project/models/staging/stg_flights.sql"]
    found = {}
    with duckdb.connect() as connection:
        connection.execute(
            "create table live as select * from (values (date '2026-02-28', 'DL', 300), (date '2026-03-01', 'DL', 300)) "
            "as rows (landing_date, carrier, seats)"
        )
        for code in ("carrier_unknown_value", "seats_out_of_range"):
            [rule] = [line for line in staging.splitlines() if f"'{code}'" in line]
            condition = jinja2.Template("{% set rules = {" + rule + "} %}{{ rules.values() | first }}").render()
            found[code] = connection.execute(f"select landing_date from live where {condition}").fetchall()
    assert found == {
        "carrier_unknown_value": [(date(2026, 2, 28),)],
        "seats_out_of_range": [(date(2026, 3, 1),)],
    }


def test_a_reference_that_only_one_version_has_is_asked_of_its_days(tmp_path: Path) -> None:
    """Rows of before were rejected for a reference that nobody had promised then, or none was asked for any more."""
    refers = ("{name: carrier, phys", "{name: carrier, relationships: [{to: airlines.carrier}], phys")
    for place, files in enumerate(((CONTRACT, SECOND.replace(*refers)), (CONTRACT.replace(*refers), SECOND))):
        files_of = generated_files({"flights": declared(tmp_path / str(place), *files)}, ["dim_airlines"])
        staging = files_of["dbt_project/models/staging/stg_flights.sql"]
        [rule] = [line for line in staging.splitlines() if "carrier_unknown_reference" in line]
        assert ("live.landing_date >= date '2026-03-01'" in rule, "live.landing_date < date" in rule) == (
            place == 0,
            place == 1,
        )
        assert "left join airlines" in staging
        assert "relationships" not in files_of["dbt_project/models/intermediate/int_flights__deduplicated.yml"]


def test_a_value_that_the_newest_type_cannot_hold_is_kept_beside_it(both: Contract) -> None:
    """It was right when it came: neither is it lost, nor read as something else, nor its row rejected."""
    first = both.on(date(2026, 2, 1))
    table = pa.table({"flight": ["1", "2"], "delay": [7.0, None]})
    values, kept = in_later_types(first, replace(both, columns=(both.columns[0], both.columns[4])), table)
    assert [one.to_pylist() for one in values] == [["1", "2"], [7, None]]
    assert kept == []
    words = replace(first, columns=(*first.columns[:4], replace(first.columns[4], type="VARCHAR")))
    values, kept = in_later_types(words, both, pa.table({"delay": ["7", "late"]}))
    assert values[4].to_pylist() == [7, None]
    assert [(name, texts.to_pylist()) for name, texts in kept] == [("delay of version 1.0.0", [None, "late"])]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("  - {property: generalAvailability, value: 2026-03-01}\n", ""), "from which landing day"),
        (("version: 2.0.0", "version: 1.0.0"), "declared twice"),
        (("{name: carrier, phys", "{name: carrier, primaryKey: true, phys"), "its key is another one"),
        (("value: 2026-03-01", "value: 2026-13-01"), "which is no day"),
        (("value: 30, unit: d", "value: -1, unit: d"), "noticePeriod"),
        (("noticePeriod", "noticePeriods"), "did you mean noticePeriod"),
        (("value: 2026-03-01}", "value: 2026-03-01, element: flights.gat}"), "no column of flights"),
        (("value: drop}", "value: drop}\n  - {property: compatibility, value: loose}"), "choose one of strict"),
        (("value: drop}", "value: drop}\n  - {property: compatibilty, value: strict}"), "did you mean compatibility"),
    ],
)
def test_versions_that_contradict_each_other_are_refused_in_one_line(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    """Two files of one source, of which nobody can say which is meant."""
    with pytest.raises(ContractError, match=words) as refused:
        declared(tmp_path / "both", CONTRACT, SECOND.replace(*change))
    assert "\n" not in str(refused.value)


def test_a_change_without_notice_says_which_fields_and_what_was_owed(old: Contract, both: Contract) -> None:
    """The incident of a schema break named the columns, and nobody could say whether the producer had told anyone."""
    broken = Breach("schema_column_missing", missing=("delay",))
    assert owed_notice(old, date(2026, 2, 1), broken) == (
        "delay changed without notice: the contract asks for 30 days of it"
    )
    assert owed_notice(both, date(2026, 2, 1), broken) == (
        "version 2.0.0, announced on 2026-01-20, holds from 2026-03-01 only"
    )
    assert short_notice(old, both.versions[1]) is None
    hasty = replace(both.versions[1], announced_on=date(2026, 2, 20))
    assert (
        short_notice(old, hasty)
        == "flights: 30 days of notice are owed for an incompatible change, and 9 days are given"
    )


@pytest.mark.parametrize(("mode", "reason"), [("strict", "schema_column_unannounced"), ("tolerant", None), ("additive", None)])  # fmt: skip
def test_what_nobody_announced_is_taken_as_the_mode_says(old: Contract, mode: str, reason: str | None) -> None:
    """A strict contract refuses a file with a column that it does not name; others keep it aside."""
    contract = replace(old, mode=mode, announced=("terminal",))
    table = contract.arrow_schema.empty_table()
    assert breach(contract, table.append_column("terminal", pa.array([], pa.string())), date(2026, 2, 1)) is None
    found = breach(contract, table.append_column("gate", pa.array([], pa.string())), date(2026, 2, 1))
    assert (found.reason if found is not None else None) == reason
    rules = generated_files({"flights": contract})["dbt_project/models/staging/stg_flights.sql"]
    assert ("carrier_unknown_value" in rules) is (mode != "additive")


def test_a_column_that_came_later_may_be_missing_before_its_day(old: Contract, tmp_path: Path) -> None:
    """Files of before it cannot have it: each of their days was refused when it was run again."""
    text = CONTRACT.replace(DELAY, DELAY + "      - {name: gate, physicalType: VARCHAR}\n").replace(
        "slaProperties:\n",
        "slaProperties:\n  - {property: generalAvailability, value: 2026-03-01, element: flights.gate}\n",
    )
    contract = declared(tmp_path / "new", text)
    table = old.arrow_schema.empty_table()
    assert breach(contract, table, date(2026, 2, 28)) is None
    found = breach(contract, table, date(2026, 3, 1))
    assert found is not None and found.missing == ("gate",)


def test_tables_take_the_shape_of_their_contract_before_a_build(
    old: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column added or removed ended every build: the tables of staging and silver had those of the first one."""
    settings = load_settings(tmp_path / "home")
    for name in list(CONTRACTS):
        monkeypatch.delitem(CONTRACTS, name)
    monkeypatch.setattr("reliability_platform.landing.bronze.SOURCES", ("flights",))
    flight, at, carrier, seats, delay = old.columns
    changed = (flight, at, carrier, replace(seats, type="SMALLINT"), replace(delay, name="gate", type="VARCHAR"))

    def fit(contract: Contract) -> list[str]:
        monkeypatch.setitem(CONTRACTS, "flights", contract)
        ensure_bronze(settings)
        return fit_tables(settings, connection)

    with duckdb.connect() as connection:
        connection.execute(
            "create table stg_flights as select 'UA1' as flight, timestamp '2026-01-01' as flown_at, 'UA' as carrier, "
            "70000 as seats, 1.5::double as delay, 'valid' as disposition, date '2026-01-01' as landing_date"
        )
        assert fit(old) == [], "a build of an unchanged contract alters nothing"
        fit(replace(old, columns=changed))
        kinds = dict(connection.execute("select column_name, column_type from (describe stg_flights)").fetchall())
        assert (kinds["seats"], kinds["gate"], "delay" in kinds) == ("SMALLINT", "VARCHAR", False)
        assert connection.execute("select seats, gate from stg_flights").fetchall() == [(None, None)]
        assert fit(replace(old, columns=changed)) == []
        connection.execute("insert into stg_flights (flight, seats, gate) values ('UA2', 180, 'B4')")
        fit(old)
        taken_back = connection.execute("select seats, delay from stg_flights order by flight").fetchall()
        assert taken_back == [(70000, 1.5), (180, None)], "a contract that is put back finds what its days had"
        fit(replace(old, columns=(flight, at, carrier, replace(seats, type="BIGINT"), delay)))
        widened = connection.execute("select seats, typeof(seats) from stg_flights order by flight").fetchall()
        assert widened == [(70000, "BIGINT"), (180, "BIGINT")]
        assert fit(replace(old, columns=changed, taken_over=("stg_flights",))) == [], "a person's table is his"
        fit(replace(old, columns=changed))
        assert "_gone_delay" in connection.table("stg_flights").columns
        connection.execute("delete from stg_flights")  # the days are built again, without what is gone
        fit(replace(old, columns=changed))
        assert not [one for one in connection.table("stg_flights").columns if one.startswith("_gone_")]


def test_days_that_were_read_by_an_incompatible_version_are_held(
    both: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of two readings were added up, and published as if one contract had promised them."""
    monkeypatch.setitem(CONTRACTS, "flights", both)
    days = {date(2026, 2, 28): "1.0.0", date(2026, 3, 1): "1.0.0", date(2026, 3, 2): "2.1.0"}
    held = outdated_partitions({("flights", day): version for day, version in days.items()})
    assert list(held) == [("flights", date(2026, 3, 1))]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one source, and an empty home, as `generate` finds them."""
    monkeypatch.setattr(module, "PROJECT", tmp_path)
    monkeypatch.setattr(module, "CONTRACTS_FOLDER", tmp_path / "contracts")
    monkeypatch.setenv("RELIABILITY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("reliability_platform.landing.watch.SOURCES", ("flights",))
    (tmp_path / "home").mkdir()
    (tmp_path / "contracts").mkdir()
    return tmp_path


def generate(project: Path, monkeypatch: pytest.MonkeyPatch, *files: str, check: bool = False) -> tuple[ExitCode, str]:
    """Generate from contract files; what is said. The contracts of a process are read when it begins."""
    for number, text in enumerate(files):
        (project / "contracts" / f"flights-{number}.yml").write_text(text)
    for name in list(CONTRACTS):
        monkeypatch.delitem(CONTRACTS, name)
    for name, contract in contracts_in(project / "contracts").items():
        monkeypatch.setitem(CONTRACTS, name, contract)
    done = CliRunner().invoke(cli, ["generate", *(["--check"] if check else [])], standalone_mode=False)
    if isinstance(done.exception, UsageError):
        return ExitCode.USAGE, f"{done.stdout}{done.exception}"
    assert done.exception is None, done.exception
    return done.return_value, done.stdout


def test_generate_says_what_changed_and_what_an_incompatible_change_costs(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contract was narrowed, and which days that concerned nobody said before they were read anew."""
    assert generate(project, monkeypatch, CONTRACT)[0] is ExitCode.OK
    for day in ("2026-01-05", "2026-01-06"):
        (project / "home" / "landing" / "flights" / f"landing_date={day}").mkdir(parents=True)
        (project / "home" / "bronze" / "admissions" / "flights" / f"landing_date={day}").mkdir(parents=True)

    wider = CONTRACT.replace("maximum: 400", "maximum: 500")
    code, said = generate(project, monkeypatch, wider)
    assert (code, "compatible: flights.seats: range widened" in said, "INCOMPATIBLE" in said) == (
        ExitCode.OK,
        True,
        False,
    )
    assert "range widened" not in generate(project, monkeypatch, wider)[1], "it is said once"

    narrower = wider.replace("minimum: 1,", "minimum: 2,")
    code, said = generate(project, monkeypatch, narrower)
    assert (code, "INCOMPATIBLE: flights.seats: range narrowed" in said) == (ExitCode.USAGE, True)
    assert "backfill --from 2026-01-05 --to 2026-01-06" in said
    assert "not between 1 and 500" in (project / "dbt_project/models/staging/stg_flights.sql").read_text()
    code, said = generate(project, monkeypatch, narrower.replace("version: 1.0.0", "version: 2.0.0"))
    assert (code, "2 landing days" in said) == (ExitCode.OK, True)


def test_a_contract_by_which_nothing_was_read_needs_no_new_version(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever corrected a proposed contract before the first delivery was told to give it a second version."""
    draft = CONTRACT.replace("status: active", "status: draft")
    assert generate(project, monkeypatch, draft)[0] is ExitCode.OK
    admissions = project / "home" / "bronze" / "admissions"
    for bound, other in ((2, "others"), (3, "more")):  # without a home, and in one into which others deliver
        code, said = generate(project, monkeypatch, draft.replace("minimum: 1,", f"minimum: {bound},"))
        assert (code, "INCOMPATIBLE: flights.seats" in said, "flights: a draft, and nothing has been" in said) == (
            ExitCode.OK,
            True,
            True,
        )
        (admissions / other / "landing_date=2026-01-05").mkdir(parents=True)
    (admissions / "flights" / "landing_date=2026-01-05").mkdir(parents=True)
    code, said = generate(project, monkeypatch, draft.replace("minimum: 1,", "minimum: 4,"))
    assert (code, "nothing has been admitted" in said) == (ExitCode.USAGE, False)


def test_a_contract_that_is_read_elsewhere_needs_a_new_version_without_a_home(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In CI there is no home: an incompatible change went through, and the platform read its old days by the new contract."""
    assert generate(project, monkeypatch, CONTRACT)[0] is ExitCode.OK
    narrower = CONTRACT.replace("minimum: 1,", "minimum: 2,")
    for changed in (narrower, narrower.replace("status: active", "status: draft")):  # what it was counts
        code, said = generate(project, monkeypatch, changed)
        assert (code, "needs a new first number" in said) == (ExitCode.USAGE, True)
    assert generate(project, monkeypatch, narrower.replace("version: 1", "version: 2"))[0] is ExitCode.OK


def test_a_version_from_a_day_on_costs_no_day_of_before(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was announced for later concerns nothing that has landed."""
    assert generate(project, monkeypatch, CONTRACT)[0] is ExitCode.OK
    (project / "home" / "landing" / "flights" / "landing_date=2026-01-05").mkdir(parents=True)
    code, said = generate(project, monkeypatch, CONTRACT, SECOND)
    assert (code, "backfill" in said) == (ExitCode.OK, False)
    assert "INCOMPATIBLE: flights.seats: range narrowed, from 1 to 400 → from 1 to 200, from 2026-03-01 on" in said
    code, said = generate(project, monkeypatch, CONTRACT, SECOND.replace("value: 2026-03-01", "value: 2026-01-05"))
    assert (code, "backfill --from 2026-01-05" in said) == (ExitCode.OK, True), (
        "days between are read by another version"
    )
    assert "version holds from another day, 2.0.0, 2026-03-01 → 2026-01-05" in said
    (project / "contracts" / "flights-1.yml").unlink()
    code, said = generate(project, monkeypatch, CONTRACT)
    assert (code, "flights: version removed, 2.0.0" in said) == (ExitCode.OK, True)


def test_a_new_optional_column_is_expected_after_the_last_landed_day(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that landed before it was in the contract cannot have it."""
    assert generate(project, monkeypatch, CONTRACT)[0] is ExitCode.OK
    (project / "home" / "landing" / "flights" / "landing_date=2026-01-05").mkdir(parents=True)
    added = CONTRACT.replace(DELAY, DELAY + "      - {name: gate, physicalType: VARCHAR}\n")
    assert generate(project, monkeypatch, added)[0] is ExitCode.OK
    gate = contracts_in(project / "contracts")["flights"].columns[-1]
    assert (gate.name, gate.since) == ("gate", date(2026, 1, 6))
    assert generate(project, monkeypatch, added, check=True)[0] is ExitCode.OK
    (project / "contracts" / "generated.json").write_text("<<<<<<< ours")
    with pytest.raises(UsageError, match="delete it and generate again"):
        contracts_in(project / "contracts")


def test_a_source_that_came_or_went_is_a_change(old: Contract) -> None:
    """A file that was deleted by mistake took its tables with it without a word."""
    other = replace(old, source="trains", cadence=Cadence(2))
    found = {one.source: one.kind for one in all_changes({"flights": old}, {"trains": other})}
    assert found == {"trains": Kind.SOURCE_ADDED, "flights": Kind.SOURCE_REMOVED}


@pytest.mark.parametrize(
    ("reason", "detail", "words"),
    [
        ("schema_column_renamed", Breach("x", missing=("a",), rename={"a2": "a"}).detail, "without a; a2 may be a"),
        (
            "schema_type_changed",
            Breach("x", changed={"at": {"expected": "timestamp[us]", "found": "int64"}}).detail,
            "at is int64, not timestamp[us]",
        ),
        ("row_count_mismatch", '{"declared": 56, "found": 39}', "its manifest declares 56 rows, it has 39"),
        ("checksum_mismatch", "the bytes are not those", "the bytes are not those"),
        ("schema_type_changed", '{"edited": [', '{"edited": ['),
        ("schema_type_changed", "[1]", None),
        ("no_file", None, None),
    ],
)
def test_why_a_file_was_refused_is_said_in_words(reason: str, detail: str | None, words: str | None) -> None:
    """The page of the quarantine showed JSON to people."""
    assert refusal_words(reason, detail) == words

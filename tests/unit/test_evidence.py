"""The evidence files: their numbers against queries that know nothing of the reports, and that each can say no."""

import csv
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner

from reliability_platform.cli.main import cli
from reliability_platform.clock import utc_now
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.csv_cell import csv_cell
from reliability_platform.damage import sha256_of
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import consumers
from reliability_platform.incidents.model import ENDED
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.plan import Injection
from reliability_platform.lab.oracle import verify as compare_with_oracle
from reliability_platform.lab.scorecard.evidence import StageTiming, write_evidence
from reliability_platform.lab.scorecard.evidence.catalogue import REPORTS
from reliability_platform.lab.scorecard.evidence.report import WALL_CLOCK, Report
from reliability_platform.lab.scorecard.evidence.sla import STAGES
from reliability_platform.lab.scorecard.evidence.text import cell
from reliability_platform.lab.scorecard.headline import headline
from reliability_platform.lab.scorecard.score import Scorecard, score
from reliability_platform.landing.admission import admit, landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.remediation.due import may_act
from reliability_platform.remediation.heal import act, verify
from reliability_platform.service.queries.evidence import evidence_reports
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts
from tests.ground import Platform, day

DAYS = 7
INJECTIONS = [
    Injection("too_late_events", "orders", day(1), "medium"),
    Injection("null_spike", "orders", day(2), "medium"),
    Injection("duplicate_retry_storm", "web_events", day(2), "medium"),
    Injection("schema_column_renamed", "payments", day(3), "medium"),
    Injection("schema_type_changed", "shipments", day(3), "medium"),
    Injection("sla_breach", "shipments", day(4), "medium"),
    Injection("schema_column_added", "web_events", day(4), "medium"),
    Injection("missing_batch", "payments", day(5), "medium"),
]
NEVER_LANDED = Injection("null_spike", "orders", day(20), "small")


class Home:
    """A home that was broken, has noticed, has healed what needs no approval, and is graded."""

    def __init__(self, folder: Path) -> None:
        self.platform = Platform(folder, injections=INJECTIONS)
        self.settings, self.engine = self.platform.settings, self.platform.engine
        self._seen = 0
        self.platform.run(day(1), day(DAYS))
        self._look()
        store = IncidentStore(self.engine)
        for incident in store.all():
            if may_act(self.settings, self.engine, incident, utc_now()):
                act(self.settings, self.engine, incident.id, utc_now(), "test")
        reruns = {one for incident in store.all() for one in incident.pending_reruns}
        first, last = min(reruns), max(reruns)
        self.platform.admit(first, last)
        self.platform.check(first, last, self.platform.build(first, last))
        self.platform.publish()
        self._look()
        for incident in store.all():
            if incident.state not in ENDED:
                verify(self.settings, self.engine, incident.id, utc_now(), "test")
        comparisons = compare_with_oracle(self.settings, landed_partitions(self.settings))
        self.card: Scorecard = score(self.settings, self.engine, marts(ensure_manifest()), comparisons)
        # Planned after the fact: an injection that the window of the run never reached.
        type(self.platform.plan)(7, (*INJECTIONS, NEVER_LANDED)).save(self.settings)
        self.files = write_evidence(self.settings, self.engine, self.card)

    def _look(self) -> None:
        results = self.platform.checks.after(self._seen, 100_000)
        self._seen = results[-1][0]
        observe(
            self.engine,
            results,
            utc_now(),
            Surroundings(self.settings, lambda: consumers(self.settings, ensure_manifest())),
        )

    def read(self, name: str) -> list[dict[str, Any]]:
        """The rows of one report."""
        return read(self.settings, name)


def report_named(name: str) -> Report:
    return next(report for report in REPORTS if report.name == name)


def place_of(settings: Settings, report: Report, suffix: str) -> Path:
    return settings.home / report.folder / f"{report.name}{suffix}"


def read(settings: Settings, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(place_of(settings, report_named(name), ".json").read_text())
    return rows


@pytest.fixture(
    scope="module", params=[pytest.param("healed", marks=pytest.mark.exhaustive)]
)  # 40 s for all tests of it
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("evidence") / "home")


@pytest.fixture
def copy(home: Home, tmp_path: Path) -> Iterator[Settings]:
    """The same home, to be spoiled."""
    target = tmp_path / "copy"
    shutil.copytree(home.settings.home, target, symlinks=True, ignore=shutil.ignore_patterns("*.lease", "dbt"))
    yield load_settings(target)


def rewritten(settings: Settings, home: Home, name: str) -> list[dict[str, Any]]:
    write_evidence(settings, operations_engine(settings), home.card)
    return read(settings, name)


def spoil(settings: Settings, *statements: str) -> None:
    with duckdb.connect(str(settings.warehouse)) as connection:
        for statement in statements:
            connection.execute(statement)


def bronze(settings: Settings, source: str, sql: str) -> list[tuple[Any, ...]]:
    """A query over the bronze files of a source, called `rows`."""
    with duckdb.connect() as connection:
        connection.execute(
            f"create view rows as select * from read_parquet('{settings.bronze}/{source}/landing_date=2026-*/*.parquet', "
            "hive_partitioning = true, hive_types = {'landing_date': date})"
        )
        return connection.execute(sql).fetchall()


def manifests(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(settings.landing.glob("*/*/*.manifest.json"))]


# What is written


def test_every_report_is_declared_with_meaning_and_unit_and_the_index_says_it() -> None:
    """A column that nobody explains is a riddle."""
    assert len({report.name for report in REPORTS}) == len(REPORTS) == 16
    for report in REPORTS:
        names = [column.name for column in report.columns]
        assert len(set(names)) == len(names)
        assert all(column.meaning and column.unit and "|" not in column.meaning for column in report.columns)
        for column in report.columns:
            # What a second run fills differently says so; a data time says that it is one.
            if column.unit.startswith(("timestamp", "seconds")):
                assert column.name.endswith(WALL_CLOCK) or column.unit.endswith("data time"), column


def test_files_have_exactly_the_declared_columns_and_csv_and_json_agree(home: Home) -> None:
    """Two formats, one content, in the order of the declaration."""
    index = home.files[-1].read_text()
    for report in REPORTS:
        names = [column.name for column in report.columns]
        rows = home.read(report.name)
        with place_of(home.settings, report, ".csv").open(newline="") as file:
            header, *lines = csv.reader(file)
        assert header == names
        assert rows, f"{report.name} has no row; let the fixture break something for it"
        assert all(list(row) == names for row in rows)
        assert lines == [[csv_cell(value) for value in row.values()] for row in rows]
        section = index.split(f"## {report.name}\n")[1].split("\n## ")[0]
        assert all(f"| `{column.name}` | {column.meaning} | {column.unit} |" in section for column in report.columns)
    assert len(home.files) == 2 * len(REPORTS) + 2
    assert {one.name: one.file for one in evidence_reports(home.settings)} == {
        report.name: f"{report.folder}/{report.name}.json" for report in REPORTS
    }


def test_writing_again_gives_the_same_bytes_and_leaves_no_draft(home: Home) -> None:
    """The same run, the same evidence."""
    before = {path: path.read_bytes() for path in home.files}
    assert write_evidence(home.settings, home.engine, home.card) == home.files
    assert {path: path.read_bytes() for path in home.files} == before
    for folder in {path.parent for path in home.files}:
        assert not [path for path in folder.iterdir() if path.is_file() and path.name.startswith(".")]


def test_the_same_seed_gives_the_same_rows(home: Home, tmp_path: Path) -> None:
    """All but the wall clock is a function of seed, plan and code."""
    other = Home(tmp_path / "another")
    for report in REPORTS:
        fixed = [column.name for column in report.columns if not column.name.endswith(WALL_CLOCK)]
        ours, theirs = ([{name: row[name] for name in fixed} for row in one.read(report.name)] for one in (home, other))
        assert ours == theirs, report.name


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =cmd|' /C calc'!A0"])
def test_what_a_spreadsheet_would_execute_is_neutralised(text: str) -> None:
    """CSV injection: the text stays readable, and stays text."""
    assert csv_cell(text) == f"'{text}"
    assert csv_cell(cell(text)).startswith("'")
    assert csv_cell([text, "b"]).startswith("'")


def test_numbers_stay_numbers_and_text_stays_short_and_clean() -> None:
    """A negative number is no formula; control signs and endless text have no place."""
    assert [csv_cell(value) for value in (-5, -0.25, True, None, 0)] == ["-5", "-0.25", "true", "", "0"]
    assert cell("a\x00b\tc") == "a b c"
    assert len(cell("x" * 5000)) == 400
    assert cell(1 / 3) == 0.333333
    with pytest.raises(TypeError):
        cell(object())


def test_hostile_notes_reach_no_spreadsheet(home: Home, copy: Settings) -> None:
    """A note on an incident is free text of a person."""
    engine = operations_engine(copy)
    store = IncidentStore(engine)
    note = '=HYPERLINK("http://x.example","a@b.example")'
    store.append(store.all()[0].id, utc_now(), "@mallory", "note", note)
    write_evidence(copy, engine, home.card)
    [row] = [row for row in read(copy, "incident_timelines") if row["kind"] == "note"]
    assert (row["actor"], row["why"]) == ("@mallory", '=HYPERLINK("http://x.example","•••")')
    with place_of(copy, report_named("incident_timelines"), ".csv").open(newline="") as file:
        [line] = [line for line in csv.DictReader(file) if line["kind"] == "note"]
    assert (line["actor"], line["why"][:5]) == ("'@mallory", "'=HYP")


# Truth and results


def test_the_scorecard_holds_every_injection_and_its_total(home: Home) -> None:
    """Planned injections that never landed are named, not dropped."""
    *rows, total = home.read("pipeline_reliability_scorecard")
    assert Counter(row["row_kind"] for row in rows) == {"injection": len(INJECTIONS), "not landed": 1}
    assert rows[-1]["fault"] == NEVER_LANDED.fault
    assert {(row["fault"], row["source"], row["landing_date"]) for row in rows[:-1]} == {
        (injection.fault, injection.source, injection.landing_date.isoformat()) for injection in INJECTIONS
    }
    assert all(row["detected"] and row["severity_as_expected"] for row in rows[:-1])
    healed = {row["fault"]: row["healed"] for row in rows[:-1]}
    assert not healed.pop("too_late_events")  # waits for approval
    assert all(healed.values())
    assert total["row_kind"] == "total"
    assert (total["injections"], total["detected_share"]) == (len(INJECTIONS), 1.0)
    assert total["healed_share"] == (len(INJECTIONS) - 1) / len(INJECTIONS)
    [sums] = home.platform.query(
        "select sum(delivered_rows), sum(accepted_rows), sum(duplicate_rows), sum(quarantined_rows), "
        "sum(held_late_rows), sum(abs(unaccounted_rows)) from rec_batches__conserved"
    )
    names = ("delivered", "accepted", "duplicate", "quarantined", "held_late", "unaccounted")
    assert tuple(total[f"{name}_rows"] for name in names) == sums
    assert total["proved"] == (not home.card.failures)
    assert total["deduplication_accuracy"] < 1  # the held rows are missing
    assert headline(home.card)["detected_share"] == 1.0


def test_detection_accuracy_counts_hits_misses_and_false_alarms(home: Home, copy: Settings) -> None:
    """Take one incident's injection away, and it is a false positive; take its incident away, and it is missed."""
    rows = {(row["level"], row["name"]): row for row in home.read("incident_detection_accuracy_report")}
    overall = rows["overall", "all"]
    alarms = len(IncidentStore(home.engine).all()) - len(INJECTIONS)
    assert (overall["true_positives"], overall["false_negatives"]) == (len(INJECTIONS), 0)
    assert overall["false_positives"] == alarms
    assert overall["precision"] == round(len(INJECTIONS) / (len(INJECTIONS) + alarms), 6)
    assert overall["recall"] == overall["root_share"] == overall["column_share"] == 1.0
    assert rows["failure class", "schema_break"]["true_positives"] == 2
    assert rows["fault", "null_spike"]["false_positives"] is None
    [gone] = [one for one in home.card.faults if one.fault == "sla_breach"]
    kept = [one for one in home.card.faults if one is not gone]
    missed = type(gone)(**{**vars(gone), "detected": False, "incident": None})
    card = Scorecard([*kept, missed], home.card.incidents, home.card.conservation, home.card.oracle)
    write_evidence(copy, operations_engine(copy), card)
    again = {(row["level"], row["name"]): row for row in read(copy, "incident_detection_accuracy_report")}
    worse = again["overall", "all"]
    assert (worse["true_positives"], worse["false_negatives"]) == (len(INJECTIONS) - 1, 1)
    assert worse["false_positives"] == alarms + 1
    assert worse["missed"] == [f"sla_breach/shipments/{day(4)}"]
    precision = (len(INJECTIONS) - 1) / (len(INJECTIONS) + alarms)
    recall = (len(INJECTIONS) - 1) / len(INJECTIONS)
    assert worse["f1"] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-5)


def test_incidents_timelines_and_the_manifest_are_those_of_the_stores(home: Home) -> None:
    """One row each, the injection before its incident."""
    stored = IncidentStore(home.engine).all()
    incidents = home.read("incidents")
    assert [row["incident"] for row in incidents] == [one.id for one in stored]
    assert all(row["timeline_intact"] for row in incidents)
    assert [row["incident"] for row in home.read("incident_detection_report")] == [one.id for one in stored]
    entries = home.read("incident_timelines")
    assert sum(row["number"] > 0 for row in entries) == sum(len(one.timeline) for one in stored)
    assert sum(row["kind"] == "injected" for row in entries) == len(INJECTIONS)
    injections = {(row["fault"], row["source"]): row for row in home.read("injected_failure_manifest")}
    assert len(injections) == len(INJECTIONS)
    [nulls] = bronze(home.settings, "orders", "select count(*) from rows where customer_id is null")
    assert injections["null_spike", "orders"]["bad_rows"] == nulls[0] > 0


def test_the_impact_counts_the_rows_of_the_incidents_days(home: Home) -> None:
    """Against the reconciliation, day by day."""
    for row, incident in zip(home.read("downstream_impact_report"), IncidentStore(home.engine).all(), strict=True):
        listed = ", ".join(f"'{one}'" for one in incident.partitions)
        [sums] = home.platform.query(
            f"select sum(delivered_rows), sum(quarantined_rows) from rec_batches__conserved "
            f"where source = '{incident.source}' and landing_date in ({listed})"
        )
        assert (row["delivered_rows"], row["quarantined_rows"]) == sums
        assert set(row["published_tables"]) == {
            one.name for one in marts(ensure_manifest()) if incident.source in one.sources
        }
        assert row["source_owners"] == [CONTRACTS[incident.source].owner]


# Deadlines


def test_late_and_missing_batches_are_those_of_the_manifests(home: Home) -> None:
    """Deadline by contract, landing time by manifest."""
    late = {}
    for one in manifests(home.settings):
        deadline = datetime.fromisoformat(one["landing_date"]) + timedelta(
            days=1, minutes=CONTRACTS[one["source"]].deadline_minutes
        )
        landed = datetime.fromisoformat(one["landed_at"])
        if landed > deadline and one["kind"] == "scheduled":
            late[one["batch_id"]] = (landed - deadline).total_seconds() / 60
    rows = home.read("sla_breach_report")
    assert late
    assert {row["batch_id"]: row["minutes_late"] for row in rows if row["outcome"] == "came after the deadline"} == late
    replaced = [row for row in rows if row["outcome"] == "replaced after the deadline"]
    truths = {row["fault"]: row for row in home.read("injected_failure_manifest")}
    asked_for = ("missing_batch", "schema_column_renamed", "schema_type_changed")
    wanted = {batch for fault in asked_for for batch in truths[fault]["batches"]}
    assert {row["batch_id"].removesuffix("-a2") for row in replaced} == wanted
    assert all(row["incidents"] for row in rows)


def test_a_day_of_silence_misses_every_deadline(home: Home, copy: Settings) -> None:
    """No file names such a day; that it was examined does."""
    shutil.rmtree(copy.landing / "shipments" / f"landing_date={day(6)}")
    admit(copy, "shipments", day(6))
    rows = rewritten(copy, home, "sla_breach_report")
    silent = [row for row in rows if (row["source"], row["landing_date"]) == ("shipments", day(6).isoformat())]
    assert [row["batch_sequence"] for row in silent] == [1, 2, 3, 4]
    assert {(row["outcome"], row["minutes_late"]) for row in silent} == {("never came", None)}


def test_durations_are_measured_or_null_never_invented(home: Home, copy: Settings) -> None:
    """Without an orchestrator only remediation has a length; with one, percentiles of what it measured."""
    rows = {row["stage"]: row for row in home.read("sla_stage_summary")}
    assert tuple(rows) == STAGES
    assert all(rows[name]["seconds_p50_wall_clock"] is None for name in STAGES if name != "incidents")
    assert rows["incidents"]["seconds_max_wall_clock"] is not None
    assert rows["landing"]["units"] == DAYS * sum(CONTRACTS[source].cadence.batches for source in SOURCES)
    assert rows["landing"]["breaches"] == len(home.read("sla_breach_report"))
    assert rows["admission"]["breaches"] == len(list(home.settings.quarantine.glob("*/*/*.reason.json")))
    assert rows["publication"]["runs"] == 2
    timings = [StageTiming("landing", seconds) for seconds in (1.0, 2.0, 9.0)]
    write_evidence(copy, operations_engine(copy), home.card, timings)
    landing = read(copy, "sla_stage_summary")[0]
    assert (landing["runs"], landing["seconds_p50_wall_clock"], landing["seconds_max_wall_clock"]) == (3, 2.0, 9.0)


# Rows


def test_deduplication_is_that_of_the_files(home: Home) -> None:
    """Delivered by the manifests, unique keys by the bronze files of the day that the storm hit."""
    rows = {(row["source"], row["landing_date"]): row for row in home.read("deduplication_accuracy_report")}
    delivered: Counter[tuple[str, str]] = Counter()
    for one in manifests(home.settings):
        delivered[one["source"], one["landing_date"]] += one["expected_rows"]
    assert {key: row["delivered_rows"] for key, row in rows.items()} == delivered
    storm = rows["web_events", day(2).isoformat()]
    [(files, unique)] = bronze(
        home.settings,
        "web_events",
        f"select count(*), count(distinct event_id) from rows where landing_date = '{day(2)}'",
    )
    assert files > unique
    assert (storm["unique_keys"], storm["duplicates_removed"]) == (unique, files - unique)
    assert storm["expected_duplicates"] == files - unique
    assert storm["accuracy"] == 1.0
    waiting = sum(row["missing_keys"] for row in rows.values())
    assert waiting == sum(row["held_late_rows"] for row in rows.values()) > 0
    assert all(row["extra_keys"] == row["keys_twice_in_silver"] == 0 for row in rows.values())


def test_deduplication_can_be_found_wrong(home: Home, copy: Settings) -> None:
    """A key twice, a key lost, a key that never was."""
    table = "int_web_events__deduplicated"
    at = f"landing_date = '{day(2)}'"
    spoil(
        copy,
        f"insert into {table} from {table} where {at} order by event_id limit 2",
        f"delete from {table} where {at} and event_id = (select max(event_id) from {table} where {at})",
        f"insert into {table} select * replace (-1 as event_id) from {table} where {at} limit 1",
    )
    rows = rewritten(copy, home, "deduplication_accuracy_report")
    [row] = [row for row in rows if (row["source"], row["landing_date"]) == ("web_events", day(2).isoformat())]
    assert (row["keys_twice_in_silver"], row["missing_keys"], row["extra_keys"]) == (2, 1, 1)
    assert row["accuracy"] == pytest.approx(1 - 4 / row["expected_unique_keys"], abs=1e-5)
    unlike = {(row["source"], row["landing_date"]): row for row in read(copy, "backfill_safety_report")}[
        "web_events", day(2).isoformat()
    ]
    assert (unlike["equal_to_oracle"], unlike["safe"]) == (False, False)


def test_lateness_is_that_of_the_bronze_files(home: Home, copy: Settings) -> None:
    """Within and beyond the watermark, by event time and landing day alone; and a wrong hold is found."""
    allowed = home.settings.allowed_lateness_days
    late = "date_diff('day', event_time::date, landing_date)"
    found = {
        str(row[0]): row[1:]
        for row in bronze(
            home.settings,
            "orders",
            f"select landing_date, max({late}), count(*) filter (where {late} between 1 and {allowed}), "
            f"count(*) filter (where {late} > {allowed}) from rows group by landing_date",
        )
    }
    rows = [row for row in home.read("watermark_validation_report") if row["source"] == "orders"]
    names = ("max_lateness_days", "rows_late_within", "rows_held_beyond")
    assert {row["landing_date"]: tuple(row[name] for name in names) for row in rows} == found
    assert sum(row["rows_in_hold"] for row in rows) == home.platform.query("select count(*) from hld_too_late")[0][0]
    assert all(row["consistent"] for row in home.read("watermark_validation_report"))
    spoil(copy, "update stg_orders set disposition = 'valid' where disposition = 'held_late'")
    worse = rewritten(copy, home, "watermark_validation_report")
    assert {row["landing_date"] for row in worse if not row["consistent"]} == {
        row["landing_date"] for row in rows if row["rows_held_beyond"]
    }


def test_lateness_is_judged_by_the_watermark_of_the_build(copy: Settings, home: Home) -> None:
    """A scorecard of a shell without the setting called each row that the build had held a wrong hold."""
    spoil(copy, "update build_rules set value = '9' where name = 'allowed_lateness_days'")
    rows = rewritten(copy, home, "watermark_validation_report")
    assert {row["allowed_lateness_days"] for row in rows} == {9}


def test_drift_names_file_column_and_types(home: Home) -> None:
    """Every file that the truth says was hit, and no other."""
    rows = home.read("schema_drift_report")
    truths = home.read("injected_failure_manifest")
    injected = {batch for row in truths if row["fault"].startswith("schema_") for batch in row["batches"]}
    assert {row["batch_id"] for row in rows} == injected
    by_kind = {row["kind"]: row for row in rows}
    assert set(by_kind) == {"renamed", "type changed", "added"}
    # Two days of a past tell nothing about a column that came otherwise: the source was asked.
    assert (by_kind["renamed"]["outcome"], by_kind["renamed"]["shim"]) == ("superseded", False)
    assert (by_kind["type changed"]["outcome"], by_kind["type changed"]["shim"]) == ("superseded", False)
    assert by_kind["type changed"]["expected_type"] != by_kind["type changed"]["found_type"]
    assert by_kind["added"]["outcome"] == "rescued"
    columns = {row["fault"]: row["expected_column"] for row in truths}
    assert by_kind["type changed"]["column"] == columns["schema_type_changed"]
    assert by_kind["added"]["column"] == columns["schema_column_added"]


def test_contract_rules_count_what_the_files_break(home: Home) -> None:
    """Nulls by the bronze files; columns by the refusals."""
    rows = {(row["source"], row["column"], row["rule"]): row for row in home.read("data_contract_validation_report")}
    for source in SOURCES:
        for column in CONTRACTS[source].columns:
            if column.required:
                [(total, nulls)] = bronze(
                    home.settings, source, f"select count(*), count(*) filter (where {column.name} is null) from rows"
                )
                row = rows[source, column.name, "required"]
                assert (row["checked"], row["violations"]) == (total, nulls), (source, column.name)
    injected = rows["orders", "customer_id", "required"]
    assert injected["violations"] > 0
    assert (injected["violations_standing"], injected["days_failed"], injected["days_failing_now"]) == (0, 1, 0)
    assert (injected["limit"], injected["status"]) == ("missing_percent(customer_id) < 1", "passed")
    renamed = [row for row in home.read("schema_drift_report") if row["kind"] == "renamed"]
    assert rows["payments", renamed[0]["column"], "present"]["violations"] == len(renamed)
    declared = {(source, column.name) for source in SOURCES for column in CONTRACTS[source].columns}
    assert declared == {(source, column) for source, column, rule in rows if rule == "type"}


def test_quarantine_is_counted_and_not_shown(home: Home) -> None:
    """Files by the copies in quarantine, rows by the dead letters and the hold."""
    rows = home.read("quarantine_summary")
    copies = list(home.settings.quarantine.glob("*/landing_date=*/*.reason.json"))
    assert sum(row["files"] or 0 for row in rows) == len(copies) > 0
    [(letters, held)] = home.platform.query(
        "select (select count(*) from qtn_rows), (select count(*) from hld_too_late)"
    )
    assert sum(row["rows"] for row in rows if row["what"] == "rows") == letters + held
    assert sum(row["rows"] for row in rows if row["state"] == "held") == held > 0


# Running again


def test_replaced_days_are_those_with_second_attempts_and_none_counts_twice(home: Home, copy: Settings) -> None:
    """Attempts by the names in landing; and a row of a replaced attempt in silver is found."""
    rows = {(row["source"], row["landing_date"]): row for row in home.read("backfill_safety_report")}
    second = {(one["source"], one["landing_date"]) for one in manifests(home.settings) if one["attempt"] > 1}
    assert second
    assert {key for key, row in rows.items() if row["max_attempts"] > 1} == second
    assert all(row["safe"] and row["overlapping_rows"] == 0 and row["equal_to_oracle"] for row in rows.values())
    nulls = rows["orders", day(2).isoformat()]
    assert nulls["batches_replayed"] == nulls["replacement_files"] == nulls["slots_replaced"]
    assert (nulls["held_in_versions"], nulls["held_now"]) == (1, False)
    assert nulls["silver_rows"] == nulls["oracle_rows"] == nulls["rows_after"]
    spoil(
        copy,
        f"insert into int_orders__deduplicated select * replace (-order_id as order_id, 'orders-{day(2):%Y%m%d}-01' as "
        f"batch_id) from int_orders__deduplicated where landing_date = '{day(2)}' limit 3",
    )
    worse = rewritten(copy, home, "backfill_safety_report")
    [row] = [one for one in worse if (one["source"], one["landing_date"]) == ("orders", day(2).isoformat())]
    assert (row["overlapping_rows"], row["safe"]) == (3, False)


def test_versions_change_only_with_a_reason(home: Home, copy: Settings) -> None:
    """Checksums are those of the files; publishing again changes nothing; a row changed by hand is found."""
    rows = home.read("idempotency_control_report")
    steps = [row for row in rows if row["control"] == "version to version"]
    for row in steps:
        for side in ("before", "after"):
            folder = home.settings.published / row[side]
            files = sorted((folder / row["table"]).glob("*.parquet"))
            said = [f"{sha256_of(path)}  {path.relative_to(folder)}\n" for path in files]
            assert row[f"checksum_{side}"] == hashlib.sha256("".join(said).encode()).hexdigest()
        assert not row["event_dates_unexplained"]
    assert any(row["rows_changed"] for row in steps)
    replays = [row for row in rows if row["control"] == "publish again"]
    assert {row["table"] for row in replays} == {mart.name for mart in marts(ensure_manifest())}
    assert {row["status"] for row in replays} == {"unchanged"}
    spoil(copy, f"update agg_daily_funnel set sessions = sessions + 1 where event_date = '{day(1)}'")
    worse = {row["table"]: row for row in rewritten(copy, home, "idempotency_control_report")[-len(replays) :]}
    assert worse["agg_daily_funnel"]["event_dates_unexplained"] == [day(1).isoformat()]
    assert worse["agg_daily_funnel"]["status"] == "unexplained change"
    assert worse["agg_daily_revenue"]["status"] == "unchanged"


def test_without_an_oracle_its_columns_are_null(home: Home, copy: Settings) -> None:
    """What cannot be known is not made up."""
    shutil.rmtree(copy.oracle)
    rows = rewritten(copy, home, "deduplication_accuracy_report")
    assert {row[name] for row in rows for name in ("accuracy", "expected_unique_keys", "missing_keys")} == {None}
    assert {row["equal_to_oracle"] for row in read(copy, "backfill_safety_report")} == {None}


# The ways to it


def test_the_command_grades_and_says_where_the_files_are(copy: Settings) -> None:
    """Exit code 1: an incident still waits for approval."""
    done = CliRunner().invoke(cli, ["scorecard", "--json", "--home", str(copy.home)], standalone_mode=False)
    document = json.loads(done.stdout)
    assert done.return_value == 1
    assert document["proved"] is False
    assert document["headline"]["detected_share"] == 1.0
    assert all((copy.home / name).exists() for name in document["files"])


def test_the_asset_puts_its_numbers_on_curves(copy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numeric metadata are plotted over time; a table says the rest."""
    from reliability_platform.orchestration.scorecard_asset import scorecard

    monkeypatch.setenv("RELIABILITY_HOME", str(copy.home))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([scorecard], instance=instance, resources=RESOURCES)
    [event] = result.asset_materializations_for_node("scorecard")
    values = {name: value.value for name, value in event.metadata.items()}
    assert values["detected_share"] == 1.0
    assert values["oracle_equal"] in (0, 1)
    assert {"contained_share", "healed_share", "severity_share", "false_alarms", "unaccounted_rows"} <= set(values)
    assert values["injections_and_controls"].count("\n") == len(INJECTIONS) + 1

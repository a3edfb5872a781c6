"""Results of other tools' tests, in the shapes that the tools write: what fails there is an incident here, once."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.cli.main import cli
from reliability_platform.errors import UsageError
from reliability_platform.incidents.imported_tests import Imported, import_file
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.heal import end_if_recovered
from reliability_platform.settings import Settings, load_settings
from tests.unit.failing import NOW, day, later, passed

ORDERS = "stg_orders__imported_tests"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "home")


@pytest.fixture
def engine(settings: Settings) -> Engine:
    return operations_engine(settings)


def expectation(
    kind: str, success: bool, column: str | None = None, unexpected: int = 0, **more: Any
) -> dict[str, Any]:
    """One result as Great Expectations 1.24 dumps it."""
    return {
        "success": success,
        "expectation_config": {
            "type": kind,
            "kwargs": {"batch_id": "shop-orders", **({"column": column} if column else {})},
            "meta": {},
            "severity": "critical",
        },
        "result": {
            "element_count": 900,
            "unexpected_count": unexpected,
            "partial_unexpected_list": ["ada@example.org"],
        },
        "meta": {},
        "exception_info": {"raised_exception": False, "exception_traceback": None, "exception_message": None},
        **more,
    }


def validation(*results: dict[str, Any], hour: int = 6, asset: str = "orders", **identifiers: str) -> dict[str, Any]:
    return {
        "success": all(one["success"] for one in results),
        "results": list(results),
        "suite_name": "orders_suite",
        "suite_parameters": {},
        "statistics": {},
        "meta": {
            "great_expectations_version": "1.24.1",
            "batch_spec": {"batch_data": "PandasDataFrame"},
            "active_batch_definition": {
                "datasource_name": "shop",
                "data_connector_name": "fluent",
                "data_asset_name": asset,
                "batch_identifiers": {"dataframe": "<DATAFRAME>", **identifiers},
            },
            "run_id": {"run_name": None, "run_time": f"2026-01-31T{hour:02}:30:00.192241+00:00"},
        },
        "id": None,
    }


NULLS = ("expect_column_values_to_not_be_null", "order_id")
ON_THE_FIFTH = {"year": "2026", "month": "01", "day": "05"}


def written(folder: Path, document: Any, name: str = "result.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(document))
    return file


def test_a_failed_expectation_is_an_incident_and_its_next_success_ends_it(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    """A team that has its tests elsewhere has its incidents here all the same."""
    orders = [passed(name) for name, spec in CHECKS.items() if spec.engine != "run" and "orders" in spec.sources]
    CheckStore(engine).record(orders)  # the platform's own checks see nothing
    bad = written(tmp_path, validation(expectation(NULLS[0], False, NULLS[1], 12), **ON_THE_FIFTH))
    done = import_file(settings, engine, bad, NOW)
    [opened] = done.incidents
    incident = IncidentStore(engine).get(opened)
    assert (incident.failure_class, incident.source, incident.partitions) == ("imported_test", "orders", [day(5)])
    assert "expect_column_values_to_not_be_null of order_id (orders_suite)" in incident.signals[0].message
    assert "12 rows" in incident.signals[0].message and "ada@" not in json.dumps(vars(done), default=str)
    good = written(tmp_path, validation(expectation(*NULLS[:1], True, NULLS[1]), hour=7, **ON_THE_FIFTH), "good.json")
    import_file(settings, engine, good, later(60))
    assert end_if_recovered(settings, engine, opened, later(120), "somebody")
    assert IncidentStore(engine).get(opened).state is State.RESOLVED


def test_the_same_file_twice_and_an_older_one_later_change_nothing(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    """Whoever retries a hand-in must not open a second incident, nor close the first with the news of yesterday."""
    old = written(tmp_path, validation(expectation(NULLS[0], True, NULLS[1]), hour=5, **ON_THE_FIFTH), "old.json")
    bad = written(tmp_path, validation(expectation(NULLS[0], False, NULLS[1], 12), **ON_THE_FIFTH))
    assert len(import_file(settings, engine, bad, NOW).results) == 1
    for again in (bad, old, bad):
        found = import_file(settings, engine, again, later(60))
        assert (found.results, found.incidents) == ([], [])
    [result] = CheckStore(engine).history(ORDERS, day(5))
    assert result.status is CheckStatus.FAILED


def test_tests_of_several_suites_add_up(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    """One suite that passes says nothing of another one that fails."""
    bad = written(tmp_path, validation(expectation(NULLS[0], False, NULLS[1], 12), **ON_THE_FIFTH))
    other = validation(expectation("expect_table_row_count_to_be_between", True), hour=9, **ON_THE_FIFTH)
    other["suite_name"] = "volumes"
    import_file(settings, engine, bad, NOW)
    [result] = import_file(settings, engine, written(tmp_path, other, "other.json"), later(60)).results
    assert result.status is CheckStatus.FAILED and result.message.startswith("1 of 2 imported tests fails: ")


def test_an_expectation_that_raised_is_neither_passed_nor_failed(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    """Version 1 names the exception by metric; an incident of bad data it is not."""
    by_metric = {"MetricConfigurationID(metric_name='x')": {"raised_exception": True, "exception_message": "no column"}}
    broken = expectation("expect_column_values_to_be_between", False, "nosuch", exception_info=by_metric)
    done = import_file(settings, engine, written(tmp_path, validation(broken, **ON_THE_FIFTH)), NOW)
    assert [one.status for one in done.results] == [CheckStatus.NOT_EVALUATED] and done.incidents == []
    assert done.remarks == [
        "expect_column_values_to_be_between of nosuch (orders_suite): stg_orders has no column 'nosuch'. It is kept all the same"
    ]


def test_older_shapes_and_whole_checkpoints_are_read(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    """Version 0.x called the kind otherwise, and a checkpoint holds several validations."""
    first = validation(expectation(NULLS[0], False, NULLS[1], 1), asset="shop.public.orders", landing_date="2026-01-05")
    config = first["results"][0]["expectation_config"]
    config["expectation_type"] = config.pop("type")
    first["meta"] |= {"expectation_suite_name": first.pop("suite_name"), "run_id": {"run_time": "20260131T063000.5Z"}}
    second = validation(expectation("expect_table_row_count_to_be_between", False), asset="payments.parquet")
    runs = {"ValidationResultIdentifier::a": {"validation_result": first}, "ValidationResultIdentifier::b": second}
    done = import_file(settings, engine, written(tmp_path, {"success": False, "run_results": runs}), NOW)
    assert [(one.dataset, one.partition) for one in done.results] == [
        ("stg_orders", day(5)),
        ("stg_payments", day(30)),  # of the whole table: the last day that was over when it ran
    ]


def test_a_test_of_a_whole_table_that_passes_later_is_good_for_the_day_on_which_it_failed(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    """Its result of another day would stand beside the failure, which nothing would ever end."""
    bad = validation(expectation(NULLS[0], False, NULLS[1], 12))
    good = validation(expectation(NULLS[0], True, NULLS[1]))
    good["meta"]["run_id"]["run_time"] = "2026-02-01T06:30:00+00:00"
    import_file(settings, engine, written(tmp_path, bad), NOW)
    [result] = import_file(settings, engine, written(tmp_path, good, "good.json"), NOW + timedelta(days=1)).results
    assert (result.partition, result.status) == (day(30), CheckStatus.PASSED)


def dbt_run(*results: tuple[str, str, int | None]) -> dict[str, Any]:
    """A run as dbt 1.11 writes it."""
    return {
        "metadata": {
            "dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json",
            "dbt_version": "1.11.16",
            "generated_at": "2026-01-31T06:30:00.103211Z",
            "invocation_id": "0b5b6d0e-0000-4000-8000-000000000001",
        },
        "results": [
            {"status": status, "unique_id": unique_id, "failures": failures, "message": "select 'ada@example.org'",
             "compiled_code": "select 1", "relation_name": None, "execution_time": 0.1}
            for unique_id, status, failures in results
        ],
        "elapsed_time": 1.0,
        "args": {"which": "test", "event_time_start": "2026-01-05T00:00:00", "event_time_end": "2026-01-06T00:00:00"},
    }  # fmt: skip


MANIFEST = {
    "nodes": {
        "test.shop.not_null_orders_order_id.1": {
            "name": "not_null_orders_order_id", "column_name": "order_id", "attached_node": "model.shop.orders",
        },
        "test.shop.totals_agree.2": {"name": "totals_agree", "depends_on": {"nodes": ["source.shop.raw.payments"]}},
        "model.shop.orders": {"name": "orders", "alias": "ORDERS"},
    },
    "sources": {"source.shop.raw.payments": {"name": "payments", "identifier": "payments"}},
}  # fmt: skip


def test_tests_of_dbt_are_placed_by_the_manifest_beside_them(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    """As dbt Cloud gives both files out for a run."""
    run = dbt_run(
        ("model.shop.orders", "success", None),
        ("test.shop.not_null_orders_order_id.1", "fail", 3),
        ("test.shop.totals_agree.2", "skipped", None),
        ("test.shop.of_another_project.3", "pass", 0),
    )
    file = written(tmp_path, run, "run_results.json")
    written(tmp_path, MANIFEST, "manifest.json")
    done = import_file(settings, engine, file, NOW)
    assert [(one.dataset, one.partition, one.status.value) for one in done.results] == [
        ("stg_orders", day(5), "failed"),
        ("stg_payments", day(5), "not_evaluated"),
    ]
    assert "not_null_orders_order_id, dbt, 3 rows" in done.results[0].message
    assert done.unplaced == ["of_another_project: the file does not say which table it is about: give --dataset"]
    assert done.remarks == ["Left out: 1 node, no test"] and "ada@" not in json.dumps(vars(done), default=str)
    (tmp_path / "manifest.json").unlink()
    assert len(import_file(settings, engine, file, NOW, dataset="orders").unplaced) == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "holds neither validation results"),
        ('{"results": []}', "holds neither validation results"),
        ('{"results": [1, null, {"success": true}]}', "holds neither validation results"),
        ('{"run_results": {"a": 7, "b": {"validation_result": [1]}}}', "holds neither validation results"),
    ],
)
def test_what_is_of_none_of_the_tools_is_refused(
    settings: Settings, engine: Engine, tmp_path: Path, text: str, error: str
) -> None:
    """One line, and nothing kept."""
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=error):
        import_file(settings, engine, file, NOW)


def test_hostile_text_and_a_lying_clock_harm_nothing(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    """Names come from elsewhere; a result of the year 2099 would outlive every later one."""
    hostile = "x'; drop table y; --\x1b[2J\n<script> ada@example.org " + "z" * 500
    bad = validation(expectation(hostile, False, "order_id", 1), **ON_THE_FIFTH)
    bad["suite_name"], bad["meta"]["run_id"]["run_time"] = "s", "2099-01-01T00:00:00Z"
    [result] = import_file(settings, engine, written(tmp_path, bad), NOW).results
    assert "\n" not in result.message and "\x1b" not in result.message and "ada@" not in result.message
    assert len(result.message) < 250
    good = validation(expectation(hostile, True, "order_id"), **ON_THE_FIFTH)
    good["suite_name"], good["meta"]["run_id"]["run_time"] = "s", (NOW + timedelta(hours=1)).isoformat()
    [result] = import_file(settings, engine, written(tmp_path, good), later(7200)).results
    assert result.status is CheckStatus.PASSED
    for said, told in (({"day": "2020-01-01"}, "is no day that has landed"), ({"x": "2027-01-01"}, "is no day")):
        found: Imported = import_file(
            settings, engine, written(tmp_path, validation(expectation("e", False), **said)), NOW
        )
        assert told in found.unplaced[0] and found.results == []


def test_the_command_says_what_is_new_and_what_has_no_place(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    """A table that the tool calls otherwise is named by the person who knows."""
    file = written(
        tmp_path, validation(expectation(NULLS[0], False, NULLS[1], 12), asset="raw_bestellungen", **ON_THE_FIFTH)
    )
    command = ["checks", "import", str(file), "--home", str(settings.home)]
    result = CliRunner().invoke(cli, command, standalone_mode=False)
    assert result.return_value == 1 and "there is no source or published table 'raw_bestellungen'" in result.output
    result = CliRunner().invoke(cli, [*command, "--as", "raw_bestellungen=orders", "--json"], standalone_mode=False)
    [done] = json.loads(result.output)
    assert result.return_value == 0 and done["failed"] == 1 and done["results"][0]["status"] == "failed"
    assert "Nothing is new" in CliRunner().invoke(cli, [*command, "--as", "raw_bestellungen=orders"]).output
    with pytest.raises(UsageError, match="There is no source or published table 'ordrs': do you mean orders"):
        CliRunner().invoke(cli, [*command, "--as", "x=ordrs"], standalone_mode=False, catch_exceptions=False)
    assert "1 failed" in CliRunner().invoke(cli, ["checks", "--home", str(settings.home)]).output

"""`run_results.json` of dbt, as dbt and dbt Cloud write it: its tests, with their tables by the `manifest.json` of the same run."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from reliability_platform.checks.catalogue import MODEL_TESTS
from reliability_platform.checks.imported.external_test import (
    ExternalRun,
    ExternalTest,
    key_of,
    listed,
    mapping,
    moment_of,
    shown,
    whole_number,
)
from reliability_platform.checks.results import CheckStatus

TOOL = "dbt"
STATUSES = {
    "pass": CheckStatus.PASSED,
    "success": CheckStatus.PASSED,
    "fail": CheckStatus.FAILED,
    "warn": CheckStatus.FAILED,
}
"""Any other word (error, skipped) is a test that nobody could judge by. One that warns has rows that it does not allow."""
TESTS = ("test.", "unit_test.")
NO_TEST, JUDGED = "no test", "a test of the dbt project that each build judges already"


def is_of_dbt(document: Any) -> bool:
    """Whether a document is the results of a run of dbt."""
    return "/run-results/" in str(mapping(mapping(document).get("metadata")).get("dbt_schema_version"))


def dbt_tests_of(document: Any, manifest: Any) -> ExternalRun:
    """The tests of a run. `manifest` is None where there is none: then no test says which table it is about."""
    metadata, nodes = mapping(document["metadata"]), mapping(mapping(manifest).get("nodes"))
    tables = {**nodes, **mapping(mapping(manifest).get("sources"))}
    at, day = moment_of(metadata.get("generated_at")), _day(mapping(document.get("args")))
    tests, left_out = [], Counter[str]()
    for one in map(mapping, listed(document.get("results"))):
        unique_id = str(one.get("unique_id", ""))
        if not unique_id.startswith(TESTS):
            left_out[NO_TEST] += 1
        elif unique_id in MODEL_TESTS:
            left_out[JUDGED] += 1
        else:
            node = mapping(nodes.get(unique_id))
            column = node.get("column_name")
            tests.append(
                ExternalTest(
                    tool=TOOL,
                    key=key_of(TOOL, unique_id),
                    name=shown(node.get("name") or ".".join(unique_id.split(".")[2:3]) or unique_id),
                    dataset=_table(node, tables),
                    day=day,
                    at=at,
                    status=STATUSES.get(str(one.get("status")), CheckStatus.NOT_EVALUATED),
                    failures=whole_number(one.get("failures")),
                    column=column if isinstance(column, str) else None,
                )
            )
    return ExternalRun(TOOL, tests, dict(left_out))


def _table(node: Mapping[str, Any], tables: Mapping[str, Any]) -> str | None:
    """The table that a test is attached to, or the first that it reads."""
    for key in (node.get("attached_node"), *listed(mapping(node.get("depends_on")).get("nodes"))):
        table = mapping(tables.get(str(key)))
        if table:
            return str(table.get("identifier") or table.get("alias") or table.get("name"))
    return None


def _day(arguments: Mapping[str, Any]) -> date | None:
    """The day of a run that was one of a single day."""
    begin, end = (_moment(arguments.get(f"event_time_{one}")) for one in ("start", "end"))
    return begin.date() if begin and end and end - begin == timedelta(days=1) else None


def _moment(said: object) -> datetime | None:
    return None if said is None else moment_of(said)

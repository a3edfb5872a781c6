"""Rules between columns, rows and sources: how contracts declare them, which rows break them, and on which day that is told."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from reliability_platform.checks import relations as checks
from reliability_platform.checks.facts import Facts
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.changes import changes
from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.declared import contracts_in
from reliability_platform.contracts.generation import generated_files
from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.contracts.relations import Relation, RelationKind
from tests.ground import day

COLUMNS = {
    "parcel": "BIGINT",
    "order_id": "BIGINT",
    "customer_id": "BIGINT",
    "status": "VARCHAR",
    "net": "DECIMAL(12,2)",
    "tax": "DECIMAL(12,2)",
    "gross": "DECIMAL(12,2)",
    "sent": "TIMESTAMP",
    "arrived": "TIMESTAMP",
}


def declared(*rules: dict[str, Any], name: str = "parcels") -> dict[str, Any]:
    """A contract file of one source with rules."""
    properties = [
        {"name": column, "physicalType": kind, **({"primaryKey": True} if column == "parcel" else {})}
        for column, kind in COLUMNS.items()
    ]
    table = {
        "name": name,
        "properties": [*properties, {"name": "extras", "logicalType": "object"}],
        "quality": list(rules),
    }
    custom = [{"property": "eventTime", "value": "sent"}]
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": name,
        "version": "1.0.0",
        "status": "active",
        "customProperties": custom,
        "schema": [table],
    }


def rule(kind: str, value: Any, name: str = "its_rule") -> dict[str, Any]:
    """One rule as the shorthand has it."""
    return {"name": name, "customProperties": [{"property": kind, "value": value}]}


def contract_with(folder: Path, *rules: dict[str, Any]) -> Contract:
    """What the file of these rules says."""
    path = folder / "parcels.yml"
    path.write_text(yaml.safe_dump(declared(*rules)))
    [found] = read_contracts(path)
    return found


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with nothing in it."""
    with duckdb.connect() as connection:
        yield connection


def landed(connection: duckdb.DuckDBPyConnection, table: str, *rows: dict[str, Any]) -> None:
    """Rows, each with the columns that it names; the others are empty."""
    kinds = COLUMNS | {"landing_date": "DATE", "batch_id": "VARCHAR", "row_number": "BIGINT"}
    connection.execute(
        f"create or replace table {table} ({', '.join(f'{name} {kind}' for name, kind in kinds.items())})"
    )
    for number, row in enumerate(rows):
        full = {"parcel": number, "batch_id": "b", "row_number": number} | row
        connection.execute(
            f"insert into {table} ({', '.join(full)}) values ({', '.join('?' * len(full))})", list(full.values())
        )


BROKEN_ROWS = [
    (rule("inOrder", ["sent", "arrived"]), {"sent": "2026-01-02", "arrived": "2026-01-01"}, {"sent": "2026-01-02", "arrived": "2026-01-02"}),
    (rule("inOrder", ["net", "gross"]), {"net": 2, "gross": 1}, {"net": 2, "gross": None}),
    (rule("sumOf", {"total": "gross", "parts": ["net", "tax"]}), {"gross": 3.01, "net": 1, "tax": 2}, {"gross": 0.3, "net": 0.1, "tax": 0.2}),
    (rule("sumOf", {"total": "gross", "parts": ["net", "tax"], "tolerance": 0.01}), {"gross": 3.02, "net": 1, "tax": 2}, {"gross": 3.01, "net": 1, "tax": 2}),
    (rule("emptyWhere", {"column": "arrived", "where": {"sent": None}}), {"arrived": "2026-01-01"}, {"arrived": "2026-01-01", "sent": "2026-01-01"}),
    (rule("presentWhere", {"column": "arrived", "where": {"status": ["in", "back"]}}), {"status": "back"}, {"status": "out"}),
    (rule("emptyWhere", {"column": "arrived", "where": {"status": "it's", "order_id": 7}}), {"status": "it's", "order_id": 7, "arrived": "2026-01-01"}, {"status": "it's", "arrived": "2026-01-01"}),
    (rule("everyRow", "Net > 0 or status = 'live.'"), {"net": 0, "status": "sold"}, {"net": 0, "status": "live."}),
]  # fmt: skip


@pytest.mark.parametrize(("said", "bad", "good"), BROKEN_ROWS)
def test_a_row_that_contradicts_itself_breaks_its_rule_and_no_other_row_does(
    said: dict[str, Any],
    bad: dict[str, Any],
    good: dict[str, Any],
    tmp_path: Path,
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """What is unknown breaks nothing; labels may hold quotes, and decimals add up as decimals do."""
    contract = contract_with(tmp_path, said)
    [relation] = contract.relations
    landed(warehouse, "live", good, bad, {})
    assert warehouse.execute(f"select parcel from live where {relation.broken}").fetchall() == [(1,)]
    [rejection] = [one for code, one in contract.rejections.items() if code == "its_rule_violated"]
    assert rejection.column == relation.column
    staging = generated_files({"parcels": contract})["dbt_project/models/staging/stg_parcels.sql"]
    assert "'its_rule_violated': " in staging


def told(connection: duckdb.DuckDBPyConnection, contract: Contract) -> dict[str, list[tuple[Any, ...]]]:
    """What the checks of a contract's rules say of the first three days."""
    found = checks.relation_checks(contract, 1.0, "select date '2026-01-01' as landing_date where $first <= $last")
    window = {"first": day(1), "last": day(3)}
    return {name: sorted(connection.execute(one.sql, window).fetchall()) for name, one in found.items()}


SILVER = "int_parcels__deduplicated"
BETWEEN_ROWS = [
    (
        rule("determines", {"columns": ["order_id"], "column": "customer_id"}),
        [
            {"landing_date": day(1), "order_id": 1, "customer_id": 5},
            {"landing_date": day(2), "order_id": 1, "customer_id": 6},
            {"landing_date": day(2), "order_id": 2, "customer_id": 7},
            {"landing_date": day(3), "order_id": 2, "customer_id": None},
        ],
        [(day(2), 1, None)],
    ),
    (
        rule("atMostOne", {"per": ["order_id"], "where": {"status": "captured"}}),
        [
            {"landing_date": day(1), "order_id": 1, "status": "captured"},
            {"landing_date": day(3), "order_id": 1, "status": "captured"},
            {"landing_date": day(3), "order_id": 1, "status": "declined"},
            {"landing_date": day(3), "order_id": 2, "status": "captured"},
        ],
        [(day(3), 1, None)],
    ),
    (
        rule("sameAs", {"column": "customer_id", "by": "order_id", "other": "orders.customer_id"}),
        [
            {"landing_date": day(1), "order_id": 1, "customer_id": 5},
            {"landing_date": day(2), "order_id": 1, "customer_id": 6},
            {"landing_date": day(2), "order_id": 9, "customer_id": 6},
        ],
        [(day(2), 1, None)],
    ),
]


@pytest.mark.parametrize(("said", "rows", "expected"), BETWEEN_ROWS)
def test_rows_that_contradict_each_other_are_told_on_one_day_whatever_came_first(
    said: dict[str, Any],
    rows: list[dict[str, Any]],
    expected: list[tuple[Any, ...]],
    tmp_path: Path,
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """The day on which a rule fails must not depend on the order in which days were built."""
    contract = contract_with(tmp_path, said)
    landed(warehouse, "int_orders__deduplicated", {"landing_date": day(3), "order_id": 1, "customer_id": 5})
    numbered = [{**row, "row_number": number} for number, row in enumerate(rows)]
    for order in permutations(numbered):
        landed(warehouse, SILVER, *order)
        found = told(warehouse, contract)
        assert found[f"{SILVER}__relation_its_rule"] == expected
        [(when, share, _)] = found[f"{SILVER}__relation_its_rule_impact"]
        assert (when, share) == (expected[0][0], 100 / sum(row["landing_date"] == when for row in rows))
    later = replace(contract, relations=tuple(replace(one, since=day(4)) for one in contract.relations))
    assert not any(told(warehouse, later).values())


def test_a_query_of_the_standard_is_asked_of_each_landing_day(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    """`${object}` stands for the rows of one day, more than once as well; no rows, no answer."""
    said = {
        "name": "mean_net",
        "type": "sql",
        "query": "select max(net) from ${object} where net < (select sum(net) from ${object});",
        "mustBeBetween": [1, 5],
    }
    contract = contract_with(tmp_path, said)
    landed(
        warehouse,
        SILVER,
        *({"landing_date": day(1), "net": value} for value in (2, 3)),
        *({"landing_date": day(2), "net": value} for value in (7, 8)),
        {"landing_date": day(3)},
    )
    [found] = told(warehouse, contract).values()
    assert found == [(day(1), 0, None), (day(2), 8, None), (day(3), None, None)]


WRONG = [
    (rule("inOrder", ["sent", "net"]), "not of one kind"),
    (rule("inOrder", ["sent"]), "2 or more different columns"),
    (rule("inOrder", ["sent", "nowhere"]), "'nowhere', which is no column"),
    (rule("inorder", ["sent", "arrived"]), "did you mean inOrder?"),
    (rule("sumOf", {"total": "gross", "parts": ["net", "status"]}), "adds up numbers"),
    (rule("sumOf", {"total": "gross"}), "says total, parts"),
    (rule("sumOf", {"total": "gross", "parts": ["net", "tax"], "tolerance": -1}), "no number from 0 on"),
    (rule("determines", {"columns": ["order_id"], "column": "order_id"}), "on both sides"),
    (rule("emptyWhere", {"column": "arrived", "where": {}}), "where nothing is said"),
    (rule("presentWhere", {"column": "extras", "where": {"sent": None}}), "nested"),
    (rule("atMostOne", {"per": [], "where": {"status": "captured"}}), "1 or more different columns"),
    (rule("sameAs", {"column": "customer_id", "by": "order_id", "other": "parcels.x"}), "another source"),
    (rule("everyRow", "net >"), "no SQL that DuckDB knows"),
    (rule("everyRow", "net > (select max(net) from other)"), "judged by itself"),
    (rule("everyRow", "sent < now()"), "judged by itself"),
    (rule("everyRow", "sum(net) > 0"), "judged by itself"),
    (rule("everyRow", "stg_orders.net > 0"), "no column of the table"),
    (rule("everyRow", "1 = 1"), "names no column"),
    (rule("inOrder", ["sent", "arrived"], name="Two Words"), "give it a name"),
    ({"name": "q", "type": "sql", "query": "select 1", "mustBe": 0}, "${object}"),
    ({"name": "q", "type": "sql", "query": "select count(*) from ${object}"}, "what its query may answer"),
]


@pytest.mark.parametrize(("said", "why"), WRONG)
def test_a_rule_that_cannot_be_meant_is_refused_in_one_line(said: dict[str, Any], why: str, tmp_path: Path) -> None:
    """A misspelt rule would be none, and whoever wrote it would believe that it holds."""
    with pytest.raises(ContractError) as refused:
        contract_with(tmp_path, said)
    assert why in str(refused.value) and "\n" not in str(refused.value)


def test_two_rules_of_one_name_and_rules_to_nowhere_are_refused(tmp_path: Path) -> None:
    """Their checks would be one; and what no contract declares cannot be compared."""
    with pytest.raises(ContractError, match="two rules are called its_rule"):
        contract_with(tmp_path, rule("inOrder", ["sent", "arrived"]), rule("inOrder", ["net", "gross"]))
    for other, why in (("orders.customer_id", "declared by no contract"), ("others.status", "of different types")):
        said = rule("sameAs", {"column": "customer_id", "by": "order_id", "other": other})
        (tmp_path / "parcels.yml").write_text(yaml.safe_dump(declared(said)))
        (tmp_path / "others.yml").write_text(yaml.safe_dump(declared(name="others")))
        with pytest.raises(ContractError, match=why):
            contracts_in(tmp_path)


def test_rules_of_other_programs_are_left_to_them(tmp_path: Path) -> None:
    """A contract may hold rules of a library, and words for people."""
    rules = [
        {"type": "library", "metric": "rowCount", "mustBeGreaterThan": 1},
        {"type": "text", "description": "Be good."},
    ]
    assert contract_with(tmp_path, *rules).relations == ()


def test_a_rule_that_is_added_takes_nothing_back_and_one_that_changes_does() -> None:
    """A new one holds from the next landing day on; another meaning under the same name would read landed rows anew."""
    plain = CONTRACTS["shipments"]
    order = Relation("promised", RelationKind.IN_ORDER, ("ordered_at", "promised_at"))
    with_it = replace(plain, relations=(order,))
    other = replace(plain, relations=(replace(order, columns=("ordered_at", "event_time")),))
    dated = replace(plain, relations=(replace(order, since=date(2026, 1, 9)),))
    found = [
        [(one.kind.value, one.is_compatible) for one in changes(before, after)]
        for before, after in ((plain, with_it), (with_it, other), (with_it, plain), (dated, with_it))
    ]
    assert found == [[("rule added", True)], [("rule changed", False)], [("rule removed", True)], []]


def referring(folder: Path, to: str, kind: str = "BIGINT", **changes: Any) -> dict[str, Contract]:
    """The contracts of a project in which parcels refer to something of boxes, or of themselves."""
    said = declared(**changes)
    next(one for one in said["schema"][0]["properties"] if one["name"] == "order_id")["relationships"] = [{"to": to}]
    (folder / "parcels.yml").write_text(yaml.safe_dump(said))
    boxes = declared(name="boxes")
    boxes["schema"][0]["properties"].append({"name": "box", "physicalType": kind})
    (folder / "boxes.yml").write_text(yaml.safe_dump(boxes))
    return contracts_in(folder)


def delivered(connection: duckdb.DuckDBPyConnection, *rows: tuple[Any, ...]) -> None:
    """Rows of boxes in staging: landing day, box, what became of it, whether it was replaced."""
    connection.execute(
        "create or replace table stg_boxes (landing_date date, box bigint, disposition varchar, is_superseded boolean)"
    )
    for row in rows:
        connection.execute("insert into stg_boxes values (?, ?, ?, ?)", row)


def test_rows_that_lead_to_another_source_are_judged_once_that_one_has_come(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    """What was rejected there has come all the same; what was replaced has not; what comes late mends the day on which it lacked."""
    contract = referring(tmp_path, "boxes.box")["parcels"]
    [check] = checks.relation_checks(contract, 1.0, "").items()
    assert (check[0], check[1].limit) == (f"{SILVER}__known_order_id", 1.0)
    landed(
        warehouse,
        SILVER,
        {"landing_date": day(1), "order_id": 1},
        {"landing_date": day(1), "order_id": 2, "row_number": 7},
        {"landing_date": day(1)},
        {"landing_date": day(2), "order_id": 3},
        {"landing_date": day(3), "order_id": 4},
    )
    window = {"first": day(1), "last": day(3)}

    def shares() -> dict[date, float]:
        assert check[1].subject is not None
        judged = {row[0] for row in warehouse.execute(check[1].subject, window).fetchall()}
        return {when: share for when, share, _ in warehouse.execute(check[1].sql, window).fetchall() if when in judged}

    delivered(warehouse)
    assert shares() == {}
    delivered(
        warehouse,
        (day(1), 1, "rejected", False),
        (day(1), 2, "superseded", True),
        (day(2), 3, "valid", False),
        (day(2), None, "valid", False),
    )
    assert shares() == {day(1): 50.0, day(2): 0.0}
    [told_of] = [
        Facts.found("parcels", row[0], row[2])
        for row in warehouse.execute(check[1].sql, window).fetchall()
        if row[0] == day(1)
    ]
    assert (told_of.leads_to, told_of.text) == ("boxes", "1 row: b row 7")
    delivered(warehouse, (day(1), 1, "valid", False), (day(3), 2, "held_late", False), (day(2), 3, "valid", False))
    assert shares() == {day(1): 0.0, day(2): 0.0, day(3): 100.0}


def test_a_reference_to_another_source_is_a_rule_that_holds_from_the_day_on_which_it_was_added(tmp_path: Path) -> None:
    """It rejects no row, so days that are built stay as they are; a column may lead to its own source."""
    found = referring(tmp_path, "boxes.box")
    [relation] = found["parcels"].relations
    assert (relation.text, relation.of_rows, found["boxes"].relations) == ("order_id is a boxes.box", False, ())
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "parcels.yml").write_text(yaml.safe_dump(declared()))
    [change] = changes(contracts_in(tmp_path / "plain")["parcels"], found["parcels"])
    assert (change.is_compatible, change.said) == (True, "known_order_id, order_id is a boxes.box")
    (tmp_path / "generated.json").write_text(
        '{"parcels": {"relations": [{"name": "known_order_id", "since": "2026-02-01"}]}}'
    )
    [dated] = contracts_in(tmp_path)["parcels"].relations
    assert dated.since == date(2026, 2, 1)
    [own] = referring(tmp_path, "parcels.parcel")["parcels"].relations
    assert own.other_source == "parcels"


@pytest.mark.parametrize(
    ("to", "kind", "why"),
    [
        ("boxes.nowhere", "BIGINT", "boxes has no column nowhere"),
        ("boxes.box", "VARCHAR", "it is a BIGINT, and that a VARCHAR"),
    ],
)
def test_a_reference_to_nothing_is_refused(to: str, kind: str, why: str, tmp_path: Path) -> None:
    """It would end as a broken check in each audit."""
    with pytest.raises(ContractError, match=why):
        referring(tmp_path, to, kind)

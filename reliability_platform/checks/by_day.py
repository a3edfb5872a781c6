"""A question about one day, asked for many days in one statement: to plan a query takes longer than to read a day's rows.

Only what is sure to answer the same is changed, on the syntax tree that DuckDB itself makes of the text: a single aggregation whose
rows are chosen by `column >= date START and column < date END`, or one over groups of such rows. Whatever else a person has
written is asked day by day.
"""

import json
from typing import Any

import duckdb

from reliability_platform.parquet import literal

_DAY = "asked_day"

Node = dict[str, Any]
"""A part of a statement as `json_serialize_sql` has it."""


def grouped_by_day(connection: duckdb.DuckDBPyConnection, sql: str, start: str, end: str) -> str | None:
    """The question grouped by day, which is its last column. `start` and `end` stand once each for the day and the day after
    it, there and in the result, where they are the ends of a stretch of days. None where that is not sure to be the same; a day
    without rows is not in the answer.
    """
    row = connection.execute(f"select json_serialize_sql({literal(sql)}::varchar)").fetchone()
    assert row is not None
    text: str = row[0]
    tree = json.loads(text)
    # A window function sees the rows of all days.
    if tree["error"] or len(tree["statements"]) != 1 or '"class":"WINDOW"' in text:
        return None
    if text.count(start) != 1 or text.count(end) != 1 or not _answers_by_day(tree["statements"][0]["node"], start, end):
        return None
    row = connection.execute(f"select json_deserialize_sql({literal(json.dumps(tree))}::json)").fetchone()
    assert row is not None
    return str(row[0])


def _answers_by_day(node: Node, start: str, end: str) -> bool:
    """Whether a selection that has one row could be made one that has one a day."""
    day = None
    if _is_plain(node) and not node["group_expressions"]:
        day = _grouped_before(node, start, end) if node["cte_map"]["map"] else _chosen_day(node, start, end)
    if day is not None:
        _add(node, day)
    return day is not None


def _is_plain(node: Node) -> bool:
    kept = all(node.get(part) in (None, []) for part in ("modifiers", "having", "qualify", "sample"))
    return kept and node["type"] == "SELECT_NODE" and node["aggregate_handling"] == "STANDARD_HANDLING"


def _grouped_before(node: Node, start: str, end: str) -> Node | None:
    """The day where the selection is from one table of groups that is made beside it, `with name as (…)`."""
    [first, *others] = node["cte_map"]["map"]
    source, groups = node["from_table"], first["value"]["query"]["node"]
    is_from_it = source["type"] == "BASE_TABLE" and source["table_name"] == first["key"] and not source["schema_name"]
    if others or first["value"]["aliases"] or not is_from_it or not _is_plain(groups) or groups["cte_map"]["map"]:
        return None
    day = _chosen_day(groups, start, end) if len(groups["group_sets"]) == 1 else None
    if day is None:
        return None
    _add(groups, day)
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "query_location": 0, "column_names": [_DAY]}


def _chosen_day(node: Node, start: str, end: str) -> Node | None:
    """The column by which the rows of a day are chosen, as a date."""
    where = node["where_clause"]
    if node["from_table"]["type"] != "BASE_TABLE" or where is None or where["type"] != "CONJUNCTION_AND":
        return None
    from_, before = (
        [one for one in where["children"] if one["type"] == kind and _is_date(one["right"], text)]
        for kind, text in (("COMPARE_GREATERTHANOREQUALTO", start), ("COMPARE_LESSTHAN", end))
    )
    if not from_ or not before:
        return None
    column, other = from_[0]["left"], before[0]["left"]
    if column["type"] != "COLUMN_REF" or column["column_names"] != other.get("column_names"):
        return None
    return {**from_[0]["right"], "child": column}


def _is_date(node: Node, text: str) -> bool:
    is_cast = node["type"] == "OPERATOR_CAST" and node["cast_type"]["id"] == "DATE" and not node["try_cast"]
    return is_cast and node["child"]["type"] == "VALUE_CONSTANT" and node["child"]["value"]["value"] == text


def _add(node: Node, day: Node) -> None:
    # As the last column: numbers of columns, as in `group by 1`, keep their meaning.
    node["select_list"].append({**day, "alias": _DAY})
    node["group_expressions"].append(day)
    node["group_sets"] = [list(range(len(node["group_expressions"])))]

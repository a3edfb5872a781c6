"""Suites of Great Expectations, each expectation as a query: the library itself is not needed.

A suite does not say which table it is of. That is said by a validation definition (since 1.0) or a checkpoint (before), by
its own `meta`, or else by its name or that of its file.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from reliability_platform.checks.imported.external_test import listed, mapping
from reliability_platform.formats import printable
from reliability_platform.mutation.direct_build import DirectBuild, DuckDBError, first_line
from reliability_platform.mutation.errors import NoChecksError
from reliability_platform.mutation.project import DataTest, LeftOut
from reliability_platform.mutation.sql_text import Query
from reliability_platform.mutation.suites.expectation_sql import CannotJudgeError, fails
from reliability_platform.mutation.suites.tables import tables_of

GREAT_EXPECTATIONS = "Great Expectations"
MAX_NAME = 200
MAX_BYTES = 50_000_000
NOT_OURS = frozenset({"uncommitted", "plugins", ".git", ".ipynb_checkpoints", "gx_stores"})


def expectations(folder: Path, build: DirectBuild) -> tuple[list[DataTest], list[LeftOut]]:
    """The expectations that hold on the clean data, and what is not judged.

    `folder` is that of the suites or the whole of Great Expectations. Raises `NoChecksError` where there is no suite in it.
    """
    documents = [(path, _content(path)) for path in _files(folder)]
    suites = [(path, one) for path, one in documents if isinstance(one, dict) and "expectations" in one]
    unread = [LeftOut(path.name, "it cannot be read") for path, one in documents if one is None]
    if not suites:
        also = f" {unread[0].name} cannot be read." if unread else ""
        raise NoChecksError(
            f"There is no suite of Great Expectations in {folder}: name the folder with its JSON files, as gx/expectations.{also}"
        )
    tables, of_suites = tables_of(build.project), _said_tables(one for _, one in documents)
    tests: list[DataTest] = []
    left_out = list(unread)
    for path, suite in suites:
        name = str(suite.get("name") or suite.get("expectation_suite_name") or path.stem)
        wanted = of_suites.get(name) or {_meant(name, path, suite, tables)}
        if not listed(suite["expectations"]):
            left_out.append(LeftOut(_shown(name), "the suite is empty"))
        for table in sorted(wanted):
            relation = tables.get(table.lower())
            if relation is None:
                why = f"the project has no table {table!r}" if table else "no table is named as it is"
                left_out.append(
                    LeftOut(_shown(name), f"{why}: none of its {len(listed(suite['expectations']))} is judged")
                )
                continue
            for at, one in enumerate(map(mapping, listed(suite["expectations"]))):
                found = _test(one, f"gx.{name}.{table}.{at}", (name, table), relation, tables)
                (tests if isinstance(found, DataTest) else left_out).append(found)  # type: ignore[arg-type]
    return _holding(tests, left_out, build), left_out


def _test(
    one: Mapping[str, Any], key: str, where: tuple[str, str], relation: str, tables: Mapping[str, str]
) -> DataTest | LeftOut:
    kind = str(one.get("type") or one.get("expectation_type") or "")
    arguments = mapping(one.get("kwargs"))
    columns = [str(arguments[each]) for each in ("column", "column_A", "column_B") if each in arguments]
    of = f" of {', '.join(columns)}" if columns else ""
    name = _shown(f"{kind}{of} ({where[0]} on {where[1]})")
    other = tables.get(str(arguments.get("other_table_name")).lower(), "")
    try:
        sql = fails(kind, arguments, relation, other)
    except CannotJudgeError as error:
        return LeftOut(name, f"it is not judged: {error}")
    query = Query.of(f"select * from ({sql}) where failed", [relation, *([other] if other else [])])
    severity = "WARN" if str(one.get("severity")).lower() in ("warning", "info") else "ERROR"
    column = columns[0] if columns else ""
    return DataTest(key, name, query, severity, "count(*)", "!= 0", "!= 0", None, column, where[0], GREAT_EXPECTATIONS)


def _holding(tests: Iterable[DataTest], left_out: list[LeftOut], build: DirectBuild) -> list[DataTest]:
    """Those that hold on the clean data; the others are added to what is left out."""
    holding = []
    with build.room("expectations") as room:
        for test in tests:
            clean = {name: room.reads(name) for name in test.query.named}
            try:
                found = room.cursor.execute(test.sql.reading(clean)).fetchone()
            except DuckDBError as error:
                left_out.append(LeftOut(test.name, f"it does not run on the clean data ({first_line(error)})"))
                continue
            if found is not None and found[1]:
                left_out.append(LeftOut(test.name, "it does not hold on the clean data"))
            else:
                holding.append(test)
    return holding


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder).parts
        if path.suffix in (".json", ".yml", ".yaml") and not NOT_OURS & set(inner) and path.is_file():
            yield path


def _content(path: Path) -> Any:
    """None for a file that cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text) or {}
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None


def _said_tables(documents: Iterable[Any]) -> dict[str, set[str]]:
    """Suites → the assets on which validation definitions and checkpoints run them."""
    found: dict[str, set[str]] = {}
    for one in map(mapping, documents):
        asset = mapping(mapping(one.get("data")).get("asset")).get("name")
        if asset:
            found.setdefault(str(mapping(one.get("suite")).get("name")), set()).add(str(asset))
        for each in (one, *map(mapping, listed(one.get("validations")))):
            suite = each.get("expectation_suite_name") or one.get("expectation_suite_name")
            asset = mapping(each.get("batch_request")).get("data_asset_name")
            if suite and asset:
                found.setdefault(str(suite), set()).add(str(asset))
    return found


def _meant(name: str, path: Path, suite: Mapping[str, Any], tables: Mapping[str, str]) -> str:
    """The table that its `meta` names, or the longest one whose name is a part of its own or of its file's; empty for none."""
    said = mapping(suite.get("meta"))
    for key in ("table", "table_name", "data_asset_name"):
        if isinstance(said.get(key), str):
            return str(said[key])
    texts = [re.sub(r"\W+", "_", one.lower()) for one in (name, path.stem)]
    fitting = [
        one for one in tables if any(re.search(rf"(?<![a-z0-9]){re.escape(one)}(?![a-z0-9])", text) for text in texts)
    ]
    return max(fitting, key=len, default="")


def _shown(text: str) -> str:
    return printable(text, MAX_NAME)

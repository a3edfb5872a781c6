"""SodaCL files, run by Soda itself on the tables of a mutant.

Soda reads each file once. Its queries name tables without a database, so a mutant's connection has a temporary view of each
table that the file names: DuckDB looks for those first.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import yaml

from reliability_platform.checks.soda_scan import judge, one_at_a_time, read_files
from reliability_platform.formats import printable
from reliability_platform.mutation.direct_build import (
    FAILED,
    WARNED,
    DirectBuild,
    MutantBuild,
    MutantRoom,
    first_line,
)
from reliability_platform.mutation.errors import NoChecksError
from reliability_platform.mutation.project import DataTest, LeftOut
from reliability_platform.mutation.sql_text import Query, quoted
from reliability_platform.mutation.suites.tables import tables_of, words_of

SODA = "Soda"
CHECKS = re.compile(r"checks( for .+)?|for each .+|filter .+", re.IGNORECASE)
OF_SODA = re.compile(
    r"data_source .+|soda_cloud|profile columns|discover datasets|automated monitoring.*|sample datasets|variables"
)
"""Other sections of its files: none of them judges a table by a limit."""
OF_ONE_CHECK = ("Query execution error", "Metrics ")
MAX_NAME, MAX_REASON = 200, 200


class _Tables:
    """What Soda takes for its connection, and for a cursor of it: the tables of one mutant."""

    asked = 0

    def __init__(self, catalogs: Sequence[str]) -> None:
        names = "|".join(re.escape(one) for one in catalogs)
        self._other = re.compile(rf'(?<![\w.])"?({names})"?\."?\w+"?\."?\w', re.IGNORECASE)
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self.interrupted = False

    def turn_to(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Answer from this mutant."""
        self._cursor, self.interrupted = cursor, False

    def know_columns(self, _: object) -> None:
        """They differ from mutant to mutant."""

    def execute(self, sql: str) -> "_Tables":
        """Answer a query."""
        assert self._cursor is not None
        named = self._other.search(sql)
        if named is not None:
            raise duckdb.BinderException(f"it names the database {named.group(1)}, and would read the clean data there")
        for view in ("columns", "tables"):  # they list all databases
            sql = re.sub(
                rf"\bfrom information_schema\.{view}\b",
                f"FROM (select * from information_schema.{view} where table_catalog = 'temp')",
                sql,
                flags=re.IGNORECASE,
            )
        try:
            self._cursor.execute(sql)
        except duckdb.InterruptException:
            self.interrupted = True
            raise
        return self

    def cursor(self) -> "_Tables":
        return self

    def rollback(self) -> None:
        """DuckDB refuses a rollback outside of a transaction."""
        with suppress(duckdb.TransactionException):
            if self._cursor is not None:
                self._cursor.rollback()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@dataclass
class _File:
    """One file, read by Soda."""

    name: str
    content: str
    scan: Any
    tables: Mapping[str, str]
    """The tables that it names, as it writes them → relations."""
    tests: dict[str, DataTest] = field(default_factory=dict)


class SodaChecks:
    """The SodaCL files of a folder."""

    def __init__(self, folder: Path, variables: Mapping[str, str], build: DirectBuild) -> None:
        """Read them. Raises `NoChecksError` for a folder without any."""
        self._connection = _Tables(build.catalogs)
        self.left_out: list[LeftOut] = []
        self._files = list(self._read(folder, variables, tables_of(build.project)))
        if not self._files and not self.left_out:
            raise NoChecksError(
                f"There is no file of SodaCL in {folder}: name the folder with the files of `checks for …:`."
            )
        with build.room("soda_checks") as room:
            for file in self._files:
                self._settle(file, room)

    @property
    def tests(self) -> list[DataTest]:
        """The checks that pass on the clean data."""
        return [test for file in self._files for test in file.tests.values()]

    def judge(self, room: MutantRoom, built: MutantBuild) -> None:
        """Run the files that name a table that changed. A table that could not be built says nothing."""
        for file in self._files:
            if not file.tests or not set(file.tables.values()) & built.changed.keys():
                continue
            tables = {name: relation for name, relation in file.tables.items() if relation not in built.unbuilt}
            unbuilt = file.tables.keys() - tables.keys()
            for key, _, status, why in self._run(file, room, tables):
                test = file.tests.get(key)
                if test is None:
                    continue
                if status in (FAILED, WARNED):
                    built.noticed[key] = status
                elif why and not any(re.search(rf"\b{re.escape(name)}\b", why) for name in unbuilt):
                    built.broken[test.name] = why

    def _read(self, folder: Path, variables: Mapping[str, str], tables: Mapping[str, str]) -> Iterator[_File]:
        for path in sorted(one for one in folder.rglob("*") if one.suffix in (".yml", ".yaml") and one.is_file()):
            name = path.relative_to(folder).as_posix()
            try:
                content = path.read_text(encoding="utf-8")
                sections = yaml.safe_load(content)
            except (OSError, UnicodeDecodeError, yaml.YAMLError):
                self.left_out.append(LeftOut(name, "it cannot be read as YAML"))
                continue
            keys = [str(one) for one in sections] if isinstance(sections, dict) else []
            if not any(CHECKS.fullmatch(one) for one in keys):
                if not keys or not all(OF_SODA.fullmatch(one) for one in keys):
                    self.left_out.append(LeftOut(name, "it is no file of SodaCL, of Soda 3"))
                continue
            # Who takes all tables that there are names none.
            words = tables if any(one.lower().startswith("for each") for one in keys) else words_of(content)
            named = {word: tables[word.lower()] for word in words if word.lower() in tables and "." not in word}
            with one_at_a_time:
                scan = read_files([path], self._connection, dict(variables))
            yield _File(name, f"{content}{sorted(variables.items())}", scan, named)

    def _settle(self, file: _File, room: MutantRoom) -> None:
        """Keep what passes on the clean data."""
        found = list(self._run(file, room, file.tables))
        if self._errors and not found:
            why = f"Soda cannot run it, and none of its checks is judged ({_short(self._errors)})"
            self.left_out.append(LeftOut(file.name, why))
        elif self._errors:
            self.left_out.append(LeftOut(file.name, f"Soda says: {_short(self._errors)}"))
        for key, name, status, why in found:
            if status or why:
                said = why or f"it does not pass on the clean data ({status})"
                self.left_out.append(LeftOut(f"{name} ({SODA}, {file.name})", said))
            else:
                query = Query((file.content,))
                file.tests[key] = DataTest(
                    key, name, query, "ERROR", "count(*)", "!= 0", "!= 0", None, "", file.name, SODA
                )

    def _run(self, file: _File, room: MutantRoom, tables: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
        """Each check: its key, its name, `fail` or `warn` or nothing, and why it could not be judged."""
        for name, relation in tables.items():
            # A source that a model names need not be there: Soda then says so of each of its checks.
            with suppress(duckdb.CatalogException):
                room.cursor.execute(f"create or replace temp view {quoted(name)} as from {room.reads(relation)}")
        for name in file.tables.keys() - tables.keys():
            room.cursor.execute(f"drop view if exists temp.{quoted(name)}")
        with one_at_a_time:
            self._connection.turn_to(room.cursor)
            try:
                checks, _ = judge(file.scan)
                self._errors = _said(file.scan)
            except Exception as error:  # a crashing scan says nothing about the data
                checks, self._errors = [], str(error)
            if self._connection.interrupted:
                raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
            times = Counter[str]()
            for check in checks:
                name, status, why = _judged(file, check)
                times[name] += 1
                again = "" if times[name] == 1 else f" ({times[name]})"
                yield f"soda.{file.name}.{name}{again}", f"{name}{again}", status, why


def _judged(file: _File, check: Any) -> tuple[str, str, str]:
    metrics = list(check.metrics.values())
    queries = [query for metric in metrics for query in getattr(metric, "queries", [])]
    queries += [query for query in file.scan._queries if getattr(query, "metric", None) in metrics]
    # Where a query failed, Soda counts its percentages as 0 % and lets them pass: the outcome alone cannot be trusted.
    crashed = next((first_line(query.exception) for query in queries if query.exception), "")
    outcome = None if crashed or check.outcome is None else check.outcome.value
    table = getattr(getattr(getattr(check, "partition", None), "table", None), "table_name", "")
    own = check.check_cfg.name
    name = printable(str(own) if own else f"{table}: {check.name}", MAX_NAME)
    why = "" if outcome else f"Soda could not evaluate it ({_short(crashed or 'it has no value')})"
    return name, {"pass": ""}.get(outcome or "pass", str(outcome or "")), why


def _said(scan: Any) -> str:
    """What Soda has logged as errors, but of single checks: those are named by themselves."""
    errors = [f"{one.message} {one.exception or ''}" for one in scan._logs.logs if one.level.name == "ERROR"]
    return "; ".join(one.strip() for one in dict.fromkeys(errors) if not one.startswith(OF_ONE_CHECK))


def _short(text: str) -> str:
    return printable(" ".join(text.split()), MAX_REASON)

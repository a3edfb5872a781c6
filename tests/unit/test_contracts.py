"""Contracts are read as the standard says, and refused in one line where they cannot be meant."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import jsonschema
import pyarrow as pa
import pytest
import yaml

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Cadence, Contract
from reliability_platform.contracts.declared import contracts_in
from reliability_platform.contracts.names import RESERVED_WORDS, plain_names, refusal
from reliability_platform.contracts.odcs import ContractError, read_contracts
from reliability_platform.contracts.types import arrow_type, canonical_type
from reliability_platform.errors import ExitCode
from reliability_platform.settings import CONTRACTS_FOLDER, PROJECT_ROOT

FLIGHTS: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "flights",
    "version": "1.0.0",
    "status": "active",
    "team": {"name": "airport", "members": [{"username": "desk@example.com"}, {"username": "own@example.com", "role": "Owner"}]},
    "slaProperties": [
        {"property": "frequency", "value": 1, "unit": "d"},
        {"property": "latency", "value": 30, "unit": "h"},
        {"property": "latency", "value": 2, "unit": "d", "element": "weather.time_hour"},
    ],
    "schema": [
        {
            "name": "flights",
            "customProperties": [{"property": "eventTime", "value": "time_hour"}],
            "properties": [
                {"name": "carrier", "physicalType": "varchar(2)", "primaryKey": True, "primaryKeyPosition": 2},
                {"name": "flight", "logicalType": "integer", "primaryKey": True, "primaryKeyPosition": 1},
                {"name": "origin", "physicalType": "text", "enum": [{"value": "EWR"}, {"value": "JFK"}]},
                {"name": "delay", "physicalType": "float8", "logicalTypeOptions": {"minimum": -120, "maximum": 3000}},
                {"name": "stops", "logicalType": "array"},
                {
                    "name": "time_hour",
                    "physicalType": "TIMESTAMP WITH TIME ZONE",
                    "logicalTypeOptions": {"defaultTimezone": "America/New_York"},
                },
            ],
        },
        {
            "name": "weather",
            "customProperties": [{"property": "eventTime", "value": "time_hour"}],
            "properties": [
                {"name": "origin", "logicalType": "string", "primaryKey": True},
                {"name": "time_hour", "logicalType": "timestamp", "primaryKey": True},
            ],
        },
    ],
}  # fmt: skip


def read(folder: Path, content: dict[str, Any] | str) -> dict[str, Contract]:
    """The contracts of a file with this content."""
    path = folder / "written.yml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return {one.source: one for one in read_contracts(path)}


def test_a_file_in_the_standards_own_words_declares_its_tables_as_sources(tmp_path: Path) -> None:
    """Keys of several columns, spellings of other databases, lists kept as JSON, one deadline per table."""
    found = read(tmp_path, FLIGHTS)
    flights, weather = found["flights"], found["weather"]
    assert flights.key == ("flight", "carrier")
    assert [(one.name, one.type, one.json) for one in flights.columns] == [
        ("carrier", "VARCHAR", False),
        ("flight", "BIGINT", False),
        ("origin", "VARCHAR", False),
        ("delay", "DOUBLE", False),
        ("stops", "VARCHAR", True),
        ("time_hour", "TIMESTAMP", False),
    ]
    assert flights.columns[2].valid_values == ("EWR", "JFK")
    assert (flights.columns[3].minimum, flights.columns[3].maximum) == (-120, 3000)
    assert flights.zones == {"time_hour": "America/New_York"}
    assert flights.owner == "own@example.com"
    assert (flights.deadline_minutes, weather.deadline_minutes) == (30 * 60, 2 * 24 * 60)
    assert flights.cadence == Cadence()
    assert [one.required for one in flights.columns] == [True, True, False, False, False, False]


def without(*path: str | int) -> Callable[[Any], None]:
    """The content without what stands at a path."""

    def change(content: Any) -> None:
        for part in path[:-1]:
            content = content[part]
        del content[path[-1]]

    return change


def with_value(value: Any, *path: str | int) -> Callable[[Any], None]:
    """The content with another value at a path."""

    def change(content: Any) -> None:
        for part in path[:-1]:
            content = content[part]
        content[path[-1]] = value

    return change


def with_property(name: str, value: Any) -> Callable[[Any], None]:
    """The content with one more custom property of its first table."""

    def change(content: Any) -> None:
        content["schema"][0]["customProperties"].append({"property": name, "value": value})

    return change


COLUMN = ("schema", 0, "properties", 3)
WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "no key": (with_value([{"name": "time_hour", "logicalType": "timestamp"}], "schema", 1, "properties"), "no key"),
    "no event time": (without("schema", 0, "customProperties"), "eventTime"),
    "an event time of no column": (with_value("at", "schema", 0, "customProperties", 0, "value"), "'at'"),
    "an event time that is no moment": (with_value("delay", "schema", 0, "customProperties", 0, "value"), "'delay'"),
    "a type that nobody knows": (with_value("money$", *COLUMN, "physicalType"), "'money\\$'"),
    "a logical type that nobody knows": (with_value("wibble", *COLUMN, "logicalType"), "float8"),
    "a type that cannot be": (with_value("DECIMAL(99,2)", *COLUMN, "physicalType"), "DECIMAL"),
    "a limit that is no number": (with_value({"minimum": float("nan")}, *COLUMN, "logicalTypeOptions"), "no number"),
    "limits of a text": (with_value("text", *COLUMN, "physicalType"), "is no number"),
    "a reference to no column": (with_value([{"to": "planes"}], *COLUMN, "relationships"), "write table.column"),
    "another version of the standard": (with_value("v9.0.0", "apiVersion"), "v9"),
    "another document": (with_value("DataProduct", "kind"), "DataProduct"),
    "a range in which nothing lies": (with_value({"minimum": 5, "maximum": 1}, *COLUMN, "logicalTypeOptions"), "delay"),
    "a misspelt field": (with_value(True, *COLUMN, "requird"), "did you mean required"),
    "a misspelt field above": (with_value([], "slaProperty"), "did you mean slaProperties"),
    "a value of another type": (with_value("often", *COLUMN, "required"), "required"),
    "a name that no table can have": (with_value("Flights; drop", "schema", 0, "name"), "'Flights; drop'"),
    "two tables of one name": (with_value("flights", "schema", 1, "name"), "flights is declared more than once"),
    "no table": (without("schema"), "no table"),
    "a cadence of no days": (with_value(5, "slaProperties", 0, "value"), "frequency 5 d"),
    "a latency in years": (with_value("y", "slaProperties", 1, "unit"), "latency 30 y"),
    "a column that is a word of SQL": (
        with_value("Order", *COLUMN, "name"),
        "'Order', a reserved word .* physicalName",
    ),
    "a column with a space": (with_value("dep delay", *COLUMN, "name"), "'dep delay', no plain identifier"),
    "a column of the platform's own": (with_value("landing_date", *COLUMN, "name"), "the platform's own columns"),
    "a hidden column": (with_value("_delay", *COLUMN, "name"), "the platform's own columns"),
    "two columns but for case": (with_value("Carrier", *COLUMN, "name"), "carrier stands for more than one column"),
    "days of no zone": (with_property("dayZone", "Mars/Olympus"), "'Mars/Olympus', which does not exist"),
    "an offset of no days": (with_property("dayOffset", "yesterday"), "'yesterday', which is no number of days"),
    "a misspelt property": (with_property("dayzone", "Europe/Berlin"), "did you mean dayZone"),
    "several days, or not": (with_property("severalDays", "maybe"), "neither true nor false"),
    "a server that is nowhere": (
        with_value([{"server": "x", "type": "local"}], "servers"),
        "neither path nor location",
    ),
    "files of no format": (with_property("fileFormat", {"format": "xls"}), "choose one of parquet, csv, json"),
    "a role that there is not": (
        with_value([{"property": "role", "value": "boss"}], *COLUMN, "customProperties"),
        "choose one of measure, segment, entity",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_contract_that_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, what: str) -> None:
    """A promise that nobody reads is none; whoever wrote it learns where, and what to do."""
    change, told = WRONG[what]
    content = json.loads(json.dumps(FLIGHTS))
    change(content)
    with pytest.raises(ContractError, match=told) as refused:
        read(tmp_path, content)
    assert "written.yml, line " in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "garbage", ["", "just words", "[1, 2]", "a: [", "schema:\n- {}\nschema: 1", "\x00", "{a: &x [*x]}", "a: !!python/object:os.system x"]
)  # fmt: skip
def test_garbage_is_no_contract(tmp_path: Path, garbage: str) -> None:
    """One line, whatever the file holds; nothing in it is ever run."""
    with pytest.raises(ContractError, match=r"written\.yml") as refused:
        read(tmp_path, garbage)
    assert "\n" not in str(refused.value)


def test_what_the_producer_calls_a_column_is_an_alias_of_it(tmp_path: Path) -> None:
    """`Order` and `dep delay` are names that nothing in SQL can bear unquoted."""
    content = json.loads(json.dumps(FLIGHTS))
    content["schema"][0]["properties"][3]["physicalName"] = "dep delay"
    assert read(tmp_path, content)["flights"].aliases == {"dep delay": "delay"}


def test_the_reserved_words_are_those_of_duckdb() -> None:
    """A contract with a column `at` was read, and its first build ended with a syntax error. A release that reserves another
    word would break the models of whoever has such a column."""
    with duckdb.connect() as connection:
        known = connection.execute("select keyword_name, keyword_category from duckdb_keywords()").fetchall()

        def is_column(word: str) -> bool:
            with suppress(duckdb.ParserException):
                connection.execute(
                    f'select {word}, t.{word}, t.* exclude ({word}) from (select 1 as "{word}", 2 as b) as t'
                )
                return True
            return False

        wrong = {word for word, category in known if category == "reserved" or not is_column(word)}
    assert wrong == RESERVED_WORDS


def test_any_name_becomes_a_plain_one_and_no_two_the_same() -> None:
    """What is proposed for a column must be readable as a contract."""
    names = plain_names(["Order", "order", "Größe (cm)", "_id", "2nd", "", "日本", "depTime", "landing_date", "a" * 90])
    assert names["Größe (cm)"] == "grosse_cm"
    assert names["depTime"] == "dep_time"
    assert len(set(names.values())) == len(names)
    assert [refusal(name) for name in names.values()] == [None] * len(names)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe in the place of a contract held every command for ever; an editor's backup is none, whatever it says."""
    os.mkfifo(tmp_path / "flights.yml")
    with pytest.raises(ContractError, match="it is no file"):
        contracts_in(tmp_path)
    (tmp_path / "flights.yml").unlink()
    (tmp_path / "flights.yaml").write_text(yaml.safe_dump(FLIGHTS))
    (tmp_path / ".flights.yml").write_text(yaml.safe_dump(FLIGHTS))
    assert list(contracts_in(tmp_path)) == ["flights", "weather"]


def test_two_files_cannot_declare_one_source(tmp_path: Path) -> None:
    """Which of them counts nobody said."""
    for name in ("one.yml", "two.yml"):
        (tmp_path / name).write_text(yaml.safe_dump(FLIGHTS))
    with pytest.raises(ContractError, match=r"declared in one\.yml already"):
        contracts_in(tmp_path)


@pytest.mark.parametrize("path", sorted(CONTRACTS_FOLDER.glob("*.yml")), ids=lambda path: path.name)
def test_our_own_contracts_satisfy_the_schema_of_the_standard(path: Path) -> None:
    """Other tools of the standard can read them."""
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)


@pytest.mark.parametrize(
    "kind",
    [
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "UBIGINT",
        "FLOAT",
        "DOUBLE",
        "DECIMAL(18,4)",
        "VARCHAR",
        "BLOB",
        "DATE",
        "TIME",
        "TIMESTAMP",
        "TIMESTAMPTZ",
        "UUID",
    ],
)
def test_every_scalar_type_of_duckdb_can_be_promised(kind: str) -> None:
    """Six could, and any other was a traceback. What is promised can hold what the engine gives."""
    canonical = canonical_type(kind, None)
    assert canonical is not None
    with duckdb.connect() as connection:
        given = connection.execute(f"select cast(null as {canonical}) as value").to_arrow_table()
    expected = given.schema.field("value").type
    held = arrow_type(canonical)
    assert held == expected or {str(held), str(expected)} <= {"string", "large_string", "string_view"}


@pytest.mark.parametrize("kind", ["STRUCT(a INT)", "INTEGER[]", "MAP(VARCHAR, INT)", "json", "list"])
def test_what_is_nested_is_kept_as_json(kind: str) -> None:
    """Its own columns are no business of a contract of rows."""
    assert canonical_type(kind, None) == "JSON"
    assert arrow_type("JSON") == pa.string()


CADENCES = (
    Cadence(4),
    Cadence(weekday=0),
    Cadence(2, weekday=6),
    Cadence(day_of_month=1),
    Cadence(day_of_month=31),
)


@pytest.mark.parametrize("cadence", CADENCES, ids=str)
def test_what_is_due_on_a_day_is_the_same_in_python_and_sql(cadence: Cadence) -> None:
    """The check of completeness counts in SQL, the deadlines in Python."""
    days = [date(2028, 1, 1) + timedelta(days=number) for number in range(400)]
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select {cadence.by_sql('day')} from (select unnest($days) as day) order by day", {"days": days}
        ).fetchall()
    assert [number for (number,) in found] == [cadence.due_on(day) for day in days]
    assert sum(cadence.due_on(day) for day in days) > 0


def test_an_unheard_of_day_of_the_week_or_month_is_the_first(tmp_path: Path) -> None:
    """And a cron expression says another one; Sunday has two numbers there."""
    for sla, expected in (
        ({"value": 1, "unit": "w"}, Cadence(weekday=0)),
        ({"value": 1, "unit": "w", "schedule": "0 6 * * 0"}, Cadence(weekday=6)),
        ({"value": 1, "unit": "w", "schedule": "0 6 * * 7"}, Cadence(weekday=6)),
        ({"value": 1, "unit": "mo", "schedule": "0 6 15 * *"}, Cadence(day_of_month=15)),
        ({"value": 6, "unit": "h"}, Cadence(4)),
        ({"value": 4, "unit": "batches_per_day"}, Cadence(4)),
    ):
        content = json.loads(json.dumps(FLIGHTS)) | {"slaProperties": [{"property": "frequency", **sla}]}
        assert read(tmp_path, content)["flights"].cadence == expected


def test_a_command_says_of_a_broken_contract_what_the_reader_says(tmp_path: Path) -> None:
    """They are read while the command line is imported, where a traceback would be the first thing that a user sees."""
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "flights.yml").write_text("schema: [")
    command = [sys.executable, "-m", "reliability_platform.cli", "checks"]
    ended = subprocess.run(
        command, env={**os.environ, "RELIABILITY_PROJECT": str(tmp_path)}, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == ExitCode.USAGE
    assert len(ended.stderr.splitlines()) == 1
    assert "flights.yml, line 1 is not YAML" in ended.stderr


def test_a_personal_column_stands_in_the_text_of_a_key_as_a_digest() -> None:
    """Dead letters, and the row quarantine, keep that text beside rows of which everything else is masked."""
    orders = CONTRACTS["orders"]
    columns = tuple(replace(one, pii=one.name == "customer_id") for one in orders.columns)
    for key, shown in ((("order_id", "customer_id"), f"7|{sha256(b'8').hexdigest()}"), (("order_id",), "7")):
        contract = replace(orders, columns=columns, key=key)
        query = f"select {contract.record_key} from (select 7 as order_id, 8 as customer_id)"
        assert duckdb.sql(query).fetchall() == [(shown,)]


def test_a_contract_says_where_files_appear_how_they_are_written_and_whose_days_they_follow(tmp_path: Path) -> None:
    """Days follow the zone of the event time unless the contract says another: a night flight is of the day it left."""
    content = json.loads(json.dumps(FLIGHTS))
    content["servers"] = [{"server": "deliveries", "type": "local", "path": "~/in/flights-*.csv"}]
    with_property("fileFormat", {"format": "csv", "delimiter": ";", "nulls": ["NA"]})(content)
    with_property("dayOffset", -1)(content)
    contract = read(tmp_path, content)["flights"]
    assert (contract.servers[0].address, contract.day_offset, contract.day_zone) == (
        "~/in/flights-*.csv",
        -1,
        "America/New_York",
    )
    assert (contract.file_format.delimiter, contract.file_format.nulls) == (";", ("NA",))
    with_property("dayZone", "UTC")(content)
    assert read(tmp_path, content)["flights"].day_starts("landing_date") == "landing_date"
    with duckdb.connect() as connection:
        day = contract.day_starts("date '2025-07-01'")
        [(begins,)] = connection.execute(f"select {day}").fetchall()
    assert begins == datetime(2025, 7, 1, 4)


def test_rows_are_kept_with_columns_that_are_called_like_types_and_functions() -> None:
    """`time`, `values` and `dec` are columns to DuckDB, and no names of arguments unless they are quoted: no build of such a
    source ended."""
    text = (PROJECT_ROOT / "dbt_project" / "macros" / "dialect.sql").read_text()
    body = text.partition("{% macro default__row_as_json(values, types) -%}")[2].partition("{%- endmacro %}")[0]
    with duckdb.connect() as connection:
        words = [word for (word,) in connection.execute("select keyword_name from duckdb_keywords()").fetchall()]
        names = [word for word in words if word not in RESERVED_WORDS]
        row = ", ".join(f'1 as "{name}"' for name in names)
        written = jinja2.Template(body).render(values=dict(zip(names, names, strict=True)))
        [(kept,)] = connection.execute(f"select {written} from (select {row})").fetchall()
    assert set(json.loads(kept)) == set(names) > {"time", "timestamp", "values", "position", "dec"}

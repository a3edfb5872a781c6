"""What a person reads in a table, on terminals of any width: names that can be read and copied."""

import io
import re

import pytest
from rich.console import Console

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.cli.options import PLAIN_WIDTH
from reliability_platform.cli.tables import Table
from reliability_platform.contracts import SOURCES
from reliability_platform.lab.faults.catalogue import CATALOGUE
from reliability_platform.settings import PROJECT_ROOT

SPARE = ("healed after", "incident")
HEADERS = ("fault", "source", "landing day", "caught by", "incident", "severity", "contained", "healed", "healed after")


def printed(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def of_the_demo() -> Table:
    """Each fault, and a check that has one of the longest names."""
    longest = sorted(CHECKS, key=len)[-len(CATALOGUE) :]
    table = Table(spare=SPARE)
    for header in HEADERS:
        table.add_column(header)
    for fault, check in zip(CATALOGUE, longest, strict=True):
        table.add_row(
            fault, SOURCES[-1], "2026-01-30", f"{check} +1", "INC-0001", "P1", "[green]yes[/green]", "yes", "5.6 s"
        )
    return table


@pytest.mark.parametrize("width", [80, 100, 140])
def test_names_break_only_after_underscores(width: int) -> None:
    """`int_web_events__deduplica` stood on one line and `ted__no_rows_lost` on the next."""
    parts = {part for name in [*CHECKS, *CATALOGUE, *SOURCES] for part in re.split("_+", name)} | {"INC-0001", "P1"}
    parts |= {"2026-01-30", "yes", "5.6", "s", "+1", ""} | {word for header in HEADERS for word in header.split()}
    lines = printed(of_the_demo(), width)
    assert max(map(len, lines)) <= width
    assert {part for line in lines for part in re.split(r"[_\s│┃━─┏┓┡┩┳╇└┘┴]+", line)} <= parts


def test_no_room_costs_spare_columns_and_no_others() -> None:
    """At 80 columns every column of the demo's table had six letters."""
    assert [name for name in HEADERS if name not in printed(of_the_demo(), 80)[0]] == ["incident", "healed after"]
    assert all(name in printed(of_the_demo(), 140)[0] for name in HEADERS)


def test_what_fits_keeps_its_frame_and_nothing_breaks() -> None:
    """A table that has room looks as it always did."""
    table = Table("check", "status")
    table.add_row("stg_orders__missing_customer_id", "failed")
    lines = printed(table, 60)
    assert len(lines) == 5
    assert "│ stg_orders__missing_customer_id │ failed │" in lines


def test_nothing_breaks_in_a_pipe() -> None:
    """`reliability incidents timeline INC-0001 | grep stg_orders__missing_customer_id` found nothing: the name stood on two lines."""
    table = of_the_demo()
    path = f"/srv/{'a_long_folder/' * 20}warehouse.duckdb"
    table.add_row(path, *["x" * 60 for _ in HEADERS[1:]])
    lines = printed(table, PLAIN_WIDTH)
    assert len(lines) == len(CATALOGUE) + 1 + 4
    assert any(path in line for line in lines)
    assert all(
        any(name in line for line in lines) for name in [*CATALOGUE, *sorted(CHECKS, key=len)[-len(CATALOGUE) :]]
    )


def test_every_table_of_the_command_line_is_of_this_kind() -> None:
    """One that rich lays out by itself breaks names in the middle again."""
    folder = PROJECT_ROOT / "reliability_platform" / "cli"
    assert [
        path.name for path in folder.rglob("*.py") if "rich.table" in path.read_text() and path.name != "tables.py"
    ] == []

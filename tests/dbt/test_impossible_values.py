"""A value that cannot be is rejected with a reason and stops nothing, and the place of the home changes no number."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.json_text import fault_of
from reliability_platform.lab.simulation.system import scheduled_batches
from reliability_platform.landing.writer import write_batch
from tests.ground import Platform, day

HIGHEST = 2**63 - 1
MOMENTS = [-(2**63), -HIGHEST, HIGHEST, -62_135_596_800_000_001, 253_402_300_800_000_000, 0]
"""NaT of numpy, both infinities, a year before 1 and after 9999, and 1970, all in microseconds."""
PAYLOADS = [
    *('{"a": NaN}', '{"a": Infinity}', '{"a": 1,}', "{'a': 1}", '{"a": 01}', '{"a": 1} // no', '{"a": "\t"}'),
    *('\ufeff{"a": 1}', "", "[]", "1", "null", '{"a": "\\ud800"}', '{"a": "\x00"}', "[" * 5_000, '{"a":' * 5_000),
    '{"a": [' * 60 + "]}" * 60,
    '{"a": "' + "x" * 3_000_000 + '"}',
]
SOUND = ["[]"]
"""A nested column may hold a list."""
TEXTS = ["", "\x00", "E\x00UR", "'; drop table stg_orders; --", "../../etc/passwd", "x" * 3_000_000, "\U0001f600"]
EXTREMES: dict[str, list[Any]] = {
    "BIGINT": [-(2**63), HIGHEST, 0],
    "INTEGER": [-(2**31), 2**31 - 1, 0],
    "DECIMAL(12,2)": [Decimal("9999999999.99"), Decimal("-9999999999.99"), Decimal("0")],
    "VARCHAR": TEXTS,
    "TIMESTAMP": MOMENTS,
}


@dataclass(frozen=True)
class Spoilt:
    source: str
    row_number: int
    column: str
    must_be_rejected: bool


def _spoil(table: pa.Table, row: int, column: str, value: Any) -> pa.Table:
    place, kind = table.column_names.index(column), table.schema.field(column).type
    raw = table[column].cast(pa.int64()) if pa.types.is_timestamp(kind) else table[column]
    values = raw.to_pylist()
    values[row] = value
    return table.set_column(place, column, pa.array(values, raw.type).cast(kind))


def _plant(platform: Platform, source: str) -> list[Spoilt]:
    """The day as it lands: in each row at the beginning of its last slot one column has one extreme value."""
    contract = CONTRACTS[source]
    *sound, batch = scheduled_batches(platform.simulation, source, day(1))
    for one in sound:
        write_batch(platform.settings, one)
    referring = {column.name for column in contract.columns if column.references}
    table = batch.table
    spoilt: list[Spoilt] = []
    for column in contract.columns:
        for value in PAYLOADS if column.json else EXTREMES[column.type]:
            known = column.name in referring or (column.type != "BIGINT" and value not in SOUND)
            spoilt.append(Spoilt(source, len(spoilt) + 1, column.name, known))
            table = _spoil(table, len(spoilt) - 1, column.name, value)
    assert len(spoilt) < table.num_rows, "more rows a batch are needed"
    write_batch(platform.settings, replace(batch, table=table))
    return spoilt


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, list[Spoilt]]]:
    """One day on which every column of every contract has extreme values."""
    platform = Platform(tmp_path_factory.mktemp("values") / "home", events_per_day=1_600)
    spoilt = [one for source in SOURCES for one in _plant(platform, source)]
    platform.admit(day(1), day(1))
    platform.check(day(1), day(1), platform.build(day(1), day(1)))
    yield platform, spoilt


def test_every_row_with_an_extreme_value_is_accepted_or_rejected_with_a_reason(
    hostile: tuple[Platform, list[Spoilt]],
) -> None:
    """One NaT written raw ended the build of all sources, and nothing was published."""
    platform, spoilt = hostile
    for source in SOURCES:
        rows = platform.query(
            f"select row_number, reject_reasons, disposition from stg_{source} where batch_sequence = 4 order by 1"
        )
        reasons = {number: reason for number, reason, _ in rows}
        own = {one.row_number: one for one in spoilt if one.source == source}
        for number, one in own.items():
            if one.must_be_rejected:
                assert one.column in str(reasons[number]), one
        assert {state for number, _, state in rows if number not in own} == {"valid"}
    assert platform.query("select sum(abs(unaccounted_rows)) from rec_batches__conserved") == [(0,)]


def test_a_moment_that_cannot_be_has_a_reason_of_its_own_and_is_not_held_as_late(
    hostile: tuple[Platform, list[Spoilt]],
) -> None:
    """Rows of 1970 were held as too late: an approval of late rows would have taken them in."""
    platform, _ = hostile
    for column in ("event_time", "ordered_at", "promised_at"):
        found = platform.query(
            f"select count(*) from stg_shipments where contains(reject_reasons, '{column}_impossible')"
        )
        assert found == [(len(MOMENTS),)] if column != "promised_at" else found >= [(len(MOMENTS) - 1,)]
    assert platform.query("select count(*) from hld_too_late") == [(0,)]


@pytest.mark.exhaustive  # a second home, 8 s; any order of days giving the same gold is held by `test_order_freedom.py`
def test_the_same_day_gives_the_same_numbers_wherever_its_home_lies(
    hostile: tuple[Platform, list[Spoilt]], tmp_path: Path
) -> None:
    """Under `source=shop/` replaced rows counted twice; under `[prod]` no model found its files."""
    platform, _ = hostile
    odd = tmp_path / "source=shop" / "landing_date=2020-01-01" / "batch_id=7" / "lake [prod] *{a,b} 'q' ü" / "home"
    shutil.copytree(platform.settings.home, odd, symlinks=True)
    (odd / "warehouse.duckdb").unlink()
    other = Platform(odd, events_per_day=1_600)
    other.admit(day(1), day(1))
    results = other.check(day(1), day(1), other.build(day(1), day(1)))
    assert other.gold() == platform.gold()
    counts = "select source, landing_date, count(*) from qtn_rows group by all order by all"
    assert other.query(counts) == platform.query(counts)
    assert not [one.check for one in results if one.reason == "error"]


@pytest.mark.parametrize(
    "text", ['{"a": 1e999}', '{"a": 1, "a": 2}', ' \n{"a": "\\ud83d\\ude00"}', '{"a":[' + "{}," * 150 + "1]}"]
)
def test_what_the_rfc_allows_is_json(text: str) -> None:
    """A check that is stricter than the standard rejects what every producer may send."""
    assert fault_of(text) is None

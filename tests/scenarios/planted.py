"""Somebody's data, planted wherever a delivery has room for it, and the search for it in whatever a home then holds."""

import gzip
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Contract
from reliability_platform.lab.simulation.simulation import Simulation
from reliability_platform.lab.simulation.system import request_batch
from reliability_platform.landing.manifest import MANIFEST_SUFFIX
from reliability_platform.landing.replacement import land_replacement
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.masking import FREE_TEXT, LABELS, PERSONAL
from reliability_platform.orchestration.packed_text import unpack
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch

NAME = "Zyxander O'Quillfeather"
MAIL = "zyxander@leak.example"
CARD = "4929 1234 5678 9012"
PHONE = "+49 171 5500 417"
ID = 987_654_321_012_345
SIGNS = ("zyxander", "quillfeather", "leak.example", "4929 1234", "49291234", "171 5500", "987654321")
"""What betrays each of them, however it is cut, quoted or cased."""
WHO = f"{NAME} {MAIL} {CARD} {PHONE}"

PAYLOADS = (
    json.dumps({NAME: PHONE, "search": NAME}),  # nobody can tell that it is a name: accepted
    json.dumps({"search": WHO}),
    f'{{"{WHO}": ',  # malformed
    "[" * 300 + WHO,  # poison
    f"{NAME}\x00{MAIL}",
)

IN_FULL = ("orders",)
"""Sources that get whole files of somebody's too; each column of all sources gets its rows. (Incidents take time.)"""


# Planting


def _set(column: pa.ChunkedArray, row: int, value: Any) -> pa.ChunkedArray:
    values = column.to_pylist()
    values[row] = value
    return pa.chunked_array([pa.array(values, column.type)])


def _rows_of_somebody(contract: Contract, table: pa.Table) -> pa.Table:
    """Every column of the contract spoilt in a row of its own; each of these rows is somebody's."""
    personal = [column.name for column in contract.columns if column.pii]
    spoilt: list[tuple[str, Any]] = [(name, ID + number) for number, name in enumerate(personal * 3)]
    spoilt += [
        (column, NAME) for column in dict.fromkeys(name for name, _ in sorted(LABELS)) if column in table.column_names
    ]
    spoilt += [("payload", text) for text in PAYLOADS if "payload" in table.column_names]
    spoilt += [(column.name, None) for column in contract.columns if column.required]
    spoilt += [(column.name, -ID if column.type == "BIGINT" else -1) for column in contract.columns if column.maximum]
    late = table[contract.event_time][0].as_py()
    spoilt += [(contract.event_time, late - timedelta(days=20)), (contract.event_time, late + timedelta(days=20))]
    spoilt += [(contract.key[0], table[contract.key[0]][0].as_py())] * 2  # the same key, another content
    assert len(spoilt) < table.num_rows, "more rows a batch are needed"
    for row, (name, value) in enumerate(spoilt):
        for column in personal:
            if column != name:
                table = table.set_column(table.column_names.index(column), column, _set(table[column], row, ID + row))
        table = table.set_column(table.column_names.index(name), name, _set(table[name], row, value))
    return table


def _columns_of_somebody(contract: Contract, table: pa.Table) -> pa.Table:
    """Columns that the contract does not know, called after somebody and full of somebody."""
    del contract
    text = pa.array([WHO] * table.num_rows)
    for name in (NAME, MAIL, CARD, PHONE, "id4929123456789012", "harmless"):
        table = table.append_column(name, text)
    nested = pa.array([{NAME: ID, "list": [WHO]}] * table.num_rows)
    return table.append_column(f"nested {NAME}", nested)


def _replaced(name: str, new_name: str, values: Callable[[int], pa.Array]) -> Callable[[Contract, pa.Table], pa.Table]:
    def change(contract: Contract, table: pa.Table) -> pa.Table:
        del contract
        return table.set_column(table.column_names.index(name), new_name, values(table.num_rows))

    return change


def _variants(contract: Contract) -> list[Callable[[Contract, pa.Table], pa.Table]]:
    """What becomes of the four slots of a day; the last two are refused whole."""
    number = next(column.name for column in contract.columns if column.name not in (*contract.key, contract.event_time))
    return [
        _rows_of_somebody,
        _columns_of_somebody,
        _replaced(number, number, lambda rows: pa.array([WHO] * rows)),
        _replaced(number, NAME, lambda rows: pa.array(np.full(rows, ID))),
    ]


def _more_variants(contract: Contract) -> list[Callable[[Contract, pa.Table], pa.Table]]:
    number = next(column.name for column in contract.columns if column.name not in (*contract.key, contract.event_time))
    return [
        _replaced(number, number, lambda rows: pa.array([{NAME: ID}] * rows)),
        _replaced(
            contract.event_time, contract.event_time, lambda rows: pa.array([0] * rows, pa.timestamp("us", NAME))
        ),
    ]


def plant(settings: Settings, simulation: Simulation, days: Sequence[date]) -> list[str]:
    """Land second attempts full of somebody's data; returns what their files are called.

    On the last of three days they are only true: visitors with a number, that reach consumers.
    """
    names = []
    visits = request_batch(simulation, "web_events", days[2], 2, 2)
    rows = visits.table.num_rows
    known = _replaced("customer_id", "customer_id", lambda _: pa.array(np.full(rows, ID)))
    land_replacement(settings, replace(visits, table=known(CONTRACTS["web_events"], visits.table)))
    for source, contract in CONTRACTS.items():
        variants = {days[0]: _variants(contract) if source in IN_FULL else _variants(contract)[:1]}
        if source == IN_FULL[0]:
            variants[days[1]] = _more_variants(contract)
            names += _hostile_files(settings, source, days[1], request_batch(simulation, source, days[1], 3, 2))
        for day, changes in variants.items():
            for slot, change in enumerate(changes, start=1):
                batch = request_batch(simulation, source, day, slot, 2)
                land_replacement(settings, replace(batch, table=change(contract, batch.table)))
                names.append(batch.batch_id)
    return names


def _hostile_files(settings: Settings, source: str, day: date, batch: Batch) -> list[str]:
    """Files called after somebody, manifests that speak of somebody, bytes that are no Parquet."""
    folder = landing_folder(settings, source, day)
    named = replace(batch, batch_id="zyxander-oquillfeather", sequence=4)
    write_batch(settings, named)  # its name is safe, and still somebody's
    (folder / f"{MAIL}.parquet").write_bytes(b"PAR1" + WHO.encode() * 20)
    (folder / f"{NAME} {CARD}.csv").write_text(f"name\n{WHO}\n")
    (folder / f"{NAME}{MANIFEST_SUFFIX}").write_text("{}")
    for number, (field, value) in enumerate(
        [
            *(("checksum", NAME), ("schema_fingerprint", MAIL), ("kind", NAME), ("source", NAME)),
            *(("landing_date", NAME), ("checksum", "0" * 64)),
        ]
    ):
        one = replace(batch, batch_id=f"{source}-{day:%Y%m%d}-03-r{number + 1}", kind="resend")
        path = write_batch(settings, one).with_name(f"{one.batch_id}{MANIFEST_SUFFIX}")
        manifest = json.loads(path.read_text()) | {"columns": [{"name": WHO, "type": WHO}], field: value}
        path.write_text(json.dumps(manifest))
    return ["zyxander-oquillfeather", MAIL]


# Searching


def signs_in(text: str) -> set[str]:
    """Which signs a text holds."""
    lowered = text.lower()
    return {sign for sign in SIGNS if sign in lowered}


def _sqlite(path: Path) -> Iterator[str]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in connection.execute(f'select * from "{table}"'):
                yield " ".join(_unpacked(one) if isinstance(one, bytes) else str(one) for one in row)


def _unpacked(content: bytes) -> str:
    """An event of Dagster's log, or whatever else it is."""
    try:
        return unpack(content)
    except zlib.error:
        return content.decode(errors="replace")


def _duckdb(path: Path, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute("select table_name from information_schema.tables").fetchall()
        for (name,) in names:
            if wanted(name):
                for row in connection.execute(f'select * from "{name}"').fetchall():
                    yield " ".join(map(str, row))


def _parquet(path: Path) -> Iterator[str]:
    table = pq.read_table(path)
    yield str(table.schema)
    for column in table.columns:
        zoned = pa.types.is_timestamp(column.type) and column.type.tz  # somebody's name is no zone to convert to
        yield "\n".join(map(str, (column.cast(pa.int64()) if zoned else column).to_pylist()))


_READERS = (
    (b"SQLite format 3", _sqlite),
    (b"PAR1", _parquet),
    (b"\x1f\x8b", lambda path: [gzip.decompress(path.read_bytes()).decode(errors="replace")]),
)


def texts_of(path: Path) -> Iterator[str]:
    """The content of a file in every form in which somebody could read it: bytes, and what they decode to."""
    content = path.read_bytes()
    yield content.decode("latin-1")
    yield content.decode("utf-16-le", errors="ignore")
    if content[8:12] == b"DUCK":
        yield from _duckdb(path)
    for magic, reader in _READERS:
        if content.startswith(magic):
            try:
                yield from reader(path)
            except (pa.ArrowInvalid, sqlite3.DatabaseError, OSError):
                continue  # its bytes have been searched


def signs_of(path: Path) -> set[str]:
    """Which signs a file holds, its name included."""
    return signs_in(path.name).union(*map(signs_in, texts_of(path)))


def signs_in_tables(warehouse: Path, beginnings: tuple[str, ...]) -> set[str]:
    """Which signs stand in tables and views whose name begins so."""
    return set().union(*map(signs_in, _duckdb(warehouse, lambda name: name.startswith(beginnings))))


assert PERSONAL and FREE_TEXT  # else there would be nothing to plant

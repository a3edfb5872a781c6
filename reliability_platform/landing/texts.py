"""Texts of CSV and JSON lines as the types that the contract promises; what is not of its type becomes null, value by value.

A text is taken for what it says exactly or not at all: `12.345` is no amount with two places, `31.02.2026` no day, and an
hour that the clock of a zone showed twice no moment. Where most texts of a column are not of its type, the column stays as
it came: that is another column, and not a few bad values.
"""

import re
from collections.abc import Iterable, Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.file_format import FileFormat
from reliability_platform.parquet import identifier, literal

WHOLE = r"[+-]?[0-9]+([.]0*)?"
NUMBER = r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?"
WITH_COMMA = r"[+-]?([0-9]{1,3}([.][0-9]{3})+|[0-9]+)?(,[0-9]+)?([eE][+-]?[0-9]+)?"
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
MOMENT = DAY + r"[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?"
OFFSET = r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")
_WHOLE_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")


def typed_texts(table: pa.Table, contract: Contract, names: Iterable[str]) -> dict[str, pa.ChunkedArray]:
    """Those of the named columns that came as text, in the contract's types; without the ones of which most texts are none."""
    wanted = frozenset(names)
    columns = [one for one in contract.columns if one.name in wanted and _came_as_text(table, one.name)]
    if not columns:
        return {}
    typed = {}
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set timezone = 'UTC'")
        for one in columns:
            if (
                one.type == "VARCHAR"
            ):  # nothing to read: keys and free texts, each of which comes once, took half of the time
                typed[one.name] = _without_words(table[one.name], contract.file_format)
                continue
            # Each text is read once, however often it comes: patterns on every row of 16 columns took 5 times as long.
            encoded = table[one.name].combine_chunks().dictionary_encode()
            said = pa.chunked_array([encoded.dictionary])
            connection.register("said", pa.table({one.name: said}))
            expression = _expression(one, contract.file_format)
            read = connection.execute(f"select {expression} as read from said").to_arrow_table()["read"]
            read = pc.cast(_in_zone(read, one, said), contract.arrow_schema.field(one.name).type).combine_chunks()
            values = read.take(encoded.indices)
            present = _says_something(said, contract.file_format).combine_chunks().take(encoded.indices)
            if 2 * (len(values) - values.null_count) >= (pc.sum(present).as_py() or 0):
                typed[one.name] = pa.chunked_array([values])
    return typed


def _came_as_text(table: pa.Table, name: str) -> bool:
    return table.column_names.count(name) == 1 and bool(pa.types.is_string(table.schema.field(name).type))


def _without_words(texts: pa.ChunkedArray, said: FileFormat) -> pa.ChunkedArray:
    """Texts as they are, but for words that stand for no value."""
    if not said.nulls:
        return texts
    words = pc.is_in(texts, value_set=pa.array(said.nulls, pa.string()))
    return pc.if_else(words, pa.scalar(None, pa.string()), texts)


def _says_something(texts: pa.ChunkedArray, said: FileFormat) -> pa.ChunkedArray:
    """Which texts are neither missing nor blank, nor a word that stands for no value."""
    words = pc.is_in(texts, value_set=pa.array(said.nulls, pa.string()))
    there = pc.and_not(pc.not_equal(pc.utf8_trim_whitespace(texts), ""), words)
    return pc.fill_null(there, False)


def unread(
    delivered: pa.Table, stands_for: Mapping[str, str], table: pa.Table, contract: Contract
) -> list[tuple[str, pa.ChunkedArray]]:
    """The columns in which a text was not of its type, each with those texts and null for all others.

    `stands_for` says which column of the contract a delivered name is; `table` has the columns as they were read.
    """
    found = []
    texts = {one.name for one in contract.columns if one.type == "VARCHAR"}
    for came, name in stands_for.items():
        if name in texts or not _came_as_text(delivered, came):
            continue
        lost = pc.and_(pc.is_null(table[name]), _says_something(delivered[came], contract.file_format))
        if pc.any(lost).as_py():
            found.append((name, pc.if_else(lost, delivered[came], pa.scalar(None, pa.string()))))
    return found


def _expression(column: Column, said: FileFormat) -> str:
    """A column's texts as its type, in SQL; null for what is not of it. Moments without an offset stay local."""
    value = identifier(column.name)
    words = f" and {value} not in ({', '.join(map(literal, said.nulls))})" if said.nulls else ""
    value = f"trim(case when true{words} then {value} end)"
    kind, decimal = column.type, _DECIMAL.fullmatch(column.type)
    if kind == "BOOLEAN":
        return f"case lower({value}) when 'true' then true when 'false' then false when 't' then true when 'f' then false end"
    if kind == "DATE":
        other = f"cast(try_strptime({value}, {literal(said.date_format)}) as date)" if said.date_format else "null"
        midnight = rf"{DAY}([ T]00:00(:00([.]0+)?)?)?"
        return f"coalesce({other}, case when {_fits(value, midnight)} then try_cast(left({value}, 10) as date) end)"
    if kind == "TIMESTAMP":
        other = f"try_strptime({value}, {literal(said.timestamp_format)})" if said.timestamp_format else "null"
        offset = _with_offset(f"upper({value})")
        return (
            f"coalesce(case when {_fits(value, MOMENT)} then try_cast({value} as timestamp) "
            f"when {_fits(f'upper({value})', MOMENT + OFFSET)} "
            f"then cast(try_cast({offset} as timestamptz) at time zone 'UTC' as timestamp) end, {other})"
        )
    if said.decimal == "," and (decimal is not None or _WHOLE_NUMBERS.fullmatch(kind) or kind in ("DOUBLE", "FLOAT")):
        plain = f"replace(replace({value}, '.', ''), ',', '.')"
        value = f"(case when {_fits(value, WITH_COMMA)} then {plain} end)"
    if decimal is not None:
        places = int(decimal[1])
        value, pattern = value, rf"[+-]?([0-9]+([.][0-9]{{0,{places}}}0*)?|[.][0-9]{{1,{max(places, 1)}}}0*)"
    elif _WHOLE_NUMBERS.fullmatch(kind):
        pattern = WHOLE
    elif kind in ("DOUBLE", "FLOAT"):
        return f"case when {_fits(value, NUMBER)} and isfinite(try_cast({value} as {kind})) then try_cast({value} as {kind}) end"
    else:
        return f"try_cast({value} as {kind})"
    return f"case when {_fits(value, pattern)} then try_cast({value} as {kind}) end"


_OFFSETS = (
    (" ?Z$", "+00:00"),
    (" ?([+-][0-9]{2})$", r"\1:00"),
    (" ?([+-][0-9]{2}):?([0-9]{2})$", r"\1:\2"),
    ("([ T][0-9]{2}:[0-9]{2})([+-])", r"\1:00\2"),
)
"""Spellings of an offset, and of a time without seconds before one, as DuckDB reads them."""


def _with_offset(value: str) -> str:
    for pattern, instead in _OFFSETS:
        value = f"regexp_replace({value}, {literal(pattern)}, {literal(instead)})"
    return value


def _fits(value: str, pattern: str) -> str:
    return f"regexp_full_match({value}, {literal(pattern)})"


def _in_zone(values: pa.ChunkedArray, column: Column, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Local moments in UTC. An hour that the clock of the zone showed twice, or never, is none: nobody knows which it was."""
    if column.zone is None or not pa.types.is_timestamp(values.type):
        return values
    earliest, latest = (
        pc.cast(pc.assume_timezone(values, column.zone, ambiguous=way, nonexistent=way), values.type)
        for way in ("earliest", "latest")
    )
    in_utc = pc.if_else(pc.equal(earliest, latest), earliest, pa.scalar(None, values.type))
    upper = pc.utf8_upper(pc.utf8_trim_whitespace(texts))
    return pc.if_else(pc.match_substring_regex(upper, f"^{MOMENT}{OFFSET}$"), values, in_utc)

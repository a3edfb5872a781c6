"""Reads what a producer calls CSV or JSON lines, as text: what a value means is decided later, by the contract.

One line that cannot be taken apart keeps the file out, and is named: where it ends nobody knows, so nobody knows what
stands in the lines after it. A value that is not of its type costs its own row alone; see `texts`.
"""

import codecs
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv

from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.file_format import FileFormat, compression_of
from reliability_platform.counted import counted
from reliability_platform.in_memory import in_memory
from reliability_platform.json_text import pointer
from reliability_platform.landing.parquet_file import MAX_DECODED_BYTES, MAX_ROWS, NotReadableError

_AT_ONCE = 16 * 2**20
NO_JSON = r"\bNaN\b|Infinity|,\s*[}\]]|/[*/]"
"""What some parsers take and RFC 8259 does not have, in a line of which every string is empty."""
_STRING = r'"(?:[^"\\]|\\.)*"'
LONG_FRACTION = r"\d[\d.]{16,}\d"
"""More digits than a float has: DuckDB reads a number with a fraction as one. Whole numbers stay as they were written."""
WITHOUT_STRINGS = f"regexp_replace(cast(json as varchar), '{_STRING}', '\"\"', 'g')"
"""SQL: an object in which every string is empty."""
_WITH_FRACTIONS_AS_TEXT = (
    f"cast(replace(replace(regexp_replace(cast(json as varchar), '({_STRING})|(-?\\d+\\.\\d+(?:[eE][+-]?\\d+)?)', "
    "'\\1' || chr(1) || '\\2' || chr(1), 'g'), chr(1) || chr(1), ''), chr(1), '\"') as json)"
)
"""An object whose numbers with a fraction are texts, each digit as it came. JSON has no character 1 but in its escapes."""
_NUMBERS = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "DOUBLE"})
_OBJECT_MAX_BYTES = 64 * 2**20
MANY_NAMES = 10_000


def unpacked(content: bytes) -> bytes:
    """The bytes that gzip or zstd hold; others as they are. Raises `NotReadableError`."""
    kind = compression_of(content)
    if kind == "none":
        return content
    parts, size = [], 0
    try:
        with pa.input_stream(pa.py_buffer(content), compression=kind) as stream:
            while part := stream.read(_AT_ONCE):
                size += len(part)
                if size > MAX_DECODED_BYTES:
                    raise NotReadableError(f"it unpacks to more than {MAX_DECODED_BYTES // 2**30} GiB")
                parts.append(part)
    except (pa.ArrowException, OSError):
        raise NotReadableError(f"it is no whole {kind} file") from None
    return b"".join(parts)


def read_texts(content: bytes, contract: Contract) -> pa.Table:
    """The table of a file, every column as text. Raises `NotReadableError`."""
    plain = unpacked(content)
    if not plain.strip():
        raise NotReadableError("it is empty: not even a header stands in it")
    table = _csv(plain, contract) if contract.file_format.kind == "csv" else _json_lines(plain, contract)
    if table.num_rows > MAX_ROWS:
        raise NotReadableError(f"it holds more than {MAX_ROWS:,} rows")
    return table


def _csv(content: bytes, contract: Contract) -> pa.Table:
    dialect = contract.file_format
    content = _as_utf8(content, dialect)
    names = None if dialect.header else contract.arrow_schema.names
    try:
        return _parsed_csv(content, dialect, names)
    except UnicodeDecodeError:
        raise NotReadableError(f"it is not {dialect.encoding}, as the contract says") from None
    except (pa.ArrowException, ValueError) as error:
        raise NotReadableError(_csv_words(str(error), dialect, _first_odd_row(content, dialect, names))) from None


def _as_utf8(content: bytes, dialect: FileFormat) -> bytes:
    """The same text in UTF-8. A byte order mark says more than the contract."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if marked else dialect.encoding
    if encoding == "utf-8" or content.startswith(codecs.BOM_UTF8):
        return content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode("utf-16-le" if encoding == "utf-16" and not marked else encoding).encode()
    except UnicodeError:
        raise NotReadableError(f"it is not {dialect.encoding}, as the contract says") from None


def _parsed_csv(
    content: bytes,
    dialect: FileFormat,
    names: list[str] | None,
    on_odd_row: Callable[[pa_csv.InvalidRow], str] | None = None,
) -> pa.Table:
    read = pa_csv.ReadOptions(
        skip_rows=dialect.skip, column_names=names, block_size=_AT_ONCE, use_threads=on_odd_row is None
    )
    header = names or _header(content, read, _parsing(dialect, lambda _: "skip"))
    convert = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    return pa_csv.read_csv(pa.BufferReader(content), read, _parsing(dialect, on_odd_row), convert)


def _parsing(dialect: FileFormat, on_odd_row: Callable[[pa_csv.InvalidRow], str] | None) -> pa_csv.ParseOptions:
    return pa_csv.ParseOptions(
        delimiter=dialect.delimiter,
        quote_char=dialect.quote or False,
        double_quote=bool(dialect.quote) and not dialect.escape,
        escape_char=dialect.escape or False,
        newlines_in_values=bool(dialect.quote),
        ignore_empty_lines=True,
        invalid_row_handler=on_odd_row,
    )


def _first_odd_row(content: bytes, dialect: FileFormat, names: list[str] | None) -> pa_csv.InvalidRow | None:
    """The first row with another number of columns than the header: found again by one thread, which counts."""
    odd: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        odd.append(row)
        return "error"

    with suppress(pa.ArrowException, ValueError):
        _parsed_csv(content, dialect, names, note)
    return odd[0] if odd else None


def _header(content: bytes, read: pa_csv.ReadOptions, parse: pa_csv.ParseOptions) -> list[str]:
    """The names of the columns; each must be text for every value of it to be kept."""
    first = pa_csv.ReadOptions(skip_rows=read.skip_rows, block_size=2**20)
    with pa_csv.open_csv(pa.BufferReader(content), first, parse) as stream:
        return list(stream.schema.names)


def _csv_words(said: str, dialect: FileFormat, odd: pa_csv.InvalidRow | None) -> str:
    """Why it is no CSV, without what stands in it: a message of Arrow ends with the line itself."""
    if odd is not None:
        row = "a row" if odd.number is None else f"row {odd.number:,}"
        return f"{row} has {counted(odd.actual_columns, 'column')}, the header {odd.expected_columns}"
    if "UTF8" in said or "UTF-8" in said:
        return f"it is not {dialect.encoding}, as the contract says"
    return "it cannot be taken apart into the columns of its header"


def _json_lines(content: bytes, contract: Contract) -> pa.Table:
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file, in_memory() as connection:
        file.write(content.removeprefix(codecs.BOM_UTF8))
        file.flush()
        try:
            connection.execute(
                "create temp table lines as select json from read_json_objects($file, format = 'newline_delimited', "
                f"compression = 'uncompressed', maximum_object_size = {_OBJECT_MAX_BYTES})",
                {"file": file.name},
            )
            return columns_of_lines(connection, contract, _refuse_odd_lines(connection))
        except duckdb.Error as error:
            line = re.search(r"in line (\d+)", str(error))  # of the one after it
            where = f"object {int(line[1]) - 1:,}" if line else "an object"
            raise NotReadableError(f"{where} is no JSON") from None


def _refuse_odd_lines(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether any line has a number with more digits than a float. Raises `NotReadableError` for lines that are no objects."""
    [(loose, other, long)] = connection.execute(
        "select min(line) filter (where regexp_matches(bare, $loose)), min(line) filter (where json_type(json) <> 'OBJECT'), "
        "count(*) filter (where regexp_matches(bare, $long)) from (select rowid + 1 as line, json, "
        f"{WITHOUT_STRINGS} as bare from lines)",
        {"loose": NO_JSON, "long": LONG_FRACTION},
    ).fetchall()
    if loose is not None:
        raise NotReadableError(f"object {loose:,} is no JSON as RFC 8259 has it")
    if other is not None:
        raise NotReadableError(f"line {other:,} is no JSON object")
    return bool(long)


def columns_of_lines(connection: duckdb.DuckDBPyConnection, contract: Contract, has_long_fractions: bool) -> pa.Table:
    """The names in the objects of the table `lines`, which has a column `json`, as columns of texts. Raises `NotReadableError`."""
    kinds = connection.execute(
        "select key, list(distinct kind) filter (where kind <> 'NULL'), max(times) from (select key, "
        "json_type(json, '/' || replace(replace(key, '~', '~0'), '/', '~1')) as kind, "
        "len(list_filter(keys, lambda one: one = key)) as times "
        "from (select json, json_keys(json) as keys, unnest(json_keys(json)) as key from lines)) group by key order by key"
    ).fetchall()
    if len(kinds) > MANY_NAMES:
        raise NotReadableError(f"its objects have more than {MANY_NAMES:,} names")
    twice = [key for key, _, times in kinds if times > 1]
    if twice:
        raise NotReadableError("a name stands twice in one object: nobody can say which value is meant")
    names = [key for key, _, _ in kinds]
    paths = [pointer(name) for name in names]
    nested = {one.name for one in contract.columns if one.json}
    of_lines = partial(_texts, connection)
    found = of_lines(paths, "json") if names else None
    exact = of_lines(paths, _WITH_FRACTIONS_AS_TEXT) if names and has_long_fractions else found
    columns: dict[str, pa.Array] = {}
    rows = len(found) if found is not None else connection.execute("select count(*) from lines").fetchall()[0][0]
    for place, (name, kind, _) in enumerate(kinds):
        texts = pa.compute.list_element(found if name in nested else exact, place).cast(pa.string())
        columns[name] = _as_numbers(texts, name, set(kind or ()), contract)
    for column in contract.columns:  # an object that does not say a name says null
        if not column.required and column.name not in columns and not set(column.aliases) & set(columns):
            columns[column.name] = pa.nulls(rows, pa.string())
    return pa.table(columns) if columns else pa.table({"": pa.nulls(rows)})


def _texts(connection: duckdb.DuckDBPyConnection, paths: list[str], of: str) -> pa.Array:
    """A list of texts a line, one for each path."""
    query = f"select json_extract_string({of}, $paths) as texts from lines order by rowid"
    return connection.execute(query, {"paths": paths}).to_arrow_table()["texts"].combine_chunks()


def _as_numbers(texts: pa.Array, name: str, kinds: set[str], contract: Contract) -> pa.Array:
    """Texts, but for numbers where the contract promises text: a code that became a number has lost its zeros."""
    promised = next((one for one in contract.columns if name in (one.name, *one.aliases)), None)
    if promised is None or promised.type != "VARCHAR" or promised.json or not kinds or not kinds <= _NUMBERS:
        return texts
    return texts.cast(pa.float64())

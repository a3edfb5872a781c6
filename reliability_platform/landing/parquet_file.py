"""Reads what a producer calls Parquet: the columns of the contract whole and checked, all others as far as they can be.

The footer is asked first. It may claim more rows than any memory holds in a file of a few bytes.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

MAX_ROWS = 20_000_000
MAX_DECODED_BYTES = 4 * 2**30
"""What one batch may hold at most; a thousand times what the sources of this platform send. More is to be sent in several."""
ROWS_AT_ONCE = 65_536
"""A value that stands in a file once may be meant for each row: what it decodes to is counted as it grows."""


NOT_READABLE = "not readable"
"""What stands for the values of a damaged column that nobody asked for."""


class NotReadableError(Exception):
    """Why a file cannot be read, in words that quote nothing of it."""


@dataclass(frozen=True)
class Footer:
    """What a file says of itself."""

    rows: int
    names: list[str]


def read_footer(content: bytes) -> Footer:
    """Raises `NotReadableError`."""
    try:
        found = pq.read_metadata(pa.BufferReader(content))
        groups = [found.row_group(place) for place in range(found.num_row_groups)]
        decoded = sum(group.total_byte_size for group in groups)
        names = pq.read_schema(pa.BufferReader(content)).names
    except _ANYTHING_OF_ARROW as error:
        raise NotReadableError(_words(error)) from None
    if found.num_rows < 0 or sum(group.num_rows for group in groups) != found.num_rows:
        raise NotReadableError("its row groups do not add up to its rows")
    if found.num_rows > MAX_ROWS or decoded > MAX_DECODED_BYTES:
        raise NotReadableError(f"it claims more than {MAX_ROWS:,} rows or {MAX_DECODED_BYTES // 2**30} GiB")
    return Footer(found.num_rows, names)


# What Arrow raises for bytes that are not what they claim to be. Text that is not UTF-8 in the name of a column is
# found only when Python asks for it.
_ANYTHING_OF_ARROW = (
    pa.ArrowException,
    OSError,
    ValueError,
    UnicodeError,
    MemoryError,
    RecursionError,
    NotImplementedError,
)


def _words(error: BaseException) -> str:
    said = str(error).lower()
    if "encrypt" in said or "decrypt" in said:
        return "it is encrypted"
    if isinstance(error, MemoryError):
        return "it claims more than the memory holds"
    if "magic bytes" in said:
        return "it is no Parquet file"
    return f"it is no whole Parquet file ({type(error).__name__})"


def _decoded(file: pq.ParquetFile, columns: list[str] | None = None) -> pa.Table:
    """The rows of a file, as long as they fit the memory. Raises `NotReadableError`."""
    batches, size = [], 0
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
        size += batch.nbytes
        if size > MAX_DECODED_BYTES:
            raise NotReadableError(f"it decodes to more than {MAX_DECODED_BYTES // 2**30} GiB")
        batches.append(batch)
    schema = file.schema_arrow
    if columns is not None:
        schema = pa.schema([field for field in schema if field.name in columns])
    return pa.Table.from_batches(batches, batches[0].schema if batches else schema)


def _without_unknown(content: bytes, known: list[str], error: BaseException) -> pa.Table:
    """The columns of the contract, if it is another one that cannot be read. That one is there in name alone."""
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        names = file.schema_arrow.names
        table = _decoded(file, [name for name in names if name in known])
        for name in (name for name in names if name not in known):
            table = table.append_column(name, pa.repeat(pa.scalar(NOT_READABLE), table.num_rows))
    except _ANYTHING_OF_ARROW:
        raise NotReadableError(_words(error)) from None
    return table


def read_content(content: bytes, known: list[str]) -> pa.Table:
    """The table of a file. Raises `NotReadableError` if a column of the contract cannot be read or holds text that is
    none, which would stop every query on the partition later.
    """
    try:
        table = _decoded(pq.ParquetFile(pa.BufferReader(content)))
    except _ANYTHING_OF_ARROW as error:
        table = _without_unknown(content, known, error)
    try:
        wanted = [place for place, name in enumerate(table.column_names) if name in known]
        table.select(wanted).validate(full=True)
    except _ANYTHING_OF_ARROW as error:
        raise NotReadableError(f"a column of the contract is damaged ({type(error).__name__})") from None
    return table

"""What sample files are, by their content: Parquet, CSV or JSON lines, each plain, gzip or zstd; and DuckDB's reader for it."""

import codecs
import csv
import glob
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa

from reliability_platform.contracts.file_format import FileFormat, compression_of
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.parquet import literal

HEAD_BYTES = 65_536
DELIMITERS = ",;\t|"
EMPTY_DIALECT = "(empty)"
ASCII, WINDOWS = "ascii", "windows-1252"


def files_of(patterns: Iterable[str]) -> list[Path]:
    """The files that patterns, files and folders name, in the order of their names. Raises `UsageError`."""
    found: set[Path] = set()
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_dir():
            here = {one for one in path.iterdir() if one.is_file() and not one.name.startswith((".", "_"))}
            if not here:
                raise UsageError(f"{path} is an empty folder: name one with deliveries in it, or files.")
        elif path.is_file():
            here = {path}
        else:
            here = {Path(one) for one in glob.glob(str(path), recursive=True) if Path(one).is_file()}  # noqa: PTH207 (of the root, too)
        if not here:
            raise UsageError(f"No file is called {pattern!r}: name deliveries of the source with --from.")
        found |= here
    return sorted(found)


def kind_of(files: Sequence[Path]) -> FileFormat:
    """What the files are, without a dialect. Raises `UsageError` for what cannot be read, is empty, or is not all of one kind."""
    kinds: dict[FileFormat, Path] = {}
    for path in files:
        kinds.setdefault(_by_content(path), path)
    (found, path), *others = _in_one_encoding(kinds).items()
    if others:
        raise UsageError(
            f"{path} is {_told(found)}, and {others[0][1]} is {_told(others[0][0])}: name files of one format with --from."
        )
    return found


def _in_one_encoding(kinds: dict[FileFormat, Path]) -> dict[FileFormat, Path]:
    """The same, where plain ASCII goes with any encoding, and Latin-1 with the Windows code page that has its letters."""
    said = {one.encoding for one in kinds if one.kind == "csv"} - {ASCII}
    if said <= {"latin-1", WINDOWS} and WINDOWS in said:
        said = {WINDOWS}
    if len(said) > 1:
        return kinds
    one = next(iter(said), "utf-8")
    merged: dict[FileFormat, Path] = {}
    for found, path in kinds.items():
        merged.setdefault(replace(found, encoding=one) if found.kind == "csv" else found, path)
    return merged


def _told(one: FileFormat) -> str:
    packed = "" if one.compression == "none" else f" in {one.compression}"
    return f"{one.kind}{packed}" + (f" ({one.encoding})" if one.kind == "csv" else "")


def _by_content(path: Path) -> FileFormat:
    head, compression = _head(path)
    if not head.strip():
        raise UsageError(f"{path} is empty: name files with rows in them.")
    if head.startswith(b"PAR1"):
        return FileFormat("parquet", compression)
    if head.startswith(b"PK\x03\x04"):
        raise UsageError(f"{path} is a ZIP archive: unpack it, or pack each file with gzip or zstd.")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or head[1:200:2].count(0) > 50:
        if head.startswith(codecs.BOM_UTF16_BE):
            raise UsageError(
                f"{path} is UTF-16 with the high byte first, which DuckDB does not read: convert it to UTF-8."
            )
        return FileFormat("csv", compression, encoding="utf-16")
    if b"\x00" in head or sum(byte < 9 or 13 < byte < 32 for byte in head) > len(head) // 100:
        raise UsageError(f"{path} is neither Parquet nor CSV nor JSON lines: name files of one of these.")
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"{"):
        return FileFormat("json", compression)
    if text.startswith((b"[{", b"[\n", b"[ ")):
        raise UsageError(f"{path} is one JSON array: write an object a line (JSON lines).")
    return FileFormat("csv", compression, _encoding(head))


def _encoding(head: bytes) -> str:
    if head.isascii():
        return ASCII
    if head.startswith(codecs.BOM_UTF8) or _is_utf8(head):
        return "utf-8"
    # Control characters of Latin-1, which nobody writes, are signs of the euro and quotes there.
    return WINDOWS if any(0x80 <= byte <= 0x9F for byte in head) else "latin-1"


def _head(path: Path) -> tuple[bytes, str]:
    """The beginning of what a file holds, and how that is compressed."""
    try:
        with path.open("rb") as file:
            raw = file.read(HEAD_BYTES)
        compression = compression_of(raw)
        if compression == "gzip":
            return zlib.decompressobj(wbits=31).decompress(raw), compression
        if compression == "zstd":
            with pa.input_stream(str(path), compression="zstd") as stream:
                return stream.read(HEAD_BYTES), compression
    except (OSError, zlib.error, pa.ArrowException) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())[:120]}.") from None
    return raw, compression


def _is_utf8(head: bytes) -> bool:
    """A letter that the end of the head cuts in two is none of its faults."""
    with suppress(UnicodeDecodeError):
        codecs.getincrementaldecoder("utf-8")().decode(head)
        return True
    return False


def with_dialect(connection: duckdb.DuckDBPyConnection, found: FileFormat, path: Path) -> FileFormat:
    """The dialect of a CSV file. Raises `UsageError` for what is none."""
    try:
        [said] = connection.execute(
            "select Delimiter, Quote, Escape, SkipRows, HasHeader, DateFormat, TimestampFormat, Columns "
            "from sniff_csv($path, compression = $compression, encoding = $encoding)",
            {"path": _literally(path), "compression": found.compression, "encoding": found.encoding},
        ).fetchall()
    except duckdb.Error as error:
        if "unicode" in str(error) and found.encoding == "utf-8":
            return with_dialect(connection, replace(found, encoding="latin-1"), path)
        told = _uneven_line(path, found.encoding) or "lines differ in their number of columns, or it is none"
        raise UsageError(f"{path} cannot be read as CSV: {told}.") from None
    delimiter, quote, escape, skip, header, date_format, timestamp_format, columns = said
    if len(columns) == 1 and (uneven := _uneven_line(path, found.encoding)) is not None:
        raise UsageError(f"{path} cannot be read as CSV: {uneven}.")
    if len(columns) == 1 and not header:
        raise UsageError(f"{path} has one column and no header: it is no CSV that a contract could be made of.")
    return replace(
        found,
        delimiter=delimiter,
        quote='"' if quote == EMPTY_DIALECT else quote,
        escape="" if escape in (EMPTY_DIALECT, quote) else escape,
        skip=skip,
        header=header,
        date_format=date_format,
        timestamp_format=timestamp_format,
    )


def _uneven_line(path: Path, encoding: str) -> str | None:
    """The first line at the beginning of a CSV file that has not as many values as the one above all; None if all have.

    DuckDB takes such a file for one of a single column, by a separator that is nowhere in it.
    """
    head = _head(path)[0][:HEAD_BYTES].decode("utf-8-sig" if encoding in ("utf-8", ASCII) else encoding, "replace")
    first, *lines = head.splitlines(keepends=True)
    delimiter = max(DELIMITERS, key=first.count)
    expected, *rows = csv.reader([first, *(line for line in lines if line.endswith("\n"))], delimiter=delimiter)
    if len(expected) < 2:
        return None
    for number, row in enumerate(rows, 2):
        if row and len(row) != len(expected):
            return f"row {number} has {counted(len(row), 'value')}, the first line {len(expected)}; mend it, or leave the file out"
    return None


def reader(found: FileFormat, files: Sequence[Path], columns: Sequence[str] = ()) -> str:
    """The files as a table function of DuckDB; values of CSV as the text that they came as."""
    names = "[" + ", ".join(literal(_literally(path)) for path in files) + "]"
    if found.kind == "parquet":
        return f"read_parquet({names}, union_by_name = false, hive_partitioning = false, filename = '_file')"
    packed = f"compression = '{found.compression}', hive_partitioning = false, filename = '_file'"
    if found.kind == "json":
        packed = packed.replace("'none'", "'uncompressed'")
        return f"read_json({names}, format = 'newline_delimited', union_by_name = true, {packed})"
    marks = "".join(
        f", {option} = {literal(value)}"
        for option, value in (("quote", found.quote or '"'), ("escape", found.escape or found.quote or '"'))
    )
    texts = "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns) + "}"
    return (
        f"read_csv({names}, all_varchar = true, auto_detect = false, allow_quoted_nulls = false, delim = {literal(found.delimiter)}{marks}, skip = {found.skip}, "
        f"header = {str(found.header).lower()}, encoding = '{found.encoding}', columns = {texts}, {packed})"
    )


def _literally(path: Path) -> str:
    """A path in which DuckDB sees no pattern."""
    return glob.escape(str(path))


def one_header(
    connection: duckdb.DuckDBPyConnection, found: FileFormat, files: Sequence[Path]
) -> list[tuple[str, str]]:
    """The columns of all files, and their types as DuckDB reads them. Raises `UsageError` where the files differ in them."""
    seen: dict[tuple[tuple[str, str], ...], Path] = {}
    for path in _with_headers_of_their_own(found, files):
        seen.setdefault(tuple(_columns(connection, found, path)), path)
    (columns, path), *others = seen.items()
    for other, elsewhere in others:
        ours, theirs = [name for name, _ in columns], [name for name, _ in other]
        if found.kind != "json" and ours != theirs:
            odd = sorted(set(ours) ^ set(theirs)) or ["the same in another order"]
            raise UsageError(
                f"{path} and {elsewhere} differ in their columns ({', '.join(odd[:3])}; {counted(len(ours), 'column')} and "
                f"{len(theirs)}): name files of one source with --from."
            )
    return list(dict.fromkeys(one for columns in seen for one in columns)) if found.kind == "json" else list(columns)


def _with_headers_of_their_own(found: FileFormat, files: Sequence[Path]) -> Iterable[Path]:
    """The first of those CSV files that begin with the same line: a year of days is asked once, not 365 times."""
    if found.kind != "csv" or not found.header or found.skip:
        return files
    lines: dict[bytes, Path] = {}
    for path in files:
        lines.setdefault(_head(path)[0].partition(b"\n")[0], path)
    return lines.values()


def _columns(connection: duckdb.DuckDBPyConnection, found: FileFormat, path: Path) -> list[tuple[str, str]]:
    try:
        if found.kind == "csv":
            rows = connection.execute(
                "select unnest(Columns).name from sniff_csv($path, compression = $compression, encoding = $encoding, "
                "delim = $delim, header = $header, all_varchar = true)",
                {
                    "path": _literally(path), "compression": found.compression, "encoding": found.encoding,
                    "delim": found.delimiter, "header": found.header,
                },
            ).fetchall()  # fmt: skip
            return [(name, "VARCHAR") for (name,) in rows]
        described = connection.execute(f"describe select * exclude (_file) from {reader(found, [path])}").fetchall()
        return [(name, kind) for name, kind, *_ in described]
    except duckdb.Error as error:
        raise UsageError(f"{path} cannot be read as {found.kind}: {' '.join(str(error).split())[:160]}.") from None

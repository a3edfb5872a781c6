"""A sample of deliveries in a table: read by DuckDB, with a limit on cells, each column in the type that all its values have."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from reliability_platform.contracts.file_format import FileFormat
from reliability_platform.contracts.inference.files import files_of, kind_of, one_header, reader, with_dialect
from reliability_platform.contracts.inference.moments import with_formats
from reliability_platform.contracts.inference.transcoded import readable
from reliability_platform.contracts.names import plain_names
from reliability_platform.contracts.types import canonical_type
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.parquet import identifier, literal

MAX_CELLS = 4_000_000
"""Read of a sample unless everything is asked for: 210,000 rows of 19 columns, 13,000 of 300; seconds on two cores."""
MAX_FILE_BYTES = 256_000_000
"""Of the files that are read of a sample: more are passed over evenly, first and last stay."""
PARTS = 10_000
"""Rows are drawn from all that is read, by so many parts of their hashes, the same ones every time: the first rows of a year
are its January. DuckDB's reservoir takes 31 s of CPU for 12 million rows, counting and choosing by hash 12."""
BEGINNING_BYTES = 1_000_000
NULL_WORDS = ("NA", "N/A", "NULL", "null", "None", "NaN", "nan", "\\N", "-", "?")
"""What stands for no value in files of other people, if nothing else keeps a column from being numbers or moments."""
WHOLE = 2**63
EXACT = ("amount", "price", "total", "cost", "fare", "fee", "tax", "balance", "revenue", "discount")


@dataclass(frozen=True)
class Typed:
    """One column of a sample."""

    name: str
    original: str
    type: str
    """DuckDB's name; `JSON` for what is nested."""
    said: str = ""
    """Why it is this type, where the values alone do not say so."""
    zone: bool | None = None
    """Whether the moments name a zone; None where there are none."""


@dataclass
class Sample:
    """The table `sample` of a connection, and what is known of where it came from."""

    connection: duckdb.DuckDBPyConnection
    files: list[Path]
    format: FileFormat
    columns: list[Typed] = field(default_factory=list)
    rows: int = 0
    files_read: int = 0
    whole: bool = True
    """Whether every row of every file was read."""
    doubt: str = ""
    """Which other format the days or moments could have, in words."""
    nulls: dict[str, int] = field(default_factory=dict)
    """Words that stand for no value, and how often."""

    @property
    def read(self) -> str:
        """How much was read."""
        if self.whole:
            return f"every row of {counted(len(self.files), 'file')}: {counted(self.rows, 'row')}"
        return (
            f"a sample, {counted(self.rows, 'row')} of {self.files_read:,} of {counted(len(self.files), 'file')}; "
            "--full reads everything"
        )


def take_sample(connection: duckdb.DuckDBPyConnection, patterns: Sequence[str], full: bool) -> Sample:
    """The deliveries that patterns name. Raises `UsageError`, in one line."""
    files = files_of(patterns)
    found = kind_of(files)
    chosen = files if full else _evenly(files)
    with TemporaryDirectory(prefix="sources-add-") as folder:
        reads, copies = readable(found, chosen, Path(folder))
        there = files if reads is found else list(copies.values())
        if reads.kind == "csv":
            reads = with_dialect(connection, reads, there[0])
        raw = one_header(connection, reads, there)
        sample = Sample(connection, files, reads, files_read=len(chosen))
        limit = None if full else max(2_000, MAX_CELLS // len(raw))
        everything = _load(sample, raw, [copies[path] for path in chosen], limit)
    if reads.encoding != found.encoding and there != files:
        sample.format = replace(sample.format, encoding=found.encoding, compression=found.compression)
        for path, copy in copies.items():
            connection.execute(
                "update raw set _file = $path where _file = $copy", {"path": str(path), "copy": str(copy)}
            )
    sample.whole = len(chosen) == len(files) and everything
    names = plain_names(name for name, _ in raw)
    texts = [name for name, kind in raw if kind == "VARCHAR" and found.kind != "parquet"]
    if texts and found.kind == "csv":
        sample.format, sample.doubt = with_formats(connection, sample.format, texts, NULL_WORDS)
    kinds = _types_of_texts(sample, texts) if texts else {}
    for original, kind in raw:
        sample.columns.append(kinds.get(original) or _as_typed(names[original], original, kind))
    sample.columns = [Typed(names[one.original], one.original, one.type, one.said, one.zone) for one in sample.columns]
    _type(sample)
    return sample


def _evenly(files: list[Path]) -> list[Path]:
    """As many files as may be read, spread over all of them; first and last are always among them."""
    total = sum(path.stat().st_size for path in files)
    if total <= MAX_FILE_BYTES or len(files) < 3:
        return files
    number = max(2, int(len(files) * MAX_FILE_BYTES / total))
    return [files[round(place * (len(files) - 1) / (number - 1))] for place in range(number)]


def _load(sample: Sample, raw: list[tuple[str, str]], files: list[Path], limit: int | None) -> bool:
    """Read rows of some files, about `limit` of them; returns whether that was all."""
    # JSON tells moments from text by guessing: they are read as the text that they came as.
    texts = {name for name, kind in raw if sample.format.kind == "json" and kind.startswith(("DATE", "TIME", "UUID"))}
    names = [name for name, _ in raw]
    columns = ", ".join(identifier(name) for name in names)
    source = reader(sample.format, files, names)
    if sample.format.kind == "json":
        declared = ", ".join(f"{literal(name)}: '{'VARCHAR' if name in texts else kind}'" for name, kind in raw)
        source = source.replace("union_by_name = true", f"columns = {{{declared}}}")
        raw[:] = [(name, "VARCHAR" if name in texts else kind) for name, kind in raw]
    chosen = PARTS
    try:
        if limit is not None:
            rows = _rows_by_size(sample.format, files)
            if rows < 2 * limit:
                [(rows,)] = sample.connection.execute(f"select count(*) from {source}").fetchall()
            chosen = min(PARTS, max(1, PARTS * limit // max(rows, 1)))
        sample.connection.execute(
            f"create or replace temp table raw as select {columns}, _file from {source}"
            + (f" where hash({columns}) % {PARTS} < {chosen}" if chosen < PARTS else "")
        )
    except duckdb.Error as error:
        told = " ".join(str(error).split())
        raise UsageError(f"The sample cannot be read as {sample.format.kind}: {told[:200]}.") from None
    if sample.format.kind == "csv" and sample.format.delimiter != ",":
        _read_commas(sample, names)
    [(sample.rows,)] = sample.connection.execute("select count(*) from raw").fetchall()
    if sample.rows == 0:
        raise UsageError(f"{files[0]} has a header and no rows: name files with rows in them.")
    return chosen == PARTS


def _rows_by_size(form: FileFormat, files: list[Path]) -> int:
    """About how many rows files of plain text have, by the lines at the beginning of the largest; 0 where that says nothing.
    Counting those of a large one takes a third of the time of reading it.
    """
    if form.kind == "parquet" or form.compression != "none":
        return 0
    sizes = {path: path.stat().st_size for path in files}
    with max(files, key=lambda path: sizes[path]).open("rb") as file:
        beginning = file.read(BEGINNING_BYTES)
    return sum(sizes.values()) * beginning.count(b"\n") // max(len(beginning), 1)


WITH_COMMA = r"[+-]?([0-9]{1,3}([.][0-9]{3})+|[0-9]+)(,[0-9]+)?"


def _read_commas(sample: Sample, names: list[str]) -> None:
    """Numbers with a comma before their places, where a column holds nothing else and some of them have places."""
    words = ", ".join(literal(word) for word in ("", *NULL_WORDS))
    terms = [
        f"bool_and({v} in ({words}) or regexp_full_match({v}, '{WITH_COMMA}')) and bool_or(contains({v}, ','))"
        for v in map(identifier, names)
    ]
    [found] = sample.connection.execute(f"select {', '.join(terms)} from raw").fetchall()
    with_comma = [name for name, is_one in zip(names, found, strict=True) if is_one]
    if with_comma:
        sample.format = replace(sample.format, decimal=",")
        plain = ", ".join(
            f"{v} = case when {v} in ({words}) then {v} else replace(replace({v}, '.', ''), ',', '.') end"
            for v in map(identifier, with_comma)
        )
        sample.connection.execute(f"update raw set {plain}")


def _as_typed(name: str, original: str, kind: str) -> Typed:
    if kind == "VARCHAR":
        return Typed(name, original, "VARCHAR")
    if kind == "TIMESTAMP WITH TIME ZONE":
        return Typed(name, original, "TIMESTAMP", "its moments have a zone; they are kept in UTC", True)
    if kind.startswith("TIMESTAMP"):
        return Typed(name, original, "TIMESTAMP", zone=False)
    canonical = canonical_type(kind, None)
    nested = canonical in (None, "JSON")
    return Typed(name, original, "JSON" if nested else str(canonical), "nested: kept as JSON" if nested else "")


MEASURED = {
    "present": "count({v})",
    "words": "count(*) filter ({v} in ({words}))",
    "whole": "count(*) filter (cast(try_cast({v} as bigint) as varchar) = {v})",
    "number": "count(*) filter (isfinite(try_cast({v} as double)))",
    "zeros": "count(*) filter (len({v}) > 1 and {v}[1] = '0' and {v}[2] between '0' and '9')",
    "truth": "count(*) filter (lower({v}) in ('true', 'false'))",
    "day": "count(*) filter (len({v}) = 10 and {day} is not null)",
    "moment": "count(*) filter (len({v}) > 10 and {moment} is not null)",
    "zoned": "count(*) filter (len({v}) > 10 and regexp_matches({v}, '\\d([Zz]|[+-]\\d\\d(:?\\d\\d)?)$'))",
    "scale": "max(len(split_part({v}, '.', 2)))",
    "least_scale": "min(len(split_part({v}, '.', 2)))",
}
"""What is counted of the texts of a column; whole numbers are those that come back as they were, without a zero before."""


FIRST_ROWS = 5_000
"""A type is proposed by so many rows, and then only it is tried on all: 16 s became 1 s for a year of flights."""


def _types_of_texts(sample: Sample, names: list[str]) -> dict[str, Typed]:
    step = max(1, sample.rows // FIRST_ROWS)
    counts = _counts(sample, names, list(MEASURED), f"(select * from raw where rowid % {step} = 0)")
    found = {name: _type_of(name, counts[name]) for name in names}
    if step > 1:
        doubtful = [name for name in names if not _holds_for_all(sample, found[name])]
        again = _counts(sample, doubtful, list(MEASURED), "raw")
        found |= {name: _type_of(name, again[name]) for name in doubtful}
    words = ", ".join(literal(word) for word in NULL_WORDS)
    typed = [identifier(name) for name in names if found[name].type != "VARCHAR"]
    if typed:
        every = " union all ".join(f"select {name} as word from raw where {name} in ({words})" for name in typed)
        sample.nulls = dict(
            sample.connection.execute(f"select word, count(*) from ({every}) group by all order by all").fetchall()
        )
    return found


def _holds_for_all(sample: Sample, one: Typed) -> bool:
    """Whether all rows have what the first ones promise. Text holds anything; exact decimals are looked at again."""
    if one.type == "VARCHAR":
        return not one.said
    needed = {
        "BIGINT": ["whole"],
        "DOUBLE": ["number", "zeros"],
        "BOOLEAN": ["truth"],
        "DATE": ["day"],
        "TIMESTAMP": ["moment"],
    }
    if one.type not in needed:
        return False
    counts = _counts(
        sample, [one.original], ["present", "words", *needed[one.type], *(["zoned"] if one.zone else [])], "raw"
    )[one.original]
    values = counts.pop("present") - counts.pop("words")
    return counts.pop("zeros", 0) == 0 and all(number == values for number in counts.values())


def _counts(sample: Sample, names: list[str], what: list[str], rows: str) -> dict[str, dict[str, int]]:
    """Some of the counts of `MEASURED` for each column. The columns become rows: to plan 3,300 terms took 14 s."""
    if not names:
        return {}
    words = ", ".join(literal(word) for word in NULL_WORDS)
    day, moment = _parsers(sample.format)
    terms = []
    for one in what:
        v = "v" if one in ("present", "words") else "w"
        terms.append(MEASURED[one].format(v=v, words=words, day=day.format(v=v), moment=moment.format(v=v)))
    columns = ", ".join(identifier(name) for name in names)
    counts = sample.connection.execute(
        f"select n, {', '.join(terms)} from (select n, v, case when v not in ({words}) then v end as w from "
        f"(unpivot (select {columns} from {rows}) on columns(*) into name n value v) where v <> '') group by n"
    ).fetchall()
    return {name: dict.fromkeys(what, 0) for name in names} | {
        name: dict(zip(what, row, strict=True)) for name, *row in counts
    }


def _type_of(name: str, counts: dict[str, int]) -> Typed:
    values = counts["present"] - counts["words"]
    if values == 0:
        return Typed(
            name, name, "VARCHAR", "no value in the sample: its type is a guess" if counts["present"] == 0 else ""
        )
    if counts["zeros"] and counts["number"] == values:
        return Typed(name, name, "VARCHAR", "digits with leading zeros: a code, kept as text")
    if counts["whole"] == values:
        return Typed(name, name, "BIGINT")
    if counts["number"] == values and not counts["zeros"]:
        scale = counts["scale"] or 0
        if 0 < scale <= 4 and (counts["least_scale"] == scale or any(word in name.lower() for word in EXACT)):
            return Typed(name, name, f"DECIMAL(18,{scale})", f"at most {scale} decimals")
        return Typed(name, name, "DOUBLE")
    if counts["truth"] == values:
        return Typed(name, name, "BOOLEAN")
    if counts["day"] == values:
        return Typed(name, name, "DATE")
    if counts["moment"] == values:
        if counts["zoned"] == values:
            return Typed(name, name, "TIMESTAMP", "its moments have a zone; they are kept in UTC", True)
        return Typed(
            name,
            name,
            "TIMESTAMP",
            "some of its moments have a zone, others have none" if counts["zoned"] else "",
            False,
        )
    return Typed(name, name, "VARCHAR")


def _parsers(found: FileFormat) -> tuple[str, str]:
    """How days and moments are read: as ISO 8601 says, or in the format that was found."""
    day = f"try_strptime({{v}}, {literal(found.date_format)})" if found.date_format else "try_cast({v} as date)"
    moment = "try_cast({v} as timestamptz)"
    if found.timestamp_format and found.timestamp_format[:2] != "%Y":
        moment = f"coalesce({moment}, try_strptime({{v}}, {literal(found.timestamp_format)}))"
    return day, moment


def _type(sample: Sample) -> None:
    """The table `sample`: plain names, types, null where a word stands for no value."""
    day, moment = _parsers(sample.format)
    words = ", ".join(literal(word) for word in sample.nulls)
    text = "case when {v} not in (" + words + ") then {v} end" if words else "{v}"
    terms = []
    for one in sample.columns:
        value = identifier(one.original)
        if sample.format.kind == "csv":
            value = text.format(v=value)
        if one.type == "JSON":
            value = f"cast({value} as varchar)"
        elif one.type == "TIMESTAMP" and sample.format.kind != "parquet":
            value = (
                f"cast({moment.format(v=value)} at time zone 'UTC' as timestamp)"
                if one.zone
                else f"cast({moment.format(v=value)} as timestamp)"
            )
        elif one.type == "DATE" and sample.format.kind == "csv":
            value = f"cast({day.format(v=value)} as date)"
        elif one.type != "VARCHAR":
            value = f"try_cast({value} as {one.type})"
        terms.append(f"{value} as {identifier(one.name)}")
    sample.connection.execute(f"create or replace temp table sample as select {', '.join(terms)}, _file from raw")
    sample.connection.execute("drop table raw")

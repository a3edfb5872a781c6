"""How the files of a source are written: Parquet, CSV or JSON lines, each plain or packed, and the dialect of CSV; and how
the records of a topic are: JSON, Avro or Protocol Buffers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from reliability_platform.contracts.protobuf_schema import SchemaError, protobuf_schema

KINDS = ("parquet", "csv", "json")
_OF_RECORDS_ALONE = {"json": (), "avro": ("schema", "skip"), "protobuf": ("schema", "message", "skip")}
"""What the format of records says beyond that of texts."""
OF_RECORDS = tuple(_OF_RECORDS_ALONE)
"""How records of a topic may be written."""
COMPRESSIONS = ("none", "gzip", "zstd")
_BEGINNINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How packed files begin."""
ENCODINGS = ("utf-8", "utf-16", "latin-1", "windows-1252")
_OWN_NAMES = {"kind": "format", "date_format": "dateFormat", "timestamp_format": "timestampFormat"}
"""Fields that a contract calls otherwise."""


@dataclass(frozen=True)
class FileFormat:
    """What all files of a source are."""

    kind: str = "parquet"
    """One of `KINDS`, or of `OF_RECORDS`; `json` is one object a line, or a record."""
    compression: str = "none"
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    """Empty: values are never quoted."""
    escape: str = ""
    """Before a quote inside quotes; empty: the quote is doubled."""
    decimal: str = "."
    """Before the places of a number; with a comma, points may part thousands."""
    header: bool = True
    skip: int = 0
    """Lines before the header; in records with a schema the bytes before what it describes: in the format of schema registries
    5 of Avro, 6 of the first message of a Protobuf schema."""
    date_format: str | None = None
    """As `strptime` has it; ISO 8601 if nothing is said."""
    timestamp_format: str | None = None
    nulls: tuple[str, ...] = ()
    """Words that stand for no value in columns that hold no text."""
    schema: str = ""
    """Of Avro the schema, as the text of its file; of Protobuf the set of descriptors, in base64."""
    message: str = ""
    """Of Protobuf the message that a record is, with its package."""

    @property
    def of_texts(self) -> bool:
        """Whether values arrive as text and become what the contract promises only when they are read."""
        return self.kind != "parquet"

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How names of delivered files may end; packing is told by the content. Rows that were cut out of a larger file
        lie in Parquet, as texts."""
        ending = {"csv": ".csv", "json": ".jsonl"}.get(self.kind, ".parquet")
        packed = (f"{ending}.gz", f"{ending}.zst") if self.of_texts or self.compression != "none" else ()
        return tuple(dict.fromkeys((ending, *packed, ".parquet")))

    @property
    def declared(self) -> dict[str, Any]:
        """As it stands in a contract: what is not said is the default."""
        said = {_OWN_NAMES.get(one.name, one.name): (getattr(self, one.name), one.default) for one in fields(self)}
        always = ("format", "delimiter", "quote", "encoding", "header") if self.kind == "csv" else ("format",)
        kept = {key: value for key, (value, default) in said.items() if key in always or value != default}
        return kept | ({"nulls": list(self.nulls)} if self.nulls else {})


PARQUET = FileFormat()
"""What is not said."""
ROWS = FileFormat("rows")
"""The answer of a database, as Parquet: what it has as text (all of SQLite, numbers without a scale) is read as texts are."""


def compression_of(content: bytes) -> str:
    """How a file is packed, by its first bytes: one of `COMPRESSIONS`."""
    return next((name for magic, name in _BEGINNINGS.items() if content.startswith(magic)), "none")


def file_format(declared: Any) -> FileFormat | str:
    """What a contract declares; as text, why it cannot be meant."""
    if not isinstance(declared, Mapping):
        return f"fileFormat is a mapping as {{format: csv, delimiter: ';'}}, not {declared!r}"
    ours = {_OWN_NAMES.get(one.name, one.name): one for one in fields(FileFormat) if one.name != "schema"}
    unknown = sorted(str(key) for key in declared if key not in ours)
    if unknown:
        return f"fileFormat knows no {unknown[0]!r}: it has {', '.join(ours)}"
    found = dict(declared)
    choices = {"format": KINDS, "compression": COMPRESSIONS, "encoding": ENCODINGS}
    for key, known in choices.items():
        if key in found and found[key] not in known:
            return f"fileFormat has the {key} {found[key]!r}: choose one of {', '.join(known)}"
    for key in ("delimiter", "quote", "escape"):
        if key in found and not (isinstance(found[key], str) and len(found[key]) <= 1):
            return f"fileFormat has the {key} {found[key]!r}, which is not one character"
    if found.get("delimiter") == "":
        return "fileFormat has no delimiter between its quotes: say one character"
    if found.get("decimal", ".") not in (".", ","):
        return f"fileFormat has the decimal {found['decimal']!r}: say . or , in quotes"
    for key in ("dateFormat", "timestampFormat"):
        if key in found and not (isinstance(found[key], str) and "%" in found[key]):
            return f"fileFormat has the {key} {found[key]!r}: say it as %Y-%m-%d"
    if not isinstance(found.get("header", True), bool):
        return f"fileFormat has header: {found['header']!r}, which is neither true nor false"
    skip = found.get("skip", 0)
    if not isinstance(skip, int) or isinstance(skip, bool) or not 0 <= skip <= 1_000:
        return f"fileFormat skips {skip!r} lines, which is no number from 0 to 1,000"
    nulls = found.get("nulls", [])
    if not (isinstance(nulls, list) and all(isinstance(one, str) for one in nulls)):
        return f"fileFormat has the nulls {nulls!r}: say a list of words, in quotes"
    found["nulls"] = tuple(nulls)
    return FileFormat(**{ours[key].name: value for key, value in found.items()})


def record_format(declared: Any, folder: Path) -> FileFormat | str:
    """How the records of a topic are written; as text, why that cannot be meant. A schema is named by its file, from the
    folder of the contract."""
    said = {"format": "json"} if declared is None else declared
    kind = said.get("format") if isinstance(said, Mapping) else None
    if kind not in OF_RECORDS:
        return (
            "fileFormat of a stream has the format json, or avro and a schema as {format: avro, schema: orders.avsc}, or "
            f"protobuf as {{format: protobuf, schema: orders.desc, message: shop.Order}}, not {declared!r}"
        )
    allowed = ("format", "dateFormat", "timestampFormat", "decimal", "nulls", *_OF_RECORDS_ALONE[kind])
    unknown = sorted(str(key) for key in said if key not in allowed)
    if unknown:
        return f"fileFormat of a stream of {kind} knows no {unknown[0]!r}: it has {', '.join(allowed)}"
    of_texts = {key: value for key, value in said.items() if key not in ("schema", "message")} | {"format": "json"}
    found = file_format(of_texts)
    if isinstance(found, str) or kind == "json":
        return found
    name = said.get("schema")
    if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
        return f"fileFormat has the schema {name!r}: name the file of the schema, beside the contract"
    try:
        content = (folder / name).read_bytes()
        schema = _avro_schema(content) if kind == "avro" else protobuf_schema(content, said.get("message"))
    except OSError:
        return f"fileFormat names the schema {name}, and there is no such file beside the contract"
    except SchemaError as error:
        return f"fileFormat names the schema {name}, {error}"
    return replace(found, kind=kind, schema=schema, message=said.get("message", ""))


def _avro_schema(content: bytes) -> str:
    try:
        json.loads(content)
        return content.decode()
    except ValueError:
        raise SchemaError("which is no JSON, as an Avro schema is") from None

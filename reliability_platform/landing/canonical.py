"""The canonical form of a delivered table: equal spellings of the contract's names and types become the contract's own.

What stands in `EQUAL` says the same in another type: no meaning can have changed, so the file is admitted at once and
nobody is asked. It is applied exactly or not at all; a column with one value that does not fit stays as it came, and is
a `schema_type_changed`. Whatever could mean something else (a float for a count, a whole number for an amount, a number
in text, a moment without a zone in text) is a cast, and stands in `casts`.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts.contract import Contract
from reliability_platform.landing.texts import typed_texts

Kind = Callable[[pa.DataType], bool]
UTC_NAMES = frozenset({"UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT", "+00:00", "-00:00"})
_ZONE_KEYS = ("timezone", "time_zone", "tz")
"""Under which a writer may say the zone of a column in the metadata of its field."""


@dataclass(frozen=True)
class Equal:
    """A family of types that say the same thing."""

    name: str
    is_promised: Kind
    """Which types of a contract it is about."""
    came: Kind
    """Which delivered types say the same."""


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    """Of no fixed width: sixteen bytes in each row are a digest or a UUID, not a text."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _has_places(kind: pa.DataType) -> bool:
    """A decimal without places after the point may be a number of cents: for an amount that is another meaning."""
    return bool(pa.types.is_decimal(kind) and kind.scale > 0)


def _is_whole(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale <= 0))


EQUAL = (
    Equal("another layout of text", pa.types.is_string, _is_text),
    Equal("text that lost its mark, and is UTF-8", pa.types.is_string, _is_bytes),
    Equal("whole numbers of another width", pa.types.is_integer, _is_whole),
    Equal("decimals of another precision or scale", _has_places, _has_places),
    Equal("moments of another unit, or with their zone", pa.types.is_timestamp, pa.types.is_timestamp),
    Equal("days of another unit", pa.types.is_date, pa.types.is_date),
)
"""Dictionaries, JSON text and columns without a value come before: they are encodings, not types."""


def canonical(table: pa.Table, contract: Contract) -> pa.Table:
    """The table with declared aliases and equal spellings as the contract's; whatever else came stays as it came."""
    return spelled(_under_declared_names(table, contract), contract, contract.arrow_schema.names)


def spelled(table: pa.Table, contract: Contract, names: Collection[str]) -> pa.Table:
    """The table with some columns in the contract's types, where what came is equal. Once for each column: local moments
    would move again."""
    texts = typed_texts(table, contract, names) if contract.file_format.of_texts else {}
    for name in names:
        places = table.schema.get_all_field_indices(name)
        if name in texts:
            table = table.set_column(places[0], name, texts[name])
        elif len(places) == 1:
            field, values = table.schema.field(places[0]), table[places[0]]
            equal = in_type(values, contract.arrow_schema.field(name).type)
            equal = _in_utc(equal, field, contract.zones.get(name), table.schema)
            if equal is not values:
                table = table.set_column(places[0], name, equal)
    return table


def _under_declared_names(table: pa.Table, contract: Contract) -> pa.Table:
    """Declared aliases, and names that differ in case, in white space around them or in a byte order mark before them:
    SQL has no case, and some warehouses write all names in capitals.

    Two such names of one column, or one beside the column itself, are left alone: which of them counts nobody said.
    """
    names = table.column_names
    meant = contract.meant_by(names)
    came = [name for name in names if name in meant and meant[name] != name]
    stands_for = [meant[name] for name in came]
    rename = {
        name: column
        for name, column in zip(came, stands_for, strict=True)
        if column not in names and stands_for.count(column) == 1
    }
    return table.rename_columns([rename.get(name, name) for name in names]) if rename else table


def in_type(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The values in the contract's type if what came says the same, each of them; else as they came."""
    if values.type.equals(kind):
        return values
    if values.null_count == len(values):  # what has no value has no other meaning either
        return pa.chunked_array([pa.nulls(len(values), kind)])
    plain = _decoded(values)
    came = plain.type
    if not (came.equals(kind) or any(one.is_promised(kind) and one.came(came) for one in EQUAL)):
        return values
    try:
        return pc.cast(plain, kind)  # a safe cast: it converts every value exactly, or raises
    except pa.ArrowException:
        return values


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """What an encoding holds: the values of a dictionary, the text of a JSON column."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _decoded(pc.cast(values, kind.value_type))
    if isinstance(kind, pa.JsonType):
        return pa.chunked_array([chunk.storage for chunk in values.chunks], kind.storage_type)
    return values


def _in_utc(values: pa.ChunkedArray, field: pa.Field, declared: str | None, schema: pa.Schema) -> pa.ChunkedArray:
    """Moments that name no zone, read in the zone that the contract declares.

    Where the file's own notes name another zone than the one that would be assumed, the column keeps that zone in its
    type, so that it is refused: one of the two is wrong.
    """
    naive = pa.types.is_timestamp(field.type) and field.type.tz is None
    if not naive or not pa.types.is_timestamp(values.type):
        return values
    noted = _zone_in_notes(field, schema)
    if noted is not None and not _same_zone(noted, declared or "UTC"):
        return pc.cast(values, pa.timestamp(values.type.unit, "UTC"))
    return values if declared is None else from_zone(values, declared)


def from_zone(values: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    """Local moments of a zone as UTC. An hour that comes twice, or never, in autumn and spring keeps the zone in its
    type: nobody knows which it was."""
    if _same_zone(zone, "UTC"):
        return values
    try:
        return pc.cast(pc.assume_timezone(values, zone), pa.timestamp(values.type.unit))
    except pa.ArrowException:
        return pc.cast(values, pa.timestamp(values.type.unit, "UTC"))


def _same_zone(one: str, other: str) -> bool:
    return one == other or (one in UTC_NAMES and other in UTC_NAMES)


def _zone_in_notes(field: pa.Field, schema: pa.Schema) -> str | None:
    """The zone of a column by the metadata of its field, or by what pandas has noted about it."""
    notes: dict[str, bytes] = {
        key.decode(errors="replace").lower(): value for key, value in (field.metadata or {}).items()
    }
    for key in _ZONE_KEYS:
        if key in notes:
            return notes[key].decode(errors="replace")
    try:
        for one in json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("columns", []):
            zone = (one.get("metadata") or {}).get("timezone")
            if zone and field.name in (one.get("field_name"), one.get("name")):
                return str(zone)
    except (ValueError, TypeError, AttributeError):
        pass  # notes are anybody's; those that make no sense say nothing
    return None

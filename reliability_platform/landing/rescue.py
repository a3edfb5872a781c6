"""Columns that nobody asked for, as one JSON text per row: made by Arrow, column by column, whatever is in them.

They are kept and never judged. A value that JSON does not have becomes a text: NaN and infinities, times, decimals; bytes
and texts that are not UTF-8 as hexadecimal. No value becomes an object of Python, which has no year 10000, no duration of
a thousand years and no zone called after a person.
"""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TEXT = pa.large_string()
_ESCAPED = {
    "\\": "\\\\",
    '"': '\\"',
    **{chr(code): f"\\u{code:04x}" for code in range(32)},
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}
"""The backslash first, or it would be escaped again."""


def rescued(columns: Sequence[tuple[str, pa.ChunkedArray]], rows: int) -> pa.Array:
    """One JSON object per row, its keys sorted; null if there are no columns."""
    if not columns:
        return pa.nulls(rows, pa.string())
    named = sorted(zip(_told_apart([name for name, _ in columns]), (column for _, column in columns), strict=True))
    return _as_object([(name, _json_of_column(column)) for name, column in named]).cast(pa.string())


def _told_apart(names: Sequence[str]) -> list[str]:
    """Names of which none stands twice: JSON leaves open what a key means that does."""
    taken, told = set(names), list[str]()
    for name in names:
        new, number = name, 1
        while new in told:
            number += 1
            new = f"{name} ({number})" if f"{name} ({number})" not in taken else new
        told.append(new)
    return told


def _json_of_column(column: pa.ChunkedArray) -> pa.Array:
    try:
        whole = column.combine_chunks()
        return _json(pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole)
    except (pa.ArrowException, RecursionError, UnicodeError):
        # No such type is known today. The bytes stay in landing; here stands what could not be shown.
        return pa.repeat(pa.scalar('"not readable as text"', TEXT), len(column))


def _as_object(fields: Sequence[tuple[str, pa.Array]]) -> pa.Array:
    parts: list[pa.Array | pa.Scalar] = []
    for number, (name, texts) in enumerate(fields):
        parts += [pa.scalar(f"{', ' if number else '{'}{json.dumps(name)}: ", TEXT), texts]
    return pc.binary_join_element_wise(*parts, pa.scalar("}", TEXT), pa.scalar("", TEXT))


def _or_null(values: pa.Array, texts: pa.Array) -> pa.Array:
    return pc.if_else(values.is_valid(), texts, pa.scalar("null", TEXT)) if values.null_count else texts


def _quoted(texts: pa.Array) -> pa.Array:
    quote = pa.scalar('"', TEXT)
    return pc.binary_join_element_wise(quote, pc.fill_null(texts, ""), quote, pa.scalar("", TEXT))


def _escaped(texts: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring_regex(texts, '[\\x00-\\x1f"\\\\]')).as_py():
        return texts
    for sign, escape in _ESCAPED.items():
        texts = pc.replace_substring(texts, sign, escape)
    return texts


def _hexadecimal(values: pa.Array) -> pa.Array:
    values = pa.concat_arrays([pc.fill_null(values.cast(pa.large_binary()), b"")])
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    signs = b"" if data is None else data.to_pybytes()[ends[0] : ends[-1]].hex().encode()
    return pa.LargeStringArray.from_buffers(len(values), pa.py_buffer((ends - ends[0]) * 2), pa.py_buffer(signs))


def _json(values: pa.Array) -> pa.Array:
    """The JSON of each value, never null."""
    kind = values.type
    if pa.types.is_null(kind):
        return pa.repeat(pa.scalar("null", TEXT), len(values))
    if isinstance(kind, pa.BaseExtensionType):
        return _json(values.storage)
    if pa.types.is_dictionary(kind):
        return _json(values.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return _json(pc.run_end_decode(values))
    if pa.types.is_struct(kind):
        fields = [(kind.field(place).name, _json(values.field(place))) for place in range(kind.num_fields)]
        names = _told_apart([name for name, _ in fields])
        empty = pa.repeat(pa.scalar("{}", TEXT), len(values))
        texts = _as_object([(name, one) for name, (_, one) in zip(names, fields, strict=True)]) if fields else empty
        return _or_null(values, texts)
    if pa.types.is_map(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind) or _is_other_list(kind):
        return _or_null(values, _lists(values))
    return _or_null(values, _scalars(values))


def _is_other_list(kind: pa.DataType) -> bool:
    return any(one(kind) for one in (pa.types.is_fixed_size_list, pa.types.is_list_view, pa.types.is_large_list_view))


def _lists(values: pa.Array) -> pa.Array:
    """A list as an array, a map as an object: of what each row holds, joined."""
    a_map = pa.types.is_map(values.type)
    if a_map:
        pairs = pa.ListArray.from_arrays(
            values.offsets, pa.StructArray.from_arrays([values.keys, values.items], ["key", "item"])
        )
        values = pa.ListArray.from_buffers(
            pairs.type, len(values), [None, pairs.buffers()[1]], offset=pairs.offset, children=[pairs.values]
        )
    items = pc.list_flatten(values)
    if a_map:
        keys = _json(items.field(0))
        as_text = pc.if_else(pc.starts_with(keys, '"'), keys, _quoted(_escaped(keys)))
        texts = pc.binary_join_element_wise(as_text, _json(items.field(1)), pa.scalar(": ", TEXT))
    else:
        texts = _json(items)
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    joined = pc.binary_join(pa.LargeListArray.from_arrays(pa.array(ends), texts), pa.scalar(", ", TEXT))
    before, after = ("{", "}") if a_map else ("[", "]")
    return pc.binary_join_element_wise(pa.scalar(before, TEXT), joined, pa.scalar(after, TEXT), pa.scalar("", TEXT))


def _scalars(values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return values.cast(TEXT)
    if pa.types.is_floating(kind):
        values = values.cast(pa.float64())
        finite = pc.fill_null(pc.is_finite(values), False)
        return pc.if_else(finite, values.cast(TEXT), _quoted(values.cast(TEXT)))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:  # bytes that are no UTF-8
            return _quoted(_hexadecimal(values.cast(pa.binary_view() if pa.types.is_string_view(kind) else kind)))
        return _quoted(_escaped(values.cast(TEXT)))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or _is_other_binary(kind):
        return _quoted(_hexadecimal(values))
    if pa.types.is_duration(kind):
        return _quoted(
            pc.binary_join_element_wise(
                values.cast(pa.int64()).cast(TEXT), pa.scalar(kind.unit, TEXT), pa.scalar(" ", TEXT)
            )
        )
    if pa.types.is_timestamp(kind):  # the moment in UTC; a zone may be one that nobody knows
        return _quoted(values.view(pa.timestamp(kind.unit)).cast(TEXT))
    return _quoted(_escaped(values.cast(TEXT)))


def _is_other_binary(kind: pa.DataType) -> bool:
    return any(one(kind) for one in (pa.types.is_fixed_size_binary, pa.types.is_binary_view))

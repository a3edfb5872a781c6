"""Corruptions as the literature on data quality makes them, written anew from what it says of them.

- Jenga (Schelter, Rukat, Biessmann: JENGA, EDBT 2021): missing values completely at random, at random and not at random,
  Gaussian noise, scaling, swapped values, categorical shift, broken characters.
- Redyuk, Kaoudi, Markl, Schelter (Automating Data Quality Validation for Dynamic Data Ingestion, EDBT 2021): implicit missing
  values, numeric anomalies, typos, swapped fields; a fifth and half of the rows.

Each changes one column (swapped fields two) of a share of the rows, keeps types and the number of rows, and takes its
randomness from a generator.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Column
from reliability_platform.contracts.types import is_number
from reliability_platform.sources.batch import Batch

Positions = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
SHARES = {"small": 0.05, "medium": 0.2, "large": 0.5}
"""Of the rows of a day."""
Corruption = Callable[[pa.Table, list[Column], float, np.random.Generator], pa.Table | None]
"""Rows, columns that may be changed, share, randomness; None where a source has nothing of it."""


def _numbers(columns: list[Column]) -> list[Column]:
    return [one for one in columns if is_number(one.type)]


def _texts(columns: list[Column]) -> list[Column]:
    return [one for one in columns if one.type == "VARCHAR" and not one.json]


def _one(columns: list[Column], rng: np.random.Generator) -> str | None:
    return columns[int(rng.integers(len(columns)))].name if columns else None


def _some(count: int, share: float, rng: np.random.Generator) -> Positions:
    return np.sort(rng.choice(count, max(1, round(count * share)), replace=False))


def _slice_of(values: pa.ChunkedArray, share: float, rng: np.random.Generator) -> Positions:
    """The rows of one stretch of the order of a column: a dependence as Jenga samples it."""
    order = np.asarray(pc.sort_indices(values))
    size = max(1, round(len(order) * share))
    start = int(rng.integers(len(order) - size + 1))
    return np.sort(order[start : start + size])


def _put(table: pa.Table, name: str, hit: Positions, values: pa.ChunkedArray | pa.Array) -> pa.Table:
    """The rows with the values of a whole column where they are hit; what does not fit its type stays as it was."""
    column = table[name]
    mask = np.zeros(len(column), dtype=bool)
    mask[hit] = True
    changed = pc.if_else(pa.array(mask), pc.cast(values, column.type, safe=False), column)
    return table.set_column(table.column_names.index(name), name, changed)


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(pc.cast(table[name], pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _numeric(table: pa.Table, name: str, hit: Positions, values: Floats) -> pa.Table:
    """The numbers as the type of the column can hold them; NaN is no value."""
    kind = table.schema.field(name).type
    if pa.types.is_integer(kind):
        most = float(2 ** (kind.bit_width - 1) - 2**10)
        values = np.minimum(np.maximum(np.rint(values), -most), most)
    if pa.types.is_decimal(kind):
        most = 10.0 ** (kind.precision - kind.scale) - 1
        values = np.round(np.minimum(np.maximum(values, -most), most), kind.scale)
    known = pa.array(np.where(np.isnan(values), 0, values), mask=np.isnan(values))
    return _put(table, name, hit, pc.cast(known, kind, safe=False))


def _nulls(table: pa.Table, name: str, hit: Positions) -> pa.Table:
    return _put(table, name, hit, pa.nulls(table.num_rows, table.schema.field(name).type))


def _missing_completely_at_random(
    table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator
) -> pa.Table | None:
    name = _one(columns, rng)
    return name and _nulls(table, name, _some(table.num_rows, share, rng))


def _missing_at_random(
    table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator
) -> pa.Table | None:
    """Where another column lies in one stretch of its order."""
    name, other = _one(columns, rng), _one(columns, rng)
    return name and other and _nulls(table, name, _slice_of(table[other], share, rng))


def _missing_not_at_random(
    table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator
) -> pa.Table | None:
    """Where the column itself lies in one stretch of its order."""
    name = _one(columns, rng)
    return name and _nulls(table, name, _slice_of(table[name], share, rng))


def _implicit_missing(
    table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator
) -> pa.Table | None:
    """99999 for a number, NONE for a text."""
    name = _one(_numbers(columns) + _texts(columns), rng)
    if name is None:
        return None
    hit = _some(table.num_rows, share, rng)
    if pa.types.is_string(table.schema.field(name).type):
        return _put(table, name, hit, pa.array(["NONE"] * table.num_rows))
    return _numeric(table, name, hit, np.full(table.num_rows, 99_999.0))


def _gaussian_noise(table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator) -> pa.Table | None:
    """A normal error of 2 to 5 standard deviations of the column."""
    name = _one(_numbers(columns), rng)
    if name is None:
        return None
    values = _floats(table, name)
    noise = rng.normal(0, rng.uniform(2, 5) * np.nanstd(values), len(values))
    return _numeric(table, name, _some(len(values), share, rng), values + noise)


def _scaling(table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator) -> pa.Table | None:
    """Times 10, 100 or 1,000."""
    name = _one(_numbers(columns), rng)
    factor = float(rng.choice([10, 100, 1_000]))
    return name and _numeric(table, name, _some(table.num_rows, share, rng), _floats(table, name) * factor)


def _numeric_anomalies(
    table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator
) -> pa.Table | None:
    """Values of a normal distribution around the column's mean, 2 to 5 times as wide."""
    name = _one(_numbers(columns), rng)
    if name is None:
        return None
    values = _floats(table, name)
    drawn = rng.normal(np.nanmean(values), rng.uniform(2, 5) * np.nanstd(values), len(values))
    return _numeric(table, name, _some(len(values), share, rng), drawn)


def _swapped_fields(table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator) -> pa.Table | None:
    """Two columns of one kind bear each other's values."""
    kinds = [found for found in (_numbers(columns), _texts(columns)) if len(found) > 1]
    if not kinds:
        return None
    found = kinds[int(rng.integers(len(kinds)))]
    first, second = (found[int(one)].name for one in rng.choice(len(found), 2, replace=False))
    hit = _some(table.num_rows, share, rng)
    if pa.types.is_string(table.schema.field(first).type):
        return _put(_put(table, first, hit, table[second]), second, hit, table[first])
    swapped = _numeric(table, first, hit, _floats(table, second))
    return _numeric(swapped, second, hit, _floats(table, first))


def _categorical_shift(
    table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator
) -> pa.Table | None:
    """Labels become other labels of the column."""
    few = [one for one in _texts(columns) if len(pc.unique(table[one.name])) <= 50]
    name = _one(few, rng)
    if name is None:
        return None
    labels = pc.unique(table[name].drop_null())
    if len(labels) < 2:
        return None
    turned = labels.take(pa.array(np.roll(np.arange(len(labels)), int(rng.integers(1, len(labels))))))
    return _put(table, name, _some(table.num_rows, share, rng), turned.take(pc.index_in(table[name], labels)))


_NEIGHBOURS = {
    "a": "s",
    "e": "r",
    "i": "o",
    "o": "p",
    "A": "S",
    "E": "R",
    "t": "y",
    "d": "f",
    "L": "K",
    "N": "M",
    "1": "2",
}
_BROKEN = {"a": "á", "A": "Á", "o": "ø", "O": "Ø", "e": "€", "E": "€", "u": "ú", "U": "Ú", "i": "î", "1": "¹"}


def _letters(
    table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator, letters: Mapping[str, str]
) -> pa.Table | None:
    name = _one(_texts(columns), rng)
    if name is None:
        return None
    changed = table[name]
    for old, new in letters.items():
        changed = pc.replace_substring(changed, old, new, max_replacements=1)
    return _put(table, name, _some(table.num_rows, share, rng), changed)


def _typos(table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator) -> pa.Table | None:
    """A letter is one that lies beside it on a keyboard."""
    return _letters(table, columns, share, rng, _NEIGHBOURS)


def _broken_characters(
    table: pa.Table, columns: list[Column], share: float, rng: np.random.Generator
) -> pa.Table | None:
    """Letters of another encoding."""
    return _letters(table, columns, share, rng, _BROKEN)


CORRUPTIONS: dict[str, Corruption] = {
    "missing completely at random": _missing_completely_at_random,
    "missing at random": _missing_at_random,
    "missing not at random": _missing_not_at_random,
    "implicit missing values": _implicit_missing,
    "gaussian noise": _gaussian_noise,
    "scaling": _scaling,
    "numeric anomalies": _numeric_anomalies,
    "swapped fields": _swapped_fields,
    "categorical shift": _categorical_shift,
    "typos": _typos,
    "broken characters": _broken_characters,
}


def corrupted(
    name: str, batches: list[Batch], share: float, rng: np.random.Generator
) -> dict[date, list[Batch]] | None:
    """The deliveries of one landing day with a share of the rows corrupted; None where nothing would be changed."""
    contract = CONTRACTS[batches[0].source]
    columns = [one for one in contract.columns if one.name not in (*contract.key, contract.event_time)]
    before = pa.concat_tables([one.table for one in batches])
    after = CORRUPTIONS[name](before, columns, share, rng)
    if after is None or after.equals(before):
        return None
    found, start = [], 0
    for one in batches:
        found.append(replace(one, table=after.slice(start, one.table.num_rows)))
        start += one.table.num_rows
    return {batches[0].landing_date: found}

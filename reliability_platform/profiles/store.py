"""Profiles kept by landing day, one file a source; a day that was built anew since is measured anew.

What is kept follows from the warehouse: a lost file costs one pass over the rows of the past.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.contracts import CONTRACTS
from reliability_platform.parquet import read_table
from reliability_platform.profiles.measure import SCHEMA, measured
from reliability_platform.profiles.metrics import SEEN_DAYS, companions
from reliability_platform.settings import Settings
from reliability_platform.warehouse.built import digests

VERSION = 6
"""Grows when a metric means something else: everything is measured anew."""
_STATE = "state"
"""The digest of all that the profile of a day was made from."""
_KEPT = SCHEMA.append(pa.field(_STATE, pa.string()))


def profiles_of(
    settings: Settings, connection: duckdb.DuckDBPyConnection, source: str, first: date, last: date
) -> pa.Table:
    """The profiles (`measure.SCHEMA`) of the landing days that are built, from `first` to `last`; measured where they are
    not kept as the warehouse is now.
    """
    states = _states(connection, source, first, last)
    kept = _read(settings, source)
    current = {day: state for day, state in _kept_states(kept).items() if states.get(day) == state}
    missing = sorted(states.keys() - current.keys())
    if missing:
        fresh = measured(connection, source, missing)
        marked = fresh.append_column(_STATE, pa.array([states[one] for one in fresh["landing_date"].to_pylist()]))
        others = kept.filter(pc.invert(pc.is_in(kept["landing_date"], pa.array(missing, pa.date32()))))
        kept = pa.concat_tables([others, marked.cast(_KEPT)]).sort_by("landing_date")
        write_atomically(settings.profiles / f"{source}.parquet", parquet_bytes(kept))
    wanted = pc.is_in(kept["landing_date"], pa.array(sorted(states), pa.date32()))
    return kept.filter(wanted).select(SCHEMA.names)


def kept_profiles(settings: Settings, source: str) -> pa.Table:
    """What the last audits have measured of a source (`measure.SCHEMA`), as it is kept; nothing is measured."""
    return _read(settings, source).select(SCHEMA.names)


def built_days(connection: duckdb.DuckDBPyConnection, source: str) -> list[date]:
    """The landing days of a source that have been built, ascending."""
    return sorted(digests(connection, source))


def _states(connection: duckdb.DuckDBPyConnection, source: str, first: date, last: date) -> dict[date, str]:
    """By landing day, a digest of what its profile is made from: its rows, those of the sources that it is compared with,
    and which days there are whose values count as known.
    """
    own = digests(connection, source)
    other = [digests(connection, one.source) for one in companions(CONTRACTS[source])]
    ordered = sorted(own)
    return {day: _state(day, own, other, ordered) for day in ordered if first <= day <= last}


def _state(day: date, own: Mapping[date, str], other: Sequence[Mapping[date, str]], ordered: Sequence[date]) -> str:
    before = ordered[bisect_left(ordered, day - timedelta(days=SEEN_DAYS)) : bisect_left(ordered, day)]
    said = [VERSION, own[day], *(one.get(day) for one in other), *(one.isoformat() for one in before)]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _read(settings: Settings, source: str) -> pa.Table:
    try:
        return read_table(settings.profiles / f"{source}.parquet").cast(_KEPT)
    except (OSError, pa.ArrowException, ValueError):  # not there, damaged, or of another release: it is made anew
        return _KEPT.empty_table()


def _kept_states(kept: pa.Table) -> dict[date, str]:
    pairs = kept.select(["landing_date", _STATE]).group_by(["landing_date", _STATE]).aggregate([])
    return dict(zip(pairs["landing_date"].to_pylist(), pairs[_STATE].to_pylist(), strict=True))

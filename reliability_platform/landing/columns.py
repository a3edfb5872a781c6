"""The columns of a delivered file against its contract: what breaks it, and how it might be read after all.

What is named here is a candidate, by type, name and place. None of these says what a column means: whether the file is
read so, `remediation.readings` asks of the past, and of a person.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from reliability_platform.contracts.contract import STRICT, Contract
from reliability_platform.counted import counted
from reliability_platform.landing.breach import Breach
from reliability_platform.landing.canonical import in_type, spelled
from reliability_platform.landing.casts import CASTS, proposed, unconverted
from reliability_platform.masking import is_plain_name, shown_name, shown_type

SIMILAR_NAME = 0.6
"""How alike two column names must be for a rename: `customer_id` and `user_id` are 0.78, unrelated ones below 0.5."""


@dataclass(frozen=True)
class Reading:
    """A way to read a file: `rename` maps a delivered name to the contract's, `casts` a contract's to a cast."""

    rename: Mapping[str, str] = field(default_factory=dict)
    casts: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """As people read it; names that a producer gave are shown as such."""
        renamed = [f"{shown_name(old)} as {new}" for old, new in sorted(self.rename.items())]
        return ", ".join([*renamed, *(f"{column} by {cast}" for column, cast in sorted(self.casts.items()))])


def read_as(table: pa.Table, reading: Reading, contract: Contract) -> tuple[pa.Table, Breach | None]:
    """The table in another reading. A column that is the contract's already stays; one that a cast cannot convert
    whole breaks the contract."""
    table = table.rename_columns([reading.rename.get(name, name) for name in table.column_names])
    table = spelled(table, contract, reading.rename.values())
    expected, lost = contract.arrow_schema, {}
    for name, cast in sorted(reading.casts.items()):
        if table.column_names.count(name) == 1 and not table.schema.field(name).type.equals(expected.field(name).type):
            zone = contract.zones.get(name)
            values, missed = unconverted(CASTS[cast], table[name], expected.field(name).type, zone)
            if missed:
                lost[name] = missed
            else:
                table = table.set_column(table.column_names.index(name), name, values)
    if not lost:
        return table, None
    return table, Breach("schema_type_changed", changed=_changed(contract, table.schema), unconverted=lost)


def breach(contract: Contract, table: pa.Table, landing_date: date) -> Breach | None:
    """What is wrong with the columns of a file, with the reading that would mend it where there is one."""
    found, expected = table.schema, contract.arrow_schema
    lacking = contract.may_lack(landing_date)
    missing = [name for name in expected.names if name not in found.names and name not in lacking]
    unknown = [name for name in found.names if name not in expected.names]
    rename: dict[str, str] = {}
    for name in missing:
        left = [other for other in unknown if other not in rename]
        likely = _likely_rename(contract, table, name, left, landing_date, alone=len(missing) == len(unknown) == 1)
        if likely is not None:
            rename[likely] = name
    if missing and len(rename) < len(missing):  # no reading would be enough
        return Breach("schema_column_missing", tuple(missing))
    renamed = table.rename_columns([rename.get(name, name) for name in found.names])
    renamed = spelled(renamed, contract, rename.values())
    changed = _changed(contract, renamed.schema)
    casts = {
        name: cast for name in changed if (cast := _proposed(contract, renamed, name, name, landing_date)) is not None
    }
    if rename:
        return Breach("schema_column_renamed", tuple(missing), rename=rename, changed=changed, casts=casts)
    if changed:
        return Breach("schema_type_changed", changed=changed, casts=casts)
    unannounced = [name for name in unknown if name not in contract.announced] if contract.mode == STRICT else []
    return Breach("schema_column_unannounced", unannounced=tuple(map(shown_name, unannounced))) if unannounced else None


def owed_notice(source: Contract, day: date, broken: Breach) -> str:
    """What a producer owed before a change that breaks the contract of a landing day: nothing where it asks for none."""
    held = source.on(day)
    coming = next((one for one in source.versions if one.holds_from is not None and one.holds_from > day), None)
    fields = ", ".join((*broken.columns, *broken.unannounced))
    if coming is not None:
        told = f", announced on {coming.announced_on}" if coming.announced_on is not None else ""
        return f"version {coming.version}{told}, holds from {coming.holds_from} only"
    if held.notice_days:
        return f"{fields} changed without notice: the contract asks for {counted(held.notice_days, 'day')} of it"
    return ""


def repeated(contract: Contract, table: pa.Table) -> Breach | None:
    """Of two columns of one name nobody can say which is meant."""
    names = tuple(name for name in contract.arrow_schema.names if table.column_names.count(name) > 1)
    return Breach("schema_column_repeated", repeated=names) if names else None


def _proposed(contract: Contract, table: pa.Table, came: str, name: str, landing_date: date) -> str | None:
    """The cast that reads a delivered column as one of the contract."""
    return proposed(table[came], contract.arrow_schema.field(name).type, landing_date, contract.zones.get(name))


def _changed(contract: Contract, found: pa.Schema) -> dict[str, dict[str, str]]:
    return {
        name: {"expected": str(kind), "found": shown_type(str(found.field(name).type))}
        for name, kind in zip(contract.arrow_schema.names, contract.arrow_schema.types, strict=True)
        if name in found.names and not found.field(name).type.equals(kind)
    }


def _likely_rename(
    contract: Contract, table: pa.Table, missing: str, unknown: list[str], landing_date: date, *, alone: bool
) -> str | None:
    """The delivered column that is most likely the missing one: of its type, and of a similar name or in its place.

    A candidate, no more: `amount_net` is as similar to `amount` as a new spelling of it. The place speaks only where
    it is `alone`, the one difference: a file with several may have been laid out anew. Of another type it may be only
    if its name is similar and all of its values can be read as the type that is missing.
    """
    found, expected = table.schema, contract.arrow_schema
    kind = expected.field(missing).type
    # Hostile and endless names, and those that look like anybody's data, must not fill decisions and reports.
    plain = [other for other in unknown if is_plain_name(other) and found.names.count(other) == 1]
    alike = [other for other in plain if in_type(table[other], kind).type.equals(kind)]
    likely = difflib.get_close_matches(missing, alike, n=1, cutoff=SIMILAR_NAME)
    if alone and not likely:
        likely = [other for other in alike if found.names.index(other) == expected.names.index(missing)]
    if not likely:
        similar = difflib.get_close_matches(missing, plain, n=1, cutoff=SIMILAR_NAME)
        likely = [other for other in similar if _proposed(contract, table, other, missing, landing_date) is not None]
    return likely[0] if likely else None

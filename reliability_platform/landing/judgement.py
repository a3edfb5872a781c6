"""What admission and staging would say of a file, without a home: for the producer, before he sends it.

Not judged are what only a home knows: reference data, the past of the source, other batches of the day.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.contracts.contract import ADDITIVE, Contract
from reliability_platform.contracts.limits import out_of_range, unknown_label
from reliability_platform.contracts.named_days import named_days
from reliability_platform.in_memory import in_memory
from reliability_platform.landing.canonical import canonical
from reliability_platform.landing.columns import breach, owed_notice, repeated
from reliability_platform.landing.delivered_file import RowCountError, read_delivered
from reliability_platform.landing.entries import os_error_text, read_file
from reliability_platform.landing.manifest import MANIFEST_SUFFIX, Manifest, ManifestError
from reliability_platform.landing.parquet_file import NotReadableError
from reliability_platform.landing.texts import unread
from reliability_platform.masking import shown_name
from reliability_platform.parquet import identifier

HELD_FROM = 0.01
"""Share of the rows with one fault from which the landing day is held; see `checks.catalogue`."""


@dataclass(frozen=True)
class Judgement:
    """What would become of one file."""

    file: str
    rows: int = 0
    refused: str | None = None
    """Why the whole file would be refused."""
    detail: str = ""
    rejected: dict[str, int] = field(default_factory=dict)
    """Code → rows that staging would reject for it."""
    unknown_columns: tuple[str, ...] = ()
    """Would be kept aside, and told."""
    version: str = ""
    """Of the contract by which it was judged."""

    @property
    def holds(self) -> list[str]:
        """The codes for which the landing day would be held."""
        if self.rows == 0:
            return ["no_rows"]
        return [code for code, rows in self.rejected.items() if rows >= HELD_FROM * max(self.rows, 1)]

    @property
    def is_good(self) -> bool:
        """Whether the file would be admitted, and its day published."""
        return self.refused is None and not self.holds


def judge(source: Contract, path: Path, today: date) -> Judgement:
    """Judge one file by the version of its contract that holds on its day; a manifest beside it is held to what it says."""
    named = None if source.several_days else named_days(str(path))
    own_day = named.first + timedelta(days=source.day_offset) if named is not None and named.is_day else None
    contract = source.on(own_day or today)
    return replace(_judged(source, contract, path, own_day, own_day or today), version=contract.version)


def _judged(source: Contract, contract: Contract, path: Path, own_day: date | None, day: date) -> Judgement:
    try:
        content = read_file(path)
        declared = _declared_rows(path, content)
        delivered = read_delivered(contract, path.name, content, declared)
    except OSError as error:
        return Judgement(str(path), refused="unreadable_file", detail=os_error_text(error))
    except ManifestError as error:
        return Judgement(str(path), refused="manifest_unreadable", detail=str(error))
    except RowCountError as error:
        return Judgement(str(path), error.found, "row_count_mismatch", f"the manifest declares {declared}")
    except NotReadableError as error:
        return Judgement(str(path), refused="unreadable_file", detail=str(error))
    rows = delivered.num_rows
    table = canonical(delivered, contract)
    lacking = contract.may_lack(day) - set(table.column_names)
    found = repeated(contract, delivered) or breach(contract, table, day)
    if found is not None:
        told = [found.words, owed_notice(source, day, found)]
        return Judgement(str(path), rows, found.reason, "; ".join(one for one in told if one))
    contract = replace(contract, columns=tuple(one for one in contract.columns if one.name not in lacking))
    kept = dict(unread(delivered, contract.meant_by(delivered.column_names), table, contract))
    known = {*contract.arrow_schema.names, *contract.announced}
    others = [] if contract.mode == ADDITIVE else [name for name in table.column_names if name not in known]
    return Judgement(
        str(path),
        rows,
        rejected=_rejected(contract, table.select(contract.arrow_schema.names), kept, own_day),
        unknown_columns=tuple(map(shown_name, others)),
    )


def _declared_rows(path: Path, content: bytes) -> int | None:
    """How many rows the manifest beside a file declares; None without one. Raises `ManifestError`."""
    stem, beside = path.name, None
    while beside is None and "." in stem:
        stem = stem.rpartition(".")[0]
        candidate = path.with_name(f"{stem}{MANIFEST_SUFFIX}")
        beside = candidate if candidate.exists() else None
    if beside is None:
        return None
    manifest = Manifest.read(beside)
    if manifest.checksum != hashlib.sha256(content).hexdigest():
        raise ManifestError("its checksum is that of another file")
    return manifest.expected_rows


def _rejected(
    contract: Contract, table: pa.Table, kept: dict[str, pa.ChunkedArray], own_day: date | None
) -> dict[str, int]:
    counts = {f"{name}_unreadable": table.num_rows - texts.null_count for name, texts in kept.items()}
    for name, texts in kept.items():  # what was a text of another kind is not missing as well
        table = table.append_column(f"{name} came", pc.is_valid(texts))
    rules = dict(row_rules(contract, frozenset(kept)))
    if own_day is not None:
        ends = contract.day_starts(f"(date '{own_day}' + interval 1 day)")
        rules[f"{contract.event_time}_in_future"] = f"{identifier(contract.event_time)} >= {ends}"
    columns = ", ".join(identifier(name) for name in contract.arrow_schema.names)
    with in_memory() as connection:
        connection.register("live", table)
        terms = ", ".join(f"count(*) filter (where {condition})" for condition in rules.values()) or "0"
        [found] = connection.execute(f"select {terms} from live").fetchall()
        counts |= dict(zip(rules, found, strict=False))
        [(conflicts,)] = connection.execute(
            f"select coalesce(sum(versions - 1), 0) from (select count(*) as versions from "
            f"(select distinct {columns} from live) group by {contract.key_list})"
        ).fetchall()
    counts["key_conflict"] = int(conflicts)
    return {code: rows for code, rows in counts.items() if rows}


def row_rules(contract: Contract, unread_columns: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Code → condition over the contract's columns, as staging has them."""
    for one in contract.columns:
        name = identifier(one.name)
        if one.required and not one.json:
            came = f" and not {identifier(f'{one.name} came')}" if one.name in unread_columns else ""
            yield f"{one.name}_missing", f"{name} is null{came}"
        if one.json:
            kind = f"case when json_valid({name}) then json_type({name}) else 'none' end"
            optional = "" if one.required else f"{name} is not null and "
            yield f"{one.name}_malformed", f"{optional}{kind} not in ('OBJECT', 'ARRAY')"
        if (outside := out_of_range(one, name)) is not None:
            yield f"{one.name}_out_of_range", outside
        if (unknown := unknown_label(contract.allowed_values(one), name, one.type)) is not None:
            yield f"{one.name}_unknown_value", unknown
    there = {one.name for one in contract.columns}
    for rule in contract.relations:
        if rule.of_rows and rule.reads <= there:
            yield rule.code, f"try({rule.broken})"

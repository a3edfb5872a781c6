"""Records landed, audited days of a home: what each slot admitted in the end, in the types of its contract.

The truth is what was delivered, with the defects by nature that the checks let pass: rows that were rejected are recorded
as well. A batch that came late, or as a replacement, is recorded as if it had come in time.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.checks.gate import Why, held
from reliability_platform.checks.holds import Holds
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import days
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import Contract
from reliability_platform.damage import sha256_of
from reliability_platform.errors import UsageError
from reliability_platform.lab.recordings.recording import RECORD, Recording, fingerprint_of, seal_of
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.landing.bronze import admissions_file, bronze_folder
from reliability_platform.landing.deadline import deadline_of
from reliability_platform.landing.reference import load_reference
from reliability_platform.parquet import read_table
from reliability_platform.settings import Settings
from reliability_platform.warehouse.published import Partition


@dataclass(frozen=True)
class Recorded:
    """What was recorded."""

    recording: Recording
    batches: int
    rows: int


def record(settings: Settings, engine: Engine, first: date, last: date, target: Settings) -> Recorded:
    """Make a home of the lab out of some days of a home. Raises `UsageError` if they cannot be a truth.

    The target must be new or empty: no home is ever turned into one of the lab. It appears whole, or not at all.
    """
    if target.home.exists() and any(target.home.iterdir()):
        raise UsageError(f"{target.home} is not empty: name a new folder for the home of the lab.")
    if target.home.resolve().is_relative_to(settings.home.resolve()):
        raise UsageError(f"{target.home} lies in the home that is recorded: name a folder outside of it.")
    partitions = _audited(settings, engine, first, last)
    home = target.home.with_name(f".{target.home.name}.draft")
    shutil.rmtree(home, ignore_errors=True)  # of a recording that was cut off
    made = target.model_copy(update={"home": home})
    draft = made.recording
    written = [one for partition in partitions for one in _record_day(settings, *partition, draft)]
    if not written:
        raise UsageError(f"Nothing was admitted from {first} to {last}: there is nothing to record.")
    for path in sorted(settings.reference.glob("*.parquet")):
        write_atomically(draft / "reference" / path.name, path.read_bytes())
    document: dict[str, Any] = {
        "first": first.isoformat(),
        "last": last.isoformat(),
        "contracts": {source: fingerprint_of(CONTRACTS[source]) for source in SOURCES},
        "batches": written,
        "files": {path.relative_to(draft).as_posix(): sha256_of(path) for path in sorted(draft.rglob("*.parquet"))},
    }
    document["seal"] = seal_of(document)
    write_atomically(draft / RECORD, (json.dumps(document, indent=2) + "\n").encode())
    load_reference(made, Recording.open(draft).reference_files())
    home.rename(target.home)
    return Recorded(Recording.open(target.recording), len(written), sum(one["rows"] for one in written))


def _audited(settings: Settings, engine: Engine, first: date, last: date) -> Sequence[Partition]:
    """The landed days of the window, if each due one has landed and nothing holds any of them. Raises `UsageError`."""
    landed = [one for one in landed_partitions(settings) if first <= one[1] <= last]
    for source in SOURCES:
        for day in days(first, last):
            if CONTRACTS[source].cadence.due_on(day) and (source, day) not in landed:
                raise UsageError(
                    f"Nothing of {source} was run on {day}: `reliability run --from {day} --to {day}` first."
                )
    for partition, objections in held(CheckStore(engine), landed).items():
        source, day = partition
        unjudged = next((one for one in objections if one.why is not Why.FAILED), None)
        if unjudged is not None:
            raise UsageError(
                f"{source} of {day} is not audited: {unjudged}. `reliability run --from {day} --to {day}` first."
            )
        raise UsageError(f"{source} of {day} is held: {objections[0]}. Heal it, or choose other days.")
    for partition, hold in Holds(engine).standing().items():
        if partition in landed:
            raise UsageError(f"{partition[0]} of {partition[1]} is {hold.reason}. Release it, or choose other days.")
    return landed


def _record_day(settings: Settings, source: str, day: date, draft: Path) -> list[dict[str, Any]]:
    """Write the batches that count of a source and landing day; returns what the record says of them."""
    contract, found = CONTRACTS[source], []
    records = read_table(admissions_file(settings, source, day)).to_pylist()
    admitted = [one for one in records if one["status"] == "admitted" and one["kind"] != "resend"]
    for sequence in sorted({one["batch_sequence"] for one in admitted}):
        last = max((one for one in admitted if one["batch_sequence"] == sequence), key=lambda one: one["batch_attempt"])
        table = read_table(bronze_folder(settings, source, day) / f"{last['batch_id']}.parquet")
        name = f"batches/{source}/{day.isoformat()}-{sequence:02d}.parquet"
        write_atomically(draft / name, parquet_bytes(table.select(contract.arrow_schema.names)))
        landed_at = min(last["landed_at"], max(deadline_of(source, day).replace(tzinfo=None), _newest(table, contract)))
        found.append(
            {
                "source": source,
                "landing_date": day.isoformat(),
                "sequence": sequence,
                "rows": table.num_rows,
                "produced_at": min(last["produced_at"], landed_at).isoformat(),
                "landed_at": landed_at.isoformat(),
                "file": name,
            }
        )
    return found


def _newest(table: pa.Table, contract: Contract) -> datetime:
    """When the newest of some rows happened: a batch lands after its rows."""
    moments = table[contract.event_time]
    newest = pc.max(moments).as_py() if pa.types.is_timestamp(moments.type) else None
    return newest or datetime.min  # noqa: DTZ901 (a data time: UTC, without its zone)

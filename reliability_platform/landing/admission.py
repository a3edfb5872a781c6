"""Admission: each delivered file is admitted to bronze or refused by itself, against its manifest and contract.

A pure function of the landing folder, the approved shims and the discards: running it again gives the same bronze. One bad file
never keeps another out. A refused file is quarantined whole, with the reason.
"""

import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.landing.bronze import (
    ADMISSION_SCHEMA,
    admissions_file,
    bronze_folder,
    bronze_schema,
    ensure_bronze,
    swap_folder,
)
from reliability_platform.landing.canonical import canonical
from reliability_platform.landing.columns import Reading, breach, read_as
from reliability_platform.landing.dead_letters import ensure_dead_letters
from reliability_platform.landing.discards import Discarded, read_discards
from reliability_platform.landing.file_quarantine import quarantine_files, refused_for_its_columns
from reliability_platform.landing.purged import fingerprint_as_landed
from reliability_platform.landing.shims import Shim, late_rows_accepted, read_shim
from reliability_platform.landing.writer import MANIFEST_SUFFIX, Manifest, landing_folder
from reliability_platform.masking import shown_name
from reliability_platform.settings import Settings
from reliability_platform.sources import SOURCES
from reliability_platform.sources.contracts import CONTRACTS, Contract

BATCH_NAME = re.compile(r"(?P<source>[a-z_]+)-(?P<day>\d{8})-(?P<slot>\d{2})(?:-r\d{1,4}|-a(?P<attempt>\d{1,4}))?")


@dataclass(frozen=True)
class Admission:
    """What became of one delivered file. The columns of `admissions.parquet`."""

    source: str
    batch_id: str
    batch_sequence: int
    batch_attempt: int
    kind: str
    status: str
    reason: str | None
    detail: str | None
    delivered_rows: int
    admitted_rows: int
    checksum: str | None
    schema_fingerprint: str | None
    rescued_columns: str | None
    shim: str | None
    state: str
    produced_at: datetime | None
    landed_at: datetime | None
    file: str
    late_accepted: bool = False
    """Whether rows of this landing day count even beyond the watermark."""
    discarded_reasons: str | None = None
    """The reasons for which rejected rows of this batch are discarded, as `;a,b;c;`: each as it stands on the row."""


class _RefusedError(Exception):
    """A file that must not enter bronze."""

    status, state = "refused", "quarantined"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class _KnownError(_RefusedError):
    """A batch of another landing day that has been delivered there already: its rows would be duplicates."""

    status, state = "ignored", "ignored"


def known_as(name: str) -> str:
    """What a batch is called from admission on: its own name if it is one of the schedule's, else a digest of it.

    A producer may write anything into the name of a file, somebody's name too. Which file it was stands in `file`.
    """
    named = BATCH_NAME.fullmatch(name)
    return name if named is not None and named["source"] in CONTRACTS else _digested(f"{name}.parquet")


def _digested(name: str) -> str:
    return f"file-{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:12]}"


def _rescue(table: pa.Table, unknown: list[str]) -> pa.Array:
    """Columns that the contract does not know, as one JSON text per row."""
    if not unknown:
        return pa.nulls(table.num_rows, pa.string())
    # Unknown columns are rare; this path may be slower than the rest.
    rows = table.select(unknown).to_pylist()
    return pa.array([json.dumps(_finite(row), default=str, sort_keys=True) for row in rows], pa.string())


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become text, or nobody could parse the rescued column."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _bronze_table(contract: Contract, table: pa.Table, manifest: Manifest) -> tuple[pa.Table, list[str]]:
    unknown = [name for name in table.column_names if name not in contract.arrow_schema.names]
    count = table.num_rows
    columns = [table[name] for name in contract.arrow_schema.names]
    columns += [
        _rescue(table, unknown),
        pa.repeat(manifest.batch_id, count),
        pa.repeat(pa.scalar(manifest.sequence, pa.int32()), count),
        pa.repeat(pa.scalar(manifest.attempt, pa.int32()), count),
        pa.array(np.arange(1, count + 1, dtype=np.int64)),
        pa.repeat(pa.scalar(manifest.landed_at, pa.timestamp("us")), count),
    ]
    return pa.table(columns, schema=bronze_schema(contract.source)), unknown


def _check_day(settings: Settings, manifest: Manifest) -> None:
    """Stop a batch whose name says that it is of another landing day: known already, or in the wrong folder.

    Decided from what has landed, never from what was admitted before, so that the order of runs does not matter.
    """
    named = BATCH_NAME.fullmatch(manifest.batch_id)
    if named is None or named["day"] == f"{manifest.landing_date:%Y%m%d}":
        return
    try:
        other_day = date.fromisoformat(named["day"])
        first = Manifest.read(
            landing_folder(settings, manifest.source, other_day) / f"{manifest.batch_id}{MANIFEST_SUFFIX}"
        )
    except (ValueError, OSError):
        raise _RefusedError("batch_of_another_day", f"by its name it is of {named['day']}") from None
    if first.checksum != manifest.checksum:
        raise _RefusedError("batch_of_another_day", f"by its name it is of {other_day}, with another content")
    raise _KnownError("already_delivered", f"the same batch landed on {other_day}")


def _name_of(path: Path) -> str:
    """What stands for the batch id of a file that no manifest vouches for; no two files of a folder share one."""
    for suffix in (".parquet", MANIFEST_SUFFIX):
        if path.name.endswith(suffix):
            return known_as(path.name.removesuffix(suffix))
    return _digested(path.name)  # `x` beside `x.parquet` must not become the same


def _shown(settings: Settings, path: Path) -> str:
    """The path below home as text; a name may hold bytes that are none."""
    return str(path.relative_to(settings.home)).encode(errors="surrogateescape").decode(errors="backslashreplace")


def _unvouched(settings: Settings, source: str, path: Path) -> Admission:
    """The record of a file about which no readable manifest speaks; every number is what we can see ourselves."""
    try:
        rows = pq.read_metadata(path).num_rows
    except Exception:  # any bytes may be in it
        rows = 0
    return Admission(
        source=source,
        batch_id=_name_of(path),
        batch_sequence=0,
        batch_attempt=0,
        kind="unknown",
        status="refused",
        reason=None,
        detail=None,
        delivered_rows=rows,
        admitted_rows=0,
        checksum=fingerprint_of(settings, source, path),
        schema_fingerprint=None,
        rescued_columns=None,
        shim=None,
        state="quarantined",
        produced_at=None,
        landed_at=None,
        file=_shown(settings, path),
    )


def _hexadecimal(text: str) -> str | None:
    """A checksum as the manifest gives it; None for other words in its place."""
    return text if re.fullmatch("[0-9a-f]{8,64}", text) else None


def _vouched(settings: Settings, manifest: Manifest, path: Path) -> Admission:
    return Admission(
        source=manifest.source,
        batch_id=known_as(manifest.batch_id),
        batch_sequence=manifest.sequence,
        batch_attempt=manifest.attempt,
        kind=manifest.kind,
        status="refused",
        reason=None,
        detail=None,
        delivered_rows=manifest.expected_rows,
        admitted_rows=0,
        checksum=_hexadecimal(manifest.checksum),
        schema_fingerprint=_hexadecimal(manifest.schema_fingerprint),
        rescued_columns=None,
        shim=None,
        state="quarantined",
        produced_at=manifest.produced_at,
        landed_at=manifest.landed_at,
        file=_shown(settings, path),
    )


def _manifest_of(path: Path) -> Path | None:
    """The manifest that lies beside a file; only a Parquet file can have one."""
    if not path.name.endswith(".parquet"):
        return None
    manifest = path.with_name(path.name.removesuffix(".parquet") + MANIFEST_SUFFIX)
    try:
        return manifest if manifest.exists() else None
    except OSError:  # its name would be longer than the file system allows
        return None


def _read(
    table: pa.Table, contract: Contract, approved: Callable[[], Shim | None], day: date
) -> tuple[pa.Table, Reading | None]:
    """The table with the columns of its contract, and the reading that this took: none if it came so, or in an equal
    spelling.

    A shim counts only where it is needed, for the contract may have changed since to what came.
    """
    table = canonical(table, contract)
    broken = breach(contract, table, day)
    if broken is None:
        return table, None
    shim = approved()
    if shim is not None:
        table, lost = read_as(table, shim.reading, contract)
        broken = lost or breach(contract, table, day)
        if broken is None:
            return table, shim.reading
    raise _RefusedError(broken.reason, json.dumps(broken.detail, sort_keys=True))


def _examine(settings: Settings, source: str, day: date, path: Path, draft: Path, discarded: Discarded) -> Admission:
    """Admit one file into the draft folder, or say why not."""
    stem = path.name.removesuffix(".parquet")
    manifest_path = _manifest_of(path)
    record = _unvouched(settings, source, path) if manifest_path is None else None
    try:
        if manifest_path is None:
            raise _RefusedError("no_manifest", "no manifest came with this file")
        try:
            manifest = Manifest.read(manifest_path)
        except (ValueError, OSError) as error:
            record = _unvouched(settings, source, path)
            raise _RefusedError("manifest_unreadable", type(error).__name__) from None
        if (manifest.batch_id, manifest.source, manifest.landing_date) != (stem, source, day):
            record = _unvouched(settings, source, path)
            raise _RefusedError("manifest_unreadable", "the manifest speaks of another batch, source or day")
        record = _vouched(settings, manifest, path)
        manifest = replace(manifest, batch_id=record.batch_id)
        content = path.read_bytes()
        fingerprint = fingerprint_as_landed(settings, source, day, record.batch_id, content)
        if fingerprint != manifest.checksum:
            raise _RefusedError("checksum_mismatch", "the bytes are not those that the manifest declares")
        _check_day(settings, manifest)
        try:
            table = pq.read_table(pa.BufferReader(content))
            # Text that is not UTF-8 passes the reader, and would stop every query on the partition later.
            table.validate(full=True)
        except Exception as error:  # whatever a producer may call Parquet
            raise _RefusedError("unreadable_file", type(error).__name__) from None
        if table.num_rows != manifest.expected_rows:
            record = replace(record, delivered_rows=table.num_rows)  # the others never came
            raise _RefusedError(
                "row_count_mismatch", json.dumps({"declared": manifest.expected_rows, "found": table.num_rows})
            )
        contract = CONTRACTS[source]
        table, reading = _read(table, contract, lambda: read_shim(settings, source, manifest.batch_id), day)
        try:
            bronze, rescued = _bronze_table(contract, table, manifest)
        except Exception as error:  # an unknown column may hold what no text can, a shim may name a column twice
            raise _RefusedError("unreadable_file", type(error).__name__) from None
        if (record.batch_id, fingerprint) in discarded.files:
            raise _RefusedError("discarded", "it could be read now, but a person has discarded it")
        pq.write_table(bronze, draft / f"{manifest.batch_id}.parquet", compression="snappy")
        return replace(
            record,
            status="admitted",
            admitted_rows=bronze.num_rows,
            rescued_columns=", ".join(shown_name(name) for name in rescued if name not in contract.announced) or None,
            shim=json.dumps(asdict(reading), sort_keys=True) if reading is not None else None,
            state="admitted" if reading is None else "replayed",
            discarded_reasons=_in_one_text(discarded.rows.get((record.batch_id, fingerprint), ())),
        )
    except _RefusedError as refused:
        assert record is not None
        return replace(record, status=refused.status, state=refused.state, reason=refused.reason, detail=refused.detail)


def _in_one_text(reasons: tuple[str, ...]) -> str | None:
    return f";{';'.join(reasons)};" if reasons else None


def _without_file(settings: Settings, source: str, day: date, path: Path) -> Admission | None:
    """A manifest whose file never came."""
    stem = path.name.removesuffix(MANIFEST_SUFFIX)
    if path.with_name(f"{stem}.parquet").exists():
        return None
    record = _unvouched(settings, source, path)
    try:
        manifest = Manifest.read(path)
        if (manifest.batch_id, manifest.source, manifest.landing_date) == (stem, source, day):
            record = _vouched(settings, manifest, path)
    except (ValueError, OSError):
        pass  # whose manifest it was we shall not know
    return replace(record, delivered_rows=0, reason="no_file", detail="the manifest came without its file")


def admit(settings: Settings, source: str, landing_date: date) -> list[Admission]:
    """Rebuild one bronze partition and its admission records from what has landed; returns the records."""
    ensure_bronze(settings)
    ensure_dead_letters(settings)
    target = bronze_folder(settings, source, landing_date)
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    records, files = _examine_day(settings, source, landing_date, draft)
    quarantine_files(settings, source, landing_date, [asdict(record) for record in records], files)
    swap_folder(draft, target)
    _write_records(admissions_file(settings, source, landing_date), records)
    return records


def rehearse_admission(settings: Settings, source: str, landing_date: date) -> list[Admission]:
    """What `admit` would say now; nothing in the home changes."""
    with tempfile.TemporaryDirectory() as draft:
        return _examine_day(settings, source, landing_date, Path(draft))[0]


def _examine_day(
    settings: Settings, source: str, landing_date: date, draft: Path
) -> tuple[list[Admission], dict[str, Path]]:
    """The records of a day, its admitted files written to the draft folder; and the landed files by batch id."""
    folder = landing_folder(settings, source, landing_date)
    # Hidden files are drafts that a crash of the writer left behind; no delivery begins with a dot.
    delivered = sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    files = [path for path in delivered if not path.name.endswith(MANIFEST_SUFFIX)]
    manifests = [path for path in delivered if path.name.endswith(MANIFEST_SUFFIX)]
    discarded = read_discards(settings, source, landing_date)
    with ThreadPoolExecutor(max_workers=2) as pool:  # hashing and Parquet release the interpreter's lock
        records = list(pool.map(lambda path: _examine(settings, source, landing_date, path, draft, discarded), files))
    by_batch = {record.batch_id: path for record, path in zip(records, files, strict=True)}
    orphans = [_without_file(settings, source, landing_date, path) for path in manifests]
    records += [orphan for orphan in orphans if orphan is not None]
    late_accepted = late_rows_accepted(settings, source, landing_date)
    given_up = {
        batch_id
        for batch_id, fingerprint in discarded.files
        if fingerprint == (fingerprint_of(settings, source, by_batch[batch_id]) if batch_id in by_batch else "")
    }
    return [
        replace(_with_state(settings, record, records, landing_date, given_up), late_accepted=late_accepted)
        for record in records
    ], by_batch


def fingerprint_of(settings: Settings, source: str, path: Path) -> str:
    """SHA-256 of the bytes of a file in landing or quarantine when it landed, as a decision about it knows them."""
    day = date.fromisoformat(path.parent.name.removeprefix("landing_date="))
    return fingerprint_as_landed(settings, source, day, _name_of(path), path.read_bytes())


def _with_state(
    settings: Settings, record: Admission, all_records: list[Admission], day: date, given_up: set[str]
) -> Admission:
    """A refused file is discarded if a person said so, and superseded once a later attempt of its slot was admitted.

    A decision stands, whatever the source sends later: both are ends, and a dead letter has one. A file that was
    refused and fits as it came, for its contract has changed, is replayed.
    """
    if record.state == "admitted" and refused_for_its_columns(
        settings, record.source, day, record.batch_id, record.checksum
    ):
        return replace(record, state="replayed")
    if record.status != "refused":
        return record
    if record.batch_id in given_up:
        return replace(record, state="discarded")
    sequence, attempt = _slot(record, day)
    replaced = any(
        other.status == "admitted" and other.batch_sequence == sequence and other.batch_attempt > attempt
        for other in all_records
    )
    return replace(record, state="superseded") if replaced else record


def _slot(record: Admission, day: date) -> tuple[int, int]:
    """Slot and attempt by the manifest, else by the file's name: a batch that lost its manifest can be replaced too."""
    if record.batch_sequence:
        return record.batch_sequence, record.batch_attempt
    named = BATCH_NAME.fullmatch(record.batch_id)
    if named is None or (named["source"], named["day"]) != (record.source, f"{day:%Y%m%d}"):
        return 0, 0
    return int(named["slot"]), int(named["attempt"] or 1)


def _write_records(path: Path, records: list[Admission]) -> None:
    rows: list[dict[str, Any]] = [asdict(record) for record in records]
    write_atomically(path, parquet_bytes(pa.Table.from_pylist(rows, schema=ADMISSION_SCHEMA)))


def landed_partitions(settings: Settings) -> list[tuple[str, date]]:
    """Every (source, landing day) that was ever examined, oldest day first."""
    found = [
        (source, date.fromisoformat(path.parent.name.removeprefix("landing_date=")))
        for source in SOURCES
        for path in (settings.admissions / source).glob("landing_date=*/admissions.parquet")
    ]
    return sorted((pair for pair in found if pair[1].year > 1970), key=lambda pair: (pair[1], pair[0]))

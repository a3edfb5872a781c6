"""Admission: each entry of a landing day is admitted to bronze or refused by itself, against its manifest and contract.

A pure function of the landing folder, the approvals and the discards: running it again gives the same bronze. One bad
entry never keeps another out, whatever it is: a file, a folder, a link, a pipe, a manifest alone. A refused file is
quarantined whole, with the reason; marks of well-known programs are noted, and are nobody's failure.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.atomic import parquet_bytes, write_atomically
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import ADDITIVE, Contract
from reliability_platform.errors import EnvironmentUnusableError, PlatformError
from reliability_platform.landing.attempts import UNASKED, Candidate, settle_attempts
from reliability_platform.landing.batch_files import BATCH_NAME, batch_file, batch_of, has_file, manifest_of, suffix_of
from reliability_platform.landing.bronze import (
    ADMISSION_SCHEMA,
    admissions_file,
    bronze_folder,
    bronze_schema,
    ensure_bronze,
    swap_folder,
)
from reliability_platform.landing.canonical import canonical
from reliability_platform.landing.columns import Reading, breach, owed_notice, read_as, repeated
from reliability_platform.landing.dead_letters import ensure_dead_letters
from reliability_platform.landing.decisions import Shim, late_rows_accepted, read_shim
from reliability_platform.landing.delivered_file import RowCountError, read_delivered, rows_in
from reliability_platform.landing.discards import Discarded, read_discards
from reliability_platform.landing.entries import Entry, EntryKind, entries, files_below, look, os_error_text, read_file
from reliability_platform.landing.file_quarantine import Examined, quarantine_files, refused_for_its_columns
from reliability_platform.landing.manifest import MANIFEST_SUFFIX, Manifest, ManifestError
from reliability_platform.landing.markers import mark_of
from reliability_platform.landing.parquet_file import NotReadableError
from reliability_platform.landing.purged import fingerprint_as_landed
from reliability_platform.landing.reading import contract_fingerprint
from reliability_platform.landing.rescue import rescued
from reliability_platform.landing.seals import seal
from reliability_platform.landing.texts import unread
from reliability_platform.landing.unchanged import inputs_of, is_unchanged, note_inputs
from reliability_platform.landing.versions import in_later_types
from reliability_platform.landing.working_copy import bring_in
from reliability_platform.landing.writer import landing_folder
from reliability_platform.masking import shown_name
from reliability_platform.parquet import read_table, write_table
from reliability_platform.settings import Settings


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
    contract_version: str | None = None
    """The version of the contract by which it was read."""
    contract: str | None = None
    """The fingerprint of that version."""
    fallback: str | None = None
    """The server of the contract that it came from, where that is not the first one."""


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


def _unread(
    contract: Contract, delivered: pa.Table, table: pa.Table, reading: Reading | None
) -> list[tuple[str, pa.ChunkedArray]]:
    """By column, the texts that are not of its type: null in the column, they are kept beside it."""
    if not contract.file_format.of_texts:
        return []
    stands_for = contract.meant_by(delivered.column_names) | dict(reading.rename if reading is not None else {})
    return unread(delivered, stands_for, table, contract)


def _undecoded_apart(delivered: pa.Table, contract: Contract) -> tuple[pa.Table, pa.ChunkedArray | None]:
    """The rows, and of a stream the records among them that cannot be decoded; None where all can be."""
    if not contract.is_stream:
        return delivered, None
    from reliability_platform.landing.stream_records import UNDECODED

    if UNDECODED not in delivered.column_names:
        return delivered, None
    apart = delivered[UNDECODED]
    return delivered.drop_columns(UNDECODED), apart if apart.null_count < len(apart) else None


def _with_undecoded(
    contract: Contract, kept: list[tuple[str, pa.ChunkedArray]], undecoded: pa.ChunkedArray | None
) -> list[tuple[str, pa.ChunkedArray]]:
    """What came for a record that cannot be decoded stands beside its event time, as a text that is no moment."""
    if undecoded is None:
        return kept
    by_column = dict(kept)
    unread = by_column.get(contract.event_time)
    return [
        *(by_column | {contract.event_time: undecoded if unread is None else pc.coalesce(undecoded, unread)}).items()
    ]


def _bronze_table(
    contract: Contract, table: pa.Table, manifest: Manifest, kept: list[tuple[str, pa.ChunkedArray]]
) -> tuple[pa.Table, list[str]]:
    schema = bronze_schema(contract.source)
    unknown = [
        (name, table.column(place))
        for place, name in enumerate(table.column_names)
        if name not in contract.arrow_schema.names
    ]
    count = table.num_rows
    fitted, others = in_later_types(contract, CONTRACTS[contract.source], table)
    kept = [*kept, *others]
    columns = [
        *fitted,
        _rescued(unknown, kept, count),
        pa.repeat(manifest.batch_id, count),
        pa.repeat(pa.scalar(manifest.sequence, pa.int32()), count),
        pa.repeat(pa.scalar(manifest.attempt, pa.int32()), count),
        pa.array(np.arange(1, count + 1, dtype=np.int64)),
        pa.repeat(pa.scalar(manifest.landed_at, pa.timestamp("us")), count),
    ]
    return pa.table(columns, schema=schema), [name for name, _ in unknown]


def _rescued(
    unknown: list[tuple[str, pa.ChunkedArray]], kept: list[tuple[str, pa.ChunkedArray]], rows: int
) -> pa.Array:
    """What has no column of its own. A row of which every value was read has none of the texts that were not."""
    if not kept:
        return rescued(unknown, rows)
    is_whole = reduce(pc.and_, (pc.is_null(values) for _, values in kept))
    return pc.if_else(is_whole.combine_chunks(), rescued(unknown, rows), rescued([*unknown, *kept], rows))


def _check_day(settings: Settings, manifest: Manifest) -> None:
    """Stop a batch whose name says that it is of another landing day: known already, or in the wrong folder.

    Decided from what has landed, never from what was admitted before, so that the order of runs does not matter. It is
    known only if file and manifest say the same: what came with a wrong manifest before has not been delivered yet.
    """
    named = BATCH_NAME.fullmatch(manifest.batch_id)
    if named is None or named["day"] == f"{manifest.landing_date:%Y%m%d}":
        return
    try:
        other_day = date.fromisoformat(named["day"])
        bring_in(settings, manifest.source, [other_day])
        folder = landing_folder(settings, manifest.source, other_day)
        first = Manifest.read(folder / f"{manifest.batch_id}{MANIFEST_SUFFIX}")
        there = look(batch_file(manifest.source, folder, manifest.batch_id), settings.landing).kind is EntryKind.FILE
    except ValueError:
        raise _RefusedError("batch_of_another_day", f"by its name it is of {named['day']}") from None
    if not there or first.checksum != manifest.checksum:
        raise _RefusedError("batch_of_another_day", f"by its name it is of {other_day}, with another content")
    if first.expected_rows != manifest.expected_rows:
        raise _RefusedError("batch_of_another_day", f"by its name it is of {other_day}, with another manifest")
    raise _KnownError("already_delivered", f"the same batch landed on {other_day}")


def _name_of(source: str, path: Path) -> str:
    """What stands for the batch id of an entry that no manifest vouches for; no two entries of a folder share one."""
    batch_id = batch_of(source, path.name)
    suffixes = CONTRACTS[source].suffixes
    first = next((one for one in suffixes if os.path.lexists(path.with_name(f"{batch_id}{one}"))), "")
    if batch_id is None or not path.name.endswith((first, MANIFEST_SUFFIX)):
        return _digested(path.name)  # `x` or `x.csv` beside `x.parquet` must not become the same
    return known_as(batch_id)


def _shown(settings: Settings, path: Path) -> str:
    """The path below home as text; a name may hold bytes that are none."""
    return str(path.relative_to(settings.home)).encode(errors="surrogateescape").decode(errors="backslashreplace")


@dataclass(frozen=True)
class _Examined:
    """An entry, what became of it, and what it was."""

    entry: Entry
    record: Admission
    fingerprint: str = ""
    """SHA-256 of the bytes as they landed; empty for what has none, or none that can be read."""


def _unvouched(settings: Settings, source: str, path: Path, rows: int = 0, checksum: str | None = None) -> Admission:
    """The record of an entry about which no readable manifest speaks; every number is what we can see ourselves."""
    return Admission(
        source=source,
        batch_id=_name_of(source, path),
        batch_sequence=0,
        batch_attempt=0,
        kind="unknown",
        status="refused",
        reason=None,
        detail=None,
        delivered_rows=rows,
        admitted_rows=0,
        checksum=checksum,
        schema_fingerprint=None,
        rescued_columns=None,
        shim=None,
        state="quarantined",
        produced_at=None,
        landed_at=None,
        file=_shown(settings, path),
    )


def _hexadecimal(text: str) -> str | None:
    """A fingerprint as the manifest gives it; None for other words in its place."""
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
        checksum=manifest.checksum,
        schema_fingerprint=_hexadecimal(manifest.schema_fingerprint),
        rescued_columns=None,
        shim=None,
        state="quarantined",
        produced_at=manifest.produced_at,
        landed_at=manifest.landed_at,
        file=_shown(settings, path),
        fallback=manifest.fallback if manifest.fallback in CONTRACTS[manifest.source].fallbacks else None,
    )


def _claimed(manifest: Path, source: str, day: date) -> Manifest:
    """What a manifest says of the batch that it lies beside. Raises `ManifestError`."""
    stem = manifest.name.removesuffix(MANIFEST_SUFFIX)
    found = Manifest.read(manifest)
    told = {
        "batch_id": found.batch_id == stem,
        "source": found.source == source,
        "landing_date": found.landing_date == day,
    }
    wrong = [key for key, is_right in told.items() if not is_right]
    if wrong:
        raise ManifestError(f"it speaks of another {', '.join(wrong)} than the file and its folder")
    return found


def _read(
    table: pa.Table, contract: Contract, approved: Callable[[], Shim | None], day: date
) -> tuple[pa.Table, Reading | None]:
    """The table with the columns of its contract, and the reading that this took: none if it came so, or in an equal
    spelling.

    A shim counts only where it is needed, for the contract may have changed since to what came.
    """
    _check_once(table, contract)
    table = canonical(table, contract)
    broken = breach(contract, table, day)
    if broken is None:
        return table, None
    shim = approved()
    if shim is not None:
        table, lost = read_as(table, shim.reading, contract)
        _check_once(table, contract)
        broken = lost or breach(contract, table, day)
        if broken is None:
            return table, shim.reading
    broken = replace(broken, notice=owed_notice(CONTRACTS[contract.source], day, broken))
    raise _RefusedError(broken.reason, broken.detail)


def _check_once(table: pa.Table, contract: Contract) -> None:
    broken = repeated(contract, table)
    if broken is not None:
        raise _RefusedError(broken.reason, broken.detail)


@dataclass(frozen=True)
class _Day:
    """What the examination of one source and landing day needs."""

    settings: Settings
    source: str
    day: date
    draft: Path
    discarded: Discarded
    names: frozenset[str]
    """Every name in the folder."""

    def examine(self, entry: Entry) -> _Examined | None:
        """What becomes of one entry; None for a manifest that the record of its file speaks for."""
        path = entry.path
        is_manifest = path.name.endswith(MANIFEST_SUFFIX)
        if is_manifest and has_file(self.source, path.name, self.names):
            return None
        mark = None if self._manifest_of(path) is not None else mark_of(entry)
        if mark is not None:
            record = _unvouched(self.settings, self.source, path)
            return _Examined(entry, replace(record, status="noted", state="noted", reason="mark", detail=mark))
        if entry.kind is EntryKind.FILE and not is_manifest:
            return self._file(entry)
        return _Examined(entry, self._no_file(entry, is_manifest=is_manifest))

    def _manifest_of(self, path: Path) -> Path | None:
        """The manifest that lies beside an entry; only one called as files of the source are can have one."""
        name = manifest_of(self.source, path.name, self.names)
        return None if name is None else path.with_name(name)

    def _no_file(self, entry: Entry, *, is_manifest: bool) -> Admission:
        """The record of what is no file, or of a manifest without one. The rows that its manifest declares count as
        delivered: somebody sent them, and they are in no other record."""
        path = entry.path
        manifest = path if is_manifest else self._manifest_of(path)
        record = _unvouched(
            self.settings, self.source, path, _rows_below(self.source, path) if entry.kind is EntryKind.FOLDER else 0
        )
        if is_manifest and entry.kind is EntryKind.FILE:
            record = replace(record, reason="no_file", detail="the manifest came without its file")
        else:
            record = replace(record, reason="not_a_file", detail=f"it is {entry.kind.value}")
        try:
            if manifest is None:
                return record
            told = _vouched(self.settings, _claimed(manifest, self.source, self.day), path)
        except ManifestError as error:
            return replace(record, detail=f"{record.detail}; its manifest cannot be read: {error}")
        return replace(told, reason=record.reason, detail=record.detail)

    def _file(self, entry: Entry) -> _Examined:
        """Admit one file into the draft folder, or say why not."""
        path = entry.path
        try:
            content = read_file(path)
        except OSError as error:
            record = self._no_file(entry, is_manifest=False)
            return _Examined(entry, replace(record, reason="unreadable_file", detail=os_error_text(error)))
        manifest_path = self._manifest_of(path)
        try:
            manifest = None if manifest_path is None else _claimed(manifest_path, self.source, self.day)
            wrong = None if manifest is not None else ("no_manifest", "no manifest came with this file")
        except ManifestError as error:
            manifest, wrong = None, ("manifest_unreadable", str(error))
        batch_id = known_as(manifest.batch_id) if manifest is not None else _name_of(self.source, path)
        fingerprint = fingerprint_as_landed(self.settings, self.source, self.day, batch_id, content)
        if manifest is None:
            rows = rows_in(CONTRACTS[self.source], path.name, content)
            record = _unvouched(self.settings, self.source, path, rows, fingerprint)
        else:
            record = _vouched(self.settings, manifest, path)
        try:
            if manifest is None:
                assert wrong is not None
                raise _RefusedError(*wrong)
            record = self._admitted(record, replace(manifest, batch_id=batch_id), content, fingerprint)
        except _RowsError as refused:
            record = replace(record, delivered_rows=refused.found, reason=refused.reason, detail=refused.detail)
        except _RefusedError as refused:
            record = replace(
                record, status=refused.status, state=refused.state, reason=refused.reason, detail=refused.detail
            )
        return _Examined(entry, record, fingerprint)

    def _admitted(self, record: Admission, manifest: Manifest, content: bytes, fingerprint: str) -> Admission:
        """The record of a file that has been written to the draft folder. Raises `_RefusedError`."""
        if fingerprint != manifest.checksum:
            raise _RefusedError("checksum_mismatch", "the bytes are not those that the manifest declares")
        _check_day(self.settings, manifest)
        contract = CONTRACTS[self.source].on(self.day)
        try:
            delivered = read_delivered(contract, record.file, content, manifest.expected_rows)
        except RowCountError as error:
            raise _RowsError(manifest.expected_rows, error.found) from None
        except NotReadableError as error:
            raise _RefusedError("unreadable_file", str(error)) from None
        try:
            delivered, undecoded = _undecoded_apart(delivered, contract)
            approved = partial(self._approved, manifest.batch_id)
            table, reading = _read(delivered, contract, approved, self.day)
            kept = _with_undecoded(contract, _unread(contract, delivered, table, reading), undecoded)
            bronze, unknown = _bronze_table(contract, table, manifest, kept)
        except (_RefusedError, PlatformError):
            raise
        except Exception as error:
            # Nobody foresaw this content: it costs this file alone, and says where the platform failed at it.
            raise _RefusedError("examination_failed", _place_of(error)) from None
        if self.discarded.covers(record.batch_id, fingerprint, readable=True):
            raise _RefusedError("discarded", "it could be read now, but a person has discarded it")
        write_table(bronze, self.draft / f"{manifest.batch_id}.parquet")
        nobodys = [
            shown_name(name) or "(a column without a name)"
            for name in unknown
            if name not in contract.announced and contract.mode != ADDITIVE
        ]
        return replace(
            record,
            status="admitted",
            admitted_rows=bronze.num_rows,
            rescued_columns=", ".join(nobodys) or None,
            shim=json.dumps(asdict(reading), sort_keys=True) if reading is not None else None,
            state="admitted" if reading is None else "replayed",
            discarded_reasons=_in_one_text(self.discarded.rows.get((record.batch_id, fingerprint), ())),
        )

    def _approved(self, batch_id: str) -> Shim | None:
        """The approval of another reading. One that is damaged or was edited keeps its own file out, and no other."""
        try:
            return read_shim(self.settings, self.source, batch_id)
        except EnvironmentUnusableError:
            words = f"what approves another reading of it is damaged: delete decisions/{self.source}/{batch_id}.json"
            raise _RefusedError("approval_unreadable", words) from None


class _RowsError(_RefusedError):
    """Another number of rows than the manifest declares."""

    def __init__(self, declared: int, found: int) -> None:
        super().__init__("row_count_mismatch", json.dumps({"declared": declared, "found": found}))
        self.found = found


def _place_of(error: Exception) -> str:
    """Where something failed that nobody foresaw; what it says may quote values."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"


def _in_one_text(reasons: tuple[str, ...]) -> str | None:
    return f";{';'.join(reasons)};" if reasons else None


MOST_FILES_COUNTED = 1000
"""Files of a folder that came in place of one; Spark writes 200 by default."""


def _rows_below(source: str, folder: Path) -> int:
    """The rows in the files of a folder."""
    rows = 0
    for path in files_below(folder, MOST_FILES_COUNTED):
        if suffix_of(source, path.name) is not None:
            try:
                rows += rows_in(CONTRACTS[source], path.name, read_file(path))
            except OSError:
                continue
    return rows


def admit(settings: Settings, source: str, landing_date: date) -> list[Admission]:
    """Rebuild one bronze partition and its admission records from what has landed; returns the records.

    A day of which nothing has changed since stays as it is: the same would come of it.
    """
    ensure_bronze(settings)
    ensure_dead_letters(settings)
    inputs = inputs_of(settings, source, landing_date)
    if is_unchanged(settings, source, landing_date, inputs):
        return _recorded(settings, source, landing_date)
    note_inputs(settings, source, landing_date, None)
    target = bronze_folder(settings, source, landing_date)
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    examined = _examine_day(settings, source, landing_date, draft)
    told = [Examined(asdict(one.record), one.entry.path, one.fingerprint) for one in examined]
    quarantine_files(settings, source, landing_date, told)
    swap_folder(draft, target)
    records = [one.record for one in examined]
    _write_records(admissions_file(settings, source, landing_date), records)
    admitted = [one.entry.path for one in examined if one.record.status == "admitted"]
    manifests = [path.with_name(f"{batch_of(source, path.name)}{MANIFEST_SUFFIX}") for path in admitted]
    seal(settings, source, landing_date, [*admitted, *manifests])
    # What was refused may depend on other days; and what has come while all this was read is in the digest, but not in bronze.
    if len(admitted) == len(records) and inputs_of(settings, source, landing_date) == inputs:
        note_inputs(settings, source, landing_date, inputs)
    return records


def rehearse_admission(settings: Settings, source: str, landing_date: date) -> list[Admission]:
    """What `admit` would say now; nothing in the home changes."""
    with tempfile.TemporaryDirectory() as draft:
        return [one.record for one in _examine_day(settings, source, landing_date, Path(draft))]


def _examine_day(settings: Settings, source: str, landing_date: date, draft: Path) -> list[_Examined]:
    """What became of every entry of a day; admitted files are in the draft folder."""
    folder = landing_folder(settings, source, landing_date)
    try:
        found = entries(folder, settings.landing)
    except OSError as error:
        # The folder itself is what came: a file of its name, or one that may not be read.
        record = _unvouched(settings, source, folder)
        return [
            _Examined(
                look(folder, settings.landing), replace(record, reason="folder_unreadable", detail=os_error_text(error))
            )
        ]
    names = frozenset(entry.path.name for entry in found)
    this = _Day(settings, source, landing_date, draft, read_discards(settings, source, landing_date), names)
    with ThreadPoolExecutor(max_workers=2) as pool:  # hashing and Parquet release the interpreter's lock
        examined = [one for one in pool.map(this.examine, found) if one is not None]
    examined = _without_unasked(settings, source, landing_date, draft, examined)
    records = [one.record for one in examined]
    late_accepted = late_rows_accepted(settings, source, landing_date)
    return [
        replace(
            one,
            record=replace(
                _with_state(settings, one, records, landing_date, this.discarded),
                late_accepted=late_accepted,
                contract_version=CONTRACTS[source].on(landing_date).version,
                contract=contract_fingerprint(source, landing_date),
            ),
        )
        for one in examined
    ]


def _without_unasked(
    settings: Settings, source: str, day: date, draft: Path, examined: list[_Examined]
) -> list[_Examined]:
    """Hold the attempts that nobody asked for and that contradict a good one of their slot: a person decides."""
    candidates = [
        Candidate(one.record.batch_id, one.record.batch_sequence, one.record.batch_attempt, one.fingerprint)
        for one in examined
        if one.record.status == "admitted"
    ]
    held = settle_attempts(settings, source, day, draft, candidates)
    for batch_id in held:
        (draft / f"{batch_id}.parquet").unlink()
    return [
        one
        if one.record.batch_id not in held or one.record.status != "admitted"
        else replace(
            one,
            record=replace(
                one.record,
                status="held",
                state="quarantined",
                reason=UNASKED,
                detail=held[one.record.batch_id],
                admitted_rows=0,
            ),
        )
        for one in examined
    ]


def fingerprint_of(settings: Settings, source: str, path: Path) -> str:
    """SHA-256 of the bytes of a file in landing or quarantine when it landed, as a decision about it knows them; empty
    for what is no file that can be read."""
    day = date.fromisoformat(path.parent.name.removeprefix("landing_date="))
    try:
        return fingerprint_as_landed(settings, source, day, _name_of(source, path), read_file(path))
    except OSError:
        return ""


def _with_state(
    settings: Settings, one: _Examined, all_records: list[Admission], day: date, discarded: Discarded
) -> Admission:
    """A refused file is discarded if a person said so, and superseded once a later attempt of its slot was admitted.

    A decision stands, whatever the source sends later: both are ends, and a dead letter has one. A file that was
    refused and fits as it came, for its contract has changed, is replayed.
    """
    record = one.record
    if record.state == "admitted" and refused_for_its_columns(
        settings, record.source, day, record.batch_id, record.checksum
    ):
        return replace(record, state="replayed")
    if record.status not in ("refused", "held"):
        return record
    if discarded.covers(record.batch_id, one.fingerprint):
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


def _recorded(settings: Settings, source: str, landing_date: date) -> list[Admission]:
    table = read_table(admissions_file(settings, source, landing_date))
    return [Admission(**row) for row in table.to_pylist()]  # files, not rows of them


def landed_partitions(settings: Settings) -> list[tuple[str, date]]:
    """Every (source, landing day) that was ever examined, oldest day first."""
    found = [
        (source, date.fromisoformat(path.parent.name.removeprefix("landing_date=")))
        for source in SOURCES
        for path in (settings.admissions / source).glob("landing_date=*/admissions.parquet")
    ]
    return sorted((pair for pair in found if pair[1].year > 1970), key=lambda pair: (pair[1], pair[0]))

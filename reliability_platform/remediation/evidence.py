"""What the home itself says about each slot of a landing day: missing, refused, with rejected rows, asked for again.

Everything is read from landing, the admission records and the row quarantine. Nothing here changes anything.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.batch_files import batch_file, slot_of
from reliability_platform.landing.bronze_files import admissions_file
from reliability_platform.landing.manifest import Manifest
from reliability_platform.landing.replacement import attempts_landed, has_file, landed_manifests
from reliability_platform.landing.writer import landing_folder
from reliability_platform.parquet import day_list, literal, read_table
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader


def admissions(settings: Settings, source: str, day: date) -> list[dict[str, Any]]:
    """The admission records of one partition; none if it was never examined."""
    path = admissions_file(settings, source, day)
    state = _state_of(path)
    return [] if state is None else [dict(one) for one in _records(path, state)]


@lru_cache(maxsize=1024)
def _records(path: Path, _state: tuple[int, int, int]) -> tuple[dict[str, Any], ...]:
    """What a file of admission records holds while it is the same: each write puts another in its place, and the pages of 26
    incidents ask 900 times for some 120 of them, 2 ms each."""
    return tuple(read_table(path).to_pylist())


def replacements(settings: Settings, source: str, days: Sequence[date]) -> list[Manifest]:
    """What was asked for again and has landed."""
    return [one for day in days for one in landed_manifests(settings, source, day) if one.kind == "replacement"]


def landed_fingerprint(settings: Settings, manifest: Manifest) -> str | None:
    """SHA-256 of the bytes that did land, purged or not, which may not be those that the manifest declares; None without
    a file that can be read."""
    from reliability_platform.landing.admission import fingerprint_of  # with all that reads files of any format

    folder = landing_folder(settings, manifest.source, manifest.landing_date)
    path = batch_file(manifest.source, folder, manifest.batch_id)
    return fingerprint_of(settings, manifest.source, path) or None


def all_slots(settings: Settings, source: str, day: date) -> set[int]:
    """The slots that the schedule promises for a day, or that have landed of a stream."""
    promised = set(range(1, CONTRACTS[source].cadence.batches + 1))
    return promised | set(attempts_landed(settings, source, day)) if CONTRACTS[source].is_stream else promised


def _slot(record: dict[str, Any], source: str, day: date) -> int | None:
    return slot_of(source, day, record["batch_id"], record["batch_sequence"])


def refused_slots(settings: Settings, source: str, day: date, *, schema: bool) -> set[int]:
    """Slots with a file in quarantine that nothing has replaced: refused for its columns, or for anything else."""
    slots = {
        _slot(record, source, day)
        for record in admissions(settings, source, day)
        if record["status"] == "refused"
        and record["state"] == "quarantined"
        and str(record["reason"]).startswith("schema_") is schema
    }
    return {slot for slot in slots if slot is not None}


def refused_without_slot(settings: Settings, source: str, day: date) -> list[str]:
    """What lies in quarantine and fits no slot of the schedule: no source can be asked for it."""
    return sorted(
        record["batch_id"]
        for record in admissions(settings, source, day)
        if record["status"] == "refused" and record["state"] == "quarantined" and _slot(record, source, day) is None
    )


def missing_slots(settings: Settings, source: str, day: date) -> set[int]:
    """Slots of which nothing was admitted, no file is in quarantine, and none was given up by a person."""
    admitted = {
        record["batch_sequence"]
        for record in admissions(settings, source, day)
        if record["status"] == "admitted" or record["state"] == "discarded"
    }
    refused = refused_slots(settings, source, day, schema=True) | refused_slots(settings, source, day, schema=False)
    return set(range(1, CONTRACTS[source].cadence.batches + 1)) - admitted - refused


_ANSWERS: dict[tuple[Path, str], tuple[tuple[tuple[int, int, int] | None, ...], list[tuple[Any, ...]]]] = {}
MAX_ANSWERS = 256


def _asked_once(settings: Settings, question: str) -> list[tuple[Any, ...]]:
    """What tables of the warehouse answer, asked again once its file has changed. To open it takes 40 ms of CPU and the lease,
    and while an incident waits each tick and each page ask the same, two or three times."""
    state = tuple(map(_state_of, (settings.warehouse, settings.warehouse.with_name(f"{settings.warehouse.name}.wal"))))
    known = _ANSWERS.get((settings.warehouse, question))
    if known is not None and known[0] == state and state[0] is not None:
        return known[1]
    with warehouse_reader(settings) as connection:
        rows = connection.execute(question).fetchall()
    if len(_ANSWERS) >= MAX_ANSWERS:
        _ANSWERS.clear()
    # As it was before it was asked: what somebody has written since is asked for the next time.
    _ANSWERS[settings.warehouse, question] = state, rows
    return rows


def _state_of(path: Path) -> tuple[int, int, int] | None:
    """Which file it is and when it was last written to; None if there is none."""
    try:
        one = path.stat()
    except FileNotFoundError:
        return None
    return one.st_ino, one.st_size, one.st_mtime_ns


def rejected_slots(settings: Settings, source: str, days: Sequence[date]) -> dict[date, set[int]]:
    """Slots with rejected rows that no later attempt has superseded."""
    found: dict[date, set[int]] = {day: set() for day in days}
    rows = _asked_once(
        settings,
        f"select distinct landing_date, batch_sequence from qtn_rows where source = {literal(source)} "
        f"and state = 'quarantined' and list_contains({day_list(days)}, landing_date)",
    )
    for day, slot in rows:
        found[day].add(slot)
    return found


def earlier_event_dates(settings: Settings, source: str, days: Sequence[date]) -> list[date]:
    """The event dates before their landing that rows of these landing days are of, as far as those days have landed."""
    found = _asked_once(
        settings,
        f"select distinct event_date from int_{source}__deduplicated "
        f"where event_date < landing_date and list_contains({day_list(days)}, landing_date) order by event_date",
    )
    return [day for (day,) in found if admissions_file(settings, source, day).exists() and day not in days]


def held_slots(settings: Settings, source: str, day: date) -> set[int]:
    """Slots with an attempt that nobody asked for, and that waits for a person."""
    return {
        int(record["batch_sequence"])
        for record in admissions(settings, source, day)
        if record["status"] == "held" and record["state"] == "quarantined"
    } & all_slots(settings, source, day)


def waiting(settings: Settings, source: str, day: date) -> dict[int, Manifest]:
    """By slot, a later attempt that has landed as a file than admission has seen: it only waits for a run."""
    examined: dict[int, int] = {}
    for record in admissions(settings, source, day):
        slot = record["batch_sequence"]
        examined[slot] = max(examined.get(slot, 0), record["batch_attempt"])
    return {
        one.sequence: one
        for one in landed_manifests(settings, source, day)
        if one.attempt > examined.get(one.sequence, 0) and has_file(settings, one)
    }

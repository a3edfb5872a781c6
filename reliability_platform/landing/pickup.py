"""Lands what has appeared where a source delivers: each file as it is, or the rows of a day out of one that holds several.

A manifest that its producer put beside the file (`<name>.manifest.json`) is landed with it. Where there is none the platform
writes one, which says `vouched_for: false`: that rows are missing, nobody can see then.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reliability_platform.atomic import parquet_bytes
from reliability_platform.clock import day_end, utc_now
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.contracts.contract import Contract
from reliability_platform.contracts.named_days import Named, named_days
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.arrivals import WATCHED_WITHIN
from reliability_platform.landing.canonical import canonical
from reliability_platform.landing.delivered_file import read_delivered, rows_in
from reliability_platform.landing.deliveries import Landed
from reliability_platform.landing.entries import Entry, entries
from reliability_platform.landing.manifest import MANIFEST_SUFFIX, ManifestError, is_safe_name, parse
from reliability_platform.landing.markers import is_mark_by_name
from reliability_platform.landing.parquet_file import NotReadableError
from reliability_platform.landing.replacement import next_attempt
from reliability_platform.landing.watch import landed_days
from reliability_platform.landing.writer import fingerprint, landing_folder, make_landing_folder, write_landed
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import batch_id
from reliability_platform.sources.location import Found, Location, first_place, location_of, settled_files
from reliability_platform.sources.source import is_picked_up

_OTHER_ENDINGS = {
    ".ndjson": ".jsonl", ".json": ".jsonl", ".jsonlines": ".jsonl", ".tsv": ".csv", ".txt": ".csv", ".psv": ".csv",
    ".dat": ".csv", ".pq": ".parquet", ".parq": ".parquet",
}  # fmt: skip
"""What files of a format are called elsewhere, and here."""
_PACKED = {".gz": ".gz", ".gzip": ".gz", ".zst": ".zst", ".zstd": ".zst"}


AROUND_DAYS = 31
"""A file that holds several days holds none that is further from the day in its name."""


@dataclass(frozen=True)
class _Delivery:
    """What one file delivers for a landing day."""

    file: Found
    content: bytes
    suffix: str
    rows: int
    columns: list[dict[str, str]]
    manifest: bytes | None
    """As its producer wrote it; None if he wrote none."""
    part: int | None

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def pick_up(settings: Settings, source: str, days: Sequence[date]) -> Landed:
    """Land what has appeared of some landing days. What has landed already stays as it is: the same name with another
    content is another attempt of its slot. Of a place that cannot be looked at nothing has come: no other source suffers
    for it."""
    contract = CONTRACTS[source]
    try:
        server, files, why = first_place(contract.places, settled_files)
    except EnvironmentUnusableError as error:
        return Landed(0, 0, trouble=str(error))
    place = location_of(server)
    fallback = ("", *contract.fallbacks)[contract.servers.index(server)]
    names = {one.path for one in files}
    delivered = [
        one for one in files if not one.path.endswith(MANIFEST_SUFFIX) and not is_mark_by_name(one.name, one.size)
    ]
    spoken = {one.path: named_days(one.path) for one in delivered}
    if any(one.path.endswith(MANIFEST_SUFFIX) for one in files):
        delivered = [one for one in delivered if not _waits_for_its_manifest(one, names)]
    by_hour = _parts_are_hours(contract, spoken.values())
    batches = rows = 0
    for day in days:
        make_landing_folder(settings, source, day)
        told = day - timedelta(days=contract.day_offset)
        known = _Landed.of(settings, source, day)
        for file in delivered:
            named = spoken[file.path]
            landed = known.rows_of(file)
            if landed is not None:
                batches, rows = batches + 1, rows + landed
                continue
            if named is None or contract.several_days or not named.is_day:
                is_near = named is None or _may_hold(named, day, contract.several_days)
                found = _of_day(contract, place, file, day, named) if is_near else None
            else:
                found = _whole(contract.on(day), place, file, names, named) if named.first == told else None
            if found is not None:
                _land(settings, contract, day, found, known, by_hour, fallback)
                batches, rows = batches + 1, rows + found.rows
    return Landed(batches, rows, trouble=" ".join([*why, f"Deliveries were looked for at {fallback}."]) if why else "")


MANIFEST_WITHIN = timedelta(minutes=10)
"""Where manifests come with files, a file is given so long for its own; then the platform writes one."""


def _waits_for_its_manifest(file: Found, names: set[str]) -> bool:
    is_new = utc_now().replace(tzinfo=None) - file.modified_at < MANIFEST_WITHIN
    return is_new and not any(one in names for one in _sidecars(file.path))


def _parts_are_hours(contract: Contract, spoken: Iterable[Named | None]) -> bool:
    """Whether the numbers after the days are hours: there is a 0, or one above the batches of a day."""
    parts = [one.part for one in spoken if one is not None and one.part is not None]
    return any(part == 0 or part > contract.cadence.batches for part in parts)


def _may_hold(named: Named, day: date, several_days: bool) -> bool:
    """Whether a file with a day or a month in its name may hold a day: its own, or one that is near."""
    around = timedelta(days=AROUND_DAYS if several_days else 0)
    return named.first - around <= day <= named.last + around


def _whole(contract: Contract, place: Location, file: Found, names: set[str], named: Named) -> _Delivery | None:
    """A file of one day, as it is."""
    content = place.read(file)
    if content is None:
        return None
    suffix = _suffix(contract, file.name)
    beside = next((one for one in _sidecars(file.path) if one in names), None)
    said = place.read(Found(beside, 0, file.modified_at)) if beside is not None else None
    return _Delivery(file, content, suffix, rows_in(contract, f"x{suffix}", content), [], said, named.part)


def _sidecars(path: str) -> list[str]:
    stem = path.rsplit("/", 1)
    name = stem[-1]
    found = {f"{path}{MANIFEST_SUFFIX}"}
    while "." in name:
        name = name.rpartition(".")[0]
        found.add("/".join([*stem[:-1], f"{name}{MANIFEST_SUFFIX}"]))
    return sorted(found)


def _suffix(contract: Contract, name: str) -> str:
    """How the file is called in landing: as files of its format are, whatever its producer calls them."""
    lowered, packed = name.lower(), ""
    for ending, ours in _PACKED.items():
        if lowered.endswith(ending):
            lowered, packed = lowered.removesuffix(ending), ours
            break
    kind = contract.file_format.suffixes[0].split(".")[1]
    ending = next((ours for other, ours in _OTHER_ENDINGS.items() if lowered.endswith(other)), f".{kind}")
    suffix = f"{ending}{packed}"
    return suffix if suffix in contract.file_format.suffixes else contract.file_format.suffixes[0]


def _of_day(contract: Contract, place: Location, file: Found, day: date, named: Named | None) -> _Delivery | None:
    """The rows of a day out of a file that holds several; of one that cannot be read all, on the day that it is filed under."""
    try:
        rows = _by_day(contract, place, file).get(day)
    except NotReadableError:
        filed_under = named.first if named is not None else file.modified_at.date()
        if day != filed_under:
            return None
        content = place.read(file)
        return None if content is None else _Delivery(file, content, _suffix(contract, file.name), 0, [], None, None)
    if rows is None:
        return None
    columns = [{"name": field.name, "type": str(field.type)} for field in rows.schema]
    return _Delivery(file, parquet_bytes(rows), ".parquet", rows.num_rows, columns, None, None)


@lru_cache(maxsize=4)
def _by_day(contract: Contract, place: Location, file: Found) -> dict[date, pa.Table]:
    """The rows of a file by the day of their event; those of which no moment can be read are of its first day.

    Raises `NotReadableError`.
    """
    content = place.read(file)
    if content is None:
        raise NotReadableError("it is gone")
    table = read_delivered(contract, f"x{_suffix(contract, file.name)}", content)
    moments = _moments(contract, table)
    if moments is None:
        raise NotReadableError("it has no column that says when a row happened")
    days = pc.cast(
        pc.local_timestamp(pc.cast(moments, pa.timestamp("us", "UTC")).cast(pa.timestamp("us", contract.day_zone))),
        pa.date32(),
    )
    known = sorted(one for one in pc.unique(days).to_pylist() if one is not None)
    if not known:
        raise NotReadableError("no row says when it happened")
    days = pc.fill_null(days, known[0])
    return {one: table.filter(pc.equal(days, pa.scalar(one, pa.date32()))) for one in known}


def _moments(contract: Contract, table: pa.Table) -> pa.ChunkedArray | None:
    """When each row happened, in UTC; None if there is no such column."""
    read = canonical(table, contract)
    if read.column_names.count(contract.event_time) != 1:
        return None
    values = read[contract.event_time]
    promised = contract.arrow_schema.field(contract.event_time).type
    if not values.type.equals(promised):
        return None
    if pa.types.is_date(promised):  # a day is the day of its calendar, whatever the zone
        midnight = pc.assume_timezone(
            pc.cast(values, pa.timestamp("us")), contract.day_zone, ambiguous="earliest", nonexistent="earliest"
        )
        return pc.cast(midnight, pa.timestamp("us"))
    return values


def _by_attempt(entry: Entry) -> tuple[int, str]:
    """Attempts in their order: the tenth after the ninth."""
    found = re.search(r"-a(\d{1,4})\.manifest\.json$", entry.path.name)
    return int(found[1]) if found else 1, entry.path.name


@dataclass(frozen=True)
class _Landed:
    """What the manifests of a landing day say: (name under which it was delivered, slot, checksum)."""

    told: list[tuple[str, int, str]]
    rows: dict[tuple[str, int, str], int]
    """By name, size and time of files that have landed as they are, and need not be read again, their rows."""

    @classmethod
    def of(cls, settings: Settings, source: str, day: date) -> "_Landed":
        folder = landing_folder(settings, source, day)
        told, rows = [], dict[tuple[str, int, str], int]()
        with suppress(OSError):
            for entry in sorted(entries(folder, settings.landing), key=_by_attempt):
                if entry.path.name.endswith(MANIFEST_SUFFIX):
                    with suppress(OSError, ManifestError, ValueError, TypeError, KeyError):
                        said = parse(entry.path.read_bytes())
                        name = str(said.get("delivered_as", ""))
                        told.append((name, int(said["sequence"]), str(said["checksum"])))
                        looks = (name, int(said["delivered_bytes"]), str(said["delivered_modified"]))
                        rows = {one: number for one, number in rows.items() if one[0] != name}
                        rows[looks] = int(said["expected_rows"])
        return cls(told, rows)

    def rows_of(self, file: Found) -> int | None:
        """The rows of a file that has landed and looks as it did then; None for any other."""
        return self.rows.get((file.name, file.size, file.modified_at.isoformat()))

    def newest(self, name: str) -> str | None:
        """The content under which a name landed last. What is put back as it was before is another attempt."""
        return next((checksum for other, _, checksum in reversed(self.told) if other == name), None)

    def slot(self, contract: Contract, found: _Delivery, by_hour: bool) -> int:
        """The slot of a file: the one that it has had, else that of its hour or number, else the first free one."""
        had = [slot for name, slot, _ in self.told if name == found.file.name]
        if had:
            return had[0]
        taken = {slot for _, slot, _ in self.told}
        batches = contract.cadence.batches
        wanted = 1
        if found.part is not None and batches > 1:
            wanted = found.part * batches // 24 + 1 if by_hour else found.part
        free = [slot for slot in range(1, 1_000) if slot not in taken]
        return wanted if wanted in free else free[0]


def _land(
    settings: Settings,
    contract: Contract,
    day: date,
    found: _Delivery,
    known: _Landed,
    by_hour: bool,
    fallback: str,
) -> None:
    if known.newest(found.file.name) == found.checksum:
        return
    source = contract.source
    if found.manifest is not None:
        _land_with_its_own(settings, source, day, found)
        return
    slot = known.slot(contract, found, by_hour)
    attempt = next_attempt(settings, source, day, slot) if any(slot == one for _, one, _ in known.told) else 1
    name = batch_id(source, day, slot, f"-a{attempt}" if attempt > 1 else "")
    modified = found.file.modified_at
    end = day_end(day, contract.day_zone).astimezone(UTC).replace(tzinfo=None)
    landed = modified if end - timedelta(days=1) <= modified <= end + WATCHED_WITHIN else end
    manifest = {
        "batch_id": name,
        "source": source,
        "landing_date": day.isoformat(),
        "sequence": slot,
        "attempt": attempt,
        "kind": "scheduled" if attempt == 1 else "replacement",
        "expected_rows": found.rows,
        "checksum": found.checksum,
        "columns": found.columns,
        "schema_fingerprint": fingerprint(found.columns),
        "produced_at": landed.isoformat(),
        "landed_at": landed.isoformat(),
        "delivered_as": found.file.name,
        "delivered_bytes": found.file.size,
        "delivered_modified": found.file.modified_at.isoformat(),
        "vouched_for": False,
        **({"fallback": fallback} if fallback else {}),
    }
    write_landed(
        settings, source, day, name, found.suffix, found.content, (json.dumps(manifest, indent=2) + "\n").encode()
    )
    known.told.append((found.file.name, slot, found.checksum))


def _land_with_its_own(settings: Settings, source: str, day: date, found: _Delivery) -> None:
    """A file with the manifest of its producer, under the name that it says; under its own where it says none."""
    assert found.manifest is not None
    try:
        name = str(parse(found.manifest)["batch_id"])
    except (ManifestError, KeyError):  # admission says what is wrong with it
        name = found.file.name.removesuffix(found.suffix)
    if not is_safe_name(name):
        name = f"file-{hashlib.sha256(found.file.name.encode(errors='surrogateescape')).hexdigest()[:12]}"
    write_landed(settings, source, day, name, found.suffix, found.content, found.manifest)


_LOOKED_AT: dict[tuple[Path, str], list[Found]] = {}
"""By home and source, what this process saw where deliveries appear when it picked up last."""


def pick_up_late(settings: Settings) -> None:
    """Land what has appeared since of landing days that have a folder. Where everything looks as at the last look, and
    nothing was new then, no landing day is read: a year has 365 of them, and a sensor looks every half minute."""
    for source in SOURCES:
        if not is_picked_up(settings, source):
            continue
        try:
            _, files, _ = first_place(CONTRACTS[source].places)
        except EnvironmentUnusableError:  # doctor names it, and so does the next run
            continue
        new_since = utc_now().replace(tzinfo=None) - MANIFEST_WITHIN
        if files != _LOOKED_AT.get((settings.home, source)) or any(one.modified_at > new_since for one in files):
            pick_up(settings, source, sorted(landed_days(settings, source)))
            _LOOKED_AT[settings.home, source] = files

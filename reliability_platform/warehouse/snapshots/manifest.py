"""What a snapshot consists of, as its manifest says. The manifest carries its own checksum."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from reliability_platform.damage import sha256_of
from reliability_platform.errors import EnvironmentUnusableError, UsageError
from reliability_platform.home_path import present_name
from reliability_platform.settings import Settings
from reliability_platform.warehouse.snapshots.inventory import stays_within
from reliability_platform.warehouse.snapshots.location import SHA256, SnapshotDamagedError, SnapshotLocation

FORMAT = 1
WAREHOUSE, OPERATIONS = "warehouse.duckdb", "operations.sqlite"
ID = re.compile(r"\d{8}T\d{12}Z")


@dataclass(frozen=True)
class StoredFile:
    """A file of the home and the content that it had."""

    path: str
    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class Snapshot:
    """A home at one moment."""

    id: str
    taken_at: datetime
    """When the warehouse and the operations store were copied. Files were read after that, and are never older."""
    platform_version: str
    models_version: str
    duckdb_version: str
    builds_settled: int
    """The entry of the journal of builds up to which the warehouse holds whatever was built."""
    unsettled_days: tuple[date, ...]
    """Landing days that changed while the files were read: the warehouse may lack them."""
    landing_days: tuple[date, ...]
    left_out: dict[str, str]
    """What a home has and this snapshot has not, and why."""
    links: dict[str, str]
    files: tuple[StoredFile, ...]

    def file(self, path: str) -> StoredFile | None:
        """One file by its path."""
        return next((file for file in self.files if file.path == path), None)

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.size for file in self.files)

    def summary(self) -> dict[str, Any]:
        """What a list shows, ready for JSON."""
        return {
            "id": self.id,
            "taken_at": self.taken_at.isoformat(),
            "models_version": self.models_version,
            "landing_days": len(self.landing_days),
            "last_landing_day": self.landing_days[-1].isoformat() if self.landing_days else None,
            "files": len(self.files),
            "bytes": self.bytes,
        }


def snapshot_id(taken_at: datetime) -> str:
    """The name of a snapshot: its moment in UTC, to the microsecond, so that names sort by time."""
    return f"{taken_at.astimezone(UTC):%Y%m%dT%H%M%S%f}Z"


def encode(snapshot: Snapshot) -> bytes:
    """The manifest's bytes."""
    body = json.dumps({"format": FORMAT, **asdict(snapshot)}, default=lambda value: value.isoformat())
    return json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest(), "body": body}).encode()


def _safe(path: str) -> str:
    """A path that stays within the home."""
    if not stays_within(path):
        raise ValueError("a path leads out of the home")
    return path


def decode(name: str, content: bytes) -> Snapshot:
    """Read a manifest. Raises `SnapshotDamagedError` if it is not what was written."""
    try:
        outer = json.loads(content)
        body: str = outer["body"]
        if hashlib.sha256(body.encode()).hexdigest() != outer["sha256"]:
            raise ValueError("its checksum differs")
        raw: dict[str, Any] = json.loads(body)
        if raw.pop("format") != FORMAT:
            raise ValueError("it was written by another version of the platform")
        files = tuple(StoredFile(**{**file, "path": present_name(file["path"])}) for file in raw.pop("files"))
        if not all(SHA256.fullmatch(file.sha256) for file in files):
            raise ValueError("a checksum is none")
        links = {present_name(_safe(path)): _safe(target) for path, target in raw.pop("links").items()}
        for file in files:
            _safe(file.path)
        snapshot = Snapshot(
            taken_at=datetime.fromisoformat(raw.pop("taken_at")),
            unsettled_days=tuple(map(date.fromisoformat, raw.pop("unsettled_days"))),
            landing_days=tuple(map(date.fromisoformat, raw.pop("landing_days"))),
            links=links,
            files=files,
            **raw,
        )
        if snapshot.id != name or not ID.fullmatch(name):
            raise ValueError("it carries another name")
        return snapshot
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SnapshotDamagedError(f"The manifest of snapshot {name[:40]!r} is damaged: {error}.") from None


def read_snapshot(location: SnapshotLocation, name: str) -> Snapshot:
    """One snapshot by its name. Raises `UsageError` if there is none."""
    if name not in location.manifests():
        raise UsageError(f"There is no snapshot {name!r} in {location.shown}: see `reliability snapshot list`.")
    return decode(name, location.read_manifest(name))


def read_snapshots(location: SnapshotLocation) -> tuple[list[Snapshot], list[str]]:
    """All that can be used, oldest first, and the words about those whose manifest is damaged."""
    good, damaged = [], []
    for name in location.manifests():
        try:
            good.append(decode(name, location.read_manifest(name)))
        except SnapshotDamagedError as error:
            damaged.append(str(error))
        except FileNotFoundError:  # forgotten since the listing
            continue
    return good, damaged


def read_own_snapshots(settings: Settings, location: SnapshotLocation) -> tuple[list[Snapshot], list[str]]:
    """The same for whoever writes there. Raises `UsageError` where another home has snapshots: of two homes in one place
    each would restore the other's newest, and prune it.
    """
    good, damaged = read_snapshots(location)
    own = sha256_of(settings.identity) if settings.identity.exists() else None
    there = {file.sha256 for one in good if (file := one.file(settings.identity.name)) is not None}
    if own is not None and there - {own}:
        raise UsageError(
            f"Another home keeps its snapshots in {location.shown}: give each home a place of its own in "
            "RELIABILITY_SNAPSHOT_URL. Nothing was changed."
        )
    return good, damaged


def newest_until(location: SnapshotLocation, moment: datetime) -> Snapshot:
    """The newest usable snapshot taken at or before a moment. Raises `UsageError` if there is none."""
    good, damaged = read_snapshots(location)
    found = [snapshot for snapshot in good if snapshot.taken_at <= moment]
    if found:
        return found[-1]
    if damaged:
        raise EnvironmentUnusableError(damaged[-1])
    if good:
        raise UsageError(
            f"No snapshot is as old as {moment.isoformat()}: the oldest is of {good[0].taken_at.isoformat()}."
        )
    raise UsageError(f"There is no snapshot in {location.shown}: take one with `reliability snapshot create`.")

"""Lands what the source sent again on request, and knows what has landed of a slot. Knows nothing of faults."""

import hashlib
import re
from datetime import date

from reliability_platform.atomic import parquet_bytes
from reliability_platform.landing.attempts import How, Permission, permit
from reliability_platform.landing.batch_files import batch_file
from reliability_platform.landing.entries import Entry, EntryKind, entries, look
from reliability_platform.landing.manifest import MANIFEST_SUFFIX, Manifest, ManifestError
from reliability_platform.landing.writer import landing_folder, write_batch
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch, batch_id


def _entries(settings: Settings, source: str, landing_date: date) -> list[Entry]:
    try:
        return entries(landing_folder(settings, source, landing_date), settings.landing)
    except OSError:
        return []  # admission refuses the folder, with the reason


def landed_manifests(settings: Settings, source: str, landing_date: date) -> list[Manifest]:
    """Every readable manifest of a landing day that speaks of the batch beside which it lies."""
    found = []
    for entry in _entries(settings, source, landing_date):
        if entry.path.name.endswith(MANIFEST_SUFFIX):
            try:
                manifest = Manifest.read(entry.path)
            except ManifestError:
                continue  # admission refuses it, with the reason
            stem = entry.path.name.removesuffix(MANIFEST_SUFFIX)
            if (manifest.batch_id, manifest.source, manifest.landing_date) == (stem, source, landing_date):
                found.append(manifest)
    return found


def has_file(settings: Settings, manifest: Manifest) -> bool:
    """Whether the batch of a manifest has landed as a file; anything else in its place is no delivery."""
    folder = landing_folder(settings, manifest.source, manifest.landing_date)
    return look(batch_file(manifest.source, folder, manifest.batch_id), settings.landing).kind is EntryKind.FILE


def attempts_landed(settings: Settings, source: str, landing_date: date) -> dict[int, int]:
    """Highest attempt that has landed, by sequence of the slot."""
    highest: dict[int, int] = {}
    for manifest in landed_manifests(settings, source, landing_date):
        highest[manifest.sequence] = max(highest.get(manifest.sequence, 0), manifest.attempt)
    return highest


def next_attempt(settings: Settings, source: str, landing_date: date, slot: int) -> int:
    """The number of an attempt that nothing in landing has yet: no manifest, and no name, whatever bears it."""
    of_the_slot = re.compile(re.escape(batch_id(source, landing_date, slot)) + r"-a(\d{1,4})\b.*", re.DOTALL)
    names = [entry.path.name for entry in _entries(settings, source, landing_date)]
    named = [int(found[1]) for found in map(of_the_slot.fullmatch, names) if found is not None]
    return max(1, attempts_landed(settings, source, landing_date).get(slot, 1), *named) + 1


def land_replacement(settings: Settings, batch: Batch) -> None:
    """Write a batch to landing that the source was asked for, and that may replace its slot: the request is on file
    first. Landing the same again changes nothing."""
    fingerprint = hashlib.sha256(parquet_bytes(batch.table)).hexdigest()
    why = "the source was asked for it again"
    requested = Permission(batch.batch_id, fingerprint, How.REQUESTED, "remediation", why)
    permit(settings, batch.source, batch.landing_date, requested)
    write_batch(settings, batch)

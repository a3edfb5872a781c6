"""Lands what the source sent again on request. Knows nothing of faults."""

from datetime import date

from reliability_platform.landing.writer import MANIFEST_SUFFIX, Manifest, landing_folder, write_batch
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch


def landed_manifests(settings: Settings, source: str, landing_date: date) -> list[Manifest]:
    """Every readable manifest of a landing day."""
    found = []
    for path in sorted(landing_folder(settings, source, landing_date).glob(f"*{MANIFEST_SUFFIX}")):
        try:
            found.append(Manifest.read(path))
        except (ValueError, OSError):
            continue  # admission refuses it, with the reason
    return found


def attempts_landed(settings: Settings, source: str, landing_date: date) -> dict[int, int]:
    """Highest attempt that has landed, by sequence of the slot."""
    highest: dict[int, int] = {}
    for manifest in landed_manifests(settings, source, landing_date):
        highest[manifest.sequence] = max(highest.get(manifest.sequence, 0), manifest.attempt)
    return highest


def land_replacement(settings: Settings, batch: Batch) -> None:
    """Write a replacement batch to landing. Landing the same again changes nothing."""
    write_batch(settings, batch)

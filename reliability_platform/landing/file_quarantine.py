"""Quarantine of whole files: a copy of each refused file beside the reason. Nothing refused is ever lost."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from reliability_platform.landing.batch_files import REASON_SUFFIX, batch_file, suffix_of
from reliability_platform.landing.day_folder import quarantine_folder as quarantine_folder
from reliability_platform.landing.entries import read_file
from reliability_platform.landing.reading import contract_fingerprint
from reliability_platform.landing.working_copy import write
from reliability_platform.settings import Settings

WAITING = ("refused", "held")
"""Statuses of an admission record that keep a file out of bronze."""


@dataclass(frozen=True)
class Examined:
    """An admission record, the entry of landing that it speaks of, and SHA-256 of its bytes; empty if it has none."""

    record: Mapping[str, Any]
    path: Path
    fingerprint: str


def quarantine_files(settings: Settings, source: str, landing_date: date, examined: Iterable[Examined]) -> None:
    """Bring the file quarantine of one partition in line with its admission records."""
    folder = quarantine_folder(settings, source, landing_date)
    for one in examined:
        record = one.record
        reason = folder / f"{record['batch_id']}{REASON_SUFFIX}"
        if record["status"] in WAITING or reason.exists():
            copy = folder / f"{record['batch_id']}{suffix_of(source, one.path.name) or '.parquet'}"
            if record["status"] in WAITING and one.fingerprint:
                _keep(settings, copy, _bytes(one.path))
            before = _read(reason)
            # A file that was replayed, or came whole at last, keeps the reason for which it had been refused.
            kept = {key: before[key] for key in ("reason", "detail") if record["reason"] is None and key in before}
            told = {
                **dict(record),
                **kept,
                "contract": contract_fingerprint(source, landing_date),
                "fingerprint": one.fingerprint,
            }
            if record["status"] not in WAITING:
                told["state"] = _end(record, one.path, copy)
            _keep(settings, reason, (json.dumps(told, indent=2, default=str) + "\n").encode())


def _end(record: Mapping[str, Any], delivered: Path, copy: Path) -> str:
    """What became of a file that is refused no longer: the same bytes were read after all, or the source sent others."""
    same = record["status"] == "admitted" and copy.exists() and _bytes(delivered) == copy.read_bytes()
    return "replayed" if same else "superseded"


def refused_for_its_columns(
    settings: Settings, source: str, landing_date: date, batch_id: str, checksum: str | None
) -> bool:
    """Whether this very file had been refused because its columns were not those of the contract."""
    path = quarantine_folder(settings, source, landing_date) / f"{batch_id}{REASON_SUFFIX}"
    before = _read(path)
    return bool(before) and before.get("checksum") == checksum and str(before.get("reason")).startswith("schema_")


def refusal_reason(settings: Settings, source: str, landing_date: date, batch_id: str) -> str | None:
    """Why a file had been refused last."""
    path = quarantine_folder(settings, source, landing_date) / f"{batch_id}{REASON_SUFFIX}"
    return _read(path).get("reason")


def _read(reason: Path) -> dict[str, Any]:
    """What is known of a refused file; nothing where that was damaged, which must keep no other file from its admission."""
    try:
        found = json.loads(reason.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _bytes(path: Path) -> bytes | None:
    """The bytes of a delivered file; None if it cannot be read any more."""
    try:
        return read_file(path)
    except OSError:
        return None


def _keep(settings: Settings, path: Path, content: bytes | None) -> None:
    """Write a file that does not say so already. What cannot be read has no copy: it stays where it is, and the reason says so."""
    if content is not None and not (path.exists() and path.read_bytes() == content):
        write(settings, path, content)


def quarantined_files(settings: Settings) -> list[dict[str, Any]]:
    """Every refused file, oldest landing day first, with its one state.

    `quarantined`: it waits; `replayed`: its bytes were read after all, through a shim, under a changed contract or with
    the manifest that came late; `superseded`: the source sent it again; `discarded`: a person gave it up.
    """
    found = []
    for path in sorted(settings.quarantine.glob(f"*/landing_date=*/*{REASON_SUFFIX}")):
        record = _read(path)
        if "batch_id" not in record:
            continue  # damaged: `reliability doctor` names it
        record["landing_date"] = path.parent.name.removeprefix("landing_date=")
        found.append(record)
    return sorted(found, key=lambda record: (record["landing_date"], record["batch_id"]))


def quarantined_file(settings: Settings, source: str, landing_date: date, batch_id: str) -> Path:
    """The copy of one refused file."""
    return batch_file(source, quarantine_folder(settings, source, landing_date), batch_id)

"""Quarantine of whole files: a copy of each refused file beside the reason. Nothing refused is ever lost."""

import filecmp
import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.landing.reading import contract_fingerprint
from reliability_platform.settings import Settings

REASON_SUFFIX = ".reason.json"


def quarantine_folder(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the refused files of a source and landing day are."""
    return settings.quarantine / source / f"landing_date={landing_date.isoformat()}"


def quarantine_files(
    settings: Settings,
    source: str,
    landing_date: date,
    records: Sequence[Mapping[str, Any]],
    files: Mapping[str, Path],
) -> None:
    """Bring the file quarantine of one partition in line with its admission records; `files` by batch id."""
    folder = quarantine_folder(settings, source, landing_date)
    for record in records:
        reason = folder / f"{record['batch_id']}{REASON_SUFFIX}"
        if record["status"] == "refused" or reason.exists():
            if record["status"] == "refused" and record["batch_id"] in files:
                _copy(files[record["batch_id"]], folder / f"{record['batch_id']}.parquet")
            before = json.loads(reason.read_text()) if reason.exists() else {}
            # A file that was replayed, or came whole at last, keeps the reason for which it had been refused.
            kept = {key: before[key] for key in ("reason", "detail") if record["reason"] is None and key in before}
            told = {**dict(record), **kept, "contract": contract_fingerprint(source)}
            if record["status"] != "refused":
                told["state"] = _end(record, folder, files)
            content = json.dumps(told, indent=2, default=str) + "\n"
            write_atomically(reason, content.encode())


def _end(record: Mapping[str, Any], folder: Path, files: Mapping[str, Path]) -> str:
    """What became of a file that is refused no longer: the same bytes were read after all, or the source sent others."""
    batch_id = record["batch_id"]
    copy = folder / f"{batch_id}.parquet"
    same = record["status"] == "admitted" and copy.exists() and filecmp.cmp(files[batch_id], copy, shallow=False)
    return "replayed" if same else "superseded"


def refused_for_its_columns(
    settings: Settings, source: str, landing_date: date, batch_id: str, checksum: str | None
) -> bool:
    """Whether this very file had been refused because its columns were not those of the contract."""
    path = quarantine_folder(settings, source, landing_date) / f"{batch_id}{REASON_SUFFIX}"
    if not path.exists():
        return False
    before = json.loads(path.read_text())
    return before["checksum"] == checksum and str(before["reason"]).startswith("schema_")


def refusal_reason(settings: Settings, source: str, landing_date: date, batch_id: str) -> str | None:
    """Why a file had been refused last."""
    path = quarantine_folder(settings, source, landing_date) / f"{batch_id}{REASON_SUFFIX}"
    return json.loads(path.read_text())["reason"] if path.exists() else None  # type: ignore[no-any-return]


def _copy(delivered: Path, copy: Path) -> None:
    """Keep the bytes that were refused; the copy is those that the reason beside it speaks of."""
    if copy.exists() and filecmp.cmp(delivered, copy, shallow=False):
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    draft = copy.with_name(f".{copy.name}.draft")
    shutil.copyfile(delivered, draft)
    draft.replace(copy)


def quarantined_files(settings: Settings) -> list[dict[str, Any]]:
    """Every refused file, oldest landing day first, with its one state.

    `quarantined`: it waits; `replayed`: its bytes were read after all, through a shim, under a changed contract or with
    the manifest that came late; `superseded`: the source sent it again; `discarded`: a person gave it up.
    """
    found = []
    for path in sorted(settings.quarantine.glob(f"*/landing_date=*/*{REASON_SUFFIX}")):
        record = json.loads(path.read_text())
        record["landing_date"] = path.parent.name.removeprefix("landing_date=")
        found.append(record)
    return sorted(found, key=lambda record: (record["landing_date"], record["batch_id"]))


def quarantined_file(settings: Settings, source: str, landing_date: date, batch_id: str) -> Path:
    """The copy of one refused file."""
    return quarantine_folder(settings, source, landing_date) / f"{batch_id}.parquet"

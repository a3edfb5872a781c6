"""Quarantine of whole files: a copy of each refused file beside the reason. Nothing refused is ever lost."""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from reliability_platform.atomic import write_atomically
from reliability_platform.landing.writer import MANIFEST_SUFFIX
from reliability_platform.settings import Settings

REASON_SUFFIX = ".reason.json"


def quarantine_folder(settings: Settings, source: str, landing_date: date) -> Path:
    """Where the refused files of a source and landing day are."""
    return settings.quarantine / source / f"landing_date={landing_date.isoformat()}"


def quarantine_files(settings: Settings, source: str, landing_date: date, records: Sequence[Mapping[str, Any]]) -> None:
    """Bring the file quarantine of one partition in line with its admission records."""
    folder = quarantine_folder(settings, source, landing_date)
    for record in records:
        reason = folder / f"{record['batch_id']}{REASON_SUFFIX}"
        if record["status"] == "refused" or (record["state"] == "replayed" and reason.exists()):
            if record["status"] == "refused" and not record["file"].endswith(MANIFEST_SUFFIX):
                copy = folder / f"{record['batch_id']}.parquet"
                if not copy.exists():
                    folder.mkdir(parents=True, exist_ok=True)
                    draft = copy.with_name(f".{copy.name}.draft")
                    shutil.copyfile(settings.home / record["file"], draft)
                    draft.replace(copy)
            before = json.loads(reason.read_text()) if reason.exists() else {}
            # A replayed file keeps the reason for which it had been refused.
            kept = {key: before[key] for key in ("reason", "detail") if record["reason"] is None and key in before}
            content = json.dumps({**dict(record), **kept}, indent=2, default=str) + "\n"
            write_atomically(reason, content.encode())


def quarantined_files(settings: Settings) -> list[dict[str, Any]]:
    """Every refused file, oldest landing day first, with its state: quarantined, replayed or superseded."""
    found = []
    for path in sorted(settings.quarantine.glob(f"*/landing_date=*/*{REASON_SUFFIX}")):
        record = json.loads(path.read_text())
        record["landing_date"] = path.parent.name.removeprefix("landing_date=")
        found.append(record)
    return sorted(found, key=lambda record: (record["landing_date"], record["batch_id"]))


def quarantined_file(settings: Settings, source: str, landing_date: date, batch_id: str) -> Path:
    """The copy of one refused file."""
    return quarantine_folder(settings, source, landing_date) / f"{batch_id}.parquet"

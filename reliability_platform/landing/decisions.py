"""Decisions on a landing day: how a refused file may be read after all, and which late rows count. Written by remediation, obeyed by
admission."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from reliability_platform.audit_log import Changes, note_act
from reliability_platform.clock import utc_now
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.casts import CASTS, NEEDED_NO_MORE
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.seals import seal_again
from reliability_platform.landing.working_copy import remove, write
from reliability_platform.operations import operations_engine
from reliability_platform.settings import Settings


@dataclass(frozen=True)
class Shim:
    """How one batch is read, who approved it, and why."""

    reading: Reading
    approved_by: str
    why: str


def _path(settings: Settings, source: str, batch_id: str) -> Path:
    return settings.decisions / source / f"{batch_id}.json"


def read_shim(settings: Settings, source: str, batch_id: str) -> Shim | None:
    """The shim of one batch, if one was approved."""
    path = _path(settings, source, batch_id)
    if not path.exists():
        return None
    try:
        raw = json.loads(path.read_text())
        named = _texts(raw.get("casts", {}))
        casts = {column: cast for column, cast in named.items() if cast not in NEEDED_NO_MORE}
        if not set(casts.values()) <= CASTS.keys():
            raise ValueError("a cast of this name is not declared")
        return Shim(Reading(_texts(raw["rename"]), casts), raw["approved_by"], raw["why"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EnvironmentUnusableError(f"{path} is not a shim: delete it, then approve it again.") from None


def _texts(raw: Mapping[object, object]) -> dict[str, str]:
    return {str(key): str(value) for key, value in raw.items()}


def approve_shim(settings: Settings, source: str, batch_id: str, reading: Reading, by: str, why: str) -> None:
    """Let the next admission read one batch in another way. Approving the same again changes nothing."""
    content = json.dumps({**asdict(reading), "approved_by": by, "why": why}, indent=2, sort_keys=True) + "\n"
    path = _path(settings, source, batch_id)
    if not path.exists() or path.read_text() != content:
        write(settings, path, content.encode())
        seal_again(settings, path)
        _note(settings, Changes.READ_OTHERWISE, f"{batch_id}: {reading.words}", by, why)


def _note(settings: Settings, act: Changes, what: str, by: str, why: str) -> None:
    note_act(operations_engine(settings), act, what, by, why, utc_now())


def withdraw_shim(settings: Settings, source: str, batch_id: str, by: str, why: str) -> bool:
    """Refuse the batch again from the next admission on; whether it had a shim."""
    path = _path(settings, source, batch_id)
    had_one = path.exists()
    remove(settings, path)
    seal_again(settings, path)
    if had_one:
        _note(settings, Changes.READ_AS_DELIVERED, batch_id, by, why)
    return had_one


def _late_path(settings: Settings, source: str, landing_date: date) -> Path:
    return settings.decisions / source / f"{source}-{landing_date:%Y%m%d}-late.json"


def late_rows_accepted(settings: Settings, source: str, landing_date: date) -> bool:
    """Whether somebody approved that rows beyond the watermark count, of all that landed on one day."""
    return _late_path(settings, source, landing_date).exists()


def accept_late_rows(settings: Settings, source: str, landing_date: date, by: str, why: str) -> None:
    """Let rows beyond the watermark count from the next run on. Approving it again changes nothing."""
    path = _late_path(settings, source, landing_date)
    if not path.exists():
        write(settings, path, (json.dumps({"approved_by": by, "why": why}, indent=2) + "\n").encode())
        seal_again(settings, path)
        _note(settings, Changes.ACCEPT_LATE, f"{source} of {landing_date}", by, why)


def withdraw_late_rows(settings: Settings, source: str, landing_date: date, by: str, why: str) -> bool:
    """Take an approval back that was given for one reason, from the next run on; whether there was one."""
    path = _late_path(settings, source, landing_date)
    if not path.exists() or json.loads(path.read_text())["why"] != why:
        return False
    remove(settings, path)
    seal_again(settings, path)
    _note(settings, Changes.HOLD_LATE, f"{source} of {landing_date}", by, why)
    return True

"""Replays refused files: as they came where today's contract fits, or through the reading that their refusal names; asks
the source for what neither heals.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.casts import CASTS
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.shims import approve_shim, withdraw_shim
from reliability_platform.masking import shown_name
from reliability_platform.operations import operations_engine
from reliability_platform.remediation import evidence
from reliability_platform.remediation.actions.action import Action, Done, in_words
from reliability_platform.remediation.actions.re_request import Slots, request, slots_in_words, slots_to_request
from reliability_platform.remediation.contract_change import admissible_now
from reliability_platform.remediation.ledger import SHIM, Replay, ReplayLedger
from reliability_platform.settings import Settings
from reliability_platform.sources.contracts import CONTRACTS


@dataclass(frozen=True)
class Readable:
    """A refused file whose refusal names a reading that would do."""

    batch_id: str
    day: date
    slot: int
    reading: Reading


def readable_files(source: str, day: date, records: Sequence[Mapping[str, Any]]) -> list[Readable]:
    """The refused files among admission records that a shim may heal."""
    found = []
    for record in records:
        if record["state"] == "quarantined" and record["reason"] in ("schema_column_renamed", "schema_type_changed"):
            reading = _reading_of(source, record)
            if reading is not None:
                found.append(Readable(record["batch_id"], day, record["batch_sequence"], reading))
    return found


def _reading_of(source: str, record: Mapping[str, Any]) -> Reading | None:
    """The reading that a refusal names, if all that is wrong is mended by it."""
    columns = set(CONTRACTS[source].arrow_schema.names)
    try:
        detail = json.loads(str(record["detail"]))
        rename = {str(found): str(expected) for found, expected in detail.get("rename", {}).items()}
        casts = {str(name): str(cast) for name, cast in detail.get("casts", {}).items()}
        changed = set(detail.get("changed", {}))
    except (ValueError, TypeError, AttributeError):
        return None
    # A shim may only give a column of the contract back its name; it must not hide another one.
    names_fit = set(rename.values()) <= columns and not set(rename) & columns
    types_fit = set(casts) == changed <= columns and set(casts.values()) <= CASTS.keys()
    return Reading(rename, casts) if (rename or casts) and names_fit and types_fit else None


def _readable(settings: Settings, incident: Incident) -> list[Readable]:
    return [
        file
        for day in incident.partitions
        for file in readable_files(incident.source, day, evidence.admissions(settings, incident.source, day))
    ]


def _fitting(settings: Settings, incident: Incident) -> list[Replay]:
    return [one for day in incident.partitions for one in admissible_now(settings, incident.source, day)]


def _shimmed(settings: Settings, incident: Incident) -> list[Replay]:
    """The files that earlier attempts on the incident replayed through a shim."""
    ledger = ReplayLedger(operations_engine(settings)).all(incident.id)
    return [one for one in ledger if one.how == SHIM]


def _beyond(
    settings: Settings, incident: Incident, fitting: list[Replay], files: list[Readable], attempts_before: int
) -> Slots:
    """Refused slots for which neither today's contract nor a shim will do, and those whose shim did not help."""
    slots = slots_to_request(settings, incident)
    read = {one.batch_id for one in fitting} | {one.batch_id for one in files}
    for day in slots:
        slots[day] -= {
            one["batch_sequence"]
            for one in evidence.admissions(settings, incident.source, day)
            if one["batch_id"] in read
        }
    for shimmed in _shimmed(settings, incident) if attempts_before else ():
        slots.setdefault(shimmed.landing_date, set()).update(
            record["batch_sequence"]
            for record in evidence.admissions(settings, shimmed.source, shimmed.landing_date)
            if record["batch_id"] == shimmed.batch_id and record["state"] != "superseded"
        )
    return slots


def _replay(settings: Settings, incident: Incident, actor: str) -> Done:
    fitting = _fitting(settings, incident)
    replays = list(fitting)
    # If the shims of a first attempt did not get the files admitted, more shims will not; then the source is asked.
    files = _needing_shims(settings, incident, fitting) if incident.attempts <= 1 else []
    for one in files:
        why = f"{incident.id}: the refusal names this reading"
        approve_shim(settings, incident.source, one.batch_id, one.reading, actor, why)
        fingerprint = hashlib.sha256(json.dumps(asdict(one.reading), sort_keys=True).encode()).hexdigest()
        replays.append(Replay(one.batch_id, incident.source, one.day, SHIM, fingerprint))
    rest = _beyond(settings, incident, fitting, files, max(incident.attempts - 1, 0))
    asked = request(settings, incident.source, rest) if any(rest.values()) else None
    words = []
    if fitting:
        words.append(f"Replayed from quarantine as they came: {_named(fitting)} {_FIT}.")
    if files:
        words.append(f"Replayed from quarantine through a shim: {_in_reading_words(files)}.")
    if asked is not None:
        words.append(asked.summary)
    if not words:
        words.append("No refused file waits to be replayed.")
    days = {one.landing_date for one in replays} | set(asked.reruns if asked else ())
    return Done(" ".join(words), sorted(days), (*replays, *(asked.replays if asked else ())))


_FIT = "fit the contract of today"


def _named(replays: list[Replay]) -> str:
    return ", ".join(one.batch_id for one in replays)


def _needing_shims(settings: Settings, incident: Incident, fitting: list[Replay]) -> list[Readable]:
    as_they_came = {one.batch_id for one in fitting}
    return [one for one in _readable(settings, incident) if one.batch_id not in as_they_came]


def reading_words(reading: Reading) -> str:
    """How a file is read, for people."""
    said = [f"{shown_name(found)} read as {expected}" for found, expected in sorted(reading.rename.items())]
    return ", ".join([*said, *(f"{name}: {cast.replace('_', ' ')}" for name, cast in sorted(reading.casts.items()))])


def _in_reading_words(files: list[Readable]) -> str:
    return ", ".join(f"{one.batch_id} ({reading_words(one.reading)})" for one in files)


def _describe_replay(settings: Settings, incident: Incident) -> str:
    fitting = _fitting(settings, incident)
    files = _needing_shims(settings, incident, fitting) if incident.attempts == 0 else []
    rest = _beyond(settings, incident, fitting, files, incident.attempts)
    words = []
    if fitting:
        words.append(f"Replay {_named(fitting)} from quarantine as they came: they {_FIT}.")
    if files:
        words.append(f"Replay {_in_reading_words(files)} from quarantine through a shim.")
    if any(rest.values()):
        words.append(f"Ask {incident.source} again for {slots_in_words(incident.source, rest)}.")
    return " ".join(words) + " Then run the days again." if words else "No refused file waits to be replayed."


def _withdraw(settings: Settings, incident: Incident, actor: str) -> str | None:
    """The files go back into quarantine with the next run of their days; until then the gate holds these days."""
    del actor
    withdrawn = [one for one in _shimmed(settings, incident) if withdraw_shim(settings, one.source, one.batch_id)]
    if not withdrawn:
        return None
    days = sorted({one.landing_date for one in withdrawn})
    CheckStore(operations_engine(settings)).invalidate([incident.source], days)
    batches = ", ".join(one.batch_id for one in withdrawn)
    return (
        f"The shims of {batches} are withdrawn: the files are refused again, and {in_words(days)} held until run again."
    )


REPLAY = Action(
    "replay_through_shim",
    _replay,
    _describe_replay,
    leaves="nothing of a shim, which is withdrawn; replacements in landing, their days held",
    undo=_withdraw,
    ways=2,
)

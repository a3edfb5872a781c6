"""The actions. Each is idempotent, decides from evidence in the home alone, and can say beforehand what it would do."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from reliability_platform.atomic import parquet_bytes
from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.casts import CASTS
from reliability_platform.landing.columns import Reading
from reliability_platform.landing.fetch import fetch_again
from reliability_platform.landing.replacement import land_replacement, landed_manifests
from reliability_platform.landing.shims import accept_late_rows, approve_shim
from reliability_platform.masking import shown_name
from reliability_platform.operations import operations_engine
from reliability_platform.remediation import evidence
from reliability_platform.remediation.contract_change import admissible_now
from reliability_platform.remediation.ledger import REPLACEMENT, SHIM, Replay
from reliability_platform.remediation.purge import Survey, finish, purge, survey
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.contracts import CONTRACTS
from reliability_platform.sources.simulation import Simulation
from reliability_platform.sources.system import request_batch


@dataclass(frozen=True)
class Done:
    """What an action did, in words, and the landing days that the pipeline must run again."""

    summary: str
    reruns: list[date]
    replays: tuple[Replay, ...] = ()


@dataclass(frozen=True)
class Action:
    """One way to heal."""

    name: str
    perform: Callable[[Settings, Incident, str], Done]
    """Does it, for an actor. Doing it twice is doing it once."""
    describe: Callable[[Settings, Incident], str]
    """Says what it would do now, and changes nothing."""


Slots = dict[date, set[int]]


def slots_to_request(settings: Settings, incident: Incident) -> Slots:
    """Which slots an incident gives reason to ask for again: those of its own failure, no others."""
    source, days = incident.source, incident.partitions
    match incident.failure_class:
        case "missing_data":
            return {day: evidence.missing_slots(settings, source, day) for day in days}
        case "schema_break":
            return {day: evidence.refused_slots(settings, source, day, schema=True) for day in days}
        case "file_corruption":
            return {day: evidence.refused_slots(settings, source, day, schema=False) for day in days}
        case "source_silent" | "upstream_unavailable":
            return {day: evidence.missing_slots(settings, source, day) for day in days}
        case "volume_anomaly" | "distribution_shift" | "key_skew":  # nothing says which batch is wrong
            return {day: evidence.all_slots(source) for day in days}
        case _:
            return evidence.rejected_slots(settings, source, days)


def _in_words(source: str, slots: Slots) -> str:
    wanted = [f"{source}-{day:%Y%m%d}-{slot:02d}" for day in sorted(slots) for slot in sorted(slots[day])]
    return ", ".join(wanted)


def _ask(settings: Settings, source: str, day: date, slot: int, attempt: int) -> Batch:
    """One batch from the source, wherever it is. Raises `SourceUnavailableError` if it does not come over HTTP."""
    url = settings.url_of(source)
    if url is None:
        return request_batch(Simulation.load(settings), source, day, slot, attempt)
    return fetch_again(settings, source, day, slot, attempt, url, utc_now)


def request(settings: Settings, source: str, slots: Slots) -> Done:
    """Ask the source for slots and land what it sends as the next attempt; what has landed already is not asked for."""
    landed_now: list[Replay] = []
    unchanged, waiting = [], []
    reruns = set()
    for day, wanted in sorted(slots.items()):
        in_landing = landed_manifests(settings, source, day)
        under_way = evidence.waiting_slots(settings, source, day)
        for slot in sorted(wanted):
            before = [manifest for manifest in in_landing if manifest.sequence == slot]
            last = max((manifest.attempt for manifest in before), default=1)
            if slot in under_way:
                waiting.append(slot)
                reruns.add(day)
                continue
            batch = _ask(settings, source, day, slot, last + 1)
            fingerprint = hashlib.sha256(parquet_bytes(batch.table)).hexdigest()
            latest = [manifest for manifest in before if manifest.attempt == last]
            if fingerprint in [evidence.landed_fingerprint(settings, manifest) for manifest in latest]:
                unchanged.append(batch.batch_id)
                continue
            land_replacement(settings, batch)
            landed_now.append(Replay(batch.batch_id, source, day, REPLACEMENT, fingerprint))
            reruns.add(day)
    words = []
    if landed_now:
        words.append(f"Asked {source} again and landed {', '.join(one.batch_id for one in landed_now)}.")
    if waiting:
        words.append(f"{len(waiting)} batches had been asked for before and wait to be admitted.")
    if unchanged:
        words.append(f"The source sends the same content again, so nothing was written for {', '.join(unchanged)}.")
    if not words:
        words.append("There is no batch to ask for again.")
    return Done(" ".join(words), sorted(reruns), tuple(landed_now))


def _re_request(settings: Settings, incident: Incident, actor: str) -> Done:
    del actor
    return request(settings, incident.source, slots_to_request(settings, incident))


def _describe_re_request(settings: Settings, incident: Incident) -> str:
    wanted = _in_words(incident.source, slots_to_request(settings, incident))
    if not wanted:
        return "There is no batch to ask for again."
    return f"Ask {incident.source} again for {wanted}, land the answers as replacements, run the days again."


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


def _beyond(settings: Settings, incident: Incident, fitting: list[Replay], files: list[Readable]) -> Slots:
    """Refused slots for which neither today's contract nor a shim will do."""
    slots = slots_to_request(settings, incident)
    read = {one.batch_id for one in fitting} | {one.batch_id for one in files}
    for day in slots:
        slots[day] -= {
            one["batch_sequence"]
            for one in evidence.admissions(settings, incident.source, day)
            if one["batch_id"] in read
        }
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
    rest = _beyond(settings, incident, fitting, files)
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
    rest = _beyond(settings, incident, fitting, files)
    words = []
    if fitting:
        words.append(f"Replay {_named(fitting)} from quarantine as they came: they {_FIT}.")
    if files:
        words.append(f"Replay {_in_reading_words(files)} from quarantine through a shim.")
    if any(rest.values()):
        words.append(f"Ask {incident.source} again for {_in_words(incident.source, rest)}.")
    return " ".join(words) + " Then run the days again." if words else "No refused file waits to be replayed."


def _run_again(name: str, words: str) -> Action:
    def perform(settings: Settings, incident: Incident, actor: str) -> Done:
        del settings, actor
        return Done(words, list(incident.partitions))

    def describe(settings: Settings, incident: Incident) -> str:
        del settings, incident
        return words

    return Action(name, perform, describe)


def _verify_only(settings: Settings, incident: Incident, actor: str) -> Done:
    del settings, incident, actor
    return Done("Nothing to change: what came too often, too late or unannounced had been dealt with as it came.", [])


def _describe_verify_only(settings: Settings, incident: Incident) -> str:
    del settings, incident
    return "Nothing to change: verify that every row is accounted for, and that nothing is held."


def _accept_held(settings: Settings, incident: Incident, actor: str) -> Done:
    for day in incident.partitions:
        accept_late_rows(settings, incident.source, day, actor, incident.id)
    days = ", ".join(day.isoformat() for day in incident.partitions)
    return Done(
        f"Rows of {incident.source} that landed on {days} count whatever their event date.", incident.partitions
    )


def _describe_accept_held(settings: Settings, incident: Incident) -> str:
    del settings
    days = ", ".join(day.isoformat() for day in incident.partitions)
    return (
        f"Let the held rows of {incident.source} that landed on {days} count, and recompute the event dates they are "
        "of: published numbers of those dates will change."
    )


def _purge(settings: Settings, incident: Incident, actor: str) -> Done:
    engine, words = operations_engine(settings), []
    for found in _surveys(settings, incident):
        if found.is_clean:
            continue
        done = purge(settings, engine, found, f"{incident.id}: the leak is contained", actor, utc_now())
        finish(settings, engine, found.source, found.day, utc_now())
        words += [f"{one.batch_id} ({one.rows} rows)" for one in done]
    if not words:
        return Done("No file of these days holds personal data any more.", list(incident.partitions))
    return Done(f"Masked for good what is personal in {', '.join(words)}.", list(incident.partitions))


def _surveys(settings: Settings, incident: Incident) -> list[Survey]:
    engine = operations_engine(settings)
    return [survey(settings, engine, incident.source, day) for day in incident.partitions]


def _describe_purge(settings: Settings, incident: Incident) -> str:
    surveys = _surveys(settings, incident)
    named = [f"{one.layer}/{one.batch_id} ({one.rows} rows)" for found in surveys for one in found.files]
    waiting = [f"{batch}: {why}" for found in surveys for batch, why in found.waiting.items()]
    if waiting:
        return f"Nothing can be purged yet: {'; '.join(waiting)}."
    if not named:
        return "No file of these days holds personal data any more."
    return f"Mask for good what is personal in {', '.join(named)}, then run the days again."


ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action("re_request_batches", _re_request, _describe_re_request),
        Action("replay_through_shim", _replay, _describe_replay),
        Action("accept_held_rows", _accept_held, _describe_accept_held),
        Action("purge_personal_data", _purge, _describe_purge),
        Action("verify_only", _verify_only, _describe_verify_only),
        _run_again(
            "recompute_event_dates",
            "Run the landing days again: each recomputes every event date that its rows touch.",
        ),
        _run_again("rebuild", "Run the landing days again from bronze."),
    )
}


def action_named(name: str) -> Action:
    """The declared action. Raises `UsageError`."""
    if name not in ACTIONS:
        raise UsageError(f"There is no action {name!r}: choose one of {', '.join(sorted(ACTIONS))}.")
    return ACTIONS[name]

"""The actions. Each is idempotent, decides from evidence in the home alone, and says what it did."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow.parquet as pq

from reliability_platform.errors import UsageError
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.landing.replacement import attempts_landed, land_replacement
from reliability_platform.landing.shims import approve_rename
from reliability_platform.settings import Settings
from reliability_platform.sources.contracts import CONTRACTS
from reliability_platform.sources.simulation import Simulation
from reliability_platform.sources.system import request_batch
from reliability_platform.warehouse.lease import warehouse_reader


@dataclass(frozen=True)
class Done:
    """What an action did, in words, and the landing days that the pipeline must run again."""

    summary: str
    reruns: list[date]


Action = Callable[[Settings, Incident, str], Done]


def _admissions(settings: Settings, source: str, day: date) -> list[dict[str, object]]:
    path = admissions_file(settings, source, day)
    return pq.read_table(path).to_pylist() if path.exists() else []


def _rejected_sequences(settings: Settings, source: str, days: Sequence[date]) -> dict[date, set[int]]:
    """Slots with rows in quarantine that no later attempt has superseded."""
    found: dict[date, set[int]] = {day: set() for day in days}
    with warehouse_reader(settings) as connection:
        rows = connection.execute(
            "select distinct landing_date, batch_sequence from qtn_rows where source = ? and state = 'quarantined' "
            "and list_contains(?, landing_date::varchar)",
            [source, [day.isoformat() for day in days]],
        ).fetchall()
    for day, sequence in rows:
        found[day].add(sequence)
    return found


def _missing_sequences(settings: Settings, source: str, day: date) -> set[int]:
    """Slots of the schedule without an admitted batch."""
    admitted = {row["batch_sequence"] for row in _admissions(settings, source, day) if row["status"] == "admitted"}
    return {n for n in range(1, CONTRACTS[source].batches_per_day + 1) if n not in admitted}


def _attempts_examined(settings: Settings, source: str, day: date) -> dict[int, int]:
    """Highest attempt that admission has seen, by sequence of the slot."""
    highest: dict[int, int] = {}
    for row in _admissions(settings, source, day):
        sequence, attempt = int(str(row["batch_sequence"])), int(str(row["batch_attempt"]))
        highest[sequence] = max(highest.get(sequence, 0), attempt)
    return highest


def re_request_batches(settings: Settings, incident: Incident, actor: str) -> Done:
    """Ask the source again for the slots that are missing or have rejected rows; land them as the next attempt."""
    del actor
    simulation = Simulation.load(settings)
    rejected = _rejected_sequences(settings, incident.source, incident.partitions)
    requested = []
    for day in incident.partitions:
        landed = attempts_landed(settings, incident.source, day)
        examined = _attempts_examined(settings, incident.source, day)
        for sequence in sorted(_missing_sequences(settings, incident.source, day) | rejected[day]):
            if landed.get(sequence, 0) > examined.get(sequence, 0):
                continue  # an earlier request has landed and only waits for admission
            attempt = landed.get(sequence, 1) + 1
            batch = request_batch(simulation, incident.source, day, sequence, attempt)
            land_replacement(settings, batch)
            requested.append(batch.batch_id)
    if not requested:
        return Done("No batch is missing and none has rejected rows; the days are run again.", incident.partitions)
    return Done(f"Asked {incident.source} again and landed {', '.join(requested)}.", incident.partitions)


def replay_through_rename_shim(settings: Settings, incident: Incident, actor: str) -> Done:
    """Admit refused files after all where one renamed column explains the refusal; ask for the others again."""
    replayed = []
    for day in incident.partitions:
        for row in _admissions(settings, incident.source, day):
            if row["state"] == "quarantined" and row["reason"] == "schema_column_renamed":
                rename = json.loads(str(row["detail"]))["rename"]
                why = f"{incident.id}: the refusal names the likely rename"
                approve_rename(settings, incident.source, str(row["batch_id"]), rename, actor, why)
                old, new = next(iter(rename.items()))
                replayed.append(f"{row['batch_id']} ({old} read as {new})")
    if not replayed:
        return re_request_batches(settings, incident, actor)
    return Done(f"Replayed from quarantine through a shim: {', '.join(replayed)}.", incident.partitions)


def recompute_event_dates(settings: Settings, incident: Incident, actor: str) -> Done:
    """Run the landing days again: each rewrites all event dates that its rows touch."""
    del settings, actor
    return Done("Every event date that the late rows touch is recomputed.", incident.partitions)


def confirm_deduplication(settings: Settings, incident: Incident, actor: str) -> Done:
    """Nothing to change: silver holds each key once. The proof is in the checks."""
    del settings, incident, actor
    return Done("Nothing to change: deduplication kept every repeated row out of silver.", [])


def rebuild(settings: Settings, incident: Incident, actor: str) -> Done:
    """Run the landing days again from bronze."""
    del settings, actor
    return Done("The landing days are rebuilt from bronze.", incident.partitions)


ACTIONS: dict[str, Action] = {
    "re_request_batches": re_request_batches,
    "replay_through_rename_shim": replay_through_rename_shim,
    "recompute_event_dates": recompute_event_dates,
    "confirm_deduplication": confirm_deduplication,
    "rebuild": rebuild,
}


def action_named(name: str) -> Action:
    """The declared action. Raises `UsageError`."""
    if name not in ACTIONS:
        raise UsageError(f"There is no action {name!r}: choose one of {', '.join(sorted(ACTIONS))}.")
    return ACTIONS[name]

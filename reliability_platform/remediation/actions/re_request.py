"""Asks the source again for the batches that an incident gives reason to ask for, and for no others."""

import hashlib
from dataclasses import replace
from datetime import date

from reliability_platform.atomic import parquet_bytes
from reliability_platform.clock import utc_now
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.attempts import How, Permission, permission_of, permit
from reliability_platform.landing.fetch import fetch_again
from reliability_platform.landing.manifest import Manifest
from reliability_platform.landing.replacement import land_replacement, landed_manifests, next_attempt
from reliability_platform.remediation import evidence
from reliability_platform.remediation.actions.action import Action, Done
from reliability_platform.remediation.ledger import REPLACEMENT, Replay
from reliability_platform.settings import Settings
from reliability_platform.sources.batch import Batch
from reliability_platform.sources.simulation import Simulation
from reliability_platform.sources.system import request_batch

Slots = dict[date, set[int]]
SHOWN = 5
"""So many entries are named that nobody can send again."""


def slots_to_request(settings: Settings, incident: Incident) -> Slots:
    """Which slots an incident gives reason to ask for again: those of its own failure, no others."""
    source, days = incident.source, incident.partitions
    match incident.failure_class:
        case "missing_data":
            return {day: evidence.missing_slots(settings, source, day) for day in days}
        case "unasked_attempt":
            return {day: evidence.held_slots(settings, source, day) for day in days}
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


def slots_in_words(source: str, slots: Slots) -> str:
    wanted = [f"{source}-{day:%Y%m%d}-{slot:02d}" for day in sorted(slots) for slot in sorted(slots[day])]
    return ", ".join(wanted)


def _ask(settings: Settings, source: str, day: date, slot: int, attempt: int) -> Batch:
    """One batch from the source, wherever it is. Raises `SourceUnavailableError` if it does not come over HTTP."""
    url = settings.url_of(source)
    if url is None:
        return request_batch(Simulation.load(settings), source, day, slot, attempt)
    return fetch_again(settings, source, day, slot, attempt, url, utc_now)


def _is_the_same_delivery(settings: Settings, landed: Manifest, batch: Batch, fingerprint: str) -> bool:
    """Whether bytes and manifest have both landed before: the same bytes with another manifest are another delivery."""
    said = (landed.checksum, landed.expected_rows) == (fingerprint, batch.table.num_rows)
    return said and evidence.landed_fingerprint(settings, landed) == fingerprint


def request(settings: Settings, source: str, slots: Slots) -> Done:
    """Ask the source for slots and land what it sends as the next attempt; what has landed already is not asked for."""
    landed_now: list[Replay] = []
    unchanged, confirmed, asked_before, unasked = list[str](), list[str](), list[str](), list[str]()
    reruns = set()
    for day, wanted in sorted(slots.items()):
        in_landing = landed_manifests(settings, source, day)
        under_way = evidence.waiting(settings, source, day)
        held = evidence.held_slots(settings, source, day)
        for slot in sorted(wanted):
            before = [manifest for manifest in in_landing if manifest.sequence == slot]
            if slot in under_way:
                name = under_way[slot].batch_id
                (unasked if permission_of(settings, source, day, name) is None else asked_before).append(name)
                reruns.add(day)
                continue
            batch = _ask(settings, source, day, slot, next_attempt(settings, source, day, slot))
            fingerprint = hashlib.sha256(parquet_bytes(batch.table)).hexdigest()
            last = max((manifest.attempt for manifest in before), default=1)
            latest = [manifest for manifest in before if manifest.attempt == last]
            same = [one for one in latest if _is_the_same_delivery(settings, one, batch, fingerprint)]
            if same and slot in held:
                # It came unasked, and the source stands by it when it is asked.
                for one in same:
                    why = "the source sends the same when it is asked"
                    permit(
                        settings, source, day, Permission(one.batch_id, fingerprint, How.REQUESTED, "remediation", why)
                    )
                confirmed += [one.batch_id for one in same]
                reruns.add(day)
                continue
            if same:
                unchanged.append(batch.batch_id)
                continue
            land_replacement(settings, batch)
            landed_now.append(Replay(batch.batch_id, source, day, REPLACEMENT, fingerprint))
            reruns.add(day)
    words = []
    if landed_now:
        words.append(f"Asked {source} again and landed {', '.join(one.batch_id for one in landed_now)}.")
    if asked_before:
        words.append(f"Asked for before, and examined with the next run: {', '.join(asked_before)}.")
    if unasked:
        words.append(f"Landed since the last run, and examined first: {', '.join(unasked)}.")
    if confirmed:
        words.append(
            f"The source stands by what it had sent unasked: {', '.join(confirmed)} counts from the next run on."
        )
    if unchanged:
        words.append(f"The source sends the same content again, so nothing was written for {', '.join(unchanged)}.")
    if not words:
        words.append("There is no batch to ask for again.")
    return Done(" ".join(words), sorted(reruns), tuple(landed_now))


def _re_request(settings: Settings, incident: Incident, actor: str) -> Done:
    del actor
    done = request(settings, incident.source, slots_to_request(settings, incident))
    return replace(done, summary=" ".join([done.summary, *_nobody_can_send(settings, incident)]))


def _describe_re_request(settings: Settings, incident: Incident) -> str:
    wanted = slots_in_words(incident.source, slots_to_request(settings, incident))
    rest = _nobody_can_send(settings, incident)
    if not wanted:
        return " ".join(["There is no batch to ask for again.", *rest])
    words = f"Ask {incident.source} again for {wanted}, land the answers as replacements, run the days again."
    return " ".join([words, *rest])


def _nobody_can_send(settings: Settings, incident: Incident) -> list[str]:
    """What only a person can end: refused entries that fit no slot, so that no source can send them again."""
    if incident.failure_class != "file_corruption":
        return []
    found = [
        one for day in incident.partitions for one in evidence.refused_without_slot(settings, incident.source, day)
    ]
    if not found:
        return []
    named = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
    return [
        f"Only a person can end {named}, of no slot: remove it from landing, or `reliability quarantine discard` it."
    ]


RE_REQUEST = Action(
    "re_request_batches",
    _re_request,
    _describe_re_request,
    leaves="replacements in landing: what the source says now, kept like every delivery; their days stay held",
)

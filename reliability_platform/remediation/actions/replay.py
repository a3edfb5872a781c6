"""Replays refused files: as they came where today's contract fits, or through a reading that agrees with the past; asks the
source for what neither heals.
"""

import hashlib
import json
from dataclasses import asdict

from reliability_platform.checks.store import CheckStore
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.decisions import approve_shim, withdraw_shim
from reliability_platform.operations import operations_engine
from reliability_platform.remediation import evidence
from reliability_platform.remediation.actions.action import Action, Done, in_words
from reliability_platform.remediation.actions.re_request import Slots, request, slots_in_words, slots_to_request
from reliability_platform.remediation.contract_change import admissible_now, declared_aliases
from reliability_platform.remediation.ledger import SHIM, Replay, ReplayLedger
from reliability_platform.remediation.policy import AUTOMATION
from reliability_platform.remediation.readings import JudgedReading, judged_readings
from reliability_platform.settings import Settings


def _readings(settings: Settings, incident: Incident) -> list[JudgedReading]:
    return [one for day in incident.partitions for one in judged_readings(settings, incident.source, day)]


def _fitting(settings: Settings, incident: Incident) -> list[Replay]:
    return [one for day in incident.partitions for one in admissible_now(settings, incident.source, day)]


def _shimmed(settings: Settings, incident: Incident) -> list[Replay]:
    """The files that earlier attempts on the incident replayed through a shim."""
    ledger = ReplayLedger(operations_engine(settings)).all(incident.id)
    return [one for one in ledger if one.how == SHIM]


def _beyond(
    settings: Settings, incident: Incident, fitting: list[Replay], files: list[JudgedReading], attempts_before: int
) -> Slots:
    """Refused slots for which neither today's contract nor a shim will do, and those whose shim did not help."""
    slots = slots_to_request(settings, incident)
    read = {one.batch_id for one in fitting} | {one.file.batch_id for one in files}
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
    files, apart = _needing_shims(settings, incident, fitting) if incident.attempts <= 1 else ([], [])
    if actor == AUTOMATION:
        # What the past bears out only since this was due (another source has landed meanwhile) nobody has approved.
        files = [one for one in files if not one.waits_for_a_person]
    for judged in files:
        one = judged.file
        approve_shim(settings, incident.source, one.batch_id, one.reading, actor, f"{incident.id}: {judged.words}")
        fingerprint = hashlib.sha256(json.dumps(asdict(one.reading), sort_keys=True).encode()).hexdigest()
        replays.append(Replay(one.batch_id, incident.source, one.day, SHIM, fingerprint))
    rest = _beyond(settings, incident, fitting, files, max(incident.attempts - 1, 0))
    asked = request(settings, incident.source, rest) if any(rest.values()) else None
    words = []
    if fitting:
        words.append(f"Replayed from quarantine as they came: {_named(settings, fitting)} {_FIT}.")
    words += [f"Replayed from quarantine through a shim{_approved(one, actor)}: {one.words}." for one in files]
    words += [f"Not read in another way: {one.words}." for one in apart]
    if asked is not None:
        words.append(asked.summary)
    if not words:
        words.append(f"{_NOTHING}: run {in_words(incident.partitions)} again from what has landed.")
        return Done(" ".join(words), list(incident.partitions))
    days = {one.landing_date for one in replays} | set(asked.reruns if asked else ())
    return Done(" ".join(words), sorted(days), (*replays, *(asked.replays if asked else ())))


def _only_asks_for(settings: Settings, incident: Incident, source: str) -> Slots:
    """Those whose files cannot be read in any way; none while another one can."""
    if source != incident.source:
        return {}
    fitting, files, _, rest = _next_attempt(settings, incident)
    return {} if fitting or files else rest


def _approved(judged: JudgedReading, actor: str) -> str:
    return f", approved by {actor}" if judged.waits_for_a_person else ""


_FIT = "fit the contract of today"
_NOTHING = "No refused file waits to be replayed"


def _named(settings: Settings, replays: list[Replay]) -> str:
    """Files that fit as they came, with the aliases under which the contract knows their columns."""
    told = []
    for one in replays:
        aliases = declared_aliases(settings, one.source, one.landing_date, one.batch_id)
        words = ", ".join(f"{alias} is a declared alias of {column}" for alias, column in aliases.items())
        told.append(f"{one.batch_id} ({words})" if words else one.batch_id)
    return ", ".join(told)


def _needing_shims(
    settings: Settings, incident: Incident, fitting: list[Replay]
) -> tuple[list[JudgedReading], list[JudgedReading]]:
    """The refused files that can be read in another way, and those for which one is named that the past does not bear
    out."""
    as_they_came = {one.batch_id for one in fitting}
    named = [one for one in _readings(settings, incident) if one.file.batch_id not in as_they_came]
    return [one for one in named if one.agrees], [one for one in named if not one.agrees]


def rename_waits(settings: Settings, incident: Incident) -> bool:
    """Whether the next attempt would read a column under another name: that is for a person to say."""
    if incident.attempts:
        return False
    fitting = {one.batch_id for one in _fitting(settings, incident)}
    return any(one.waits_for_a_person and one.file.batch_id not in fitting for one in _readings(settings, incident))


def _next_attempt(
    settings: Settings, incident: Incident
) -> tuple[list[Replay], list[JudgedReading], list[JudgedReading], Slots]:
    """What the next attempt finds: files that fit as they came, those to read in another way, those that the past does not
    bear out, and the slots to ask for.
    """
    fitting = _fitting(settings, incident)
    files, apart = _needing_shims(settings, incident, fitting) if incident.attempts == 0 else ([], [])
    return fitting, files, apart, _beyond(settings, incident, fitting, files, incident.attempts)


def _planned(settings: Settings, incident: Incident) -> list[str]:
    """What there is to do, a sentence each."""
    fitting, files, apart, rest = _next_attempt(settings, incident)
    words = []
    if fitting:
        words.append(f"Replay {_named(settings, fitting)} from quarantine as they came: they {_FIT}.")
    words += [f"Replay {one.words} from quarantine through a shim." for one in files if not one.waits_for_a_person]
    words += [f"{_ON_APPROVAL} {one.words}." for one in files if one.waits_for_a_person]
    words += [f"Not read in another way: {one.words}." for one in apart]
    if any(rest.values()):
        words.append(f"Ask {incident.source} again for {slots_in_words(incident.source, rest)}.")
    return words


def _describe_replay(settings: Settings, incident: Incident) -> str:
    words = _planned(settings, incident)
    if not words:
        return f"{_NOTHING}: run {in_words(incident.partitions)} again from what has landed."
    return " ".join(words) + " Then run the days again."


def _nothing_to_replay(settings: Settings, incident: Incident) -> str | None:
    return None if _planned(settings, incident) else "no refused file waits to be replayed"


_ON_APPROVAL = "On a person's approval, replay from quarantine through a shim"


def _withdraw(settings: Settings, incident: Incident, actor: str) -> str | None:
    """The files go back into quarantine with the next run of their days; until then the gate holds these days."""
    withdrawn = [
        one
        for one in _shimmed(settings, incident)
        if withdraw_shim(settings, one.source, one.batch_id, actor, incident.id)
    ]
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
    "read refused files through an approved alias or cast, or ask the source for them again",
    _replay,
    _describe_replay,
    leaves="nothing of a shim, which is withdrawn; replacements in landing, their days held",
    undo=_withdraw,
    ways=2,
    idle=_nothing_to_replay,
    only_asks_for=_only_asks_for,
)

"""The postmortem: what happened, in numbers and times, without blame. It fills itself from the timeline."""

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING, joined, length, moment, second, span
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.documents.action_items import action_table, propose_action_items
from reliability_platform.incidents.documents.blocks import Block, Bullets, Grid, Heading, Paragraph
from reliability_platform.incidents.documents.facts import (
    FACTORS,
    LUCKY,
    WENT_WELL,
    PostmortemFacts,
    facts_of,
    sentences,
)
from reliability_platform.incidents.documents.measures import measured
from reliability_platform.incidents.documents.runbook import (
    is_over,
    rows_concerned,
    state,
    timeline,
    title,
    triage_steps,
)
from reliability_platform.incidents.documents.situation import Situation
from reliability_platform.incidents.model import Incident

EVIDENCE = 5
"""Signals of the cause itself that are quoted."""


def _summary(incident: Incident, facts: PostmortemFacts) -> list[Block]:
    times = facts.times
    kind = CLASSES[incident.failure_class]
    end = f"recovered {length(times.time_to_recover)} later" if times.recovered else f"and is {state(incident)}"
    people = "; people decided or acted" if facts.people else "; no person had to act"
    return [
        Heading(2, "Summary"),
        Paragraph(
            f"{kind.what_it_means} It concerned {joined(list(incident.sources or (incident.source,)))}, "
            f"{counted(len(incident.partitions), 'landing day')} ({span(incident.partitions)}). "
            f"It was detected at {moment(times.detected)}, {end}{people}."
        ),
    ]


def _impact(incident: Incident, situation: Situation, facts: PostmortemFacts) -> list[Block]:
    readers = [f"{one.name} ({one.owner}{', critical' if one.critical else ''})" for one in situation.reach.exposures]
    if not facts.changes:
        seen = "Whether readers saw wrong values was not measured."
    elif facts.seen:
        seen = f"Readers saw a wrong value of {joined([f'{one.table}.{one.measure}' for one in facts.seen])}."
    elif any(one.recovered is None for one in facts.changes):
        seen = "Whether readers saw wrong values is known when recovery has been measured."
    else:
        seen = "Readers saw no wrong value."
    return [
        Heading(2, "Impact in numbers"),
        *rows_concerned(situation.numbers),
        *measured(incident),
        Paragraph(f"{seen} Downstream: {joined(readers)}." if readers else f"{seen} Nobody reads it downstream."),
    ]


def _times(facts: PostmortemFacts) -> list[Block]:
    times = facts.times
    moments = {
        "the first of the data landed": times.onset,
        "first bad write": times.first_bad_write,
        "detected": times.detected,
        "alerted": times.alerted,
        "acknowledged": times.acknowledged,
        "contained": times.contained,
        "recovery began": times.recovery_started,
        "recovered": times.recovered,
        "verified": times.verified,
        "resolved": times.resolved,
        "closed": times.closed,
    }
    known = sorted(((name, at) for name, at in moments.items() if at is not None), key=lambda one: one[1])
    lengths = [
        ["to detect, from the first bad write", length(times.time_to_detect)],
        ["to first answer (by a person or the remediation), from detection", length(times.time_to_acknowledge)],
        ["to recover, from detection", length(times.time_to_recover)],
        ["to resolve, from detection", length(times.time_to_resolve)],
        ["data downtime, from the first bad write or else detection", length(times.data_downtime)],
    ]
    return [
        Heading(2, "Times (UTC)"),
        Grid(["what", "when"], [[name, second(at)] for name, at in known]),
        Grid(["time", "how long"], lengths),
    ]


def why_not_earlier(facts: PostmortemFacts) -> list[str]:
    """What the stores say about the time before the detection."""
    words = []
    if facts.times.first_bad_write is not None:
        after = length(facts.times.time_to_detect)
        words.append(f"The first bad write began at {moment(facts.times.first_bad_write)}, {after} before detection.")
    else:
        words.append("When the first bad write began is not on record.")
    for result in facts.judged_before[:EVIDENCE]:
        status = result.status.value.replace("_", " ")
        at = moment(result.evaluated_at)
        words.append(f"{result.check} on {result.partition}: {status} at {at}, on what was there then.")
    if facts.first_judged:
        words.append(f"Had not judged these days before: {joined(facts.first_judged)}.")
    if facts.non_blocking:
        words.append(f"Of those that failed, these hold no publication: {joined(list(facts.non_blocking))}.")
    return words


def _detection(incident: Incident, facts: PostmortemFacts) -> list[Block]:
    opened = incident.timeline[0]
    return [
        Heading(2, "Detection, and why not earlier"),
        Paragraph(f"{opened.actor}, {moment(opened.at)}: {opened.why}"),
        Bullets(why_not_earlier(facts)),
    ]


def _healed_by(incident: Incident, situation: Situation) -> str:
    """What was done, and not what the policy would have done."""
    done = [entry.why for entry in incident.timeline if entry.data.get("phase") == "done"]
    if incident.is_open:
        return f"not healed yet; the policy is to {situation.remedy.action}"
    return " ".join(dict.fromkeys(done)) or "no action of the platform"


def _cause(incident: Incident, situation: Situation) -> list[Block]:
    kind, nature = CLASSES[incident.failure_class], incident.triage.classification
    own = [
        signal
        for signal in incident.signals
        if signal.check in CHECKS and CHECKS[signal.check].failure_class == incident.failure_class
    ]
    evidence = [f"{one.check} on {one.partition}: {one.message}" for one in (own or incident.signals)[:EVIDENCE]]
    symptoms = sorted({CHECKS[one.check].failure_class for one in incident.signals if one.check in CHECKS})
    symptoms = [CLASSES[name].title for name in symptoms if name in CLASSES and name != incident.failure_class]
    rows = [
        ["class", f"{kind.title} ({kind.name}), {incident.triage.type}"],
        ["origin", f"{nature.origin}, {nature.persistence} {nature.reason}; about {nature.aspect}"],
        ["source", f"{incident.source}, owned by {CONTRACTS[incident.source].owner}"],
        ["dataset", incident.root_dataset],
        ["column", incident.column or NOTHING],
        ["landing days", span(incident.partitions)],
        ["symptoms", "; ".join(symptoms) or NOTHING],
        ["healed by", _healed_by(incident, situation)],
    ]
    return [
        Heading(2, "Root cause"),
        Grid(["what", "found"], rows),
        Bullets(evidence),
        *([Paragraph(situation.recurrence.in_words)] if situation.recurrence is not None else []),
        triage_steps(incident),
    ]


def _listed(heading: str, found: list[str], none: str) -> list[Block]:
    return [Heading(2, heading), Bullets(found) if found else Paragraph(none)]


def postmortem(incident: Incident, situation: Situation) -> list[Block]:
    """All sections; a draft while the incident is not over."""
    facts = facts_of(incident, situation)
    draft = "" if is_over(incident) else "Draft · "
    note = [] if is_over(incident) else [Paragraph("A draft: the incident is not over, and what follows will change.")]
    return [
        Heading(1, f"{draft}Postmortem · {title(incident)}"),
        Paragraph(f"{incident.id}, as of {moment(situation.now)}. It asks what let this happen, not who."),
        *note,
        *_summary(incident, facts),
        *_impact(incident, situation, facts),
        *_times(facts),
        *_detection(incident, facts),
        *_cause(incident, situation),
        *_listed("Contributing factors", sentences(FACTORS, facts), "The facts name none."),
        *_listed("What went well", sentences(WENT_WELL, facts), "The facts name nothing."),
        *_listed("Where we were lucky", sentences(LUCKY, facts), "The facts name nothing that was luck."),
        Heading(2, "Action items"),
        *action_table(incident.action_items, propose_action_items(incident, facts)),
        *timeline(incident),
    ]

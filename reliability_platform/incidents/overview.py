"""One screen for whoever was just woken up: what is wrong, who is hit, since when, what changed, is it still going on, what
has been done, what to do now. In this order, in forty lines."""

import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from textwrap import shorten

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.formats import moment, plain, span
from reliability_platform.incidents.breach import BreachEvidence, clock_words
from reliability_platform.incidents.changes import WhatChanged
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.documents.blocks import Block, Bullets, Commands, Heading, Paragraph
from reliability_platform.incidents.documents.changes import changes_in_short
from reliability_platform.incidents.documents.render import text
from reliability_platform.incidents.documents.runbook import follow_up
from reliability_platform.incidents.impact import Reach, RowsOfDays, is_contained
from reliability_platform.incidents.model import Incident, State, TimelineEntry
from reliability_platform.incidents.recurring import Recurrence
from reliability_platform.incidents.response import ResponsePolicy, overdue, postmortem_due, response_due
from reliability_platform.incidents.usual_recovery import UsualRecovery

LAST_STEPS = 4
MAX_WORDS = 170


def _span(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _moment(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "not known"
    return f"{moment(at)}, {f'{_span(now - at)} ago' if at <= now else f'in {_span(at - now)}'}"


def _short(text: str, limit: int = MAX_WORDS) -> str:
    """As many whole sentences as there is room for; whole words of the first, if that alone is too long."""
    text = " ".join(text.split())
    end = text.rfind(". ", 0, limit) + 1
    return text if len(text) <= limit else text[:end] if end else shorten(text, limit, placeholder=" …")


def _days(incident: Incident) -> str:
    days = incident.partitions
    return span(days) if days[0] == days[-1] else f"{span(days)} ({counted(len(days), 'landing day')})"


def _several(names: Sequence[str], limit: int = 3) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown or "none"


def _wrong(incident: Incident, recurrence: Recurrence | None) -> list[Block]:
    kind, triage = CLASSES[incident.failure_class], incident.triage
    seen = [*incident.still_failing.values(), *reversed(incident.signals)]
    own = (one for one in seen if one.check in CHECKS and CHECKS[one.check].failure_class == incident.failure_class)
    worst = next(own, seen[0] if seen else None)  # a symptom says less than what it is a symptom of
    where = f"{incident.root_dataset}, {_days(incident)}" + (f", column {incident.column}" if incident.column else "")
    items = [f"{kind.what_it_means} Where: {where}."]
    if worst is not None:
        items.append(_short(f"{worst.check} on {worst.partition}: {worst.message}"))
    sorts = triage.classification
    nature = f"{triage.type.capitalize()}; {sorts.persistence}, {sorts.origin}, about {sorts.aspect}."
    items.append(_short(f"{incident.severity_reason}. {nature}"))
    if recurrence is not None:
        items.append(recurrence.in_words)
    return [Heading(2, "What is wrong"), Bullets(items)]


def _hit(reach: Reach, concerned: RowsOfDays | None) -> list[Block]:
    readers = [f"{one.name}{' (critical)' if one.critical else ''}" for one in reach.exposures]
    rows = "No rows of these days have been audited."
    if concerned is not None:
        rows = f"{counted(concerned.delivered, 'row')} delivered on these days, {concerned.kept_back:,} of them kept back, "
        rows += f"{counted(concerned.refused_files, 'file')} refused."
    return [
        Heading(2, "Who is hit"),
        Bullets([f"Readers: {_several(readers)}. Published tables: {_several(reach.published)}.", rows]),
    ]


def _breach(incident: Incident, policy: ResponsePolicy, breach: BreachEvidence | None) -> list[Block]:
    if breach is None:
        return []
    items = [
        *clock_words(incident, policy, breach),
        f"Record what was decided: `reliability incidents breach {incident.id} --help`",
    ]
    return [Heading(2, "Breach of personal data"), Bullets(items)]


def _since(incident: Incident, now: datetime) -> list[Block]:
    times = incident.times
    began = f"Landed {_moment(times.onset, now)}; first written {_moment(times.first_bad_write, now)}."
    return [Heading(2, "Since when"), Bullets([began, f"Detected {_moment(times.detected, now)}."])]


def _going_on(incident: Incident) -> list[Block]:
    failing = len(incident.still_failing)
    results = f"{counted(failing, 'result')} of {counted(len(incident.checks), 'check')} not cleared"
    if not incident.is_open:
        words = f"No: it is {incident.state.value.replace('_', ' ')}."
        words += "" if incident.watch is None else f" {incident.watch.words}"
    elif is_contained(incident):
        words = f"Contained: consumers are kept from it. {results[:1].upper()}{results[1:]}."
    elif incident.times.contained is not None:
        words = f"Yes: it is told, and nothing of it is held; {results}."
    else:
        words = f"Yes: it is {incident.state.value}, not contained; {results}."
    return [Heading(2, "Is it still going on"), Bullets([words])]


def _step(entry: TimelineEntry) -> str:
    what = entry.data["to"] if entry.kind in ("transition", "assigned") else entry.kind
    return _short(f"{entry.at:%m-%d %H:%M} {entry.actor}: {str(what).replace('_', ' ')} – {entry.why}", 130)


def _done(incident: Incident) -> list[Block]:
    told = [entry for entry in incident.timeline if entry.kind not in ("signals", "impact")]
    left = len(told) - LAST_STEPS
    steps = [_step(entry) for entry in told[-LAST_STEPS:]]
    if left > 0:
        steps.insert(0, f"{counted(left, 'earlier step')}: `reliability incidents timeline {incident.id}`")
    return [Heading(2, "What has been done"), Bullets(steps)]


def _now(
    incident: Incident, policy: ResponsePolicy, now: datetime, next_step: str, home: Path | None, heals: bool
) -> list[Block]:
    late = overdue(incident, policy, now)
    items = list(late.values())
    if incident.is_open:
        if incident.times.answered is None and "response" not in late:
            items.append(f"Answer due {_moment(response_due(incident, policy), now)}.")
        items.append(_short(next_step))
    else:
        due = postmortem_due(incident, policy)
        if due is not None and incident.postmortem_at is None and "postmortem" not in late:
            items.append(f"Postmortem due {_moment(due, now)}.")
        items += follow_up(incident)
    left = [item for item in incident.action_items if item.done_at is None]
    if left:
        items.append(f"{counted(len(left), 'action item')} left to do.")
    where = f" --home {shlex.quote(str(home))}" if home else ""
    commands = [f"reliability incidents runbook {incident.id}{where}"]
    if incident.is_open and incident.state is not State.RECOVERING:
        commands = [
            f"reliability incidents ack {incident.id}{where}",
            *([f"reliability heal --incident {incident.id}{where}"] if heals else []),
            *commands,
        ]
    return [
        Heading(2, "What to do now"),
        Bullets(items or ["Nothing is left to do."]),
        Commands(commands),
    ]


def overview(
    incident: Incident,
    reach: Reach,
    concerned: RowsOfDays | None,
    policy: ResponsePolicy,
    now: datetime,
    next_step: str,
    home: Path | None = None,
    *,
    heals: bool = True,
    changed: WhatChanged | None = None,
    usual: UsualRecovery | None = None,
    breach: BreachEvidence | None = None,
    recurrence: Recurrence | None = None,
) -> list[Block]:
    """The screen. `next_step` says what remediation does or waits for; `home` stands where it is not the default."""
    kind = CLASSES[incident.failure_class]
    owner = incident.assignee or "nobody yet"
    others = [f"with {', '.join(incident.responders)}"] if incident.responders else []
    others += [f"in {incident.channel}"] if incident.channel else []
    owner = " ".join([owner, *others])
    return [
        Heading(1, f"{incident.severity} · {kind.title} · {', '.join(incident.sources)}"),
        Paragraph(
            f"{incident.id} · {incident.state.value.replace('_', ' ')} · assigned to {owner} · "
            f"source owned by {CONTRACTS[incident.source].owner}"
        ),
        *_wrong(incident, recurrence),
        *_hit(reach, concerned),
        *_breach(incident, policy, breach),
        *_since(incident, now),
        *(changes_in_short(changed) if changed is not None else []),
        *_going_on(incident),
        *_done(incident),
        *_now(incident, policy, now, next_step, home, heals),
        *([Paragraph(usual.in_words)] if usual is not None else []),
    ]


def screen(blocks: Sequence[Block]) -> str:
    """The blocks as plain text with as few empty lines as can be read."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            lines.append(f"\n{plain(block.text)}" if lines else plain(block.text))
        else:
            lines.append(text([block]).rstrip("\n"))
    return "\n".join(lines) + "\n"

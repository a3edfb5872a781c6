"""The runbook of one incident: what a stranger needs at three in the morning, in the order in which it is needed."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Facts, PastValues
from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING, joined, landing_days, moment, number, second, span
from reliability_platform.incidents.breach import breach_section
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.documents.blocks import (
    Block,
    Bullets,
    Commands,
    Grid,
    Heading,
    Hints,
    Paragraph,
    ValuesByDay,
)
from reliability_platform.incidents.documents.changes import changes_section
from reliability_platform.incidents.documents.questions import questions
from reliability_platform.incidents.documents.samples import sample_tables
from reliability_platform.incidents.documents.situation import HERE, Situation
from reliability_platform.incidents.impact import Numbers, Reach
from reliability_platform.incidents.model import TRANSITIONS, Incident, Signal, State, TimelineEntry
from reliability_platform.incidents.response import in_words, overdue, postmortem_due, response_due

RESULTS = 20
"""Results shown at most; a table without rows is one result for each day."""

HELD_ENDS_WITH_1 = "# exits with 1 while a landing partition is held"


def title(incident: Incident) -> str:
    """How bad, what, where, when."""
    sources = ", ".join(incident.sources or (incident.source,))
    return f"{incident.severity} · {CLASSES[incident.failure_class].title} · {sources} {span(incident.partitions)}"


def is_over(incident: Incident) -> bool:
    """Whether nothing is left to recover."""
    return not incident.is_open


def state(incident: Incident) -> str:
    """The state in words."""
    return incident.state.value.replace("_", " ")


def _filled(incident: Incident, texts: tuple[str, ...]) -> list[str]:
    first, last = incident.partitions[0].isoformat(), incident.partitions[-1].isoformat()
    return [text.format(id=incident.id, source=incident.source, first=first, last=last) for text in texts]


def _wrong(incident: Incident, situation: Situation) -> list[Block]:
    found = incident.triage
    nature = found.classification
    facts = [f"{found.type.capitalize()}; {nature.origin}; {nature.persistence} {nature.reason}"]
    facts.append(f"root: {incident.root_dataset}{f', column {incident.column}' if incident.column else ''}")
    facts.append(f"owner of the source: {CONTRACTS[incident.source].owner}")
    blocks: list[Block] = [
        Heading(2, "What is wrong"),
        Paragraph(CLASSES[incident.failure_class].what_it_means),
        Paragraph(f"{'; '.join(facts)}."),
    ]
    if situation.recurrence is not None:
        blocks.append(Paragraph(situation.recurrence.in_words))
    if incident.linked_to:
        blocks.append(Paragraph(f"See also {incident.linked_to}."))
    return blocks


def triage_steps(incident: Incident) -> Grid:
    """The decision tree that led to the severity, question by question."""
    rows = [[step.question, "yes" if step.answer else "no", step.evidence] for step in incident.triage.steps]
    return Grid(["question", "answer", "evidence"], rows)


def _severity(incident: Incident, situation: Situation) -> list[Block]:
    terms, answered = situation.terms, incident.times.answered
    answer = f"Answer due by {moment(response_due(incident, terms))}"
    answer += f"; answered at {moment(answered)}." if answered else "; nobody has answered yet."
    written_by = postmortem_due(incident, terms)
    postmortem = f" Postmortem due by {moment(written_by)}." if written_by else ""
    assigned = f" It is {incident.assignee}'s." if incident.assignee else ""
    late = list(overdue(incident, terms, situation.now).values())
    return [
        Heading(2, "Severity and due times"),
        Paragraph(f"{incident.severity_reason}."),
        triage_steps(incident),
        Paragraph(f"{in_words(incident.severity, terms).capitalize()}. {answer}{postmortem}{assigned}"),
        *([Bullets(late)] if late else []),
    ]


def _symptoms(incident: Incident) -> list[Block]:
    standing = len(incident.still_failing)
    if not standing:
        now = "all have passed since"
    elif is_over(incident):
        now = f"{counted(standing, 'result')} on the record for good, for what was found stays in the data"
    else:
        now = f"{counted(standing, 'result')} still to be cleared"
    words = (
        f"{counted(len(incident.checks), 'check')} did not pass on {counted(len(incident.partitions), 'landing day')}"
    )
    return [
        Heading(2, "Symptoms"),
        Hints(_filled(incident, CLASSES[incident.failure_class].texts.symptoms)),
        Paragraph(f"{words}; {now}."),
    ]


def detection(incident: Incident) -> list[Block]:
    """What each check saw, and a few masked rows."""
    signals = [one for one in incident.latest_signals if one.partition in incident.partitions]
    rows = [
        [
            signal.partition.isoformat(),
            signal.check,
            signal.status.replace("_", " "),
            number(signal.value),
            signal.threshold,
            signal.message,
        ]
        for signal in signals
    ]
    blocks: list[Block] = [
        Heading(2, "How it was detected"),
        Grid(["landing day", "check", "status", "value", "limit", "in words"], rows[:RESULTS]),
    ]
    if len(rows) > RESULTS:
        more = counted(len(rows) - RESULTS, "more result")
        blocks.append(Paragraph(f"And {more}: the list of checks in the first five minutes shows them all."))
    blocks += _echoes(incident)
    blocks += _past(incident, signals)
    for one in sample_tables(signals):
        rows_of = f"Some of the rows that {one.check} objects to, with personal data and free text masked:"
        blocks += [Paragraph(rows_of), Grid(one.columns, one.rows)]
    return blocks


def _echoes(incident: Incident) -> list[Block]:
    """What other sources tell on other days of the rows that are wrong here."""
    echoes = [one for one in incident.latest_signals if one.partition not in incident.partitions]
    if not echoes:
        return []
    sources, days = sorted({one.source for one in echoes}), [one.partition for one in echoes]
    return [
        Paragraph(
            f"Echoes, which make it no worse: rows of {joined(sources)} that landed on {landing_days(days)} lead to "
            f"{incident.source} and do not agree with it. Nothing is asked for them; they are judged again with its days."
        )
    ]


def _past(incident: Incident, signals: Sequence[Signal]) -> list[Block]:
    """The number of the last day that left its past, by day: of the source itself, and that of the profile where there is one,
    for it is the strongest of all that was measured."""
    found = [
        (one.source == incident.source, one.check.endswith("__profile"), one.partition, past)
        for one in signals
        if (past := _told_past(one)) is not None
    ]
    if not found:
        return []
    *_, past = max(found, key=lambda one: one[:3])
    return [ValuesByDay(past.what, past.days, past.values, past.usual, past.low, past.high, past.told)]


def _told_past(signal: Signal) -> PastValues | None:
    return Facts.read(signal.facts).past if signal.facts else None


def _columns(incident: Incident, reach: Reach) -> list[Block]:
    """The columns that failed, and the published columns that come from them: by lineage, or else by their names."""
    if reach.spoiled:
        return [Paragraph(_by_lineage(reach, CLASSES[incident.failure_class].spoils_numbers))]
    names = sorted({CHECKS[one.check].column or "" for one in incident.signals if one.check in CHECKS} - {""})
    if not names:
        return []
    shown = [f"{table}.{name}" for table, columns in sorted(reach.columns.items()) for name in names if name in columns]
    words = f"Columns concerned: {', '.join(names)}. "
    return [
        Paragraph(words + (f"Published under the same name: {', '.join(shown)}." if shown else "None is published."))
    ]


def _by_lineage(reach: Reach, spoils_numbers: bool) -> str:
    uses: dict[str, list[str]] = {"direct": [], "indirect": []}
    for table in reach.published:
        for column, use in reach.spoiled.get(f"published/{table}", {}).items():
            uses[use].append(f"{table}.{column}")
    direct, indirect = (", ".join(uses[use]) or "none" for use in ("direct", "indirect"))
    if not spoils_numbers:
        return (
            f"A failure of this class spoils no numbers. Published columns downstream: {direct}. "
            f"Depending on its rows: {indirect}."
        )
    return (
        f"Published columns made of bad values: {direct}. "
        f"Influenced by them, through rows that are missing or wrong: {indirect}."
    )


def rows_concerned(numbers: Numbers | None) -> list[Block]:
    """Where the delivered rows of the days ended, in one line of a table."""
    if numbers is None:
        return [
            Paragraph("The warehouse cannot be asked now how many rows are concerned: a run has it, or it is lost.")
        ]
    dates = numbers.event_dates
    cells = {
        "rows delivered": f"{numbers.delivered_rows:,}",
        "accepted": f"{numbers.accepted_rows:,}",
        "duplicate": f"{numbers.duplicate_rows:,}",
        "quarantined": f"{numbers.quarantined_rows:,}",
        "held late": f"{numbers.held_late_rows:,}",
        "keys in quarantine": f"{numbers.quarantined_keys:,}",
        "files refused": str(numbers.refused_files),
        "event dates": f"{span(dates)} ({counted(len(dates), 'event date')})" if dates else "none",
    }
    return [
        Grid(list(cells), [list(cells.values())]),
        Paragraph("All rows of these landing days; those of another incident on the same days are among them."),
    ]


def _affected(incident: Incident, situation: Situation) -> list[Block]:
    reach = situation.reach
    return [
        Heading(2, "Who is hit"),
        *rows_concerned(situation.numbers),
        *_columns(incident, reach),
        Paragraph(f"Published tables: {', '.join(reach.published)}. All tables downstream: {', '.join(reach.tables)}."),
        Grid(
            ["who reads it", "owner", "critical", "tables"],
            [
                [
                    one.name,
                    f"{one.owner}, {one.email}",
                    "yes" if one.critical else "no",
                    ", ".join(table for table in situation.reads.get(one.name, ()) if table in reach.published)
                    or NOTHING,
                ]
                for one in reach.exposures
            ],
        ),
    ]


def window(incident: Incident) -> str:
    """The landing days as options of a command."""
    return f"--from {incident.partitions[0].isoformat()} --to {incident.partitions[-1].isoformat()}"


def _home_line(home: Path) -> str:
    line = f"export RELIABILITY_HOME={shlex.quote(str(home))}"
    return f"{line}  # in the folder of this page" if home == HERE else line


def _first_minutes(incident: Incident, situation: Situation) -> list[Block]:
    can_acknowledge = State.ACKNOWLEDGED in TRANSITIONS[incident.state]
    return [
        Heading(2, "First five minutes"),
        Commands(
            [
                *([_home_line(situation.home)] if situation.home else []),
                *([f"reliability incidents ack {incident.id}"] if can_acknowledge else []),
                f"reliability checks {window(incident)} --source {incident.source}",
                f"reliability quarantine list --source {incident.source} {window(incident)}",
            ]
        ),
        Hints(CLASSES[incident.failure_class].first_steps),
    ]


def containment_done(incident: Incident, situation: Situation) -> list[str]:
    """What keeps consumers safe, as far as the timeline and the home show it."""
    done = []
    contained = [entry for entry in incident.timeline if entry.kind == "transition" and entry.data["to"] == "contained"]
    if contained:
        done.append(f"{moment(contained[0].at)}, {contained[0].actor}: {contained[0].why}")
    readers, numbers = situation.readers, situation.numbers
    if readers is not None and readers.version is None:
        done.append("Nothing has been published yet, so nobody reads these days.")
    if readers is not None:
        for day, reasons in sorted(readers.held.items()):
            words = f"{incident.source} {day} is held: {reasons[0] if reasons else 'the gate objects'}"
            done.append(f"{words}. Readers of {readers.version} keep the last good rows.")
    if numbers is not None:
        holding = {
            "row": (numbers.quarantined_rows, "in quarantine"),
            "file": (numbers.refused_files, "refused whole, and kept in quarantine"),
            "late row": (numbers.held_late_rows, "held, not dropped"),
        }
        done += [f"{counted(found, thing)} {where}." for thing, (found, where) in holding.items() if found]
    return done


def follow_up(incident: Incident) -> list[str]:
    """What recovery leaves to people, as hints; nothing after a false alarm."""
    texts = CLASSES[incident.failure_class].texts.afterwards
    return [] if incident.state is State.FALSE_ALARM else _filled(incident, texts)


def containment_to_do(incident: Incident, situation: Situation) -> list[str]:
    """What is left for people, as hints."""
    if is_over(incident):
        return follow_up(incident)
    to_do = _filled(incident, CLASSES[incident.failure_class].texts.to_do)
    readers = situation.readers
    if readers is None:
        return ["Nobody could look whether readers see these days: `reliability publish` says what is held.", *to_do]
    if readers.fresh and CLASSES[incident.failure_class].spoils_numbers:
        days = joined([day.isoformat() for day in readers.fresh])
        words = f"Readers of {readers.version} see the rows of {incident.source} of {days}: tell their owners, below"
        back = f", or go back to {readers.previous} with `reliability publish --rollback`" if readers.previous else ""
        to_do.insert(0, f"{words}{back}.")
        for day in readers.fresh:
            line = f"reliability hold --source {incident.source} --date {day} --why {incident.id}"
            to_do.insert(1, f"If the checks do not hold {day}, keep it out of the next publication: `{line}`.")
    return to_do


def _containment(incident: Incident, situation: Situation) -> list[Block]:
    to_do = containment_to_do(incident, situation)
    return [
        Heading(2, "Containment"),
        Heading(3, "Done"),
        Bullets(containment_done(incident, situation) or ["Nothing yet."]),
        Heading(3, "To do"),
        Hints(to_do) if to_do else Paragraph("Nothing is left to contain."),
    ]


def _assessment(incident: Incident) -> list[Block]:
    lines = [line for one in questions(incident) for line in (f"-- {one.answers}", *one.sql.splitlines())]
    return [
        Heading(2, "Questions to the warehouse"),
        Paragraph("The first command asks them all, read-only. They also run as they are in any read-only connection."),
        Commands([f"reliability incidents assess {incident.id}"]),
        Commands(lines, "sql"),
    ]


def automation(incident: Incident, situation: Situation) -> str:
    """Whether the platform heals by itself, by which command, and how often it has tried, in words."""
    remedy = situation.remedy
    used = f"{incident.attempts} of {counted(remedy.max_attempts, 'attempt')} used"
    if incident.state is State.RECOVERING:
        return f"It is being healed, and ends by itself once its checks pass: {remedy.action}; {used}."
    if remedy.obstacle is None and remedy.automatic:
        return f"The remediation sensor heals it by itself, as reliability heal would: {remedy.action}; {used}."
    reason = remedy.obstacle or "it waits for a person's approval"
    if remedy.left_to_a_person is not None:
        return f"Only a person can end it: {remedy.left_to_a_person}. Healing would change nothing; {used}."
    return (
        f"The platform does nothing by itself: {reason}. The command with --incident is the approval to "
        f"{remedy.action}; {used}."
    )


def _heal(incident: Incident) -> list[str]:
    lines = [
        "# what it would do, and what keeps the platform from doing it by itself; changes nothing",
        f"reliability heal --incident {incident.id} --dry-run",
        "# act, run the days again, verify; exits with 1 while any incident is open",
        f"reliability heal --incident {incident.id}",
    ]
    if len(incident.partitions) == 1:
        day = incident.partitions[0].isoformat()
        lines += [
            "# or all incidents of this source and day at once; exits with 1 while one of them is open",
            f"reliability quarantine replay --source {incident.source} --date {day}",
        ]
    return lines


def _recovery(incident: Incident, situation: Situation) -> list[Block]:
    blocks: list[Block] = [Heading(2, "Recovery")]
    if is_over(incident):
        return [*blocks, Paragraph("Nothing is left to recover.")]
    remedy = situation.remedy
    hints = sorted({CHECKS[signal.check].recovery for signal in incident.signals if signal.check in CHECKS})
    by_hand = remedy.left_to_a_person is not None
    if by_hand:
        hints = [one for one in hints if "reliability heal" not in one]
    spent = incident.attempts >= remedy.max_attempts
    return [
        *blocks,
        Paragraph(automation(incident, situation)),
        *([Paragraph(f"What it would do now: {remedy.plan}")] if remedy.plan else []),
        Hints(
            [f"To decide: {one}" for one in _filled(incident, (CLASSES[incident.failure_class].texts.decide,))] + hints
        ),
        *(
            [Paragraph("No attempt is left: mend the cause first; the command tries once more, by your decision.")]
            if spent
            else []
        ),
        *([] if by_hand else [Commands(_heal(incident))]),
        Paragraph(
            f"{'Then' if by_hand else 'If that does not help,'} run the days again after the cause is mended, and end the incident:"
        ),
        Commands(
            [
                HELD_ENDS_WITH_1,
                f"reliability run {window(incident)}",
                "# exits with 2 if it has been resolved in the meantime",
                f"reliability incidents resolve {incident.id} --why 'mended by hand'",
            ]
        ),
    ]


def _validation(incident: Incident, situation: Situation) -> list[Block]:
    proof = [name.format(source=incident.source) for name in situation.remedy.proof]
    more = f"Besides those that had failed, these must pass: {', '.join(proof)}." if proof else ""
    return [
        Heading(2, "Validation"),
        Hints([CLASSES[incident.failure_class].texts.validation]),
        *([Paragraph(more)] if more else []),
        Commands(
            [
                f"reliability checks {window(incident)}",
                HELD_ENDS_WITH_1,
                "reliability publish",
                "# exits with 1 while a published table is not what was audited, or not what a run without failures gives",
                "reliability verify",
            ]
        ),
    ]


def _escalation(incident: Incident, situation: Situation) -> list[Block]:
    owner = CONTRACTS[incident.source].owner
    critical = [f"{one.owner}, {one.email}" for one in situation.reach.exposures if one.critical]
    attempts, due = counted(situation.remedy.max_attempts, "attempt"), moment(response_due(incident, situation.terms))
    rows = [
        ["at once", f"{incident.severity}, so {situation.terms[incident.severity].notify}"],
        *([] if incident.times.answered else [[f"nobody has answered by {due}", "the next person on call"]]),
        ["the source must act, or knows more", owner],
        *([["critical readers have seen wrong or old numbers", "; ".join(critical)]] if critical else []),
        [f"{attempts} did not heal it", situation.remedy.escalation],
    ]
    return [
        Heading(2, "Escalation"),
        Hints(_filled(incident, (CLASSES[incident.failure_class].texts.escalate,))),
        Grid(["when", "whom"], rows),
    ]


def prevention_table(failure_class: str) -> Grid:
    """What would keep a class from coming back, whose work it is, how long it may take."""
    rows = [[one.what, one.owner, counted(one.days, "day")] for one in CLASSES[failure_class].texts.prevention]
    return Grid(["what", "owner", "within"], rows)


def _prevention(incident: Incident) -> list[Block]:
    return [
        Heading(2, "Prevention"),
        Paragraph(CLASSES[incident.failure_class].prevention),
        Paragraph("The postmortem proposes as action items:"),
        prevention_table(incident.failure_class),
    ]


def _what(entry: TimelineEntry) -> str:
    if entry.kind == "transition":
        return str(entry.data["to"]).replace("_", " ")
    return entry.kind.replace("_", " ")


def timeline(incident: Incident) -> list[Block]:
    """Everything that happened, oldest first."""
    rows = [[second(entry.at), entry.actor, _what(entry), entry.why] for entry in incident.timeline]
    return [Heading(2, "Timeline (UTC)"), Grid(["when", "who", "what", "why"], rows)]


def _afterwards(incident: Incident, situation: Situation) -> str:
    due = postmortem_due(incident, situation.terms) if incident.postmortem_at is None else None
    left = [
        *(["its postmortem is due"] if due else []),
        *(["Containment says what must follow"] if follow_up(incident) else []),
    ]
    watched = "" if incident.watch is None else f" {incident.watch.words}"
    return (f"Nothing is left to recover; {joined(left)}." if left else "Nothing is left to do.") + watched


def opening(incident: Incident, situation: Situation) -> list[Block]:
    """The title, and the state of things in two sentences."""
    words = f"{incident.id} is {state(incident)}. "
    words += _afterwards(incident, situation) if is_over(incident) else automation(incident, situation)
    return [Heading(1, title(incident)), Paragraph(words)]


def runbook(incident: Incident, situation: Situation) -> list[Block]:
    """All sections."""
    return [
        *opening(incident, situation),
        *_wrong(incident, situation),
        *changes_section(situation.changed),
        *_severity(incident, situation),
        *breach_section(incident, situation.terms, situation.breach),
        *_symptoms(incident),
        *detection(incident),
        *_affected(incident, situation),
        *_first_minutes(incident, situation),
        *_containment(incident, situation),
        *_assessment(incident),
        *_recovery(incident, situation),
        *_validation(incident, situation),
        *_escalation(incident, situation),
        *_prevention(incident),
        *timeline(incident),
    ]

"""The page of one failure class, and the index of all: what to know before it happens."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.clock import FIRST_DAY
from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING
from reliability_platform.incidents.classes import CLASSES, OVERRIDDEN, FailureClass
from reliability_platform.incidents.documents.blocks import Block, Commands, Grid, Heading, Hints, Paragraph
from reliability_platform.incidents.documents.questions import questions_of
from reliability_platform.incidents.documents.runbook import prevention_table
from reliability_platform.incidents.documents.situation import Remedy
from reliability_platform.incidents.response import ResponsePolicy, in_words

UNKNOWN = {"id": "INCIDENT", "source": "SOURCE", "first": "DAY", "last": "DAY"}
"""What stands on the page of a class where a runbook names the incident's own."""


def _filled(texts: tuple[str, ...]) -> list[str]:
    return [text.format(**UNKNOWN) for text in texts]


def _checks(failure_class: str) -> list[list[str]]:
    """Each kind of check once, with how many there are of it."""
    found: dict[tuple[str, bool], list[str]] = {}
    for spec in CHECKS.values():
        if spec.failure_class == failure_class:
            found.setdefault((spec.description, spec.blocking), []).append(spec.name)
    return [
        [description, "yes" if blocking else "no", counted(len(names), "check"), names[0]]
        for (description, blocking), names in found.items()
    ]


def _example_source(failure_class: str) -> str:
    """A source that a check of the class watches; the first one for a class that any check may raise."""
    watched = {spec.source for spec in CHECKS.values() if spec.failure_class == failure_class}
    return next((source for source in SOURCES if source in watched), SOURCES[0])


def _severity(kind: FailureClass, terms: ResponsePolicy) -> list[Block]:
    raised = " Raised to P1 where critical readers were shown bad numbers." if kind.spoils_numbers else ""
    words = f"{kind.severity} by default, so {terms[kind.severity].notify}; {in_words(kind.severity, terms)}."
    return [Heading(2, "Severity"), Paragraph(f"{words}{raised}")]


def _own(failure_class: str) -> list[Block]:
    """What the project says instead of the platform."""
    said = OVERRIDDEN.get(failure_class, ())
    return [Paragraph(f"failure_classes/{failure_class}.yml of the project says: {', '.join(said)}.")] if said else []


def class_page(failure_class: str, remedy: Remedy, terms: ResponsePolicy) -> list[Block]:
    """Symptoms, detection, containment, assessment, recovery, validation, escalation, prevention."""
    kind = CLASSES[failure_class]
    texts = kind.texts
    source = _example_source(failure_class)
    asked = questions_of(failure_class, source, [FIRST_DAY])
    watched = _checks(failure_class)
    explained = ", ".join(sorted(kind.explains))
    automatic = "by itself" if remedy.automatic else "after a person's approval"
    return [
        Heading(1, kind.title),
        Paragraph(kind.what_it_means),
        *_own(failure_class),
        *_severity(kind, terms),
        Paragraph(f"{kind.type.capitalize()}; {kind.persistence}, {kind.origin}, about {kind.aspect}."),
        Heading(2, "Symptoms"),
        Hints(_filled(texts.symptoms)),
        Heading(2, "Likely causes"),
        Hints(_filled(texts.causes)),
        Heading(2, "Detection"),
        Grid(["passes while", "a failure holds the day", "how many", "for example"], watched)
        if watched
        else Paragraph("Any check that breaks off."),
        *([Paragraph(f"On the same source and day it explains {explained}.")] if explained else []),
        Heading(2, "First five minutes"),
        Hints(kind.first_steps),
        Heading(2, "Containment"),
        Paragraph(f"Done by the platform: {kind.contained_by}"),
        Hints(_filled((*texts.to_do, *texts.afterwards))),
        Heading(2, "Questions to the warehouse"),
        Paragraph(f"As they stand for {source} on {FIRST_DAY}; the runbook of an incident has its own names and days."),
        Commands([line for one in asked for line in (f"-- {one.answers}", *one.sql.splitlines())], "sql"),
        Heading(2, "Recovery"),
        Paragraph(f"Healed {automatic}: {remedy.action}, at most {counted(remedy.max_attempts, 'attempt')}."),
        Grid(["of the remedy", ""], _terms(kind, remedy)),
        Hints([f"To decide: {one}" for one in _filled((texts.decide,))]),
        Commands(["reliability heal"] if remedy.automatic else ["reliability incidents list"]),
        *([] if remedy.automatic else [Hints(["Then approve one: `reliability heal --incident INCIDENT`."])]),
        Heading(2, "Validation"),
        Hints([texts.validation]),
        Paragraph(f"The platform takes it for healed once {verification(remedy)}."),
        Commands(["reliability checks", "reliability verify"]),
        Heading(2, "Escalation"),
        Hints(_filled((texts.escalate,))),
        Heading(2, "Prevention"),
        Paragraph(kind.prevention),
        prevention_table(failure_class),
    ]


def verification(remedy: Remedy, source: str = UNKNOWN["source"]) -> str:
    """What proves that it helped, in words that follow upon "once"."""
    proof = [name.format(source=source) for name in remedy.proof]
    besides = f", and {', '.join(proof)}" if proof else ""
    stays = f"; on record stays, without a wrong number: {'; '.join(remedy.on_record)}" if remedy.on_record else ""
    return f"what had failed passes on all its days{besides}; no check may hold one of them{stays}"


def _wait(remedy: Remedy) -> str:
    seconds = int(remedy.backoff.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _terms(kind: FailureClass, remedy: Remedy) -> list[list[str]]:
    """What the policy says of a class besides the action itself."""
    again = "tried again after a wait" if kind.cause.is_transient else "tried again only after a change"
    return [
        ["nature", f"{kind.persistence}: {kind.cause.why}; {again}"],
        ["by itself only if", ", ".join(remedy.conditions) or "nothing else is needed"],
        ["first wait", f"{_wait(remedy)}, doubled each time"],
        ["stopped after", f"{int(remedy.time_limit.total_seconds()) // 60} min"],
        ["under watch afterwards", counted(remedy.watch_days, "landing day") if remedy.watch_days else "no"],
        ["leaves, if it did not help", remedy.leaves],
        ["then decides", remedy.escalation],
    ]


INDEX = [
    "class",
    "title",
    "severity",
    "nature",
    "healed by",
    "how",
    "only if",
    "attempts, first wait",
    "verified",
    "then decides",
]


def class_index(remedies: Mapping[str, Remedy]) -> list[Block]:
    """All classes with their policy, in the order of precedence."""
    rows = [
        [
            name,
            CLASSES[name].title,
            CLASSES[name].severity.value,
            CLASSES[name].persistence.value,
            remedy.action,
            "by itself" if remedy.automatic else "after approval",
            ", ".join(remedy.conditions) or NOTHING,
            f"{remedy.max_attempts}, {_wait(remedy)}",
            ", ".join(name.format(source=UNKNOWN["source"]) for name in remedy.proof) or NOTHING,
            remedy.escalation,
        ]
        for name, remedy in remedies.items()
    ]
    return [
        Heading(1, "Failure classes"),
        Paragraph("From the source onwards: where two classes could explain a symptom, it joins the upper one."),
        Paragraph(
            "Waits double. An incident is verified once what had failed passes on all its days, no check holds one of "
            "them, and the checks named here pass too. What is deterministic is tried again only after a change."
        ),
        Grid(INDEX, rows),
        *(block for name in remedies for block in _own(name)),
        Hints(["The page of one: `reliability incidents classes CLASS`."]),
    ]


def policy_table(remedies: Mapping[str, Remedy]) -> Grid:
    """The same in short, as the README has it: classes that are treated alike share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, remedy in remedies.items():
        alike = (
            remedy.action,
            CLASSES[name].persistence.value,
            "by itself" if remedy.automatic else "after approval",
            ", ".join(remedy.conditions) or NOTHING,
            f"{remedy.max_attempts}, {_wait(remedy)}",
            ", ".join(one.format(source=UNKNOWN["source"]) for one in remedy.proof) or NOTHING,
            remedy.escalation,
        )
        rows.setdefault(alike, []).append(name)
    header = ["classes", "healed by", "nature", "how", "only if", "attempts, first wait", "verified by", "then decides"]
    return Grid(header, [[", ".join(names), *alike] for alike, names in rows.items()])


def class_document(failure_class: str, remedy: Remedy) -> dict[str, Any]:
    """The same for a program to read: texts as Markdown."""
    kind = CLASSES[failure_class]
    return {
        **{name: value for name, value in asdict(kind).items() if name not in ("cause", "policy")},
        "cause": kind.cause.name,
        "overridden": list(OVERRIDDEN.get(failure_class, ())),
        "persistence": kind.persistence.value,
        "severity": kind.severity.value,
        **{name: sorted(getattr(kind, name)) for name in ("explains", "rejections", "asks_for")},
        "checks": sorted(spec.name for spec in CHECKS.values() if spec.failure_class == failure_class),
        "remedy": {
            "action": remedy.action,
            "automatic": remedy.automatic,
            "conditions": remedy.conditions,
            "max_attempts": remedy.max_attempts,
            "backoff_seconds": remedy.backoff.total_seconds(),
            "time_limit_seconds": remedy.time_limit.total_seconds(),
            "watch_days": remedy.watch_days,
            "verification": verification(remedy),
            "leaves": remedy.leaves,
            "escalation": remedy.escalation,
        },
    }

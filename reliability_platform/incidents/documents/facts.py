"""What went well, what contributed, where luck helped: rules over the facts of an incident, never invented.

Each rule is a condition and a sentence; a sentence appears if its condition holds, with the facts' own numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.counted import counted
from reliability_platform.formats import joined, length, moment
from reliability_platform.incidents.classes import CLASSES, Prevention, Severity
from reliability_platform.incidents.documents.measures import is_wrong, was_seen
from reliability_platform.incidents.documents.situation import Situation
from reliability_platform.incidents.impact import MeasureRow, Numbers, keeps_from_consumers, measure_table
from reliability_platform.incidents.model import NOT_RECOVERED, OUTCOME, Incident
from reliability_platform.incidents.response import response_due
from reliability_platform.incidents.times import Times
from reliability_platform.incidents.triage import SHOWN

QUICK = timedelta(minutes=15)
"""Detected so soon after the write, or recovered so soon after detection, is worth a word of praise."""
SLOW = timedelta(hours=1)
FEW_ROWS = 100
SMALL_SHARE = 0.01
MACHINES = (" sensor", "remediation", "impact recorder", "alerts")
"""How the names of those actors end that are no people."""


@dataclass(frozen=True)
class PostmortemFacts:
    """What the rules look at."""

    incident: Incident
    times: Times
    over: bool
    automatic: bool
    max_attempts: int
    attempts: int
    """Actions begun, over the whole life of the incident."""
    failed_actions: int
    not_recovered: int
    """How often a verification said that it had not helped."""
    reopened: int
    people: Sequence[str]
    """Those who have acted or decided."""
    raised: bool
    """Whether it is more severe than its class is by default."""
    contained_at_once: bool
    changes: Sequence[MeasureRow]
    numbers: Numbers | None
    critical_readers: Sequence[str]
    shown_before: bool
    """Whether critical readers had been shown the days before the failure was noticed."""
    shown_now: bool
    """Whether readers see a landing day of it fresh while it is not over."""
    answer_due: datetime
    answered_late: bool
    judged_before: Sequence[CheckResult]
    first_judged: Sequence[str]
    """Failed checks that had judged none of these days before they failed."""
    non_blocking: Sequence[str]
    """Failed checks that hold no publication."""

    @property
    def wrong(self) -> list[MeasureRow]:
        """Measures of which the warehouse had a wrong value."""
        return [one for one in self.changes if is_wrong(one)]

    @property
    def seen(self) -> list[MeasureRow]:
        """Measures of which readers saw a wrong value."""
        return [one for one in self.changes if was_seen(one)]

    @property
    def bad_rows(self) -> int:
        """Rows that are not in the published tables though they were delivered."""
        return 0 if self.numbers is None else self.numbers.quarantined_rows + self.numbers.held_late_rows

    @property
    def passed_before(self) -> list[CheckResult]:
        """Checks that had passed on these days before they failed."""
        return [one for one in self.judged_before if one.status is CheckStatus.PASSED]

    @property
    def unjudged_before(self) -> list[CheckResult]:
        """Checks that could not judge these days before they failed."""
        return [one for one in self.judged_before if one.status is CheckStatus.NOT_EVALUATED]


def facts_of(incident: Incident, situation: Situation) -> PostmortemFacts:
    """Read the facts off the timeline and the situation."""
    times, timeline = incident.times, incident.timeline
    due = response_due(incident, situation.terms)
    readers = situation.readers
    failed = sorted({signal.check for signal in incident.signals if signal.check in CHECKS})
    return PostmortemFacts(
        incident=incident,
        times=times,
        over=not incident.is_open,
        automatic=situation.remedy.automatic,
        max_attempts=situation.remedy.max_attempts,
        attempts=sum(entry.data.get("phase") == "begun" for entry in timeline),
        failed_actions=sum(entry.data.get("phase") == "failed" for entry in timeline),
        not_recovered=sum(entry.data.get(OUTCOME) == NOT_RECOVERED for entry in timeline),
        reopened=incident.lives - 1,
        people=list(dict.fromkeys(entry.actor for entry in timeline if not entry.actor.endswith(MACHINES))),
        raised=_rank(incident.severity) < _rank(CLASSES[incident.failure_class].severity),
        contained_at_once=times.contained is not None
        and times.contained == times.detected
        and keeps_from_consumers(incident),
        changes=measure_table(incident),
        numbers=situation.numbers,
        critical_readers=[one.name for one in situation.reach.exposures if one.critical],
        shown_before=any(step.answer and step.question == SHOWN for step in incident.triage.steps),
        shown_now=readers is not None and bool(readers.fresh) and incident.is_open,
        answer_due=due,
        answered_late=(times.answered or situation.now) > due,
        judged_before=situation.judged_before,
        first_judged=situation.first_judged,
        non_blocking=[check for check in failed if check in CHECKS and not CHECKS[check].blocking],
    )


def _rank(severity: Severity) -> int:
    return list(Severity).index(severity)


@dataclass(frozen=True)
class Sentence:
    """A sentence that is true of an incident if its condition holds."""

    holds: Callable[[PostmortemFacts], bool]
    says: Callable[[PostmortemFacts], str]
    prevention: Prevention | None = None
    """What would keep it from holding again, where that is worth an action item."""


def _said(sentence: str) -> Callable[[PostmortemFacts], str]:
    return lambda _: sentence


def _names(results: Sequence[CheckResult]) -> str:
    return joined(sorted({one.check for one in results})[:3])


def _quick(time: timedelta | None) -> bool:
    return time is not None and time <= QUICK


def _small(facts: PostmortemFacts) -> bool:
    found = facts.numbers
    if found is None or not facts.bad_rows or not found.delivered_rows:
        return False
    return facts.bad_rows <= FEW_ROWS and facts.bad_rows <= SMALL_SHARE * found.delivered_rows


FACTORS: tuple[Sentence, ...] = (
    Sentence(
        lambda facts: not facts.automatic,
        _said("The policy lets no action of this class run without a person's approval, so recovery waited for one."),
    ),
    Sentence(
        lambda facts: facts.answered_late,
        lambda facts: f"Nobody had answered when the time for it was over, {moment(facts.answer_due)}.",
        Prevention("Look into why the alert was not answered in time", "platform", 7),
    ),
    Sentence(
        lambda facts: bool(facts.seen),
        lambda facts: (
            f"{counted(len(facts.seen), 'measure')} had been published with a wrong value before it was noticed."
        ),
        Prevention("Find a check that fails before publication for this case", "platform", 14),
    ),
    Sentence(
        lambda facts: facts.shown_before and not facts.seen,
        _said("Critical readers had been shown these days before it was noticed."),
        Prevention("Find a check that fails before publication for this case", "platform", 14),
    ),
    Sentence(
        lambda facts: facts.shown_now,
        _said("Readers still see landing days that are concerned."),
    ),
    Sentence(
        lambda facts: facts.raised,
        lambda facts: f"It was more severe than its class is by default. {facts.incident.severity_reason}.",
    ),
    Sentence(
        lambda facts: facts.times.time_to_detect is not None and facts.times.time_to_detect > SLOW,
        lambda facts: f"{length(facts.times.time_to_detect)} went by between the first bad write and its detection.",
        Prevention("Run the checks that found it nearer to the write", "platform", 30),
    ),
    Sentence(
        lambda facts: bool(facts.passed_before),
        lambda facts: f"{_names(facts.passed_before)} had passed on these days before, on what was there then.",
    ),
    Sentence(
        lambda facts: bool(facts.unjudged_before),
        lambda facts: f"{_names(facts.unjudged_before)} could not judge these days before.",
    ),
    Sentence(
        lambda facts: facts.attempts > 1,
        lambda facts: f"It took {counted(facts.attempts, 'attempt')}, of {facts.max_attempts} at a time.",
    ),
    Sentence(
        lambda facts: facts.failed_actions > 0,
        lambda facts: f"{counted(facts.failed_actions, 'action')} broke off with an error.",
        Prevention("Mend the action that broke off and add the case as a test", "platform", 14),
    ),
    Sentence(
        lambda facts: facts.not_recovered > 0,
        lambda facts: f"{counted(facts.not_recovered, 'verification')} found that the action before had not helped.",
    ),
    Sentence(
        lambda facts: facts.reopened > 0,
        lambda facts: f"The failure came back {counted(facts.reopened, 'time')} after it had been resolved.",
        Prevention("Find out why what was done did not last", "platform", 14),
    ),
    Sentence(
        lambda facts: facts.incident.linked_to is not None,
        lambda facts: f"It had happened before: {facts.incident.linked_to}.",
        Prevention("Read the postmortem of the earlier incident and close what is open there", "platform", 7),
    ),
)

WENT_WELL: tuple[Sentence, ...] = (
    Sentence(
        lambda facts: facts.contained_at_once,
        _said("It was contained at the moment of its detection; nobody had to do anything for that."),
    ),
    Sentence(
        lambda facts: _quick(facts.times.time_to_detect),
        lambda facts: f"It was detected {length(facts.times.time_to_detect)} after the first bad write began.",
    ),
    Sentence(
        lambda facts: bool(facts.wrong) and not facts.seen,
        lambda facts: (
            f"{counted(len(facts.wrong), 'measure')} had a wrong value in the warehouse; readers saw none of them."
        ),
    ),
    Sentence(
        lambda facts: facts.over and facts.automatic and facts.attempts == 1 and not facts.people,
        _said("The first action healed it, without a person."),
    ),
    Sentence(
        lambda facts: _quick(facts.times.time_to_recover),
        lambda facts: f"It was recovered {length(facts.times.time_to_recover)} after its detection.",
    ),
    Sentence(
        lambda facts: facts.times.verified is not None,
        _said("Recovery was verified by the checks that had failed, not believed."),
    ),
    Sentence(
        lambda facts: facts.times.acknowledged is not None and not facts.answered_late,
        lambda facts: f"Somebody answered {length(facts.times.time_to_acknowledge)} after its detection, in time.",
    ),
    Sentence(
        lambda facts: bool(facts.bad_rows),
        lambda facts: (
            f"All {counted(facts.bad_rows, 'row')} of these days that could not be used are kept, with the reasons."
        ),
    ),
)

LUCKY: tuple[Sentence, ...] = (
    Sentence(
        lambda facts: bool(facts.seen) and not facts.critical_readers,
        _said("Wrong values had been published, but no critical reader is downstream of this source."),
    ),
    Sentence(
        _small,
        lambda facts: (
            f"Only {counted(facts.bad_rows, 'row', 'rows')} of these days could not be used; nothing but chance kept it so few."
        ),
    ),
    Sentence(
        lambda facts: (
            bool(facts.non_blocking)
            and not any(one in CHECKS and CHECKS[one].blocking for one in facts.incident.checks)
        ),
        lambda facts: (
            f"Nothing would have kept wrong rows from readers: no check that failed holds a publication ({joined(list(facts.non_blocking)[:3])})."
        ),
    ),
    Sentence(
        lambda facts: len(facts.incident.checks) == 1,
        lambda facts: f"One check alone saw it: {facts.incident.checks[0]}.",
    ),
    Sentence(
        lambda facts: bool(facts.wrong) and not facts.seen and not facts.contained_at_once,
        _said("It was not contained at once, and still no wrong value was published."),
    ),
)


def sentences(rules: Sequence[Sentence], facts: PostmortemFacts) -> list[str]:
    """What the rules say about an incident."""
    return [rule.says(facts) for rule in rules if rule.holds(facts)]

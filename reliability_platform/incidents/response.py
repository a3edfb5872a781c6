"""By when an incident must be answered and written up, and what has been missed. The terms are settings, in a YAML file.

An answer is whatever shows that somebody is on it: a person's acknowledgement, a remediation that began, an end. The
postmortem is due from the end on, for before it there is nothing to write about.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from reliability_platform.errors import UsageError
from reliability_platform.formats import moment
from reliability_platform.incidents.classes import CLASSES, IncidentType, Severity
from reliability_platform.incidents.model import Incident, State
from reliability_platform.strict_yaml import StrictYaml, said_of

SATURDAY = 5


class Terms(BaseModel):
    """What one severity asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    respond_within_hours: float = Field(gt=0)
    business_days: bool = False
    """Whether the clock stands still on Saturdays and Sundays."""
    postmortem_within_hours: float | None = Field(default=None, gt=0)
    """None where none is asked for."""
    breach_report_within_hours: float = Field(default=72, gt=0)
    """From the detection on, of a breach of personal data to the authority; 72 by the GDPR, article 33."""
    notify: str
    """How people are told, in words that follow upon "so"."""


ResponsePolicy = Mapping[Severity, Terms]
_FILE = TypeAdapter(dict[Severity, Terms])


@lru_cache(maxsize=4)
def _read(path: Path, _stamp: int) -> ResponsePolicy:
    file = StrictYaml.of_file(path, f"The response policy {path.name}")
    try:
        policy = _FILE.validate_python(file.content)
    except ValidationError as error:
        first = error.errors()[0]
        raise file.problem(first["loc"], f"{said_of(first)}.") from None
    missing = [severity for severity in Severity if severity not in policy]
    if missing:
        raise UsageError(
            f"The response policy {path.name} says nothing of {', '.join(missing)}: add an entry for each."
        )
    return policy


def read_policy(path: Path) -> ResponsePolicy:
    """The terms of each severity. Raises `UsageError` for a file that is missing or not of the form."""
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise UsageError(f"The response policy {path} cannot be read: {error.strerror}.") from None


def _after(start: datetime, hours: float, *, business_days: bool) -> datetime:
    """So many hours later; with business days, hours of Saturdays and Sundays (UTC) do not count."""
    moment, left = start.astimezone(UTC), timedelta(hours=hours)
    if not business_days:
        return moment + left
    while left > timedelta(0):
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        if moment.weekday() < SATURDAY:
            step = min(left, midnight - moment)
            left -= step
            moment += step
        else:
            moment = midnight
    while moment.weekday() >= SATURDAY:
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return moment


def response_due(incident: Incident, policy: ResponsePolicy) -> datetime:
    """When somebody must be on it."""
    terms = policy[incident.severity]
    return _after(incident.detected_at, terms.respond_within_hours, business_days=terms.business_days)


def postmortem_due(incident: Incident, policy: ResponsePolicy) -> datetime | None:
    """When the postmortem must be written; None while there is nothing to write about, or where none is asked for."""
    hours = policy[incident.severity].postmortem_within_hours
    ended = incident.times.verified or incident.times.resolved
    if hours is None or ended is None or incident.state is State.FALSE_ALARM:
        return None
    return _after(ended, hours, business_days=False)


BREACH_REPORT = "breach report"


def breach_report_due(incident: Incident, policy: ResponsePolicy) -> datetime | None:
    """When a breach of personal data must be reported to the authority; None for any other incident. That it has been healed
    stops no clock of the law."""
    if CLASSES[incident.failure_class].type is not IncidentType.BREACH or incident.state is State.FALSE_ALARM:
        return None
    return _after(incident.detected_at, policy[incident.severity].breach_report_within_hours, business_days=False)


def overdue(incident: Incident, policy: ResponsePolicy, now: datetime) -> dict[str, str]:
    """What was not done in time, or is not done and late by now: `response`, `postmortem` or `breach report` → in words."""
    found = {}
    due, answered = response_due(incident, policy), incident.times.answered
    if (answered or now) > due:
        words = f"Nobody was on it by {moment(due)}, when an answer to a {incident.severity} was due."
        found["response"] = words
    written_by = postmortem_due(incident, policy)
    if written_by is not None and (incident.postmortem_at or now) > written_by:
        found["postmortem"] = f"There was no postmortem by {moment(written_by)}, when it was due."
    reported_by = breach_report_due(incident, policy)
    if reported_by is not None and (incident.breach_reported_at or now) > reported_by:
        words = (
            f"The breach was not reported to the authority by {moment(reported_by)}, nor recorded why it need not be."
        )
        found[BREACH_REPORT] = words
    return found


def in_words(severity: Severity, policy: ResponsePolicy) -> str:
    """The terms of a severity in half a sentence."""
    terms = policy[severity]
    answer = _span(terms.respond_within_hours, "business " if terms.business_days else "")
    postmortem = terms.postmortem_within_hours
    return f"answer within {answer}, " + (
        f"postmortem within {_span(postmortem)} of its end" if postmortem else "no postmortem asked for"
    )


def _span(hours: float, kind: str = "") -> str:
    if hours < 1:
        number, unit = hours * 60, "minute"
    elif hours % 24 == 0 and hours != 48:
        number, unit = hours / 24, "day"
    else:
        number, unit = hours, "hour"
    return f"{number:g} {kind}{unit}" + ("" if number == 1 else "s")

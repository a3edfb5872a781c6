"""What people report: somebody has seen something wrong that no check has seen, and an incident is opened for it.

A report is a failed result of the check `<dataset>__no_report`, which nothing evaluates: so it is grouped, triaged and documented as
every other. It holds nothing, and only a person ends it: whoever decides that the incident is over settles its reports with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from sqlalchemy import Engine

from reliability_platform.checks.catalogue import CHECKS, MART_SOURCES
from reliability_platform.checks.monitor_result import monitor_result
from reliability_platform.checks.results import CheckResult, CheckStatus
from reliability_platform.checks.store import CheckStore
from reliability_platform.contracts import SOURCES
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import consumers
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.locks import locked
from reliability_platform.masking import scrub
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

MAX_DAYS = 92
"""Days of one report: a quarter. What is wrong for longer is told by its first days."""
MAX_WORDS = 2000
"""Characters of what somebody saw, as in every other text of a person on a timeline."""

REPORTABLE: Mapping[str, str] = {name: f"{name}__no_report" for name in MART_SOURCES} | {
    source: f"stg_{source}__no_report" for source in SOURCES
}
"""What somebody may report of, a published table or a source → the check under which it is kept."""


@dataclass(frozen=True)
class PersonReport:
    """What somebody has seen."""

    dataset: str
    """A published table or a source."""
    first: date
    last: date
    """The days on which it looks wrong: landing days of a source, event dates of a table."""
    words: str
    """What was seen, as the person says it."""
    who: str
    key: str | None = None
    """The same key is one report, however often it is sent."""

    @property
    def days(self) -> list[date]:
        """Every day from the first to the last."""
        return [self.first + timedelta(days=one) for one in range((self.last - self.first).days + 1)]

    @property
    def run_id(self) -> str:
        """Under which its results are kept, and by which it is found again."""
        name = uuid4().hex if self.key is None else sha256(f"{self.who}\0{self.key}".encode()).hexdigest()[:32]
        return f"report-{name}"

    @property
    def message(self) -> str:
        """What was seen and by whom, without personal data."""
        return f"{self.who} reports: {scrub(self.words.strip())}"


def report(settings: Settings, engine: Engine, said: PersonReport, now: datetime) -> Incident:
    """Open an incident for a report, or add it to the one that is open for the same; the incident.

    Raises `UsageError` for a dataset that nobody can report of, days that cannot be, no words or too many, and for a key that was
    used for another report.
    """
    _refuse(said, now)
    checks, store, run_id = CheckStore(engine), IncidentStore(engine), said.run_id
    with locked(settings.home / "reports.lock"):  # two who send the same at once are one report
        found = checks.of_run(run_id)
        if not found:
            checks.record([_result(checks, said, day, run_id, now) for day in said.days])
            found = checks.of_run(run_id)
            is_new = True
        else:
            _refuse_another(said, [result for _, result in found])
            is_new = False
        around = Surroundings(settings, lambda: consumers(settings, ensure_manifest()))
        observe(engine, found, now, around)  # of what an earlier call has left without an incident, too
        owner = store.owner_of(found[0][0])
        assert owner is not None, "detection has taken in every result of a declared check"
        if is_new:
            why = f"Reported of {said.dataset}, {said.first} to {said.last}: {scrub(said.words.strip())}"
            store.append(owner, now, said.who, "note", why, {"reported": said.dataset}, key=run_id)
    return store.get(owner)


def _refuse(said: PersonReport, now: datetime) -> None:
    if said.dataset not in REPORTABLE:
        raise UsageError(
            f"There is no source or published table {said.dataset!r} to report of: choose one of {', '.join(REPORTABLE)}."
        )
    if said.last < said.first:
        raise UsageError(f"The last day {said.last} lies before the first, {said.first}: give the earlier day first.")
    if len(said.days) > MAX_DAYS:
        raise UsageError(f"{counted(len(said.days), 'day')} are too many for one report: {MAX_DAYS} are the most.")
    if said.last >= now.date():
        raise UsageError(f"{said.last} is not over yet: only days before today (UTC) have landed.")
    if not said.words.strip():
        raise UsageError("It is not said what is wrong: say it in a few words.")
    if len(said.words) > MAX_WORDS:
        raise UsageError(f"The report has {counted(len(said.words), 'character')}: {MAX_WORDS} is the most.")


def _refuse_another(said: PersonReport, kept: Sequence[CheckResult]) -> None:
    same = {(one.check, one.partition, one.message) for one in kept}
    if same != {(REPORTABLE[said.dataset], day, said.message) for day in said.days}:
        raise UsageError(f"The key {said.key!r} was used for another report: take a new one.")


def _result(checks: CheckStore, said: PersonReport, day: date, run_id: str, now: datetime) -> CheckResult:
    """The value counts the reports of the day, so that one after a false alarm is not taken for the same again."""
    check = REPORTABLE[said.dataset]
    before = sum(one.status is CheckStatus.FAILED for one in checks.history(check, day))
    one = monitor_result(check, day, CheckStatus.FAILED, said.message, run_id, now)
    return CheckResult(**{**vars(one), "value": 1.0 + before})


def settle(engine: Engine, incident: Incident, now: datetime, actor: str, why: str) -> None:
    """Let the reports of an incident pass, for somebody has decided that it is over. Nothing for any other class."""
    if not CLASSES[incident.failure_class].told_by_people:
        return
    standing = sorted(key for key in incident.still_failing if key[0] in CHECKS)
    if not standing:
        return
    run_id = f"settled-{incident.id}"[:64]
    results = [monitor_result(check, day, CheckStatus.PASSED, why, run_id, now) for check, day in standing]
    CheckStore(engine).record(results)
    data = {"passed": [{"check": check, "partition": day.isoformat()} for check, day in standing]}
    words = f"{actor} says that what was reported is settled: {why}"
    IncidentStore(engine).append(incident.id, now, actor, "recovery", words, data)

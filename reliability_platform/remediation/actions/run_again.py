"""The pipeline over the same days once more. What may change the outcome differs: time, late rows, or bronze itself."""

from datetime import date

import duckdb

from reliability_platform.checks.failed_runs import FailedRuns
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.incidents.model import Incident
from reliability_platform.operations import operations_engine
from reliability_platform.remediation import evidence
from reliability_platform.remediation.actions.action import Action, Done, in_words
from reliability_platform.remediation.actions.re_request import RE_REQUEST, slots_to_request
from reliability_platform.remediation.policy import stays_on_record
from reliability_platform.settings import Settings

EVENT_DATES = "event_dates"
"""Under this name the timeline keeps the earlier event dates that an action has let be judged anew."""
INERT = "tables built again from what has landed, as every run builds them; days that fail stay held"


FROM_THE_SOURCE = "from_the_source"
"""Under this name the timeline keeps that the days are to be run from landing on."""


def _died_in_landing(settings: Settings, incident: Incident) -> bool:
    """Whether a run of the days died before all had landed: then what has landed is not all that there is."""
    runs = FailedRuns(operations_engine(settings)).since()
    return any(
        not run.landed_all and any(run.first_day <= day <= run.last_day for day in incident.partitions) for run in runs
    )


def _retry(settings: Settings, incident: Incident, actor: str) -> Done:
    del actor
    facts = {FROM_THE_SOURCE: _died_in_landing(settings, incident)}
    return Done(_describe_retry(settings, incident), list(incident.partitions), facts=facts)


def _describe_retry(settings: Settings, incident: Incident) -> str:
    how = "from landing on" if _died_in_landing(settings, incident) else "unchanged"
    return f"Run {in_words(incident.partitions)} once more, {how}."


RETRY = Action("retry", "run the landing days once more, unchanged", _retry, _describe_retry, INERT)


def _rebuild(settings: Settings, incident: Incident, actor: str) -> Done:
    del actor
    return Done(_describe_rebuild(settings, incident), list(incident.partitions))


def _describe_rebuild(settings: Settings, incident: Incident) -> str:
    del settings
    return f"Run {in_words(incident.partitions)} again from bronze."


REBUILD = Action("rebuild", "build the landing days again from bronze", _rebuild, _describe_rebuild, INERT)


def _recompute(settings: Settings, incident: Incident, actor: str) -> Done:
    if slots_to_request(settings, incident):
        return RE_REQUEST.perform(settings, incident, actor)  # rows that cannot be late are wrong, wherever they count
    touched = _touched(settings, incident)
    facts = {EVENT_DATES: [day.isoformat() for day in touched]}
    return Done(_describe_recompute(settings, incident), sorted({*incident.partitions, *touched}), facts=facts)


def _touched(settings: Settings, incident: Incident) -> list[date]:
    """The earlier landing days on whose event dates the late rows count."""
    try:
        return evidence.earlier_event_dates(settings, incident.source, incident.partitions)
    except (EnvironmentUnusableError, duckdb.CatalogException):
        return []  # nothing has been built yet


def _describe_recompute(settings: Settings, incident: Incident) -> str:
    if slots_to_request(settings, incident):
        return RE_REQUEST.describe(settings, incident)
    touched = _touched(settings, incident)
    judged = f", and {in_words(touched)}, to which late rows belong" if touched else ""
    return f"Run {in_words(incident.partitions)} again{judged}; judge each of these event dates anew."


RECOMPUTE = Action(
    "recompute_event_dates", "build the event dates concerned again", _recompute, _describe_recompute, INERT
)


def _must_pass(settings: Settings, incident: Incident) -> str | None:
    """It proves that what happened did no harm; what says that it did harm, it cannot make good."""
    del settings
    bad = [one for one in incident.still_failing.values() if stays_on_record(one.check, one.dataset) is None]
    return f"nothing of ours makes {bad[0].check} pass" if bad else None


def _verify_only(settings: Settings, incident: Incident, actor: str) -> Done:
    del settings, incident, actor
    return Done("Nothing to change: what came too often, too late or unannounced had been dealt with as it came.", [])


def _describe_verify_only(settings: Settings, incident: Incident) -> str:
    del settings, incident
    return "Nothing to change: verify that every row is accounted for, and that nothing is held."


VERIFY_ONLY = Action(
    "verify_only",
    "change nothing, and verify that nothing is lost",
    _verify_only,
    _describe_verify_only,
    idle=_must_pass,
)


def _confirm(settings: Settings, incident: Incident, actor: str) -> Done:
    del settings, incident, actor
    return Done("What had failed passes again: somebody has mended it.", [])


def _describe_confirm(settings: Settings, incident: Incident) -> str:
    del settings, incident
    return "Nothing by itself: once a person has mended it, confirm that what had failed passes again."


CONFIRM = Action("confirm", "confirm it once a person has mended it", _confirm, _describe_confirm)

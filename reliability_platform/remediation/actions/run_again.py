"""The pipeline over the same days once more. What may change the outcome differs: time, late rows, or bronze itself."""

from reliability_platform.incidents.model import Incident
from reliability_platform.remediation.actions.action import Action, Done, in_words
from reliability_platform.settings import Settings

INERT = "tables built again from what has landed, as every run builds them; days that fail stay held"


def _run_again(name: str, words: str, leaves: str = INERT) -> Action:
    def perform(settings: Settings, incident: Incident, actor: str) -> Done:
        del actor
        return Done(describe(settings, incident), list(incident.partitions))

    def describe(settings: Settings, incident: Incident) -> str:
        del settings
        return words.format(days=in_words(incident.partitions))

    return Action(name, perform, describe, leaves)


RETRY = _run_again("retry", "Run {days} once more as they are: what stopped the last run passes by itself.")
REBUILD = _run_again("rebuild", "Run {days} again from bronze.")
RECOMPUTE = _run_again(
    "recompute_event_dates", "Run {days} again: each landing day recomputes every event date that its rows touch."
)


def _verify_only(settings: Settings, incident: Incident, actor: str) -> Done:
    del settings, incident, actor
    return Done("Nothing to change: what came too often, too late or unannounced had been dealt with as it came.", [])


def _describe_verify_only(settings: Settings, incident: Incident) -> str:
    del settings, incident
    return "Nothing to change: verify that every row is accounted for, and that nothing is held."


VERIFY_ONLY = Action("verify_only", _verify_only, _describe_verify_only)


def _confirm(settings: Settings, incident: Incident, actor: str) -> Done:
    del settings, incident, actor
    return Done("What had failed passes again: somebody has mended it.", [])


def _describe_confirm(settings: Settings, incident: Incident) -> str:
    del settings, incident
    return "Nothing by itself: once a person has mended it, confirm that what had failed passes again."


CONFIRM = Action("confirm", _confirm, _describe_confirm)

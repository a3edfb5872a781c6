"""Puts published files back as they were audited: from the operations store, from a snapshot; and the pointer with them.

Where neither has a table, its landing days are built and published again, which gives a new version.
"""

from datetime import date

from reliability_platform.checks.published import judge_published
from reliability_platform.damage import Damage, in_one_line
from reliability_platform.incidents.model import Incident
from reliability_platform.landing.admission import landed_partitions
from reliability_platform.operations import operations_engine
from reliability_platform.remediation.actions.action import Action, Done
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_lease
from reliability_platform.warehouse.publication import put_back_published
from reliability_platform.warehouse.published_integrity import examine_current, open_ledger


def _put_back(settings: Settings, incident: Incident, actor: str) -> Done:
    del actor
    with warehouse_lease(settings):
        before, left = put_back_published(settings)
    judge_published(settings, operations_engine(settings), incident.begun_at or incident.detected_at, incident.id)
    if left:
        return Done(
            f"Not to be had as it was: {in_one_line(left)}. All days are published anew.", _newest_day(settings)
        )
    return Done(f"Put back: {_paths(before)}." if before else "Everything published is as it was audited.", [])


def _newest_day(settings: Settings) -> list[date]:
    """One run is enough: it publishes every date of which gold is good."""
    return [max(day for _, day in landed_partitions(settings))]


def _paths(damages: list[Damage]) -> str:
    return ", ".join(one.path for one in damages)


def _describe(settings: Settings, incident: Incident) -> str:
    del incident
    found = examine_current(settings, open_ledger(settings))
    if not found:
        return "Judge the published version anew: it is as it was audited."
    return f"Put back {_paths(found)}, or publish all days anew where that is not to be had."


PUT_BACK = Action(
    "put_back_published",
    "put published files back as they were audited, or publish anew",
    _put_back,
    _describe,
    leaves="the published files as they were audited, or as they were found",
)

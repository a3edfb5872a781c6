"""The backfill guard in the pipeline: every step that writes landing days asks it first, whoever launched the run.

The first step of a run decides, before anything is written; so it holds for runs of single assets too, and for
backfills from the UI.
"""

from collections.abc import Mapping
from datetime import date
from functools import partial

import dagster as dg
from sqlalchemy import Engine

from reliability_platform.backfills.decisions import APPROVAL_TAG, Consent, admit_run
from reliability_platform.backfills.guard import Purpose, Request
from reliability_platform.clock import utc_now
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.local import LOCAL
from reliability_platform.orchestration.partitions import INCIDENT_TAG, run_days
from reliability_platform.recovery.rehearsal import changes
from reliability_platform.settings import Settings

DECISION_TAG = "reliability/backfill_decision"
"""Under which name the command line has asked the guard already."""
SCHEDULED = "dagster/schedule_name"
LANDED_TAG = "reliability/landed"
"""On a run that the landing sensor has asked for: as much a matter of routine as the one that the schedule began."""
CALLED_RIGHT_TAG = "reliability/called_right"
"""On a run over days that a person has called right; the incident that was a false alarm."""


def _heals(engine: Engine, tag: str, first: date, last: date) -> bool:
    """Whether the tag names an open incident of these days; the list in it may be cut off."""
    named = {name for name in tag.split(", ") if name}
    return any(incident.id in named for incident in IncidentStore(engine).open_around(first, last))


def _purpose(engine: Engine, tags: Mapping[str, str], first: date, last: date) -> Purpose:
    if INCIDENT_TAG in tags and _heals(engine, tags[INCIDENT_TAG], first, last):
        return Purpose.REMEDIATION
    routine = LOCAL.items() <= tags.items() or bool({SCHEDULED, LANDED_TAG, CALLED_RIGHT_TAG} & tags.keys())
    return Purpose.ROUTINE if routine else Purpose.BACKFILL


def guarded_days(context: dg.AssetExecutionContext, settings: Settings, *, asks_source: bool = False) -> list[date]:
    """The landing days of the run, oldest first, if they may be run. Raises the guard's error."""
    days, tags = run_days(context), context.run.tags
    engine = operations_engine(settings)
    first, last = days[0], days[-1]
    consent = None
    if APPROVAL_TAG in tags:
        consent = Consent(f"whoever launched run {context.run.run_id[:8]}", tags[APPROVAL_TAG])
    request = Request(first, last, _purpose(engine, tags, first, last), asks_source, utc_now())
    name = tags.get(DECISION_TAG, context.run.run_id)
    admit_run(settings, engine, request, name, partial(changes, settings, first, last), consent)
    return days

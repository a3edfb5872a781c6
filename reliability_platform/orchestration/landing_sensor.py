"""The sensor of landing: a delivery that comes by itself for a day that is over has its day run again, by nobody.

Deliveries of days whose turn is still to come are only noted, with the time at which they were first seen: their own
run takes them in.
"""

from datetime import date, datetime, timedelta

import dagster as dg
from sqlalchemy import Engine

from reliability_platform.clock import days, utc_now
from reliability_platform.day_clock import scheduled_at
from reliability_platform.formats import second
from reliability_platform.incidents.model import State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.landing.arrivals import last_seen, look
from reliability_platform.landing.pickup import pick_up_late
from reliability_platform.landing.stream import read_topics
from reliability_platform.landing.watch import Changed, Watch, changed_folders, is_settled
from reliability_platform.landing.working_copy import look_around
from reliability_platform.orchestration.backfill_guard import LANDED_TAG
from reliability_platform.orchestration.jobs import reprocess_job
from reliability_platform.orchestration.partitions import tagged_days
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.pauses import Pauses
from reliability_platform.settings import Settings
from reliability_platform.warehouse.journal import BuildJournal

POLL_SECONDS = 30
FOLDERS_PER_TICK = 200
NEWEST = timedelta(days=14)
DAYS_PER_TICK = 10
"""More days wait for the next tick: a run each is asked for, so that one bad day costs only itself."""


def _in_hand(engine: Engine, instance: dg.DagsterInstance) -> set[date]:
    """The days that a run has, or is about to have; and those that healing has changed and will run."""
    unfinished = dg.RunsFilter(
        statuses=[
            dg.DagsterRunStatus.QUEUED,
            dg.DagsterRunStatus.NOT_STARTED,
            dg.DagsterRunStatus.STARTING,
            dg.DagsterRunStatus.STARTED,
        ]
    )
    found = {day for run in instance.get_runs(unfinished) for day in tagged_days(run.tags)}
    for incident in IncidentStore(engine).open():
        if incident.state is State.RECOVERING:
            found |= set(incident.pending_reruns)
            found |= set(incident.partitions) if incident.acting_since is not None else set()
    return found


def _waited_for(engine: Engine, now: datetime) -> set[date]:
    """The newest days, and those of open incidents: what is corrected there may be written over in place."""
    newest = days(now.date() - NEWEST, now.date())
    return {*newest, *(day for incident in IncidentStore(engine).open() for day in incident.partitions)}


def _run_is_due(settings: Settings, engine: Engine, one: Changed) -> bool:
    """Whether something came after the last build of the day had begun.

    A day that was never built is no matter of this sensor: one in service is missed as such, and any other is a backfill,
    which a person decides on.
    """
    began = BuildJournal(engine, settings.builds).last_began(one.day)
    seen = last_seen(engine, one.source, one.day)
    return began is not None and seen is not None and seen > began


def collect(
    settings: Settings, engine: Engine, instance: dg.DagsterInstance, remembered: str | None, now: datetime
) -> tuple[list[date], str]:
    """The landing days to run for what has come by itself, and what to remember for the next look."""
    watch = Watch.resumed(remembered, now)
    pick_up_late(settings)
    read_topics(settings, Pauses(engine).sources(now), lambda: now)
    waited_for = _waited_for(engine, now)
    look_around(settings, waited_for, now)
    changed = changed_folders(settings, watch.after_ns, waited_for)
    if not changed:
        return [], watch.remembered(now, [])
    busy = _in_hand(engine, instance)
    found: dict[date, None] = {}
    left = changed[FOLDERS_PER_TICK:]
    for one in changed[:FOLDERS_PER_TICK]:
        if one.day in busy or not is_settled(one, now) or (len(found) >= DAYS_PER_TICK and one.day not in found):
            left.append(one)
            continue
        look(settings, engine, one.source, [one.day], now, watch.since, watch.until)
        if scheduled_at(one.day) <= now and _run_is_due(settings, engine, one):
            found[one.day] = None
    return sorted(found), watch.remembered(now, left)


@dg.sensor(
    job=reprocess_job,
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs a landing day again when something has come for it by itself after its run.",
)
@redact_errors
def landing_sensor(context: dg.SensorEvaluationContext, home: Home) -> dg.SensorResult:
    """Look at what has changed since the last tick."""
    settings = home.settings
    now = utc_now()
    wanted, cursor = collect(settings, home.engine, context.instance, context.cursor, now)
    requests = [
        dg.RunRequest(
            run_key=f"landed-{day}-{now:%Y%m%d%H%M%S}",
            partition_key=day.isoformat(),
            tags={LANDED_TAG: f"something came by {second(now)} UTC"},
        )
        for day in wanted
    ]
    return dg.SensorResult(run_requests=requests, cursor=cursor)

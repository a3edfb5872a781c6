"""The sensors: failed checks become incidents, incidents are healed, recovery is verified.

Each is a thin shell around functions that read the stores; whatever a restart or a doubled tick repeats changes
nothing, because results belong to incidents once and runs are keyed by what they are for.
"""

import hashlib
from datetime import date, datetime

import dagster as dg

from reliability_platform.checks.run_monitor import monitor_runs
from reliability_platform.checks.store import CheckStore
from reliability_platform.clock import utc_now
from reliability_platform.incidents.deadlines import note_missed
from reliability_platform.incidents.detection import Surroundings, observe
from reliability_platform.incidents.impact import consumers
from reliability_platform.incidents.model import Incident, State
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.failed_runs import note_failed_runs
from reliability_platform.orchestration.jobs import incident_job, pipeline_job, remediation, reprocess_job
from reliability_platform.orchestration.partitions import INCIDENT_TAG, INCIDENTS, range_tags
from reliability_platform.orchestration.run_storage import without_values
from reliability_platform.remediation.apart import noted
from reliability_platform.remediation.changes import world_of
from reliability_platform.remediation.due import due
from reliability_platform.remediation.heal import end_if_recovered, rerun_is_due, runs_from_the_source, verify
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.remediation.standstill import arrived, note_standstill
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

RESULTS_PER_TICK = 20_000
POLL_SECONDS = 15
MAX_RUNTIME = "dagster/max_runtime"
"""Dagster's run monitoring ends a run that takes longer, in seconds."""


def _time_limit(incident: Incident) -> str:
    return str(int(POLICIES[incident.failure_class].time_limit.total_seconds()))


def _length(incident: Incident) -> int:
    """Of the timeline, without alerts: that somebody was told is no reason to act or to run anything again."""
    return sum(entry.kind != "alert" for entry in incident.timeline)


def document_requests(incidents: list[Incident]) -> list[dg.RunRequest]:
    """A run for the documents of each incident as it stands: keyed by the length of its timeline."""
    return [
        dg.RunRequest(
            run_key=f"documents-{incident.id}-{_length(incident)}",
            job_name=incident_job.name,
            partition_key=incident.id,
            tags={INCIDENT_TAG: incident.id},
        )
        for incident in incidents
    ]


def _partitions_of(incidents: list[Incident]) -> list[dg.AddDynamicPartitionsRequest]:
    """The partitions of these incidents; a sensor that died may have opened one without."""
    return [INCIDENTS.build_add_request([incident.id for incident in incidents])] if incidents else []


def _attempt(incident: Incident, now: datetime) -> str:
    """What a run is for: this attempt on this incident. One that was lost before it began is asked for an hour later."""
    return f"{incident.id}-{incident.lives}-{incident.actions_taken}-{now:%Y%m%d%H}"


@dg.sensor(
    job=incident_job,
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns failed checks into incidents, one per cause, and writes their runbooks.",
)
@without_values
def incident_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Read the check results since the last tick."""
    settings = load_settings()
    engine = operations_engine(settings)
    note_failed_runs(settings, engine, context.instance, utc_now())
    monitor_runs(settings, engine, utc_now())
    results = CheckStore(engine).after(int(context.cursor or 0), RESULTS_PER_TICK)
    changed = observe(
        engine, results, utc_now(), Surroundings(settings, lambda: consumers(settings, ensure_manifest()))
    )
    changed += note_missed(settings, engine, utc_now())
    store = IncidentStore(engine)
    for incident in store.open():
        with noted(store, incident, utc_now(), "Whether it has recovered could not be found out"):
            if end_if_recovered(settings, engine, incident.id, utc_now(), "incident sensor"):
                changed.append(incident.id)
    incidents = [store.get(incident_id) for incident_id in dict.fromkeys(changed)]
    cursor = str(results[-1][0]) if results else context.cursor
    return dg.SensorResult(
        run_requests=document_requests(incidents),
        cursor=cursor,
        dynamic_partitions_requests=_partitions_of(incidents),
    )


def _take_in(settings: Settings, incident: Incident, days: list[date]) -> dg.RunRequest:
    """One run over the days on which something has landed by itself; keyed by what has landed."""
    key = f"{incident.id} {world_of(settings, incident)['deliveries']}"
    return dg.RunRequest(
        run_key=f"arrivals-{hashlib.sha256(key.encode()).hexdigest()[:16]}",
        job_name=reprocess_job.name,
        partition_key=days[0].isoformat() if len(days) == 1 else None,
        tags={INCIDENT_TAG: incident.id, **({} if len(days) == 1 else range_tags(days[0], days[-1]))},
    )


def _rerun(job: str, incidents: list[Incident]) -> dg.RunRequest:
    """One run over all landing days that the last actions on these incidents changed."""
    days = [day for incident in incidents for day in incident.pending_reruns]
    key = "/".join(sorted(_attempt(incident, utc_now()) for incident in incidents))
    tags = {INCIDENT_TAG: ", ".join(incident.id for incident in incidents)[:250]}
    return dg.RunRequest(
        run_key=f"{job}-{hashlib.sha256(key.encode()).hexdigest()[:16]}",
        job_name=job,
        partition_key=days[0].isoformat() if min(days) == max(days) else None,
        tags=tags if min(days) == max(days) else {**tags, **range_tags(min(days), max(days))},
    )


@dg.sensor(
    jobs=[remediation, pipeline_job, reprocess_job, incident_job],
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Heals incidents as the policy says: act, run the days again, verify, resolve.",
)
@without_values
def remediation_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Take each open incident one step further."""
    del context
    settings = load_settings()
    engine = operations_engine(settings)
    store = IncidentStore(engine)
    requests: list[dg.RunRequest] = []
    waiting: list[Incident] = []
    documents: list[Incident] = []
    arrivals: list[tuple[Incident, list[date]]] = []
    open_ones = store.open()
    acted_upon = {incident.id for incident in due(settings, engine, open_ones, utc_now())}
    for incident in open_ones:
        if incident.id in acted_upon:
            requests.append(
                dg.RunRequest(
                    run_key=f"remediation-{_attempt(incident, utc_now())}",
                    job_name=remediation.name,
                    run_config={"ops": {"take_action": {"config": {"incident_id": incident.id}}}},
                    tags={INCIDENT_TAG: incident.id, MAX_RUNTIME: _time_limit(incident)},
                )
            )
        elif incident.state is State.RECOVERING and incident.attempts:
            with noted(store, incident, utc_now(), "Its recovery could not be verified"):
                if rerun_is_due(settings, engine, incident):
                    waiting.append(incident)
                else:
                    verify(settings, engine, incident.id, utc_now(), "remediation sensor")
                    documents.append(store.get(incident.id))
        else:
            with noted(store, incident, utc_now(), "What has landed for it could not be found out"):
                days = arrived(settings, incident)
                if days:
                    arrivals.append((incident, days))
                else:
                    note_standstill(settings, engine, incident, utc_now(), "remediation sensor")
    if not requests:  # first all actions, then one run for all days that they changed
        for job, from_the_source in ((pipeline_job, True), (reprocess_job, False)):
            some = [one for one in waiting if runs_from_the_source(one) is from_the_source]
            requests += [_rerun(job.name, some)] if some else []
    if not requests:  # what has come by itself is taken in, whether an attempt is left or not
        requests += [_take_in(settings, incident, days) for incident, days in arrivals]
    return dg.SensorResult(
        run_requests=requests + document_requests(documents), dynamic_partitions_requests=_partitions_of(documents)
    )

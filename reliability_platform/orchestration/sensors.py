"""The sensors: failed checks become incidents, incidents are healed, recovery is verified.

Each is a thin shell around functions that read the stores; whatever a restart or a doubled tick repeats changes
nothing, because results belong to incidents once and runs are keyed by what they are for.
"""

import hashlib
from datetime import date, datetime

import dagster as dg

from reliability_platform.clock import utc_now
from reliability_platform.incidents.apart import noted
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.orchestration.backfill_guard import CALLED_RIGHT_TAG
from reliability_platform.orchestration.failed_runs import note_failed_runs
from reliability_platform.orchestration.incident_pages import incident_pages
from reliability_platform.orchestration.jobs import pipeline_job, remediation, reprocess_job
from reliability_platform.orchestration.partitions import INCIDENT_TAG, INCIDENTS, range_tags
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.pipeline.ticks import Rerun, notice, spans_to_run, take_steps
from reliability_platform.remediation.changes import environment_fingerprint
from reliability_platform.remediation.policy import POLICIES
from reliability_platform.settings import Settings

POLL_SECONDS = 30
"""How often healing looks by itself: a second attempt may be due half a minute after the first."""
NOTICE_SECONDS = 60
"""How often it is noticed what time alone brings, as a deadline that has passed: 50 ms of CPU each time. A failed check wakes
the sensor at once."""
MAX_RUNTIME = "dagster/max_runtime"
"""Dagster's run monitoring ends a run that takes longer, in seconds."""


def _time_limit(incident: Incident) -> str:
    return str(int(POLICIES[incident.failure_class].time_limit.total_seconds()))


def _length(incident: Incident) -> int:
    """Of the timeline, without alerts: that somebody was told is no reason to act or to run anything again."""
    return sum(entry.kind != "alert" for entry in incident.timeline)


def page_requests(incidents: list[Incident]) -> list[dg.RunRequest]:
    """One run for the pages of these incidents as they stand: keyed by the lengths of their timelines."""
    if not incidents:
        return []
    key = "/".join(f"{incident.id}-{_length(incident)}" for incident in incidents)
    ids = [incident.id for incident in incidents]
    return [
        dg.RunRequest(
            run_key=f"pages-{hashlib.sha256(key.encode()).hexdigest()[:16]}",
            job_name=incident_pages.name,
            run_config={"ops": {"write_pages": {"config": {"incident_ids": ids}}}},
            tags=_about(incidents),
        )
    ]


def _about(incidents: list[Incident]) -> dict[str, str]:
    return {INCIDENT_TAG: ", ".join(incident.id for incident in incidents)[:250]}


def _partitions_of(incidents: list[Incident]) -> list[dg.AddDynamicPartitionsRequest]:
    """The partitions of these incidents; a sensor that died may have opened one without."""
    return [INCIDENTS.build_add_request([incident.id for incident in incidents])] if incidents else []


def _attempt(incident: Incident, now: datetime) -> str:
    """What a run is for: this attempt on this incident. One that was lost before it began is asked for an hour later."""
    return f"{incident.id}-{incident.lives}-{incident.actions_taken}-{now:%Y%m%d%H}"


@dg.sensor(
    job=incident_pages,
    minimum_interval_seconds=NOTICE_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns failed checks into incidents, one per cause, and writes their runbooks.",
)
@redact_errors
def incident_sensor(context: dg.SensorEvaluationContext, home: Home) -> dg.SensorResult:
    """Read the check results that no tick has read, here or from the command line; the cursor is shown, and read nowhere."""
    settings = home.settings
    engine = home.engine
    changed, cursor = notice(
        settings,
        engine,
        utc_now,
        first=lambda: note_failed_runs(settings, engine, context.instance, utc_now()),
    )
    incidents = [IncidentStore(engine).get(incident_id) for incident_id in changed]
    return dg.SensorResult(
        run_requests=page_requests(incidents),
        cursor=str(cursor),
        dynamic_partitions_requests=_partitions_of(incidents),
    )


def _run_over(job: str, days: tuple[date, date], key: str, tags: dict[str, str]) -> dg.RunRequest:
    """One run over landing days, by the first and the last; keyed by them and by what they are run for."""
    first, last = days
    hashed = hashlib.sha256(f"{key} {first} {last}".encode()).hexdigest()[:16]
    return dg.RunRequest(
        run_key=f"{job}-{hashed}",
        job_name=job,
        partition_key=first.isoformat() if first == last else None,
        tags=tags if first == last else {**tags, **range_tags(first, last)},
    )


def _take_in(settings: Settings, incident: Incident, days: list[date]) -> list[dg.RunRequest]:
    """Runs over the days on which something has landed by itself, or may fit a contract that has changed; keyed by both."""
    now = environment_fingerprint(settings, incident)
    key = f"arrivals {incident.id} {now['deliveries']} {now['contract']}"
    return [_run_over(reprocess_job.name, span, key, _about([incident])) for span in spans_to_run(days)]


def _again(incident: Incident, days: list[date]) -> list[dg.RunRequest]:
    """Runs over days that a person has called right; keyed by that word."""
    key = f"called-right {incident.id} {_length(incident)}"
    tags = {CALLED_RIGHT_TAG: incident.id}
    return [_run_over(reprocess_job.name, span, key, tags) for span in spans_to_run(days)]


def _rerun(run: Rerun) -> dg.RunRequest:
    """One run over landing days that the last actions on some incidents changed."""
    job = pipeline_job.name if run.from_the_source else reprocess_job.name
    key = "/".join(sorted(_attempt(incident, utc_now()) for incident in run.incidents))
    return _run_over(job, run.days, key, _about(run.incidents))


@dg.sensor(
    jobs=[remediation, pipeline_job, reprocess_job, incident_pages],
    minimum_interval_seconds=POLL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Heals incidents as the policy says: act, run the days again, verify, resolve.",
)
@redact_errors
def remediation_sensor(context: dg.SensorEvaluationContext, home: Home) -> dg.SensorResult:
    """Take each open incident one step further."""
    del context
    settings = home.settings
    engine = home.engine
    steps = take_steps(settings, engine, utc_now, "remediation sensor")
    requests = [
        dg.RunRequest(
            run_key=f"remediation-{_attempt(incident, utc_now())}",
            job_name=remediation.name,
            run_config={"ops": {"take_action": {"config": {"incident_id": incident.id}}}},
            tags={INCIDENT_TAG: incident.id, MAX_RUNTIME: _time_limit(incident)},
        )
        for incident in steps.act
    ]
    requests += [_rerun(run) for run in steps.runs]
    for incident, days in steps.arrivals:
        with noted(IncidentStore(engine), incident, utc_now(), "What has landed for it could not be taken in"):
            requests += _take_in(settings, incident, days)
    for incident, days in steps.called_right:
        requests += _again(incident, days)
    documents = steps.verified
    return dg.SensorResult(
        run_requests=requests + page_requests(documents), dynamic_partitions_requests=_partitions_of(documents)
    )

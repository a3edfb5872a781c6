"""What can be looked at: each route asks one function of the read layer."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from reliability_platform.checks.results import CheckResult
from reliability_platform.clock import utc_now
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.service.access.roles import Act
from reliability_platform.service.api import asked
from reliability_platform.service.api.access import Caller, OnGround, Viewer, allowed, each_parameter_once
from reliability_platform.service.api.problems import ApiError, problems, told_as
from reliability_platform.service.launching.requests import RunRequest, RunRequests
from reliability_platform.service.metrics.exposition import TEXT, exposition
from reliability_platform.service.queries import (
    acts,
    changes,
    checks,
    contracts,
    evidence,
    health,
    impact,
    incidents,
    lineage,
    profiles,
    publications,
    quarantine,
    response,
    runbooks,
    runs,
    slo,
    sources,
    summary,
)
from reliability_platform.service.queries.answer import Page, QueryAnswer, page
from reliability_platform.warehouse.dbt_manifest import ensure_manifest

USUAL = problems(401, 403, 422, 429, 503)
WITH_ID = problems(401, 403, 404, 422, 429, 503)
open_to_all = APIRouter(tags=["health"], responses=problems(403, 429))
router = APIRouter(responses=USUAL, dependencies=[Depends(each_parameter_once)])

RequestedRunId = Annotated[str, Path(max_length=36, description="As the answer to the request said.")]
IncidentId = Annotated[
    str, Path(min_length=1, max_length=200, description="The id of the incident, or its beginning as INC-0003.")
]


class IncidentInFull(incidents.IncidentDetail):
    """One incident with its timeline, how people deal with it, what changed before it, its runbook and what it reaches."""

    response: response.IncidentResponse
    """Updates, promises, tickets, the clock of a breach, causes that came back, what is left to do."""

    changes: changes.IncidentChanges
    """What changed since the last good run."""

    runbook: runbooks.Runbook
    """What to do about it."""
    impact: impact.RecordedImpact
    """What it reaches."""


class Quarantine(QueryAnswer):
    """What is in quarantine: a page of rejected rows and a page of refused files."""

    totals: quarantine.QuarantineTotals
    """How much waits."""
    rows: Page[quarantine.RejectedRows]
    """Rejected rows, by batch, reason and state."""
    files: Page[quarantine.RefusedFile]
    """Files that were refused as a whole."""


class CheckResults(QueryAnswer):
    """Results of checks."""

    counts: checks.CheckCounts
    """Of all landing days that are asked for, those included that passed."""
    results: Page[CheckResult]
    """The latest result of each check on each landing day."""


@open_to_all.get("/health", summary="Whether this process answers")
def get_health() -> health.Liveness:
    """Cheap, and without a token: nothing is asked of the home. For a supervisor that starts the process again."""
    return health.liveness()


@open_to_all.head("/health", include_in_schema=False)
def head_health() -> None:
    """For a supervisor that asks for no body."""


@router.get("/health/ready", tags=["health"], summary="Whether the platform can be asked, and works by itself")
def get_readiness(on: OnGround, _: Viewer) -> health.Readiness:
    """The operations store, and the heartbeats of the daemons that run schedules and sensors.

    503 where the store cannot be read; a daemon that does not beat makes it `degraded`, with status 200.
    """
    found = health.readiness(on.settings, on.engine, utc_now())
    if found.status == "not_ready":
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, " ".join(found.reasons))
    return found


@router.get(
    "/metrics",
    tags=["health"],
    summary="The metrics, for Prometheus",
    response_class=Response,
    responses={200: {"description": "OpenMetrics, or the older text format", "content": {one: {} for one in TEXT}}},
)
def get_metrics(on: OnGround, _: Viewer, request: Request) -> Response:
    """In the format that `Accept` asks for. docs/how-to/metrics.md says how a scrape shows its token."""
    text, media_type = exposition(on.settings, on.engine, utc_now(), request.headers.get("accept", "*/*"))
    return Response(text, headers={"Content-Type": media_type})


@router.get("/pipeline-summary", tags=["pipeline"], summary="The state of the pipeline")
def get_pipeline_summary(on: OnGround, _: Viewer) -> summary.PipelineSummary:
    """What was run last, what consumers read, what is open and what waits."""
    return summary.pipeline_summary(on.settings, on.engine, utc_now())


@router.get("/pipeline-runs", tags=["pipeline"], summary="Runs of the pipeline, the newest first")
def get_pipeline_runs(on: OnGround, _: Viewer, what: Annotated[asked.OfRuns, Query()]) -> Page[runs.PipelineRun]:
    """Which landing days were built when, and how that ended."""
    return runs.run_page(on.settings, on.engine, runs.RunFilter(what.outcome, what.day), what.window)


@router.get("/requested-runs", tags=["pipeline"], summary="What was asked for over this API, the newest first")
def get_requested_runs(on: OnGround, _: Viewer, what: Annotated[asked.Paging, Query()]) -> Page[RunRequest]:
    """Runs, backfills, simulated failures, healing, replays: who asked, how far it is, what came of it."""
    found, total = RunRequests(on.settings, on.engine).newest(what.limit, what.offset)
    return page(found, total, what.window)


@router.get("/requested-runs/{run_id}", tags=["pipeline"], summary="How far one of them is", responses=WITH_ID)
def get_requested_run(on: OnGround, _: Viewer, run_id: RequestedRunId) -> RunRequest:
    """Poll this until `state` is neither `waiting` nor `running`. Dagster's runs have the id as the tag `reliability/requested_run`."""
    with told_as(404):
        return RunRequests(on.settings, on.engine).get(run_id)


@router.get("/incidents", tags=["incidents"], summary="Incidents, the newest first")
def get_incidents(
    on: OnGround, _: Viewer, what: Annotated[asked.OfIncidents, Query()]
) -> Page[incidents.IncidentSummary]:
    """Which incidents there are; filters narrow the list."""
    return incidents.incident_page(on.settings, on.engine, utc_now(), _filter(what), what.window)


def _filter(what: asked.OfIncidents) -> incidents.IncidentFilter:
    names = ("state", "severity", "source", "failure_class", "assignee", "day", "since")
    return incidents.IncidentFilter(what.open, **{name: getattr(what, name) for name in names})


@router.get("/incidents/{incident_id}", tags=["incidents"], summary="Everything about one incident", responses=WITH_ID)
def get_incident(on: OnGround, _: Viewer, incident_id: IncidentId) -> IncidentInFull:
    """Its timeline, how people deal with it, what changed since the last good run, its runbook, what it reaches downstream."""
    now, manifest = utc_now(), ensure_manifest()
    with told_as(404):
        incident = IncidentStore(on.engine).get(incident_id)
    return IncidentInFull(
        **dict(incidents.detail_of(on.settings, incident, now)),
        response=response.response_of(on.settings, on.engine, incident, now),
        changes=changes.changes_of(on.settings, on.engine, manifest, incident),
        runbook=runbooks.runbook_of(on.settings, incident),
        impact=impact.recorded_impact(manifest, incident),
    )


@router.get(
    "/incidents/{incident_id}/hearings", tags=["incidents"], summary="Who would hear of an incident", responses=WITH_ID
)
def get_hearings(on: OnGround, _: Viewer, incident_id: IncidentId) -> response.IncidentHearings:
    """Whom `routing.yml` tells of it, when and why, who is next if nobody answers, and its tickets. Nothing is sent."""
    with told_as(404):
        incident = IncidentStore(on.engine).get(incident_id)
    return response.hearings_of(on.settings, on.engine, incident, utc_now())


@router.get("/downstream-impact", tags=["incidents"], summary="What the open incidents reach")
def get_downstream_impact(
    on: OnGround, _: Viewer, what: Annotated[asked.OfImpact, Query()]
) -> Page[impact.RecordedImpact]:
    """Tables, columns, checks and readers downstream of each, whether consumers are kept from it, and its measures."""
    manifest = ensure_manifest()
    found, total = IncidentStore(on.engine).newest(_filter(what).conditions, what.limit, what.offset)
    return page([impact.recorded_impact(manifest, one) for one in found], total, what.window)


@router.get("/checks", tags=["quality"], summary="The latest result of each check on each landing day")
def get_checks(on: OnGround, _: Viewer, what: Annotated[asked.OfChecks, Query()]) -> CheckResults:
    """By default those that object; the counts are of all."""
    wanted = checks.CheckFilter(
        what.first, what.last, what.source, what.dataset, what.check, only_objections=not what.everything
    )
    return CheckResults(
        counts=checks.check_counts(on.engine, wanted), results=checks.check_page(on.engine, wanted, what.window)
    )


@router.get(
    "/sla-status",
    tags=["quality"],
    summary="Service level objectives and what is left of their budgets",
    responses=WITH_ID,
)
def get_sla_status(on: OnGround, _: Viewer, what: Annotated[asked.OfObjectives, Query()]) -> slo.SloReport:
    """Good and bad landing days of each objective, how fast its error budget burns, and what has spent it."""
    known = slo.datasets_with_objectives(on.settings)
    unknown = [one for one in what.dataset if one not in known]
    if unknown:
        raise ApiError(HTTPStatus.NOT_FOUND, f"There is no objective for {unknown[0]!r}: {', '.join(known)} have one.")
    return slo.slo_report(on.settings, on.engine, utc_now(), what.as_of, what.dataset)


@router.get("/data-contracts", tags=["quality"], summary="What each source promises")
def get_data_contracts(on: OnGround, _: Viewer) -> list[contracts.DataContract]:
    """Columns, keys, deadlines and rules, and how the checks of the newest landing day judge them."""
    return contracts.data_contracts(on.engine)


@router.get("/profiles", tags=["quality"], summary="How the numbers of a source went over its landing days")
def get_profiles(on: OnGround, _: Viewer, what: Annotated[asked.OfProfiles, Query()]) -> Page[profiles.ProfilePoint]:
    """As the audits have measured them, the newest landing day first."""
    wanted = profiles.ProfileFilter(what.source, what.kind, what.subject, what.first, what.last)
    return profiles.profile_page(on.settings, wanted, what.window)


@router.get("/quarantine", tags=["quarantine"], summary="What was refused or rejected")
def get_quarantine(on: OnGround, _: Viewer, what: Annotated[asked.OfQuarantine, Query()]) -> Quarantine:
    """Rejected rows as of the last audit of each landing day, and refused files as they are now; both by the same paging."""
    wanted = quarantine.QuarantineFilter(what.source, what.first, what.last, what.state)
    return Quarantine(
        totals=quarantine.quarantine_totals(on.settings, on.engine),
        rows=quarantine.row_page(on.engine, wanted, what.window),
        files=quarantine.file_page(on.settings, wanted, what.window),
    )


@router.get("/publications", tags=["publication"], summary="What was published, the newest version first")
def get_publications(
    on: OnGround, _: Viewer, what: Annotated[asked.OfPublications, Query()]
) -> Page[publications.PublishedVersion]:
    """Tables, rows, held landing days, and what each version lacks."""
    return publications.publication_page(on.settings, what.window)


@router.get("/publications/{version}", tags=["publication"], summary="One version", responses=WITH_ID)
def get_publication(
    on: OnGround,
    _: Viewer,
    version: Annotated[str, Path(max_length=20, description="As `v000007`; `current` is what consumers read.")],
) -> publications.PublishedVersion:
    """One version that is still kept."""
    with told_as(404):
        return publications.publication(on.settings, version)


@router.get("/audit-log", tags=["access"], summary="Who did what, the newest first")
def get_audit_log(
    on: OnGround, _: Annotated[Caller, Depends(allowed(Act.AUDIT))], what: Annotated[asked.OfActs, Query()]
) -> Page[acts.AuditedAct]:
    """When, why and from where: published, held, healed, replayed, restored, purged, unmasked, tokens made and revoked."""
    return acts.act_page(on.engine, acts.ActFilter(what.command, what.who, what.since), what.window)


@router.get("/sources", tags=["pipeline"], summary="How each source stands")
def get_sources(on: OnGround, _: Viewer) -> list[sources.SourceStanding]:
    """Circuit breaker, last fetch, what is missing, and whether the next deadline is at risk."""
    return sources.source_standings(on.settings, on.engine, utc_now())


@router.get("/lineage", tags=["pipeline"], summary="What feeds what", responses=WITH_ID)
def get_lineage(on: OnGround, _: Viewer, what: Annotated[asked.OfLineage, Query()]) -> lineage.LineageGraph:
    """The data graph from the source systems to those who read what is published."""
    del on
    with told_as(404):
        return lineage.lineage_graph(ensure_manifest(), what.dataset)


@router.get("/scorecards", tags=["evidence"], summary="The reports of the last grading")
def get_scorecards(on: OnGround, _: Viewer) -> list[evidence.EvidenceReport]:
    """What was broken on purpose, what became of it, and the evidence; `reliability scorecard` writes them."""
    return evidence.evidence_reports(on.settings)


@router.get("/scorecards/{name}", tags=["evidence"], summary="The rows of one report", responses=WITH_ID)
def get_scorecard(
    on: OnGround,
    _: Viewer,
    name: Annotated[str, Path(max_length=100, description="The name of the report.")],
    what: Annotated[asked.Paging, Query()],
) -> Page[dict[str, Any]]:
    """Its columns are described in `scorecards/README.md` of the home."""
    with told_as(404):
        return evidence.evidence_rows(on.settings, name, what.window)

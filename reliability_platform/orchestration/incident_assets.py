"""Each incident is a partition of one asset whose page shows its runbook."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from sqlalchemy import Engine

from reliability_platform.clock import utc_now
from reliability_platform.incidents.classes import CLASSES, Severity
from reliability_platform.incidents.impact import phase_of, record_impacts
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import overdue, read_policy, response_due
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.orchestration.catalog import PLATFORM_OWNERS
from reliability_platform.orchestration.evaluations import store_evaluations
from reliability_platform.orchestration.partitions import INCIDENTS
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.retries import RETRIES, only_transient
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.remediation.documents import Together, documents_folder, write_page
from reliability_platform.settings import Settings

RESOLVED = "incident__resolved"


@dg.asset(
    key="incident",
    owners=PLATFORM_OWNERS,
    group_name="incidents",
    kinds={"markdown"},
    partitions_def=INCIDENTS,
    retry_policy=RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            RESOLVED,
            asset="incident",
            partitions_def=INCIDENTS,
            description="The incident is over. P0 and P1 are errors.",
        )
    ],
    description="One partition per incident: what failed, who is hit, what to do, and its history.",
)
@only_transient
@redact_errors
def incident_asset(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Write the page of one incident as it stands now, and show it here."""
    [incident] = measured(home, [IncidentStore(home.engine).get(context.partition_key)])
    return dg.MaterializeResult(
        metadata=incident_metadata(home.settings, home.engine, incident),
        check_results=[dg.AssetCheckResult(**_resolved(incident))],
    )


def measured(home: Home, incidents: Sequence[Incident]) -> list[Incident]:
    """The incidents, the impact of each recorded for the phase that it is in, if that has not been done."""
    due = [(one, phase) for one in incidents if (phase := phase_of(one)) is not None]
    recorded = set(record_impacts(home.settings, home.engine, due, utc_now()))
    store = IncidentStore(home.engine)
    return [store.get(one.id) if one.id in recorded else one for one in incidents]


def show_page(context: dg.OpExecutionContext, home: Home, incident: Incident, together: Together | None = None) -> None:
    """Write the page of an incident outside of the asset, and show it there as the asset would."""
    metadata = incident_metadata(home.settings, home.engine, incident, together)
    context.log_event(dg.AssetMaterialization(asset_key=incident_asset.key, partition=incident.id, metadata=metadata))
    store_evaluations(context.instance, context.run_id, context.job_name, [_evaluation(incident)])


def _resolved(incident: Incident) -> dict[str, Any]:
    """What the check of an incident says: an open one is no green dot, however well its page was written."""
    severe = incident.severity in (Severity.P0, Severity.P1)
    return {
        "check_name": RESOLVED,
        "passed": not incident.is_open,
        "severity": dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
        "metadata": {"severity": incident.severity.value, "state": incident.state.value},
        "description": f"{incident.severity.value}, {incident.state.value}: {CLASSES[incident.failure_class].title}",
    }


def _evaluation(incident: Incident) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=incident_asset.key, partition=incident.id, blocking=False, **_resolved(incident)
    )


def incident_metadata(
    settings: Settings, engine: Engine, incident: Incident, together: Together | None = None
) -> dict[str, dg.MetadataValue]:
    """What the page of an incident shows; the same is left in the home, for reading without the platform."""
    policy, now = read_policy(settings.response_policy), utc_now()
    page = write_page(settings, engine, incident, now, together)
    return {
        "page": dg.MetadataValue.md(page),
        "file": dg.MetadataValue.path(str(documents_folder(settings) / f"{incident.id}.html")),
        "dashboard": dg.MetadataValue.url(f"{settings.api_url.rstrip('/')}/ui/incidents/{incident.id}"),
        "state": dg.MetadataValue.text(incident.state.value),
        "severity": dg.MetadataValue.text(incident.severity.value),
        "type": dg.MetadataValue.text(incident.triage.type.value),
        "source": dg.MetadataValue.text(incident.source),
        "failure_class": dg.MetadataValue.text(incident.failure_class),
        "landing_days": dg.MetadataValue.text(", ".join(day.isoformat() for day in incident.partitions)),
        "assigned_to": dg.MetadataValue.text(incident.assignee or "nobody"),
        "response_due": dg.MetadataValue.timestamp(response_due(incident, policy)),
        "overdue": dg.MetadataValue.text("; ".join(overdue(incident, policy, now).values()) or "nothing"),
        "checks": dg.MetadataValue.json(incident.checks),
    }

"""Each incident is a partition of one asset whose page shows its runbook."""

import dagster as dg

from reliability_platform.clock import utc_now
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.response import overdue, read_policy, response_due
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.dbt_assets import WAREHOUSE_POOL
from reliability_platform.orchestration.partitions import INCIDENTS
from reliability_platform.remediation.documents import render_runbook
from reliability_platform.settings import Settings, load_settings


@dg.asset(
    key="incident",
    group_name="incidents",
    kinds={"markdown"},
    partitions_def=INCIDENTS,
    pool=WAREHOUSE_POOL,
    description="One partition per incident: what failed, who is hit, what to do, and its history.",
)
def incident_asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Write the runbook of one incident as it stands now."""
    settings = load_settings()
    incident = IncidentStore(operations_engine(settings)).get(context.partition_key)
    return dg.MaterializeResult(metadata=incident_metadata(settings, incident))


def incident_metadata(settings: Settings, incident: Incident) -> dict[str, dg.MetadataValue]:
    """What the page of an incident shows."""
    policy = read_policy(settings.response_policy)
    return {
        "runbook": dg.MetadataValue.md(render_runbook(settings, incident)),
        "state": dg.MetadataValue.text(incident.state.value),
        "severity": dg.MetadataValue.text(incident.severity.value),
        "type": dg.MetadataValue.text(incident.triage.type.value),
        "source": dg.MetadataValue.text(incident.source),
        "failure_class": dg.MetadataValue.text(incident.failure_class),
        "landing_days": dg.MetadataValue.text(", ".join(day.isoformat() for day in incident.partitions)),
        "assigned_to": dg.MetadataValue.text(incident.assignee or "nobody"),
        "response_due": dg.MetadataValue.timestamp(response_due(incident, policy)),
        "overdue": dg.MetadataValue.text("; ".join(overdue(incident, policy, utc_now()).values()) or "nothing"),
        "checks": dg.MetadataValue.json(incident.checks),
    }

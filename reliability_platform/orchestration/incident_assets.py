"""Each incident is a partition of one asset whose page shows its runbook."""

import dagster as dg

from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.dbt_assets import WAREHOUSE_POOL
from reliability_platform.orchestration.partitions import INCIDENTS
from reliability_platform.remediation.documents import render_runbook
from reliability_platform.settings import load_settings


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
    text = render_runbook(settings, incident)
    return dg.MaterializeResult(
        metadata={
            "runbook": dg.MetadataValue.md(text),
            "state": incident.state.value,
            "severity": incident.severity.value,
            "source": incident.source,
            "failure_class": incident.failure_class,
            "landing_days": ", ".join(day.isoformat() for day in incident.partitions),
            "checks": dg.MetadataValue.json(incident.checks),
        }
    )

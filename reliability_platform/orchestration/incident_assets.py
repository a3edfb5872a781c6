"""Each incident is a partition of one asset whose page shows its runbook."""

import dagster as dg

from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.incidents.impact import Numbers, numbers, reach
from reliability_platform.incidents.model import Incident
from reliability_platform.incidents.render import markdown
from reliability_platform.incidents.runbook import runbook
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.operations import operations_engine
from reliability_platform.orchestration.dbt_assets import WAREHOUSE_POOL
from reliability_platform.orchestration.partitions import INCIDENTS
from reliability_platform.remediation.heal import describe
from reliability_platform.settings import DEFAULT_HOME, Settings, load_settings
from reliability_platform.warehouse.dbt_runner import MANIFEST
from reliability_platform.warehouse.lease import warehouse_reader


def _numbers(settings: Settings, incident: Incident) -> Numbers | None:
    try:
        with warehouse_reader(settings) as connection:
            return numbers(connection, incident.source, incident.partitions)
    except EnvironmentUnusableError:
        return None  # a lost warehouse must not keep anybody from reading the runbook


def _plan(settings: Settings, incident: Incident) -> str | None:
    try:
        return describe(settings, incident)
    except EnvironmentUnusableError:
        return None


def render_runbook(settings: Settings, incident: Incident) -> str:
    """The runbook as Markdown, with today's numbers."""
    elsewhere = None if settings.home == DEFAULT_HOME else settings.home
    lineage, counted = reach(MANIFEST, incident.source), _numbers(settings, incident)
    return markdown(runbook(incident, lineage, counted, elsewhere, _plan(settings, incident)))


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

"""What people decide about an incident, from the Dagster UI: choose the incident's partition, say what and why."""

from enum import StrEnum

import dagster as dg
from pydantic import Field

from reliability_platform.clock import utc_now
from reliability_platform.incidents.decisions import Decision, decide
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.orchestration.incident_assets import show_page
from reliability_platform.orchestration.partitions import INCIDENTS
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors

# Dagster takes the names of an enumeration's members, people are told their values: here both are the same.
Choice = StrEnum("Choice", {one.value: one.value for one in Decision})  # type: ignore[misc]


class DecisionConfig(dg.Config):
    """One decision of one person."""

    decision: Choice = Field(description=f"One of {', '.join(Choice)}.")
    actor: str = Field(description="Your name, for the timeline.")
    why: str = Field(description="Your reason, for the timeline.")
    to: str = Field(default="", description="The person to whom it is given; only for assign.")


@dg.op
@redact_errors
def decide_incident(context: dg.OpExecutionContext, config: DecisionConfig, home: Home) -> None:
    """Write the decision on the timeline, and the page of the incident anew."""
    incident = decide(
        IncidentStore(home.engine),
        context.partition_key,
        Decision(config.decision.value),
        utc_now(),
        config.actor,
        config.why,
        config.to,
    )
    context.log.info(f"{incident.id} is {incident.state.value}.")
    show_page(context, home, incident)


@dg.job(
    partitions_def=INCIDENTS,
    description="Acknowledge, assign, annotate, resolve, reopen or close an incident: launch it on its partition.",
)
def incident_decision() -> None:
    """One decision on one incident."""
    decide_incident()

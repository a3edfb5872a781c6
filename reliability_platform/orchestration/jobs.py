"""The jobs: the pipeline, its part after landing, the documents of an incident, and remediation."""

from typing import Any

import dagster as dg
from pydantic import Field

from reliability_platform.clock import FIRST_DAY, parse_day, utc_now
from reliability_platform.incidents.store import IncidentStore
from reliability_platform.lab.faults.landed_again import follow
from reliability_platform.lab.faults.plan import ActivePlan, load_plan
from reliability_platform.openlineage_events.run import Datasets
from reliability_platform.orchestration.audit_assets import audit, dataset_of
from reliability_platform.orchestration.bronze_assets import bronze_assets
from reliability_platform.orchestration.dbt_assets import WAREHOUSE_POOL, dbt_models
from reliability_platform.orchestration.incident_assets import incident_asset, measured
from reliability_platform.orchestration.incident_decisions import incident_decision
from reliability_platform.orchestration.incident_pages import incident_pages
from reliability_platform.orchestration.landing_assets import landing_assets, reference
from reliability_platform.orchestration.lineage_events import TASK, News, told
from reliability_platform.orchestration.published_assets import published
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.orchestration.scorecard_asset import scorecard
from reliability_platform.orchestration.slo_asset import slo
from reliability_platform.remediation.heal import act
from reliability_platform.remediation.policy import AUTOMATION

_after_landing = dg.AssetSelection.assets(*bronze_assets, dbt_models, audit, published)
# The audit evaluates the Soda and native checks; running them once more as check steps would only double the work.
_dbt_tests = dg.AssetSelection.checks(*dbt_models.check_keys)

pipeline_job = dg.define_asset_job(
    "pipeline",
    selection=(dg.AssetSelection.assets(reference, *landing_assets) | _after_landing).without_checks() | _dbt_tests,
    description="A landing day from delivery to publication.",
)
landing_job = dg.define_asset_job(
    "landing_only",
    selection=dg.AssetSelection.assets(*landing_assets),
    description="What has not landed yet of a landing day, and nothing after it: a source over HTTP or a database is asked early.",
)
reprocess_job = dg.define_asset_job(
    "reprocess",
    selection=_after_landing.without_checks() | _dbt_tests,
    description="Landing days again from what has landed: admission to publication.",
)
audit_job = dg.define_asset_job(
    "audit",
    selection=dg.AssetSelection.assets(audit, published).without_checks(),
    description="The checks alone, on what the warehouse holds, and the publication after them.",
)
incident_job = dg.define_asset_job(
    "incident_documents",
    selection=dg.AssetSelection.assets(incident_asset),
    description="The page of an incident as it stands now: launch it on the incident's partition.",
)
scorecard_job = dg.define_asset_job(
    "grading",
    selection=dg.AssetSelection.assets(scorecard),
    description="Grades the home against the truth and writes the evidence.",
)

slo_job = dg.define_asset_job(
    "slo_report",
    selection=dg.AssetSelection.assets(slo),
    description="The error budgets of all objectives, as a page, JSON and CSV.",
)


class RemediationConfig(dg.Config):
    """Which incident to heal."""

    incident_id: str
    actor: str = AUTOMATION


@dg.op(pool=WAREHOUSE_POOL)
@redact_errors
def take_action(context: dg.OpExecutionContext, config: RemediationConfig, home: Home) -> None:
    """Take the action that the policy names for the incident's class. Safe to run twice."""
    settings = home.settings
    # What it does to the numbers while it is bad; its page may not have come to it.
    [incident] = measured(home, [IncidentStore(home.engine).get(config.incident_id)])
    reads = [dataset_of(incident.root_dataset)]
    news = News(settings, context.run, incident.partitions)
    with told(news, f"remediation.{incident.failure_class}", TASK, lambda: Datasets(reads)) as job:
        done = act(settings, home.engine, config.incident_id, utc_now(), config.actor)
        # What its days are run again from; the runs themselves say what became of it.
        job.learned = lambda: Datasets(reads, [dataset_of(f"bronze_{one}") for one in incident.sources if done.reruns])
    context.log.info(done.summary)
    context.add_output_metadata({"summary": done.summary, "landing_days": [day.isoformat() for day in done.reruns]})


@dg.job(description="The action of one incident; the pipeline then runs its landing days again.")
def remediation() -> None:
    """One action for one incident."""
    take_action()


class PlanConfig(dg.Config):
    """Which faults hit where: a plan's name, the path of a YAML file, or the YAML text itself."""

    plan: str = "game_day"
    first: str = Field(default=FIRST_DAY.isoformat(), description="The plan's day 1.")
    last: str = Field(description="The last landing day that the plan may touch.")
    seed: int = 7


@dg.op
@redact_errors
def follow_plan(context: dg.OpExecutionContext, config: PlanConfig, home: Home) -> None:
    """Let the home follow a plan. What has landed and is other under it lands again; then run the pipeline."""
    settings = home.settings
    first, last = parse_day(config.first), parse_day(config.last)
    active = ActivePlan.resolve(load_plan(config.plan), seed=config.seed, first=first, last=last)
    days = follow(settings, active)
    context.add_output_metadata(
        {"injections": len(active.injections), "landed_again": [day.isoformat() for day in days], "seed": config.seed}
    )


@dg.job(description="Chooses what breaks: a plan by its name, or its YAML typed into the launchpad.")
def fault_plan() -> None:
    """The landing assets deliver by this plan from now on."""
    follow_plan()


jobs: list[Any] = [
    pipeline_job,
    landing_job,
    reprocess_job,
    audit_job,
    incident_job,
    scorecard_job,
    slo_job,
    remediation,
    fault_plan,
    incident_decision,
    incident_pages,
]

"""The one `Definitions` of the platform."""

import dagster as dg

from reliability_platform.log_lines import configure
from reliability_platform.orchestration.alert_sensor import alert_sensor
from reliability_platform.orchestration.audit_assets import audit, checks_on_demand
from reliability_platform.orchestration.bronze_assets import admissions, bronze_assets
from reliability_platform.orchestration.console import console
from reliability_platform.orchestration.dbt_assets import dbt_models
from reliability_platform.orchestration.disaster_recovery import (
    recovery_checks,
    recovery_jobs,
    recovery_schedules,
    snapshot,
)
from reliability_platform.orchestration.incident_assets import incident_asset
from reliability_platform.orchestration.jobs import jobs
from reliability_platform.orchestration.landing_assets import landing_assets, reference
from reliability_platform.orchestration.landing_sensor import landing_sensor
from reliability_platform.orchestration.published_assets import published, published_as_audited
from reliability_platform.orchestration.resources import RESOURCES
from reliability_platform.orchestration.schedules import daily_pipeline, daily_slo_report, early_fetch
from reliability_platform.orchestration.scorecard_asset import scorecard
from reliability_platform.orchestration.sensors import incident_sensor, remediation_sensor
from reliability_platform.orchestration.slo_asset import slo
from reliability_platform.orchestration.upkeep_sensor import upkeep_sensor
from reliability_platform.settings import keep_private, load_settings

# A code location with a misspelt setting does not load: half of what somebody wanted to be off would be on.
keep_private(load_settings())
configure(load_settings())

defs = dg.Definitions(
    assets=[
        reference,
        *landing_assets,
        *bronze_assets,
        admissions,
        dbt_models,
        audit,
        published,
        incident_asset,
        scorecard,
        slo,
        snapshot,
    ],
    asset_checks=[checks_on_demand, published_as_audited, *recovery_checks],
    jobs=[*jobs, *recovery_jobs],
    schedules=[early_fetch, daily_pipeline, daily_slo_report, *recovery_schedules],
    sensors=[landing_sensor, upkeep_sensor, incident_sensor, remediation_sensor, alert_sensor],
    # One process per run: a process per step would import dbt, Soda and Dagster a dozen times.
    executor=dg.in_process_executor,
    resources=RESOURCES,
    loggers={"console": console},
)

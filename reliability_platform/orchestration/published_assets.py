"""Publication: the one thing that consumers read, swapped after the audit."""

from collections.abc import Callable, Iterator

import dagster as dg

from reliability_platform.checks.release import release
from reliability_platform.checks.results import CheckResult
from reliability_platform.clock import utc_now
from reliability_platform.orchestration.audit_assets import audit, report_evaluations
from reliability_platform.orchestration.dbt_assets import WAREHOUSE_POOL
from reliability_platform.orchestration.partitions import LANDING_DAYS, ONE_RUN
from reliability_platform.orchestration.retries import RETRIES, only_transient
from reliability_platform.orchestration.run_storage import without_values
from reliability_platform.settings import Settings, load_settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.publication import Publication

MARTS = marts(ensure_manifest())


def publish_audited(
    settings: Settings, run_id: str, on_change: Callable[[list[CheckResult]], None] = lambda _: None
) -> Publication:
    """Publish whatever the gate releases now, over all landed partitions."""
    return release(settings, MARTS, utc_now(), run_id, on_change, utc_now)


@dg.multi_asset(
    name="published",
    specs=[
        dg.AssetSpec(
            ["published", mart.name],
            deps=[mart.name, audit.key],
            group_name="published",
            kinds={"parquet"},
            description=f"The audited rows of {mart.name} that consumers read.",
        )
        for mart in MARTS
    ],
    partitions_def=LANDING_DAYS,
    backfill_policy=ONE_RUN,
    pool=WAREHOUSE_POOL,
    retry_policy=RETRIES,
)
@only_transient
@without_values
def published(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Swap in a new version; event dates that a held partition touches keep their last good rows."""
    publication = publish_audited(
        load_settings(),
        context.run_id,
        lambda changed: report_evaluations(context.instance, context.run_id, changed),
    )
    reasons = "\n".join(f"- `{key}`: {'; '.join(why)}" for key, why in publication.held.items())
    for table in publication.tables:
        yield dg.MaterializeResult(
            asset_key=["published", table.name],
            metadata={
                "version": publication.version,
                "dagster/row_count": table.rows,
                "fresh_event_dates": table.fresh_dates,
                "event_dates_with_last_good_rows": len(table.kept_dates),
                "event_dates_absent": len(table.absent_dates),
                "held": dg.MetadataValue.md(reasons or "Nothing is held."),
            },
        )

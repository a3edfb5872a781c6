"""Publication: the one thing that consumers read, swapped after the audit."""

from collections.abc import Iterator

import dagster as dg

from reliability_platform.checks.published import judge_published
from reliability_platform.clock import utc_now
from reliability_platform.damage import in_one_line
from reliability_platform.openlineage_events import datasets
from reliability_platform.openlineage_events.run import Dataset, Datasets
from reliability_platform.orchestration.audit_assets import audit, report_evaluations
from reliability_platform.orchestration.catalog import COLUMNS
from reliability_platform.orchestration.dbt_assets import WAREHOUSE_POOL, dbt_models
from reliability_platform.orchestration.lineage_events import TASK, News, told
from reliability_platform.orchestration.partitions import LANDING_DAYS, ONE_RUN, tagged_days
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.retries import RETRIES, only_transient
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.pipeline import steps
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.lacking import total
from reliability_platform.warehouse.marts import marts
from reliability_platform.warehouse.published import shown_key

MARTS = marts(ensure_manifest())
_GOLD = {spec.key.path[-1]: spec for spec in dbt_models.specs}
"""What is published has the columns and the owners of its model."""


@dg.multi_asset(
    name="published",
    specs=[
        dg.AssetSpec(
            ["published", mart.name],
            deps=[mart.name, audit.key],
            owners=_GOLD[mart.name].owners,
            metadata={key: value for key, value in _GOLD[mart.name].metadata.items() if key == COLUMNS},
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
@redact_errors
def published(context: dg.AssetExecutionContext, home: Home) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Swap in a new version; event dates that a held partition touches keep their last good rows."""
    reads = [Dataset("audit/results"), *(Dataset(mart.name) for mart in MARTS)]
    expected = Datasets(reads, [datasets.published(mart.name) for mart in MARTS])
    news = News(home.settings, context.run, tagged_days(context.run.tags))
    with told(news, "publish.tables", TASK, lambda: expected) as job:
        publication = steps.publish(
            home.run(context.run),
            lambda changed: report_evaluations(context.instance, context.run.run_id, changed),
        )
        job.learned = lambda: Datasets(reads, [datasets.published(one.name, one.rows) for one in publication.tables])
    reasons = "\n".join(f"- {shown_key(key)}: {'; '.join(why)}" for key, why in publication.held.items())
    for table in publication.tables:
        yield dg.MaterializeResult(
            asset_key=["published", table.name],
            metadata={
                "version": publication.version,
                "dagster/row_count": table.rows,
                "fresh_event_dates": table.fresh_dates,
                "event_dates_with_last_good_rows": len(table.kept_dates),
                "event_dates_absent": len(table.absent_dates),
                **({"shows_rows_of": table.whole.since} if table.is_kept and table.whole is not None else {}),
                **{f"rows_{state.replace(' ', '_')}": count for state, count in total(table.lacks).items()},
                "rows_provisional": table.provisional.rows if table.provisional is not None else 0,
                "rows_corrected_by_persons": sum(total(table.corrected).values()),
                "held": dg.MetadataValue.md(reasons or "Nothing is held."),
            },
        )


@dg.multi_asset_check(
    name="published_as_audited",
    specs=[
        dg.AssetCheckSpec(
            name="as_audited",
            asset=["published", mart.name],
            blocking=True,
            description="The file that consumers read has the checksum with which it was published.",
        )
        for mart in MARTS
    ],
    can_subset=True,
    pool=WAREHOUSE_POOL,
)
@redact_errors
def published_as_audited(context: dg.AssetCheckExecutionContext, home: Home) -> Iterator[dg.AssetCheckResult]:
    """Compare what consumers read with its record, now; a difference is on record as a failed check, too."""
    settings = home.settings
    damages = judge_published(settings, home.engine, utc_now(), context.run.run_id)
    for key in sorted(context.selected_asset_check_keys, key=lambda one: one.asset_key.path):
        name = key.asset_key.path[-1]
        # The record and the pointer concern every table.
        found = [one for one in damages if not one.path.endswith(".parquet") or f"/{name}/" in one.path]
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR,
            description=in_one_line(found) or "It is as it was audited.",
            metadata={"recovery": "`reliability restore --damaged`"} if found else {},
        )

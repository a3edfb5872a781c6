"""Deliveries exactly as they came, and the reference data that they refer to."""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from reliability_platform.contracts import SOURCES
from reliability_platform.formats import NOTHING, second
from reliability_platform.lab.faults.plan import ActivePlan
from reliability_platform.landing.deliveries import Fetched
from reliability_platform.landing.reference import REFERENCE_TABLES, reference_file, refresh_reference
from reliability_platform.openlineage_events import datasets
from reliability_platform.openlineage_events.run import Datasets
from reliability_platform.orchestration.backfill_guard import guarded_days
from reliability_platform.orchestration.catalog import PLATFORM_OWNERS, columns_in, columns_of, owners_of
from reliability_platform.orchestration.lineage_events import TASK, News, told
from reliability_platform.orchestration.partitions import LANDING_DAYS, ONE_RUN
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.parquet import read_table
from reliability_platform.pipeline import steps


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["reference", table],
            owners=PLATFORM_OWNERS,
            group_name="reference",
            kinds={"parquet"},
            description=f"All {table}.",
        )
        for table in REFERENCE_TABLES
    ],
    # Loaded whole, for the sake of some landing days. Without partitions it would part a backfill into runs before and
    # after it, between which healing begins.
    partitions_def=LANDING_DAYS,
    backfill_policy=ONE_RUN,
)
@redact_errors
def reference(home: Home) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Reference data: what the events refer to, as the system of record has it now."""
    settings = home.settings
    refresh_reference(settings)
    for table in REFERENCE_TABLES:
        loaded = read_table(reference_file(settings, table))
        yield dg.MaterializeResult(
            asset_key=["reference", table],
            metadata={"dagster/row_count": loaded.num_rows, **columns_in(loaded.schema)},
        )


def _shown(fetch: Fetched) -> dict[str, int | str]:
    probe = NOTHING if fetch.next_probe_at is None else f"{second(fetch.next_probe_at)} UTC"
    return {
        "batches_missing": fetch.missing,
        "refusals": fetch.refusals,
        "breaker": fetch.breaker.value,
        "next_probe_at": probe,
    }


def _landing_asset(source: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["landing", source],
        owners=owners_of(source),
        metadata=columns_of(source),
        group_name="landing",
        kinds={"parquet"},
        partitions_def=LANDING_DAYS,
        backfill_policy=ONE_RUN,
        description=f"The batches that {source} delivered on a landing day, exactly as they came, each with a manifest.",
    )
    @redact_errors
    def _deliveries(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings = home.settings
        days = guarded_days(context, settings, asks_source=True)
        # Each step that lands asks for all that the run lands: where one is refused, none has written.
        run_lands = [one for one in SOURCES if context.job_def.has_node_named(f"landing__{one}")]
        ActivePlan.load(settings).refuse_over_http(settings, run_lands, days)
        written = datasets.landing(source)
        with told(
            News(settings, context.run, days), f"landing.{source}", TASK, lambda: Datasets(outputs=[written])
        ) as job:
            landed = steps.land(home.run(context.run), source, days)
            job.learned = lambda: Datasets(
                outputs=[replace(written, rows_written=landed.rows, files_written=landed.batches)],
            )
        how = {} if landed.fetch is None else _shown(landed.fetch)
        how |= {"could_not_look": landed.trouble} if landed.trouble else {}
        return dg.MaterializeResult(metadata={"batches": landed.batches, "dagster/row_count": landed.rows, **how})

    return _deliveries


landing_assets = [_landing_asset(source) for source in SOURCES]

"""Raw deliveries and reference data, as the simulated systems of record and the active fault plan make them."""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from reliability_platform.faults.plan import ActivePlan
from reliability_platform.landing.delivery import deliver
from reliability_platform.openlineage_events import datasets
from reliability_platform.openlineage_events.run import Datasets
from reliability_platform.orchestration.lineage_events import LANDING, News, told
from reliability_platform.orchestration.partitions import LANDING_DAYS, ONE_RUN, run_days
from reliability_platform.orchestration.run_storage import without_values
from reliability_platform.settings import load_settings
from reliability_platform.sources import SOURCES
from reliability_platform.sources.reference import REFERENCE_TABLES, write_reference
from reliability_platform.sources.simulation import Simulation


@dg.multi_asset(
    specs=[
        dg.AssetSpec(["reference", table], group_name="reference", kinds={"parquet"}, description=f"All {table}.")
        for table in REFERENCE_TABLES
    ]
)
@without_values
def reference() -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Reference data: what the events refer to."""
    settings = load_settings()
    write_reference(settings, Simulation.load(settings))
    for table in REFERENCE_TABLES:
        yield dg.MaterializeResult(asset_key=["reference", table])


def _landing_asset(source: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["landing", source],
        group_name="landing",
        kinds={"parquet"},
        partitions_def=LANDING_DAYS,
        backfill_policy=ONE_RUN,
        description=f"The batches that {source} delivered on a landing day, exactly as they came, each with a manifest.",
    )
    @without_values
    def _deliveries(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings = load_settings()
        simulation, plan = Simulation.load(settings), ActivePlan.load(settings)
        write_reference(settings, simulation)
        days = run_days(context)
        written = datasets.landing(source)
        with told(
            News(settings, context.run, days), f"landing.{source}", LANDING, lambda: Datasets(outputs=[written])
        ) as job:
            batches = [batch for day in days for batch in deliver(settings, simulation, plan, source, day)]
            rows = sum(batch.table.num_rows for batch in batches)
            job.learned = lambda: Datasets(
                outputs=[replace(written, rows_written=rows, files_written=len(batches))],
            )
        return dg.MaterializeResult(metadata={"batches": len(batches), "dagster/row_count": rows})

    return _deliveries


landing_assets = [_landing_asset(source) for source in SOURCES]

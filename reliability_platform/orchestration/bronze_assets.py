"""Admission: each landed file is admitted to bronze or refused by itself, with the reason."""

from collections import Counter
from dataclasses import replace

import dagster as dg

from reliability_platform.contracts import SOURCES
from reliability_platform.landing.bronze import ADMISSION_SCHEMA
from reliability_platform.openlineage_events import datasets
from reliability_platform.openlineage_events.run import Datasets, Metrics
from reliability_platform.orchestration.backfill_guard import guarded_days
from reliability_platform.orchestration.catalog import PLATFORM_OWNERS, columns_in, columns_of, owners_of
from reliability_platform.orchestration.lineage_events import TASK, News, told
from reliability_platform.orchestration.partitions import LANDING_DAYS, ONE_RUN
from reliability_platform.orchestration.resources import Home
from reliability_platform.orchestration.run_storage import redact_errors
from reliability_platform.pipeline import steps

admissions = dg.AssetSpec(
    ["bronze", "admissions"],
    owners=PLATFORM_OWNERS,
    metadata=columns_in(ADMISSION_SCHEMA),
    deps=[["bronze", source] for source in SOURCES],
    group_name="bronze",
    kinds={"parquet"},
    description="One row per delivered file: admitted or refused, and why. Written with the bronze files.",
)


def _bronze_asset(source: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["bronze", source],
        owners=owners_of(source),
        metadata=columns_of(source),
        deps=[["landing", source]],
        group_name="bronze",
        kinds={"parquet"},
        partitions_def=LANDING_DAYS,
        backfill_policy=ONE_RUN,
        description=f"The admitted files of {source}: every value as delivered, unknown columns in one rescued column.",
    )
    @redact_errors
    def _admitted(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings = home.settings
        days = guarded_days(context, settings)
        read, written = datasets.landing(source), datasets.bronze(source)
        with told(
            News(settings, context.run, days), f"bronze.{source}", TASK, lambda: Datasets([read], [written])
        ) as job:
            by_day = steps.admit(home.run(context.run), source, days)
            examined = [admission for records in by_day.values() for admission in records]
            by_status = Counter(admission.status for admission in examined)
            rows = sum(admission.admitted_rows for admission in examined)
            delivered = Metrics(sum(admission.delivered_rows for admission in examined), len(examined))
            files = by_status["admitted"]
            job.learned = lambda: Datasets(
                [replace(read, metrics=delivered)], [replace(written, rows_written=rows, files_written=files)]
            )
        # Four steps write this one table, each the records of its source: none of them is its asset.
        context.log_event(
            dg.AssetMaterialization(
                admissions.key,
                description=f"The records of {source}, {days[0]} to {days[-1]}.",
                metadata={"records": len(examined)},
            )
        )
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows,
                "files_admitted": files,
                "files_refused": by_status["refused"],
                "files_held": by_status["held"],
                "files_known": by_status["ignored"],
                "marks_noted": by_status["noted"],
            }
        )

    return _admitted


bronze_assets = [_bronze_asset(source) for source in SOURCES]

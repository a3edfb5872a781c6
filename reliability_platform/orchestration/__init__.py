"""The only package that imports Dagster: assets, asset checks, sensors, jobs, schedules and their one `Definitions`.

Each asset is a thin call into the package that does the work, so that everything runs without Dagster too.
"""

import os
import sys
import warnings

from reliability_platform.warehouse.dbt_start import compile_when_used

compile_when_used()  # before dagster-dbt imports dbt
sys.modules.setdefault("mako.ext.pygmentplugin", None)  # type: ignore[arg-type] # colours that no page of ours has: 0.2 s

import dagster  # noqa: E402

# Partitioned checks and single-run backfills are "preview" and "beta" in the pinned Dagster; said once in the README.
for _category in (dagster.BetaWarning, dagster.PreviewWarning):
    warnings.filterwarnings("ignore", category=_category)

# Dagster gives the events of one output's partitions, and those of a run's plan, to the event log together.
os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")

"""The only package that imports Dagster: assets, asset checks, sensors, jobs, schedules and their one `Definitions`.

Each asset is a thin call into the package that does the work, so that everything runs without Dagster too.
"""

import warnings

import dagster

# Partitioned checks and single-run backfills are "preview" and "beta" in the pinned Dagster; said once in the README.
for _category in (dagster.BetaWarning, dagster.PreviewWarning):
    warnings.filterwarnings("ignore", category=_category)

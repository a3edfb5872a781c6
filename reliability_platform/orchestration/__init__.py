"""The only package that imports Dagster: assets, asset checks, sensors, jobs, schedules and their one `Definitions`.

Each asset is a thin call into the package that does the work, so that everything runs without Dagster too.
"""

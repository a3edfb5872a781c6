"""A data platform that breaks itself on purpose and proves that it heals."""

import gc

# What dbt and Dagster load lives as long as the process. By Python's own thresholds (700, 10, 10) a build of one day
# collects 400 times and spends up to a third of its CPU on walking it; a run's own garbage is gone soon enough at these.
gc.set_threshold(50_000, 20, 50)

"""What processes of the lab need, imported once by the process from which `processes.py` forks them. Importing it is all that it
is for.

An error is left to the process, which meets it again and tells of it.
"""

import gc
from contextlib import suppress
from importlib import import_module

MODULES = (
    "pandas",  # asked for by Arrow and DuckDB
    "reliability_platform.warehouse.__main__",
    "reliability_platform.landing.fetch",
    "reliability_platform.lab.oracle",
)

with suppress(Exception):
    import_module("reliability_platform.warehouse.dbt_start").compile_when_used()
    for name in ("dbt.cli.main", "dbt.adapters.duckdb", *MODULES):
        import_module(name)
    import_module("reliability_platform.warehouse.dbt_start").spare_start()
    import_module("reliability_platform.warehouse.dbt_overhead").spare_overhead()
    import_module("reliability_platform.warehouse.fingerprints.collect").remember_imported()
    parsed = import_module("reliability_platform.warehouse.dbt_manifest")
    parsed.parsed_project(parsed.ensure_manifest())
    gc.collect()
    gc.freeze()  # what a process collects it would have to copy first

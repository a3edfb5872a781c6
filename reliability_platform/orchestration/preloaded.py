"""What a run needs, imported once by the process from which `code_server.py` forks runs. Importing it is all that it is for.

An error is left to the run, which meets it again and tells of it.
"""

import gc
from contextlib import suppress
from importlib import import_module

LIBRARIES = ("dbt.cli.main", "soda.scan", "pandas")
"""Imported by the first step that uses them, and by none of the modules of the definitions."""

with suppress(Exception):
    for library in LIBRARIES:
        import_module(library)
    definitions = import_module("reliability_platform.orchestration.definitions").defs
    repository = definitions.get_repository_def()
    for name in repository.job_names:
        repository.get_job(name)
    # What runs will build with is what has been imported here, whatever stands in the files by then.
    import_module("reliability_platform.warehouse.fingerprints.collect").remember_imported()
    gc.collect()
    gc.freeze()  # what a run collects it would have to copy first

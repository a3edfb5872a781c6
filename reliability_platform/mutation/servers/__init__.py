"""Projects that are built in their own warehouse, through its adapter, in schemas of the run's own.

The broken inputs are made in DuckDB, as for every project; models are built and tests run in the server. A further warehouse
does what `server.py` says, in a module beside it, and has an entry in `native_run.py`. What translates SQL to DuckDB is in `warehouses`.
"""

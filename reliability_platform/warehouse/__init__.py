"""The DuckDB file, its one writer at a time, dbt inside it, and the versions that consumers read.

Nothing here knows of checks, incidents or faults: which partitions are held is an argument.
"""

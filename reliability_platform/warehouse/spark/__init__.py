"""Builds on Apache Spark (`RELIABILITY_ENGINE=spark`): dbt writes Iceberg tables there, and the warehouse file shows them.

Spark does what grows with the data: staging, quarantine, silver and gold, and dbt's tests of them. Afterwards each of its
tables is a view in the DuckDB file, on the data files of the snapshot that the build has ended with; so audit, publication,
impact and `verify` read them as they read tables, and see nothing of a build that is under way or was killed.
"""

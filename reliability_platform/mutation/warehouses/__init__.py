"""Projects that are written for another warehouse than DuckDB, built in DuckDB all the same.

Here belongs what stands in for the adapter of such a warehouse, and what translates its SQL. What cannot be translated is named.
"""

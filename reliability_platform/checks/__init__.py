"""What judges the data: SodaCL files, native SQL checks, dbt's own tests; one result per check and landing day.

Nothing here knows what was broken. The gate decides from the results alone what may be published.
"""

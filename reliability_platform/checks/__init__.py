"""What judges the data: SodaCL files, native SQL checks, dbt's own tests; one verdict per check and landing day.

Nothing here knows what was broken. The gate decides from the verdicts alone what may be published.
"""

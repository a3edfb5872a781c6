"""Mutation testing of a dbt project: break copies of its inputs on purpose and see which of its tests notice.

Needs nothing of the platform: no home, no landing, no Dagster. Here belongs what reads somebody's dbt project, copies what
feeds it, breaks the copies, builds what lies downstream and judges it. Never anything that writes into the project.
"""

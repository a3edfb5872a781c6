"""Lineage out: OpenLineage events of every job, to a file by default and to an HTTP endpoint by a setting.

What happened (`run`), said in the words of the specification (`events`), kept (`event_file`, `spool`) and sent
(`endpoint`, `delivery`) without ever stopping or slowing the pipeline (`emitter`).
"""

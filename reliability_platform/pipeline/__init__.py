"""The order of a run and of a tick, spelled once: Dagster's assets and sensors, recovery and the campaign call it.

What belongs here takes its context as arguments and knows no orchestrator; no step of a run is spelled anywhere else.
"""

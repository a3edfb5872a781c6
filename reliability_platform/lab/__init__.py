"""The lab: it breaks the platform on purpose, and grades what becomes of that with the truth that it alone knows.

What belongs here: simulated sources, recordings of any others, declared faults and their plans, the oracle, drills, the
campaign, the scorecard. The lab sees the platform; of the platform only `orchestration` and `cli` may see the lab. Sources
that the lab offers are found by their kind (`sources.source`), as those of any other package.
"""

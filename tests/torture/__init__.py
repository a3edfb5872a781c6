"""Crash safety, proved: every stage is killed at seeded points; after a plain re-run nothing shows that it ever was.

`python -m tests.torture --kills 200 --seed 1`. What is killed is a real process at its real work on a real home; the
product knows nothing of this harness.
"""

"""The backfill guard: whether landing days that have been built before may be built again.

Nothing here runs anything. A run asks before it writes; what it may not do is refused, recorded, and said in words.
"""

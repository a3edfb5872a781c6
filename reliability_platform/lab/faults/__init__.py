"""Declared ways to break things, the plans that use them, and the truth of what they did.

Nothing that detects, groups, documents or heals may import this package; a convention test holds it.
"""

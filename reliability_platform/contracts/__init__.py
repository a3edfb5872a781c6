"""The contracts of a project: the one place in which its sources are declared.

What belongs here: reading them, and what follows from them alone. A source is `contracts/<name>.yml` of the project; the
platform knows none by name.
"""

from reliability_platform.contracts.declared import CONTRACTS, SOURCES, check_source

__all__ = ["CONTRACTS", "SOURCES", "check_source"]

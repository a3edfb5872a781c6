"""What changed between the last good build of the days of an incident and the first bad one.

What belongs here: which two builds are compared, how their fingerprints differ, which differences lie in the lineage of
what failed, and which commit touched a file last. Documents and answers show it; nothing is written.
"""

from reliability_platform.incidents.changes.what_changed import ChangedInput, WhatChanged, what_changed

__all__ = ["ChangedInput", "WhatChanged", "what_changed"]

"""From failed checks to decisions: one incident per cause, its history, its reach, and the runbook for it.

Everything here comes from the stores; nothing knows what was broken on purpose.
"""

"""What people read about incidents: runbook, class page, postmortem, messages, the page of an incident.

All are lists of blocks, made from the timeline and the platform's own tables, rendered to Markdown, text and HTML.
"""

"""Revisions of the operations store's schema for Alembic. A revision that is released is never edited; a change is a new one.

A new revision `rNNNN_what.py` comes with `HEAD` in `operations/schema.py` and the change in `operations/tables.py`; a test
compares the three. There is no downgrade: a snapshot of before is what goes back.
"""

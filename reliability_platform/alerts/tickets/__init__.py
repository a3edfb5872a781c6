"""Tickets: one for each incident in a tracker, opened, commented and closed with it.

A tracker is a channel like any other: the ledger decides what is due for it, its sender speaks to it. What is here is what
a ticket says (`text`), the form that each kind of tracker wants it in (`shapes`), and the speaking (`speak`).
"""

"""Alerts: what happens to incidents, told once to each channel that should hear of it.

The incident timeline is the outbox; the ledger keeps what was decided for each channel; a sender, a process of its own,
speaks to the channel. URLs of channels hold tokens and are given to the sender alone.
"""

"""Routing as data: who hears of which incidents, when not, who comes next if nobody answers, and who is on call.

All of it stands in one file of the project, `routing.yml` beside its contracts. Without that file, alerts go to the channels
of `RELIABILITY_ALERT_URLS` alone.
"""

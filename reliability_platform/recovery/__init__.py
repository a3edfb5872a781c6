"""Comes back after a disaster: puts back, builds what is missing, judges and publishes as every run does. And rehearses it.

Snapshots themselves belong to `warehouse.snapshots`. Nothing here knows of faults: a drill loses real files.
"""

"""Copies of a home to come back to: taken, kept by a rule, verified, put back.

A snapshot is a manifest that names files by their SHA-256, and the files, each stored once. The manifest is written
last: what has none was never finished and is never used. What to build again afterwards is said here; who builds and
checks it stands above this package.
"""

"""The simulated systems of record: what happened, as a pure function of seed, source and day. No failures here."""

"""How a source's deliveries are read: the fingerprint of its contract. What failed under one reading may pass another."""

import hashlib

from reliability_platform.contracts import CONTRACTS


def contract_fingerprint(source: str) -> str:
    """SHA-256 of what a contract says about files and values; who owns the source and when it is due is left out."""
    contract = CONTRACTS[source]
    said = repr((contract.key, contract.event_time, contract.columns, contract.announced))
    return hashlib.sha256(said.encode()).hexdigest()

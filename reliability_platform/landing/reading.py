"""How a source's deliveries are read: the fingerprint of its contract. What failed under one reading may pass another."""

import hashlib

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.file_format import PARQUET


def contract_fingerprint(source: str) -> str:
    """SHA-256 of what a contract says about files and values; who owns the source and when it is due is left out."""
    contract = CONTRACTS[source]
    said = repr((contract.key, contract.event_time, contract.columns, contract.announced))
    if contract.file_format != PARQUET:
        said += repr(contract.file_format)
    return hashlib.sha256(said.encode()).hexdigest()

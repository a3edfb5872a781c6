"""How a source's deliveries are read: the fingerprint of its contract. What failed under one reading may pass another."""

import hashlib
from dataclasses import replace
from datetime import date

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import TOLERANT, Contract
from reliability_platform.contracts.file_format import PARQUET


def contract_fingerprint(source: str, day: date | None = None) -> str:
    """SHA-256 of what a contract says about files and values of a landing day, or of all; who owns the source, when it
    is due and what people read of it is left out."""
    contract = CONTRACTS[source]
    told = [contract.on(day)] if day is not None else contract.versions or [contract]
    return hashlib.sha256("".join(_said(one, day) for one in told).encode()).hexdigest()


def _said(contract: Contract, day: date | None) -> str:
    columns = [replace(one, description="", role=None) for one in contract.columns]
    said = repr((contract.key, contract.event_time, columns, contract.announced))
    if contract.file_format != PARQUET:
        said += repr(contract.file_format)
    if contract.mode != TOLERANT:
        said += contract.mode
    since = [(one.name, one.since) for one in contract.columns if one.since is not None]
    said += repr(since) if since else ""
    rules = [
        replace(one, description="")
        for one in contract.relations
        if one.of_rows and (day is None or one.since is None or one.since <= day)
    ]
    return said + (repr(rules) if rules else "")

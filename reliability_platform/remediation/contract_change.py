"""Refused files that fit the contract of today: the contract has changed since, and they need no shim and nobody's help."""

import hashlib
import json
from collections.abc import Iterable
from datetime import date

from reliability_platform.contracts import CONTRACTS
from reliability_platform.landing.admission import Admission, fingerprint_of, rehearse_admission
from reliability_platform.landing.delivered_file import read_delivered
from reliability_platform.landing.discards import FILE
from reliability_platform.landing.file_quarantine import quarantined_file, refusal_reason
from reliability_platform.landing.parquet_file import NotReadableError
from reliability_platform.landing.reading import contract_fingerprint
from reliability_platform.remediation import evidence
from reliability_platform.remediation.ledger import CONTRACT, Replay
from reliability_platform.settings import Settings


def fit_since_the_contract_changed(settings: Settings, records: Iterable[Admission], day: date) -> list[Replay]:
    """Those among admission records that were refused under another contract, and are admitted as they came."""
    return [
        Replay(one.batch_id, one.source, day, CONTRACT, _identity(settings, one, day))
        for one in records
        if one.state == "replayed" and one.shim is None
    ]


def _identity(settings: Settings, record: Admission, day: date) -> str:
    """What makes this replay another one than the last: the same as in `dead_letters.replay`, for the ledger has one line
    for it, whoever was first."""
    content = fingerprint_of(settings, record.source, quarantined_file(settings, record.source, day, record.batch_id))
    reason = refusal_reason(settings, record.source, day, record.batch_id)
    identity = (FILE, reason, content, contract_fingerprint(record.source), ())
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def declared_aliases(settings: Settings, source: str, day: date, batch_id: str) -> dict[str, str]:
    """The columns of a refused file that the contract of today knows under the name by which they came."""
    try:
        path = quarantined_file(settings, source, day, batch_id)
        names = read_delivered(CONTRACTS[source], path.name, path.read_bytes()).column_names
    except (OSError, NotReadableError):
        return {}
    return {alias: column for alias, column in CONTRACTS[source].aliases.items() if alias in names}


def admissible_now(settings: Settings, source: str, day: date) -> list[Replay]:
    """The files that still lie in quarantine, and that the next run would admit as they are; changes nothing."""
    waiting = {one["batch_id"] for one in evidence.admissions(settings, source, day) if one["status"] == "refused"}
    if not waiting:
        return []
    fitting = fit_since_the_contract_changed(settings, rehearse_admission(settings, source, day), day)
    return [one for one in fitting if one.batch_id in waiting]

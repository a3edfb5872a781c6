"""What was refused or rejected and fits the contract of today: the contract has changed since, and it needs no shim and
nobody's help.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import major_of
from reliability_platform.landing.admission import Admission, fingerprint_of, rehearse_admission
from reliability_platform.landing.delivered_file import read_delivered
from reliability_platform.landing.discards import FILE
from reliability_platform.landing.file_quarantine import quarantined_file, quarantined_files, refusal_reason
from reliability_platform.landing.parquet_file import NotReadableError
from reliability_platform.landing.reading import contract_fingerprint
from reliability_platform.remediation import evidence
from reliability_platform.remediation.ledger import CONTRACT, Replay
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader


def fit_since_the_contract_changed(settings: Settings, records: Iterable[Admission], day: date) -> list[Replay]:
    """Those among admission records that were refused under another contract, and are admitted as they came."""
    return [
        Replay(one.batch_id, one.source, day, CONTRACT, _identity(settings, one, day))
        for one in records
        if one.state == "replayed" and one.shim is None
    ]


def reads_anew(settings: Settings, source: str, day: date) -> bool:
    """Whether a compatible change of the contract has come since a landing day was admitted. What an incompatible one
    would make of it a person decides."""
    now = CONTRACTS[source].on(day)
    return any(
        one.get("contract") not in (None, contract_fingerprint(source, day))
        and major_of(str(one["contract_version"])) == now.major
        for one in evidence.admissions(settings, source, day)
    )


@dataclass(frozen=True)
class Readmissible:
    """Dead letters of a source and landing day that failed under another contract than that of today."""

    source: str
    landing_date: date
    files: int
    rows: int


def readmissible(settings: Settings) -> list[Readmissible]:
    """What waits and has not been read under the contract of today, oldest landing day first. To run such a day once is
    enough: then it has been."""
    files = Counter(
        (one["source"], date.fromisoformat(one["landing_date"]))
        for one in quarantined_files(settings)
        if one["state"] == "quarantined"
    )
    rows = _waiting_rows(settings)
    places = sorted({*files, *rows}, key=lambda one: (one[1], one[0]))
    return [
        Readmissible(source, day, files[source, day], rows[source, day])
        for source, day in places
        if source in CONTRACTS and reads_anew(settings, source, day)
    ]


def _waiting_rows(settings: Settings) -> Counter[tuple[str, date]]:
    if not settings.warehouse.exists():
        return Counter()
    with warehouse_reader(settings) as connection:
        known = connection.execute("select count(*) from duckdb_tables() where table_name = 'qtn_rows'").fetchone()
        if known is None or not known[0]:
            return Counter()
        found = connection.execute(
            "select source, landing_date, count(*) from qtn_rows where state = 'quarantined' group by all"
        ).fetchall()
    return Counter({(source, day): rows for source, day, rows in found})


def _identity(settings: Settings, record: Admission, day: date) -> str:
    """What makes this replay another one than the last: the same as in `dead_letters.replay`, for the ledger has one line
    for it, whoever was first."""
    content = fingerprint_of(settings, record.source, quarantined_file(settings, record.source, day, record.batch_id))
    reason = refusal_reason(settings, record.source, day, record.batch_id)
    identity = (FILE, reason, content, contract_fingerprint(record.source, day), ())
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def declared_aliases(settings: Settings, source: str, day: date, batch_id: str) -> dict[str, str]:
    """The columns of a refused file that the contract of today knows under the name by which they came."""
    try:
        path = quarantined_file(settings, source, day, batch_id)
        names = read_delivered(CONTRACTS[source].on(day), path.name, path.read_bytes()).column_names
    except (OSError, NotReadableError):
        return {}
    return {alias: column for alias, column in CONTRACTS[source].on(day).aliases.items() if alias in names}


def admissible_now(settings: Settings, source: str, day: date) -> list[Replay]:
    """The files that still lie in quarantine, and that the next run would admit as they are; changes nothing."""
    waiting = {one["batch_id"] for one in evidence.admissions(settings, source, day) if one["status"] == "refused"}
    if not waiting:
        return []
    fitting = fit_since_the_contract_changed(settings, rehearse_admission(settings, source, day), day)
    return [one for one in fitting if one.batch_id in waiting]

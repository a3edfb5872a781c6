"""Which dead letters wait: refused files, and the rejected rows of a batch that share their reasons."""

from dataclasses import dataclass
from datetime import date

from reliability_platform.contracts import CONTRACTS
from reliability_platform.counted import counted
from reliability_platform.landing.admission import fingerprint_of
from reliability_platform.landing.batch_files import batch_file, slot_of
from reliability_platform.landing.discards import FILE, ROWS
from reliability_platform.landing.file_quarantine import quarantined_file, quarantined_files
from reliability_platform.landing.reading import contract_fingerprint
from reliability_platform.landing.writer import landing_folder
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dead_letters import rules_fingerprint
from reliability_platform.warehouse.lease import warehouse_reader


@dataclass(frozen=True)
class Selection:
    """What a person asks for. Days are landing days, both included; None means any."""

    first: date
    last: date
    source: str | None = None
    batch_id: str | None = None
    reason: str | None = None
    """One reason code; a dead letter that has others as well is meant, too."""
    limit: int | None = None
    """Refused files and groups of rows at most, oldest landing day first."""


@dataclass(frozen=True)
class Letter:
    """A refused file, or the rows of one batch that were rejected for the same reasons. It waits."""

    source: str
    landing_date: date
    batch_id: str
    slot: int | None
    """The slot of the schedule; None for a file that fits none, which no source can be asked for again."""
    what: str
    """`file` or `rows`, as a discard calls them."""
    reasons: str
    rows: int
    fingerprint: str
    """SHA-256 of the bytes of its file; empty for a manifest without one."""
    failed_under: str
    """The reading under which it failed; empty if that is not known."""
    reading: str
    """The reading of today."""

    @property
    def words(self) -> str:
        """As a person reads it."""
        return f"{self.batch_id} ({counted(self.rows, 'row') if self.what == ROWS else 'whole file'}: {self.reasons})"


def waiting_files(settings: Settings, wanted: Selection) -> list[Letter]:
    """The refused files in the state quarantined of some landing days."""
    found = []
    for record in quarantined_files(settings):
        source, day = str(record["source"]), date.fromisoformat(record["landing_date"])
        if record["state"] != "quarantined" or not wanted.first <= day <= wanted.last:
            continue
        copy = quarantined_file(settings, source, day, record["batch_id"])
        found.append(
            Letter(
                source=source,
                landing_date=day,
                batch_id=record["batch_id"],
                slot=slot_of(source, day, record["batch_id"], record["batch_sequence"]),
                what=FILE,
                reasons=record["reason"],
                rows=record["delivered_rows"],
                fingerprint=record.get("fingerprint", fingerprint_of(settings, source, copy)),
                failed_under=record.get("contract", ""),
                reading=contract_fingerprint(source, day),
            )
        )
    return found


def _rows(settings: Settings, wanted: Selection) -> list[Letter]:
    with warehouse_reader(settings) as connection:
        found = connection.execute(
            "select source, landing_date, batch_id, batch_sequence, reject_reasons, count(*), any_value(reading) "
            "from qtn_rows where state = 'quarantined' and landing_date between $first and $last "
            "and ($source is null or source = $source) and ($batch is null or batch_id = $batch) "
            "group by source, landing_date, batch_id, batch_sequence, reject_reasons",
            {"first": wanted.first, "last": wanted.last, "source": wanted.source, "batch": wanted.batch_id},
        ).fetchall()
    readings = {source: rules_fingerprint(settings, source) for source in {row[0] for row in found}}
    return [
        Letter(
            source=source,
            landing_date=day,
            batch_id=batch_id,
            slot=slot if CONTRACTS[source].has_slot(slot) else None,
            what=ROWS,
            reasons=reasons,
            rows=rows,
            fingerprint=fingerprint_of(
                settings, source, batch_file(source, landing_folder(settings, source, day), batch_id)
            ),
            failed_under=failed_under or "",
            reading=readings[source],
        )
        for source, day, batch_id, slot, reasons, rows, failed_under in found
    ]


def waiting_letters(settings: Settings, wanted: Selection) -> list[Letter]:
    """The dead letters in the state quarantined that a person means, in a fixed order."""
    found = [
        letter
        for letter in (*waiting_files(settings, wanted), *_rows(settings, wanted))
        if wanted.source in (None, letter.source)
        and wanted.batch_id in (None, letter.batch_id)
        and (wanted.reason is None or wanted.reason in letter.reasons.split(","))
    ]
    found.sort(key=lambda one: (one.landing_date, one.source, one.batch_id, one.what, one.reasons))
    return found[: wanted.limit]

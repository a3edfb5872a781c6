"""Corrections by a person: what one would change, its application, and the way back. The caller runs the days again.

What is looked at is bronze with what is in force already; nothing is written before a person has seen it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import duckdb
import pyarrow.compute as pc
from sqlalchemy import Engine

from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.contract import Column, Contract
from reliability_platform.contracts.limits import out_of_range, unknown_label
from reliability_platform.contracts.types import is_number
from reliability_platform.counted import counted
from reliability_platform.errors import UsageError
from reliability_platform.formats import span
from reliability_platform.in_memory import in_memory
from reliability_platform.landing.bronze import admissions_file
from reliability_platform.landing.correction import Correction, expressions
from reliability_platform.landing.corrections import (
    CorrectedBatch,
    Corrections,
    Decided,
    Turn,
    take_in_corrections,
    write_corrections,
)
from reliability_platform.landing.working_copy import bring_in_decisions
from reliability_platform.masking import masked
from reliability_platform.parquet import identifier, read_table
from reliability_platform.settings import Settings
from reliability_platform.warehouse.corrected import Batches, applied, delivered, is_of, steps
from reliability_platform.warehouse.journal import BuildJournal

SAMPLE = 5
"""So many rows are shown, spread over the landing days."""


@dataclass(frozen=True)
class ChangedValue:
    """One value before and after, as it may be shown."""

    landing_date: date
    batch_id: str
    row_number: int
    before: Any
    after: Any


@dataclass(frozen=True)
class DaySummary:
    """A landing day that must be built again."""

    landing_date: date
    rows: int
    """Of the deliveries that count."""
    corrected: int
    before: str | None
    """The sum of the column over these rows, as text; None for what is no number."""
    after: str | None


@dataclass(frozen=True)
class CorrectionSurvey:
    """What a correction would change. Nothing has been changed for it."""

    correction: Correction
    deliveries: tuple[CorrectedBatch, ...] = ()
    days: tuple[DaySummary, ...] = ()
    sample: tuple[ChangedValue, ...] = ()
    unfit: int = 0
    """Rows that are meant and whose new value the type of the column does not hold exactly."""
    outside: int = 0
    """Corrected rows whose new value the contract does not allow: they are rejected after it."""
    already: tuple[str, ...] = field(default=())
    """Corrections in force that do the same to deliveries of these days."""

    @property
    def rows(self) -> int:
        """Rows that it would correct."""
        return sum(one.rows for one in self.deliveries)


def survey(
    settings: Settings, engine: Engine, correction: Correction, days: Sequence[date], batch: str | None = None
) -> CorrectionSurvey:
    """Look at what a correction would change on some landing days, or of one batch of them.

    Raises `UsageError` where none of them has landed, and where the staging model is a person's that takes no corrections.
    """
    source = correction.source
    _refuse_own_staging(settings, source)
    same = [one for one in Corrections(engine).in_force(source) if one.correction == correction]
    done = {(it.landing_date, it.batch_id, it.fingerprint) for one in same for it in one.deliveries}
    there = [one for day in days for one in _deliveries_that_count(settings, source, day) if batch in (None, one[1])]
    if not there:
        what = f"no batch {batch!r}" if batch is not None else f"nothing of {source}"
        raise UsageError(f"{what} has been admitted on {span(days)}: run these days first, or name others.")
    meant = [one for one in there if one not in done]
    already = tuple(one.id for one in same if {(it.landing_date, it.batch_id) for it in one.deliveries} & _keys(there))
    if not meant:
        return CorrectionSurvey(correction, already=already)
    return _look(settings, correction, meant, already)


def _keys(deliveries: Sequence[tuple[date, str, str]]) -> set[tuple[date, str]]:
    return {(day, batch) for day, batch, _ in deliveries}


def _refuse_own_staging(settings: Settings, source: str) -> None:
    name = f"stg_{source}"
    model = settings.dbt_project / "models" / "staging" / f"{name}.sql"
    if name in CONTRACTS[source].taken_over and not (model.exists() and "read_corrected(" in model.read_text()):
        raise UsageError(
            f"{name} is written by hand and takes no corrections: read `read_corrected('{source}')` in it."
        )


def _deliveries_that_count(settings: Settings, source: str, day: date) -> list[tuple[date, str, str]]:
    """Day, batch and fingerprint of the highest attempt of each slot that was admitted."""
    path = admissions_file(settings, source, day)
    if not path.exists():
        return []
    records = read_table(path, columns=["batch_id", "batch_sequence", "batch_attempt", "checksum", "status"])
    best: dict[int, tuple[int, str, str]] = {}
    for one in records.filter(pc.equal(records["status"], "admitted")).to_pylist():  # files, not rows of them
        rank = (one["batch_attempt"], one["batch_id"], one["checksum"])
        best[one["batch_sequence"]] = max(best.get(one["batch_sequence"], rank), rank)
    return [(day, batch, fingerprint) for _, batch, fingerprint in best.values()]


def _look(
    settings: Settings, correction: Correction, meant: Sequence[tuple[date, str, str]], already: tuple[str, ...]
) -> CorrectionSurvey:
    source, contract = correction.source, CONTRACTS[correction.source]
    one, column = expressions(contract, correction), next(it for it in contract.columns if it.name == correction.column)
    days, batches = sorted({day for day, _, _ in meant}), sorted(_keys(meant))
    rows = delivered(settings, source, days)
    for _, _, earlier, of in steps(settings, source, days):
        rows = applied(source, earlier, of, rows)
    with in_memory() as connection:
        counted_rows = connection.execute(
            f"select landing_date, _batch_id, count(*) from {rows} where {is_of(batches)} and {one.changed} group by all"
        ).fetchall()
        fingerprints = {(day, batch): fingerprint for day, batch, fingerprint in meant}
        deliveries = tuple(
            CorrectedBatch(day, batch, fingerprints[day, batch], count) for day, batch, count in sorted(counted_rows)
        )
        unfit = connection.execute(
            f"select count(*) from {rows} where {is_of(batches)} and ({one.selected}) and not {one.fits}"
        ).fetchone()
        outside = connection.execute(
            f"select count(*) from {rows} where {is_of(batches)} and {one.changed} and {_not_allowed(contract, column, one.new)}"
        ).fetchone()
        assert unfit is not None
        assert outside is not None
        touched = sorted({it.landing_date for it in deliveries})
        summaries = _summaries(connection, correction, rows, batches, touched)
        sample = _sample(connection, correction, f"{rows} where {is_of(batches)} and {one.changed}")
    return CorrectionSurvey(correction, deliveries, summaries, sample, unfit[0], outside[0], already)


def _not_allowed(contract: Contract, column: Column, new: str) -> str:
    """Whether the contract does not allow a new value, as far as the column alone tells."""
    both = (out_of_range(column, new), unknown_label(contract.allowed_values(column), new, column.type))
    told = [one for one in both if one is not None]
    return f"coalesce({' or '.join(told)}, false)" if told else "false"


def _summaries(
    connection: duckdb.DuckDBPyConnection,
    correction: Correction,
    rows: str,
    batches: Batches,
    touched: Sequence[date],
) -> tuple[DaySummary, ...]:
    if not touched:
        return ()
    one, name = expressions(CONTRACTS[correction.source], correction), identifier(correction.column)
    total, new = (f"sum({name})", f"sum(case when {one.changed} then {one.new} else {name} end)")
    if not is_number(one.kind):
        total = new = "null"
    found = connection.execute(
        f"select landing_date, count(*), count(*) filter (where {one.changed}), {total}::varchar, {new}::varchar "
        f"from {rows} where {is_of(batches)} group by landing_date order by landing_date"
    ).fetchall()
    return tuple(DaySummary(*row) for row in found if row[0] in touched)


def _sample(connection: duckdb.DuckDBPyConnection, correction: Correction, changed: str) -> tuple[ChangedValue, ...]:
    one, name = expressions(CONTRACTS[correction.source], correction), identifier(correction.column)
    # The first rows of each day in turn: a mistake on one of the days would not show in the first rows of all.
    found = connection.execute(
        f"select landing_date, _batch_id, _row_number, {name}, {one.before}, {one.new} from {changed} "
        "order by row_number() over (partition by landing_date order by _batch_id, _row_number), landing_date "
        f"limit {SAMPLE}"
    ).fetchall()
    shown = [
        ChangedValue(
            day,
            batch,
            number,
            masked(correction.column, text if value is None else value),
            masked(correction.column, new),
        )
        for day, batch, number, value, text, new in found
    ]
    return tuple(sorted(shown, key=lambda it: (it.landing_date, it.batch_id, it.row_number)))


def refuse_if_wrong(found: CorrectionSurvey) -> None:
    """Raise `UsageError` for a correction that would change nothing, or not all that it means exactly."""
    correction = found.correction
    if found.unfit:
        kind = expressions(CONTRACTS[correction.source], correction).kind
        more = "" if correction.rounded else ", or let them be rounded with --round"
        raise UsageError(
            f"{correction.words}: {counted(found.unfit, 'row')} would get a value that {kind} does not hold exactly; mean "
            f"other rows{more}."
        )
    if not found.rows and not found.already:
        raise UsageError(f"{correction.words}: no row of {correction.source} on these days is changed by it.")


def apply(
    settings: Settings,
    engine: Engine,
    found: CorrectionSurvey,
    why: str,
    who: str,
    now: datetime,
    incident_id: str | None = None,
) -> Decided:
    """Put a correction into force; its days must run again then. Applied again, it is applied once."""
    decided = Decided(found.correction, found.deliveries, incident_id=incident_id)
    _know_of_others(settings, engine, found.correction.source)
    Corrections(engine).record(decided, Turn.APPLIED, why, who, now)
    write_corrections(settings, engine, found.correction.source, decided.days)
    return Corrections(engine).named(decided.id)


def _know_of_others(settings: Settings, engine: Engine, source: str) -> None:
    """Take in what was decided in another home, by whom and why, before anything is on record here."""
    bring_in_decisions(settings, [source])
    take_in_corrections(settings, engine, source)


def unbuilt(settings: Settings, engine: Engine, decided: Decided) -> list[date]:
    """The landing days of a correction that no build has ended well on since the last decision on it: a killed command, or one
    whose build failed, leaves the decision and not its effect."""
    journal = BuildJournal(engine, settings.builds)
    assert decided.decided_at is not None
    days = decided.days
    return sorted(set(days) - journal.built(days[0], days[-1], since=decided.decided_at)) if days else []


def refuse_if_built_upon(engine: Engine, decided: Decided) -> None:
    """Raise `UsageError` where a later correction in force read what this one has made of the same deliveries."""
    about = {(it.landing_date, it.batch_id) for it in decided.deliveries}
    for one in Corrections(engine).in_force(decided.correction.source):
        later = one.place > decided.place and decided.correction.column in one.correction.reads
        if later and about & {(it.landing_date, it.batch_id) for it in one.deliveries}:
            raise UsageError(f"{one.id} was applied to what {decided.id} has made: take that one back first.")


def revert(settings: Settings, engine: Engine, decided: Decided, why: str, who: str, now: datetime) -> bool:
    """Take a correction back; its days must run again then. Whether it was in force.

    Raises `UsageError` where another one stands on it.
    """
    _know_of_others(settings, engine, decided.correction.source)
    refuse_if_built_upon(engine, decided)
    done = Corrections(engine).record(decided, Turn.REVERTED, why, who, now)
    write_corrections(settings, engine, decided.correction.source, decided.days)
    return done

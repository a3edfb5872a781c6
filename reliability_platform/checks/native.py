"""What SodaCL cannot say: the schedule of batches, refused files, conservation, lateness, reconciliations.

Each check is one SQL statement over the whole window that returns (landing day, value, facts) where there is
anything to say; the facts are a struct with fields of `facts.Facts`, or null. A day that it does not return has the
value 0. A value above the limit fails, unless a fourth column says that the count behind a share is too small.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import duckdb
import pyarrow as pa

from reliability_platform.checks.catalogue import CHECKS, MARTS, MODEL_CHECKS, SILVER_VS_GOLD, about_columns
from reliability_platform.checks.facts import Facts
from reliability_platform.checks.native_check import NativeCheck
from reliability_platform.checks.relations import relation_checks
from reliability_platform.checks.results import ERROR, NOTHING_TO_JUDGE, CheckResult, CheckStatus
from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.counted import agreeing, counted
from reliability_platform.landing.all_admissions import all_admissions_file, gather_admissions
from reliability_platform.landing.arrivals import arrivals_of
from reliability_platform.landing.stream_positions import missing_offsets
from reliability_platform.masking import error_text
from reliability_platform.operations import operations_engine
from reliability_platform.parquet import literal, scan, scan_days
from reliability_platform.settings import Settings
from reliability_platform.warehouse.marts import Mart

ARRIVALS = "arrivals_of_"
"""Beginning of the names under which our own times of arrival are given to a query, by source."""
ADMISSIONS = "admissions_of_"
"""Beginning of the names of the admission records of the window, by source."""
LOST = "offsets_lost_of_"
"""Beginning of the names under which a query is given how many offsets of topics have not landed, by source."""
DUPLICATES = "__duplicate_batches"
CONSERVATION = "rec_batches__conserved"
CONSERVED = "conserved"
"""The name of what that reconciliation says of the window."""
COMPARED = "compared_with_gold"
"""The name of what the other one says of the event dates of the window."""
FIRST_EVENT, LAST_EVENT = "first_event_of_", "last_event_of_"
"""Beginning of the names of the variables that hold between which event dates a source has rows of the window."""
SKEW_MINUTES = 5
"""So far two clocks that are kept right may be apart."""
TOLERANCE_MINUTES = 60
"""So long a delivery may take from the producer's mark to the place where we look."""
LATE_LIMIT_PERCENT = 2.0
LATE_BY_NATURE_PERCENT = 1.0
"""So many rows of an earlier day a clean source may have: those of the last minutes before midnight, half of the limit."""
CHANCE = 1e-4
"""A share above its limit fails only where rows that are late by nature make so many with less than this chance."""
REJECT_LIMIT_PERCENT = 1.0


_BATCHES = "struct_pack(batches := list(batch_id order by batch_id))"


def _files(field: str, reason: str, said: str) -> str:
    """SQL: delivered files as a field of the facts."""
    one = f"struct_pack(batch := batch_id, sequence := batch_sequence, reason := {reason}, said := {said})"
    return f"struct_pack({field} := list({one} order by batch_id))"


def _shared(settings: Settings, days: Sequence[date]) -> dict[str, str]:
    """What many checks read of the window, by the name under which they do."""
    window = "where landing_date between $first and $last"
    records = {f"{ADMISSIONS}{source}": scan_days(settings.admissions / source, days) for source in SOURCES}
    shared = {name: f"select * from {table} {window}" for name, table in (records | {CONSERVED: CONSERVATION}).items()}
    lost = {f"{LOST}{source}": _lost(settings, source, days) for source in SOURCES if CONTRACTS[source].is_stream}
    return shared | lost | {COMPARED: _compared()}


def _lost(settings: Settings, source: str, days: Sequence[date]) -> str:
    """SQL: by landing day, how many offsets have not landed, as its manifests say."""
    topic = CONTRACTS[source].table
    found = [f"(date '{day}', {missing})" for day in days if (missing := missing_offsets(settings, source, topic, day))]
    return f"from (values {', '.join(found) or '(null::date, 0)'}) as lost(landing_date, records)"


def _compared() -> str:
    """SQL: silver against gold on all event dates of the window. Planned for each source by itself it took four times as long."""
    first, last = (
        f"{choose}({', '.join(f'getvariable({literal(name + source)})' for source in SOURCES)})"
        for choose, name in (("least", FIRST_EVENT), ("greatest", LAST_EVENT))
    )
    undated = ", ".join(literal(mart.name) for mart in MARTS if mart.event_date is None)
    whole = (
        f" union all from {SILVER_VS_GOLD} where event_date is null and table_name in ({undated})" if undated else ""
    )
    # Rows of no day in a table with days are in no version, and lacking on their day, which is told there.
    return f"from {SILVER_VS_GOLD} where event_date between {first} and {last}{whole}"


def _bounds(source: str) -> dict[str, str]:
    """Between which event dates the rows of the window lie, as variables of a connection: as constants they reach down to the
    scans, where a join with the dates themselves read all of silver and gold."""
    silver = f"from int_{source}__deduplicated where landing_date between $first and $last"
    return {
        f"{FIRST_EVENT}{source}": f"select min(event_date) {silver}",
        f"{LAST_EVENT}{source}": f"select max(event_date) {silver}",
    }


def _bronze(settings: Settings, source: str) -> dict[str, NativeCheck]:
    contract = CONTRACTS[source]
    admissions = f"{ADMISSIONS}{source}"
    window = "landing_date between $first and $last"
    cadence = contract.cadence
    came = f"select distinct landing_date from {admissions} where {window}"
    refused = f"from {admissions} where {window} and status = 'refused' and state = 'quarantined'"
    offsets_kept = NativeCheck(
        f"select landing_date, sum(records), null from {LOST}{source} where {window} group by landing_date",
        0,
        "offset|offsets of the topic that did not land",
        subject=came,
    )
    return {
        **({f"bronze_{source}__offsets_kept": offsets_kept} if contract.is_stream else {}),
        f"bronze_{source}__batch_completeness": NativeCheck(
            f"""
            with days as (
                select unnest(generate_series($first, $last, interval 1 day))::date as landing_date
            ), expected as (
                select landing_date, unnest(range(1, 1 + {cadence.by_sql("landing_date")})) as batch_sequence from days
            ), admitted as (
                -- Of a discarded file a person has said that its slot stays empty.
                select distinct landing_date, batch_sequence from {admissions}
                where (status = 'admitted' or state = 'discarded') and {window}
            )
            select landing_date, count(*), struct_pack(missing_slots := list(batch_sequence order by batch_sequence))
            from expected anti join admitted using (landing_date, batch_sequence)
            group by landing_date
            """,
            0,
            f"of {counted(cadence.batches, 'batch')} missing",
        ),
        f"bronze_{source}__schema_contract": NativeCheck(
            f"select landing_date, count(*), {_files('refused', 'reason', 'detail')} {refused} and starts_with(reason, 'schema_') group by landing_date",
            0,
            "file|files refused for its|their columns",
            subject=came,
        ),
        f"bronze_{source}__file_integrity": NativeCheck(
            f"select landing_date, count(*), {_files('refused', 'reason', 'detail')} {refused} and not starts_with(reason, 'schema_') group by landing_date",
            0,
            "file|files refused as broken",
            subject=came,
        ),
        f"bronze_{source}{DUPLICATES}": NativeCheck(
            f"""
            with admitted as (
                -- A batch may have come before on any day.
                select * from {scan(all_admissions_file(settings, source))}
                where status = 'admitted' and kind <> 'replacement' and delivered_rows > 0
            ), first_seen as (
                select checksum, min((landing_date, batch_id)) as first_one from admitted group by checksum
            )
            select landing_date, count(*), {_BATCHES}
            from admitted join first_seen using (checksum)
            where (landing_date, batch_id) <> first_one and {window}
            group by landing_date
            """,
            0,
            "batch|batches with the bytes of an earlier one",
            subject=came,
        ),
        f"bronze_{source}__not_silent": NativeCheck(
            f"""
            with days as (
                select unnest(generate_series($first, $last, interval 1 day))::date as landing_date
            ), due as (
                select landing_date from days where {cadence.by_sql("landing_date")} > 0
            ), spoken as (
                select distinct landing_date from {admissions}
                -- Of a folder that cannot be read nobody knows whether anything came: it is refused, and no silence.
                where {window} and (batch_sequence > 0 and status <> 'ignored' or reason = 'folder_unreadable')
            )
            select landing_date, 1, struct_pack(silent := true) from due anti join spoken using (landing_date)
            """,
            0,
            "day|days of silence",
        ),
        f"bronze_{source}__no_unknown_columns": NativeCheck(
            f"""
            with latest as (
                select landing_date, batch_sequence, max(batch_attempt) as batch_attempt from {admissions}
                where {window} and status = 'admitted' group by landing_date, batch_sequence
            )
            select landing_date, count(*), struct_pack(unknown_columns := string_split(mode(rescued_columns), ', '))
            from {admissions} join latest using (landing_date, batch_sequence, batch_attempt)
            where status = 'admitted' and rescued_columns is not null group by landing_date
            """,
            0,
            "batch|batches with columns that the contract does not know",
            subject=came,
        ),
        f"bronze_{source}__no_stale_batches": NativeCheck(
            f"select landing_date, count(*), {_BATCHES} from {admissions} "
            f"where {window} and status = 'ignored' group by landing_date",
            0,
            "batch|batches that had been delivered on another day",
            subject=came,
        ),
        f"bronze_{source}__no_unasked_attempts": NativeCheck(
            f"select landing_date, count(*), {_files('held_attempts', 'reason', 'detail')} "
            f"from {admissions} where {window} and status = 'held' and state = 'quarantined' group by landing_date",
            0,
            "attempt|attempts that nobody asked for, held for a decision",
            subject=came,
        ),
        f"bronze_{source}__landed_on_time": NativeCheck(
            # Nothing came after we saw it, nor before a look that did not find it: in between the producer's word counts.
            f"""
            select landing_date, count(*), {_BATCHES}
            from {admissions} left join {ARRIVALS}{source} using (landing_date, batch_id)
            where {window} and kind <> 'replacement' and landed_at is not null
                and least(greatest(landed_at, coalesce(absent_at, landed_at)), coalesce(seen_at, 'infinity'::timestamp))
                    > {contract.day_starts("landing_date + interval 1 day")} + interval {contract.deadline_minutes} minute
            group by landing_date
            """,
            0,
            "batch|batches after its|their deadline",
            subject=came,
        ),
        f"bronze_{source}__arrival_agrees": NativeCheck(
            f"""
            with claims as (
                select landing_date, batch_id, batch_sequence,
                    case
                        when landed_at < produced_at then 'before it was made'
                        when landed_at > seen_at + interval {SKEW_MINUTES} minute then 'after we saw it'
                        when landed_at < absent_at - interval {TOLERANCE_MINUTES} minute
                            then 'long before a look that did not find it'
                    end as contradiction
                from {admissions} left join {ARRIVALS}{source} using (landing_date, batch_id)
                where {window} and kind <> 'replacement'
            )
            select landing_date, count(*), {_files("contradictions", "null", "contradiction")}
            from claims where contradiction is not null group by landing_date
            """,
            0,
            "manifest|manifests contradicts|contradict what we saw",
            subject=came,
        ),
    }


def live_days(source: str) -> str:
    """The landing days of which staging has rows that count."""
    return (
        f"select distinct landing_date from stg_{source} where landing_date between $first and $last "
        "and not is_superseded and disposition <> 'discarded'"
    )


def _rejected_for(source: str, reason: str, unit: str) -> NativeCheck:
    """Not one row may be rejected for this reason."""
    return NativeCheck(
        f"select landing_date, count(*), null from stg_{source} where landing_date between $first and $last "
        f"and not is_superseded and disposition <> 'discarded' and contains(reject_reasons, '{reason}') group by landing_date",
        0,
        unit,
        subject=live_days(source),
    )


_IN_FREE_TEXT = {
    "no_poison": ("poisonous", "record|records that breaks|break parsers"),
    "no_personal_data": ("personal_data", "row|rows with personal data in free text"),
}


def _payloads(source: str) -> dict[str, NativeCheck]:
    return {
        f"stg_{source}__{name}": _rejected_for(source, f"{column}_{rule}", unit)
        for what, (rule, unit) in _IN_FREE_TEXT.items()
        for column, name in about_columns(what, CONTRACTS[source].nested)
    }


def carries(count: str, total: str) -> str:
    """SQL: whether so many of all rows are more than chance, where each is counted by nature with 1 %.

    Chernoff's bound of the binomial tail, in its Poisson form: P(K >= k) <= exp(-m) (e m / k)^k for k above the mean m.
    Of 30 rows 5 carry it, of 90 rows 8, of 1,000 rows 27; from 2,400 rows on the limit of 2 % itself decides.
    """
    mean = f"({LATE_BY_NATURE_PERCENT / 100} * {total})"
    return f"{count} * ln(greatest({count}, 1) / {mean}) - {count} + {mean} > {-math.log(CHANCE)}"


def _staging(source: str) -> dict[str, NativeCheck]:
    key = f"({CONTRACTS[source].key_list})"
    live = (
        f"from stg_{source} where landing_date between $first and $last and not is_superseded "
        "and disposition <> 'discarded'"
    )
    return {
        f"stg_{source}__late_share": NativeCheck(
            # Keys and not rows: late rows that a producer re-sends do not come later for it.
            f"""
            with counted as (
                select landing_date, greatest(count(distinct {key}), 1) as keys,
                    count(distinct {key}) filter (where event_date < landing_date and reject_reasons is null) as late
                {live} group by landing_date
            )
            select landing_date, 100.0 * late / keys, struct_pack(late_keys := late, keys := keys),
                {carries("late", "keys")} from counted
            """,
            LATE_LIMIT_PERCENT,
            "% of the rows are of an earlier day",
            subject=live_days(source),
        ),
        f"stg_{source}__reject_share": NativeCheck(
            "select landing_date, 100.0 * count(*) filter (where reject_reasons is not null) / count(*), "
            "struct_pack(rejected_for := string_split(mode(reject_reasons), ','), "
            f"rejected_rows := count(*) filter (where reject_reasons is not null)) {live} group by landing_date",
            REJECT_LIMIT_PERCENT,
            "% of the rows are rejected",
            subject=live_days(source),
        ),
        f"stg_{source}__no_conflicting_keys": _rejected_for(
            source, "key_conflict", "row|rows contradicts|contradict an earlier one of its|their key"
        ),
        f"hld_too_late__no_{source}": NativeCheck(
            "select landing_date, count(*), struct_pack(oldest_event_date := min(event_date)::varchar) from hld_too_late "
            f"where source = '{source}' and landing_date between $first and $last group by landing_date",
            0,
            "row|rows held as too late",
            subject=live_days(source),
        ),
    }


def _reconciliation(source: str) -> dict[str, NativeCheck]:
    return {
        f"{CONSERVATION}__{source}": NativeCheck(
            f"select landing_date, sum(abs(unaccounted_rows)), null from {CONSERVED} "
            f"where source = '{source}' and landing_date between $first and $last group by landing_date",
            0,
            "delivered row|rows unaccounted for",
            subject=f"select distinct landing_date from {CONSERVED} "
            f"where source = '{source}' and landing_date between $first and $last",
        ),
        f"{SILVER_VS_GOLD}__{source}": NativeCheck(
            f"""
            with touched as (
                select distinct landing_date, event_date from int_{source}__deduplicated
                where landing_date between $first and $last
                union all
                -- A table without days is compared as a whole, on no date: it is made of all of them.
                select distinct landing_date, null from int_{source}__deduplicated
                where landing_date between $first and $last
            )
            select touched.landing_date, sum(abs(difference)),
                struct_pack(measures := list_sort(list(distinct table_name || '.' || measure) filter (where difference <> 0)))
            from {COMPARED} as compared join touched on compared.event_date is not distinct from touched.event_date
            where source = '{source}' group by touched.landing_date
            """,
            0,
            "difference between silver and gold",
            subject=f"select distinct landing_date from int_{source}__deduplicated "
            "where landing_date between $first and $last",
        ),
    }


def _gold_of(source: str) -> list[Mart]:
    """The marts that have rows of every event date of the source."""
    return [
        mart
        for mart in MARTS
        if mart.event_date is not None and source in mart.sources and source not in mart.may_lack_days_of
    ]


def _no_rows_lost(source: str) -> NativeCheck:
    """Each layer still has rows of a landing day of which the layer before has some; the value is how many have not."""
    silver = f"int_{source}__deduplicated"
    marts = _gold_of(source)
    gold = " union all ".join(
        f"select '{mart.name}' as layer, {mart.day} as event_date from {mart.relation} "
        f"where {mart.day} between $first and $last"
        for mart in marts
    )
    gold = gold or "select null::varchar as layer, null::date as event_date where false"
    return NativeCheck(
        f"""
        with admitted as (
            select landing_date, sum(admitted_rows) as n
            from {ADMISSIONS}{source}
            where landing_date between $first and $last group by landing_date
        ), staged as (
            select landing_date, count(*) as n,
                count(*) filter (where disposition = 'valid' and event_date = landing_date) as valid
            from stg_{source}
            where landing_date between $first and $last group by landing_date
        ), silver as (
            select landing_date, count(*) as n from {silver}
            where landing_date between $first and $last group by landing_date
        ), marts as (
            select unnest({[mart.name for mart in marts]}::varchar[]) as layer
        ), gold as (
            select distinct layer, event_date as landing_date from ({gold})
        ), lost as (
            select landing_date, 'stg_{source}' as layer from admitted left join staged using (landing_date)
            where admitted.n > 0 and staged.n is null
            union all
            -- A day whose staged rows are gone too cannot say what silver should have: its bronze can.
            select landing_date, '{silver}' from admitted
            left join staged using (landing_date) left join silver using (landing_date)
            where admitted.n > 0 and coalesce(staged.valid, 1) > 0 and silver.n is null
            union all
            select landing_date, layer from admitted cross join marts
            left join staged using (landing_date) anti join gold using (layer, landing_date)
            where admitted.n > 0 and coalesce(staged.valid, 1) > 0
        )
        select landing_date, count(*), struct_pack(lost_from := list(layer order by layer))
        from lost group by landing_date
        """,
        0,
        "table|tables without the rows of the day",
        subject=f"select landing_date from {ADMISSIONS}{source} "
        "where admitted_rows > 0 and landing_date between $first and $last",
    )


def native_checks(settings: Settings) -> dict[str, NativeCheck]:
    """Every native check by name."""
    checks: dict[str, NativeCheck] = {}
    for source in SOURCES:
        checks |= _bronze(settings, source) | _staging(source) | _payloads(source) | _reconciliation(source)
        checks[f"int_{source}__deduplicated__no_rows_lost"] = _no_rows_lost(source)
        checks |= relation_checks(CONTRACTS[source], REJECT_LIMIT_PERCENT, live_days(source))
    for one in MODEL_CHECKS:
        window = f"from {one.model} where landing_date between $first and $last"
        facts = ", ".join(f"{name} := {column}" for name, column in one.facts)
        checks[f"{one.model}__{one.name}"] = NativeCheck(
            f"select landing_date, {one.value}, {f'struct_pack({facts})' if facts else 'null'} {window}",
            0,
            one.unit,
            subject=f"select landing_date {window}",
        )
    return {name: check for name, check in checks.items() if name in CHECKS}


def digest_of_checks(settings: Settings, names: Iterable[str]) -> str:
    """Another one as soon as one of these checks asks something else."""
    checks = native_checks(settings)
    return hashlib.sha256("".join(repr(checks.get(name)) for name in sorted(names)).encode()).hexdigest()


def _status(check: NativeCheck, value: float | None, carried: bool) -> CheckStatus:
    if value is None:
        return CheckStatus.NOT_EVALUATED
    return CheckStatus.FAILED if value > check.limit and carried else CheckStatus.PASSED


def _message(check: NativeCheck, value: float | None, detail: str, carried: bool) -> str:
    if value is None:
        return "there was nothing to judge"
    number = f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"
    text = f"{number} {agreeing(value, check.unit)}"
    if value > check.limit and not carried:
        return f"{text} ({detail}: too few to be more than chance)"
    return f"{text} ({detail})" if detail and value > check.limit else text


@dataclass(frozen=True)
class _Window:
    """The landing days that are judged, on a connection, and what has been read of them for several checks."""

    connection: duckdb.DuckDBPyConnection
    parameters: dict[str, date]
    unread: dict[str, str]
    """By name, what could not be kept: a check that reads it fails by itself, and no other does."""
    known: dict[str, set[date]] = field(default_factory=dict)

    @classmethod
    def over(
        cls, connection: duckdb.DuckDBPyConnection, parameters: dict[str, date], shared: dict[str, str], sql: str
    ) -> "_Window":
        """Keep what `sql`, the text of all checks, reads under a shared name: 92 queries of one window took 0.3 s, most
        of it to plan the same scans again."""
        unread, wanted = {}, {name: rows for name, rows in shared.items() if name in sql}
        bounds = [one for source in SOURCES for one in _bounds(source).items()] if COMPARED in wanted else []
        for name, bound in bounds:
            with suppress(duckdb.Error):  # what is not there fails the check that asks for it
                connection.execute(f"set variable {name} = ({bound})", parameters)
        for name, rows in wanted.items():
            asked = {one: value for one, value in parameters.items() if f"${one}" in rows}  # DuckDB refuses any other
            try:
                connection.execute(f"create or replace temp table {name} as {rows}", asked)
            except duckdb.Error:
                unread[name] = rows
        return cls(connection, parameters, unread)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a check returns."""
        missing = [f"{name} as ({rows})" for name, rows in self.unread.items() if re.search(rf"\b{name}\b", sql)]
        sql = f"with {', '.join(missing)} from ({sql})" if missing else sql
        return self.connection.execute(sql, self.parameters).fetchall()

    def days(self, subject: str) -> set[date]:
        """The days that a subject returns; asked once for all checks that share it."""
        if subject not in self.known:
            self.known[subject] = {row[0] for row in self.rows(subject)}
        return self.known[subject]


def evaluate_native(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    partitions: Sequence[date],
    names: set[str],
    run_id: str,
    now: datetime,
) -> list[CheckResult]:
    """One result per wanted native check and landing day."""
    results = []
    checks = native_checks(settings)
    first, last = min(partitions), max(partitions)
    engine = operations_engine(settings)
    for source in {CHECKS[name].source for name in names if name.endswith(("__landed_on_time", "__arrival_agrees"))}:
        connection.register(f"{ARRIVALS}{source}", arrivals_of(engine, source, first, last))
    for source in {CHECKS[name].source for name in names if name.endswith(DUPLICATES)}:
        with suppress(OSError, pa.ArrowException):  # then there is no such file, and the check could not be evaluated
            gather_admissions(settings, source)
    wanted = sorted(names & checks.keys())
    texts = "\n".join(f"{checks[name].sql} {checks[name].subject}" for name in wanted)
    window = _Window.over(connection, {"first": first, "last": last}, _shared(settings, partitions), texts)
    for name in wanted:
        check, spec = checks[name], CHECKS[name]
        rows: dict[date, tuple[float | None, Facts]] = {}
        too_few: set[date] = set()
        error, there = None, None
        try:
            there = None if check.subject is None else window.days(check.subject)
            for day, value, found, *carried in window.rows(check.sql):
                rows[day] = (None if value is None else float(value), Facts.found(spec.source, day, found))
                if carried == [False]:
                    too_few.add(day)
        except duckdb.Error as problem:  # a crashing check says nothing about the data
            error = error_text(str(problem))
        for day in partitions:
            value, facts = (None, Facts()) if error else rows.get(day, (check.absent, Facts()))
            empty = there is not None and day not in there and not value
            if empty:
                value = None
            status = CheckStatus.NOT_EVALUATED if error else _status(check, value, day not in too_few)
            results.append(
                CheckResult(
                    check=name,
                    dataset=spec.dataset,
                    source=spec.source,
                    partition=day,
                    status=status,
                    value=value,
                    threshold=f"<= {check.limit:g}",
                    message=f"could not be evaluated: {error}"
                    if error
                    else _message(check, value, facts.text, day not in too_few),
                    run_id=run_id,
                    evaluated_at=now,
                    column=spec.column,
                    details={"detail": facts.text, "facts": facts.kept()} if facts.text else {},
                    reason=None if status is not CheckStatus.NOT_EVALUATED else NOTHING_TO_JUDGE if empty else ERROR,
                )
            )
    return results

"""What dead letters have in common: counts and shares, the values that offend most (masked), and patterns in words.

Everything is counted by the engine; only the few groups that come of it are looked at here.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from reliability_platform.contracts import CONTRACTS, SOURCES
from reliability_platform.counted import counted
from reliability_platform.landing.file_quarantine import quarantined_files
from reliability_platform.masking import masked
from reliability_platform.remediation.dead_letters.letters import Selection
from reliability_platform.settings import Settings
from reliability_platform.warehouse.lease import warehouse_reader

TOP_VALUES = 5
LOOKED_AT = 200
"""So many different values of a column are masked and counted anew: many have the same shape."""
MIN_ROWS = 5
"""Of fewer rows one cannot say what they have in common."""
NEARLY_ALL = 0.9
UNUSUAL = 1.5
"""How much more common a label must be among dead letters than among all rows of the same days."""
NARROW_HOURS = 6
FEW_SLOTS = 3

DIMENSIONS = {
    "source": "source",
    "reason": "unnest(string_split(reject_reasons, ','))",
    "state": "state",
    "landing_day": "landing_date::varchar",
    "batch": "batch_id",
    "event_hour": "event_hour",
    "landing_hour": "landing_hour",
    "attempts": "attempts",
}


@dataclass(frozen=True)
class LetterGroup:
    """Dead letters that share one value of a dimension."""

    value: Any
    rows: int
    share: float
    """Of all rows that are looked at. A row with several reasons counts for each."""


@dataclass(frozen=True)
class Offender:
    """A value of the column that a reason names, as it may be shown."""

    source: str
    reason: str
    column: str
    value: Any
    rows: int


@dataclass(frozen=True)
class Analysis:
    """What was found."""

    rows: int
    files: int
    by: dict[str, list[LetterGroup]] = field(default_factory=dict)
    """Rows by dimension, most first."""
    files_by: list[dict[str, Any]] = field(default_factory=list)
    """Refused files by source, landing day, reason and state, with their number and the rows in them."""
    offenders: list[Offender] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)


def analyze(settings: Settings, wanted: Selection, state: str | None = None) -> Analysis:
    """Look at the dead letters that a person means, in one state or in all."""
    files = _files(settings, wanted, state)
    with warehouse_reader(settings) as connection:
        _select(connection, wanted, state)
        total = connection.execute("select count(*) from letters").fetchone()
        assert total is not None
        return Analysis(
            rows=int(total[0]),
            files=sum(one["files"] for one in files),
            by={name: _groups(connection, sql, int(total[0])) for name, sql in DIMENSIONS.items()},
            files_by=files,
            offenders=_offenders(connection),
            patterns=_patterns(connection),
        )


def _files(settings: Settings, wanted: Selection, state: str | None) -> list[dict[str, Any]]:
    files: Counter[tuple[str, str, str, str]] = Counter()
    rows: Counter[tuple[str, str, str, str]] = Counter()
    for record in quarantined_files(settings):
        meant = (
            wanted.first <= date.fromisoformat(record["landing_date"]) <= wanted.last
            and wanted.source in (None, record["source"])
            and wanted.batch_id in (None, record["batch_id"])
            and wanted.reason in (None, record["reason"])
            and state in (None, record["state"])
        )
        if meant:
            key = (record["source"], record["landing_date"], str(record["reason"]), record["state"])
            files[key] += 1
            rows[key] += int(record["delivered_rows"] or 0)
    names = ("source", "landing_date", "reason", "state")
    return [
        dict(zip(names, key, strict=True)) | {"files": count, "rows": rows[key]} for key, count in sorted(files.items())
    ]


def _select(connection: duckdb.DuckDBPyConnection, wanted: Selection, state: str | None) -> None:
    """The rows that are meant, as the temporary table `letters`, and what each reason names, as `named_columns`."""
    connection.execute(
        """
        create temp table letters as
        select source, landing_date, batch_id, batch_sequence, reject_reasons, state, attempts, original_row,
            hour(try_cast(json_extract_string(original_row, '$.event_time') as timestamp)) as event_hour,
            hour(last_failed_at) as landing_hour
        from qtn_rows
        where landing_date between $first and $last
            and ($source is null or source = $source)
            and ($batch is null or batch_id = $batch)
            and ($reason is null or list_contains(string_split(reject_reasons, ','), $reason))
            and ($state is null or state = $state)
        """,
        {
            "first": wanted.first,
            "last": wanted.last,
            "source": wanted.source,
            "batch": wanted.batch_id,
            "reason": wanted.reason,
            "state": state,
        },
    )
    connection.execute(
        "create temp table reasons as select source, landing_date, batch_sequence, attempts, original_row, event_hour, "
        "unnest(string_split(reject_reasons, ',')) as reason from letters"
    )


def _groups(connection: duckdb.DuckDBPyConnection, sql: str, total: int) -> list[LetterGroup]:
    found = connection.execute(
        f"select value, count(*) from (select {sql} as value from letters) group by value order by count(*) desc, value"
    ).fetchall()
    return [LetterGroup(value, rows, round(rows / total, 4)) for value, rows in found]


def _column_of(source: str, reason: str) -> str | None:
    known = CONTRACTS[source].rejections.get(reason)
    return None if known is None else known.column


def _offenders(connection: duckdb.DuckDBPyConnection) -> list[Offender]:
    found = []
    for source, reason in connection.execute("select distinct source, reason from reasons order by all").fetchall():
        column = _column_of(source, reason)
        if column is None:
            continue
        values: Counter[Any] = Counter()
        rows = connection.execute(
            "select json_extract(original_row, $path)::varchar, count(*) from reasons where source = $source and "
            "reason = $reason group by all order by count(*) desc, 1 limit $most",
            {"path": f"$.{column}", "source": source, "reason": reason, "most": LOOKED_AT},
        ).fetchall()
        for text, count in rows:
            values[masked(column, json.loads(text) if text is not None else None)] += count
        top = sorted(values.items(), key=lambda pair: (-pair[1], str(pair[0])))[:TOP_VALUES]
        found += [Offender(source, reason, column, value, count) for value, count in top]
    return found


def _patterns(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        """
        select source, reason, count(*), min(landing_date), max(landing_date), count(distinct landing_date),
            list_sort(list(distinct batch_sequence)), min(event_hour), max(event_hour), min(attempts)
        from reasons group by source, reason having count(*) >= $least order by count(*) desc, source, reason
        """,
        {"least": MIN_ROWS},
    ).fetchall()
    days = _days_built(connection)
    words = []
    for source, reason, rows, first, last, on_days, slots, first_hour, last_hour, attempts in found:
        said = [
            *_in_days(first, last, on_days, days.get(source, (first, last))),
            *_in_slots(source, slots),
            *_in_hours(first_hour, last_hour),
            *_in_labels(connection, source, reason, rows),
            *([f"each has failed at least {counted(attempts, 'time')}"] if attempts > 1 else []),
        ]
        words.append(
            f"{source}, {reason} ({counted(rows, 'row')}): {'; '.join(said) if said else 'nothing in common'}."
        )
    return words


def _days_built(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[date, date]]:
    """The first and the last landing day that there are rows of at all, by source."""
    selects = [f"select '{source}', min(landing_date), max(landing_date) from stg_{source}" for source in SOURCES]
    found = connection.execute(" union all ".join(selects)).fetchall()
    return {source: (first, last) for source, first, last in found if first is not None}


def _in_days(first: date, last: date, on_days: int, built: tuple[date, date]) -> list[str]:
    if first == last:
        return [f"only on {first}"]
    if on_days == (last - first).days + 1 and first > built[0] and last == built[1]:
        return [f"on each day since {first}"]
    return [f"on {counted(on_days, 'day')} from {first} to {last}"]


def _in_slots(source: str, slots: Sequence[int]) -> list[str]:
    if len(slots) >= CONTRACTS[source].cadence.batches or len(slots) > FEW_SLOTS:
        return []
    names = [f"{slot:02d}" for slot in slots]
    return [
        f"all in batch {names[0]}" if len(names) == 1 else f"all in batches {', '.join(names[:-1])} and {names[-1]}"
    ]


def _in_hours(first: int | None, last: int | None) -> list[str]:
    if first is None or last is None or last - first >= NARROW_HOURS:
        return []
    return [f"events of {first:02d}:00 to {last:02d}:59 alone"]


def _in_labels(connection: duckdb.DuckDBPyConnection, source: str, reason: str, rows: int) -> list[str]:
    """Labels of the contract that nearly all of the rows share, and that are not as common among all rows."""
    said = []
    for column in CONTRACTS[source].columns:
        if not column.valid_values or _column_of(source, reason) == column.name:
            continue
        top = connection.execute(
            "select json_extract_string(original_row, $path) as label, count(*) from reasons where source = $source "
            "and reason = $reason and list_contains($labels, label) group by label order by count(*) desc, label limit 1",
            {"path": f"$.{column.name}", "source": source, "reason": reason, "labels": list(column.valid_values)},
        ).fetchone()
        if top is None or top[1] < NEARLY_ALL * rows:
            continue
        usual = connection.execute(
            f"select coalesce(avg(({column.name} = $label)::integer), 0) from stg_{source} "
            "where landing_date in (select landing_date from reasons where source = $source and reason = $reason)",
            {"label": top[0], "source": source, "reason": reason},
        ).fetchone()
        if usual is not None and top[1] / rows >= UNUSUAL * usual[0]:
            said.append(
                f"{column.name} is {top[0]} in {100 * top[1] / rows:.0f} % of them, usually in {100 * usual[0]:.0f} %"
            )
    return said

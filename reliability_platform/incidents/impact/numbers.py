"""How many rows, keys and event dates the landing days of a source hold, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from reliability_platform.contracts import CONTRACTS, check_source
from reliability_platform.parquet import day_list, literal, numbered_days

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Numbers:
    """How much is concerned on the landing days of an incident."""

    delivered_rows: int
    accepted_rows: int
    duplicate_rows: int
    quarantined_rows: int
    held_late_rows: int
    refused_files: int
    event_dates: list[date]
    quarantined_keys: int = 0
    """Different keys among the rejected rows that no later attempt has replaced."""
    keys: int = 0
    """Different keys among all staged rows."""


SourceDays = tuple[str, Sequence[date]]
"""A source, and landing days of it."""


def numbers(connection: "duckdb.DuckDBPyConnection", source: str, days: Sequence[date]) -> Numbers:
    """Rows and event dates concerned, from the warehouse. Raises `UsageError` for a source that does not exist."""
    return numbers_of_each(connection, [(source, days)])[0]


def numbers_of_each(connection: "duckdb.DuckDBPyConnection", asked: Sequence[SourceDays]) -> list[Numbers]:
    """The same for each of several, in their order, with three statements a source: what became of the batches is a view over
    all that is stored, which takes 60 ms for a month however little is asked of it.
    """
    by_source: dict[str, dict[int, Sequence[date]]] = {}
    for number, (source, days) in enumerate(asked):
        check_source(source)  # it becomes part of a table's name
        by_source.setdefault(source, {})[number] = days
    found: dict[int, Numbers] = {}
    for source, wanted in by_source.items():
        of_source = f"source = {literal(source)}"  # DuckDB leaves out the other sources of the view for this alone, not for `in`
        batches = _by_number(
            connection,
            wanted,
            f"rec_batches__conserved where {of_source}",
            "coalesce(sum(delivered_rows), 0), coalesce(sum(accepted_rows), 0), coalesce(sum(duplicate_rows), 0), "
            "coalesce(sum(quarantined_rows), 0), coalesce(sum(held_late_rows), 0), count(*) filter (where status = 'refused')",
        )
        rejected = _by_number(
            connection, wanted, f"qtn_rows where state = 'quarantined' and {of_source}", "count(distinct record_key)"
        )
        staged = _by_number(
            connection,
            wanted,
            f"stg_{source} where true",
            f"count(distinct ({CONTRACTS[source].key_list})), "
            "list_sort(list(distinct event_date) filter (where event_date is not null))",
        )
        for number in wanted:
            keys, event_dates = staged.get(number, (0, None))
            delivered, accepted, duplicate, quarantined, held_late, refused = map(int, batches.get(number, (0,) * 6))
            [different] = rejected.get(number, (0,))
            found[number] = Numbers(
                delivered,
                accepted,
                duplicate,
                quarantined,
                held_late,
                refused,
                event_dates or [],
                int(different),
                int(keys),
            )
    return [found[number] for number in range(len(asked))]


def _by_number(
    connection: "duckdb.DuckDBPyConnection", wanted: Mapping[int, Sequence[date]], rows: str, values: str
) -> dict[int, Sequence[Any]]:
    """Some values over the rows of the landing days of each number that has any; `rows` is a table and a condition."""
    pairs = [(number, day) for number, days in wanted.items() for day in sorted(set(days))]
    if not pairs:
        return {}
    days = sorted({day for _, day in pairs})
    # The range besides, for DuckDB skips rows by it alone: a third of the time where it is a day of a month.
    found = connection.execute(
        f"""
        with asked (number_asked, day_asked) as (values {numbered_days(pairs)}),
        rows_of_days as (
            select * from {rows} and list_contains({day_list(days)}, landing_date)
                and landing_date between {literal(days[0].isoformat())}::date and {literal(days[-1].isoformat())}::date
        )
        select number_asked, {values} from rows_of_days join asked on landing_date = day_asked group by number_asked
        """
    ).fetchall()
    return {row[0]: row[1:] for row in found}

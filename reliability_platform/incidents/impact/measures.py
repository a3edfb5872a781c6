"""What an incident does to the measures of gold: the value that consumers see, the bad one, the recovered one.

Which measures there are is read from the contracts of the published models: every numeric column outside the key.
A measure is summed over the event dates concerned; a share, whose name ends in `_share`, is averaged.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reliability_platform.counted import counted
from reliability_platform.formats import NOTHING
from reliability_platform.in_memory import in_memory
from reliability_platform.incidents.model import Incident, State
from reliability_platform.parquet import day_list, identifier, numbered_days, scan
from reliability_platform.settings import Settings
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import marts, numbers_of
from reliability_platform.warehouse.published import CURRENT, table_files

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class MeasureChange:
    """One measure over the event dates of an incident, as consumers see it and as gold has it."""

    table: str
    measure: str
    event_dates: tuple[date, ...]
    published: Decimal | None
    """None if nothing of these dates is published."""
    warehouse: Decimal | None
    """None if gold has nothing of these dates, or there is no warehouse."""
    published_dates: int = 0
    """How many of the event dates are published at all."""
    warehouse_dates: int = 0


@dataclass(frozen=True)
class MeasureRow:
    """One measure through the life of an incident; None where nobody could tell, or there was nothing."""

    table: str
    measure: str
    event_dates: tuple[date, ...]
    published: Decimal | None
    """What consumers saw when the impact was recorded."""
    bad: Decimal | None
    """What gold said then."""
    recovered: Decimal | None
    """What gold says after recovery."""
    published_dates: int = 0
    """On how many of the event dates consumers saw anything; a held one without last good rows shows nothing."""
    bad_dates: int = 0
    """On how many of them gold had rows then; rows that were lost leave fewer."""
    recovered_dates: int = 0

    @property
    def difference(self) -> Decimal | None:
        """What the recovery changed: the recovered value without the bad one; None where they are of other dates."""
        if self.recovered is None or self.bad is None or self.recovered_dates != self.bad_dates:
            return None
        return self.recovered - self.bad

    @property
    def cells(self) -> list[str]:
        """Published, bad, recovered and difference for a person; a value of fewer dates than another says of how many.

        A date on which none of them has anything is no date that one lacks: nothing was sold on it.
        """
        dates = max(self.published_dates, self.bad_dates, self.recovered_dates)
        sides = [
            (self.published, self.published_dates),
            (self.bad, self.bad_dates),
            (self.recovered, self.recovered_dates),
            (self.difference, dates),
        ]
        return [_shown(value, known, dates) for value, known in sides]


def _shown(value: Decimal | None, known: int, dates: int) -> str:
    if value is None:
        return NOTHING
    return f"{value:,f}" + (f" ({known} of {counted(dates, 'date')})" if known < dates else "")


def measured_columns(manifest_path: Path) -> dict[str, list[str]]:
    """Published table → its measures."""
    return {mart.name: list(numbers_of(mart.name, manifest_path)) for mart in marts(manifest_path)}


def touched_dates(
    connection: "duckdb.DuckDBPyConnection | None", sources: Iterable[str], days: Sequence[date]
) -> list[date]:
    """The event dates of what landed on these days, and the days themselves: what did not come belongs to them.

    A date after the landing day is a bad one, which gold never sees.
    """
    return touched_dates_of_each(connection, [(sources, days)])[0]


def touched_dates_of_each(
    connection: "duckdb.DuckDBPyConnection | None", asked: Sequence[tuple[Iterable[str], Sequence[date]]]
) -> list[list[date]]:
    """The same for each of several, in their order, with one statement a source."""
    found = [set(days) for _, days in asked]
    wanted: dict[str, list[tuple[int, date]]] = defaultdict(list)
    for number, (sources, days) in enumerate(asked):
        for source in sources:
            wanted[source] += [(number, day) for day in sorted(set(days))]
    for source, pairs in wanted.items():
        staged = identifier(f"stg_{source}")
        if connection is not None and pairs and _columns(connection, staged):
            rows = connection.execute(
                f"with asked (asked_number, asked_day) as (values {numbered_days(pairs)}) "
                f"select distinct asked_number, event_date from {staged} join asked on landing_date = asked_day "
                f"where list_contains({day_list({day for _, day in pairs})}, landing_date) and event_date <= landing_date"
            ).fetchall()
            for number, event_date in rows:
                found[number].add(event_date)
    return [sorted(days) for days in found]


def _columns(connection: "duckdb.DuckDBPyConnection | None", relation: str) -> set[str]:
    """The columns of one table; none if it is not there. To list those of all, DuckDB plans each view: 30 ms."""
    import duckdb

    if connection is None:
        return set()
    try:
        return {one[0] for one in connection.execute(f"select * from {relation} limit 0").description or ()}
    except duckdb.CatalogException:
        return set()


def _published(settings: Settings, mart: str) -> list[Path]:
    return table_files(settings.published / CURRENT, mart)


def _columns_published(files: Sequence[Path]) -> set[str]:
    """The columns of a published table; none if it is not there, or one of its files is no Parquet."""
    import pyarrow as pa  # whoever only looks at an incident needs none of it
    import pyarrow.parquet as pq

    try:
        return {name for file in files for name in pq.read_schema(file).names}
    except (OSError, pa.ArrowInvalid):
        return set()


def unreadable(settings: Settings) -> list[str]:
    """Published tables that are there and cannot be read."""
    files = [(mart.name, _published(settings, mart.name)) for mart in marts(ensure_manifest())]
    return [name for name, own in files if own and not _columns_published(own)]


def measures(
    settings: Settings,
    connection: "duckdb.DuckDBPyConnection | None",
    incident: Incident,
    event_dates: Sequence[date] | None = None,
) -> list[MeasureChange]:
    """Each measure of the marts that are made from the sources of the incident, over `event_dates`.

    By default these are the dates that its landing days touch. `connection` is None where there is no warehouse.
    """
    dates = touched_dates(connection, incident.sources, incident.partitions) if event_dates is None else event_dates
    return measures_of_each(settings, connection, [(incident.sources, dates)])[0]


def measures_of_each(
    settings: Settings,
    connection: "duckdb.DuckDBPyConnection | None",
    asked: Sequence[tuple[Iterable[str], Sequence[date]]],
) -> list[list[MeasureChange]]:
    """The same for each of several sources and event dates, in their order, with one statement a mart."""
    manifest = ensure_manifest()
    names = measured_columns(manifest)
    changes: list[list[MeasureChange]] = [[] for _ in asked]
    for mart in marts(manifest):
        concerned = {number: dates for number, (sources, dates) in enumerate(asked) if set(mart.sources) & set(sources)}
        # Of a table that is published whole nobody can say what it holds of a day.
        if mart.event_date is not None and concerned:
            files, own = _published(settings, mart.name), names[mart.name]
            sides = [
                _Side("published", scan(*files), _columns_published(files)),
                _Side("warehouse", mart.relation, _columns(connection, mart.relation)),
            ]
            values = _sums(connection, mart.day, own, concerned, [side for side in sides if side.columns])
            nothing = [0, *(None for _ in own)]
            for number, dates in concerned.items():
                shown, gold = (values.get((number, side.name), nothing) for side in sides)
                changes[number] += [
                    MeasureChange(mart.name, name, tuple(dates), _exact(seen), _exact(now), shown[0], gold[0])
                    for name, seen, now in zip(own, shown[1:], gold[1:], strict=True)
                ]
    return changes


@dataclass(frozen=True)
class _Side:
    """One place where a mart can be read: what stands after `from`, and the columns that it has there."""

    name: str
    relation: str
    columns: set[str]


def _sums(
    connection: "duckdb.DuckDBPyConnection | None",
    day: str,
    names: Sequence[str],
    asked: Mapping[int, Sequence[date]],
    sides: Sequence[_Side],
) -> dict[tuple[int, str], Sequence[Any]]:
    """Number and side → number of dates with rows, then the value of each measure; nothing where no row is of the dates."""
    pairs = [(number, one) for number, dates in asked.items() for one in sorted(set(dates))]
    queries = []
    for side in sides:
        # A version published before a measure was added does not have it.
        values = ", ".join(_aggregate(name) if name in side.columns else "null" for name in names)
        queries.append(
            f"select asked_number, '{side.name}', count(distinct {day}), {values} "
            f"from {side.relation} join asked on {day} = asked_day group by asked_number"
        )
    if not queries or not pairs:
        return {}
    with in_memory() if connection is None else nullcontext(connection) as engine:
        statement = (
            f"with asked (asked_number, asked_day) as (values {numbered_days(pairs)}) {' union all '.join(queries)}"
        )
        return {(row[0], row[1]): row[2:] for row in engine.execute(statement).fetchall()}


def _aggregate(name: str) -> str:
    return f"{'avg' if name.endswith('_share') else 'sum'}({identifier(name)})"


def _exact(value: Any) -> Decimal | None:
    """A number as it is written: an average is a float, and says nothing beyond its sixth digit."""
    if value is None:
        return None
    return Decimal(f"{value:.6f}") if isinstance(value, float) else Decimal(value)


def measure_table(incident: Incident) -> list[MeasureRow]:
    """The measures of the last life of an incident, from the entries that `record_impact` made."""
    phases: dict[str, dict[str, Any]] = {}
    for entry in incident.timeline:
        if entry.kind == "transition" and entry.data["to"] == State.REOPENED:
            phases = {}
        if entry.kind == "impact":
            phases[entry.data["phase"]] = entry.data
    bad, recovered = (_by_measure(phases.get(phase, {})) for phase in ("bad", "recovered"))
    return [
        MeasureRow(
            table=key[0],
            measure=key[1],
            event_dates=tuple(date.fromisoformat(day) for day in {**recovered, **bad}[key]["event_dates"]),
            published=_value(bad.get(key), "published"),
            bad=_value(bad.get(key), "warehouse"),
            recovered=_value(recovered.get(key), "warehouse"),
            published_dates=bad[key]["published_dates"] if key in bad else 0,
            bad_dates=bad[key]["warehouse_dates"] if key in bad else 0,
            recovered_dates=recovered[key]["warehouse_dates"] if key in recovered else 0,
        )
        for key in {**bad, **recovered}
    ]


def _by_measure(data: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(one["table"], one["measure"]): one for one in data.get("measures", [])}


def _value(one: Mapping[str, Any] | None, side: str) -> Decimal | None:
    return Decimal(one[side]) if one is not None and one[side] is not None else None

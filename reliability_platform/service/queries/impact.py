"""Downstream impact: what an incident reaches, how much is concerned, and what it does to the measures of gold."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from reliability_platform.incidents.classes import CLASSES
from reliability_platform.incidents.impact import Exposure, MeasureRow, measure_table, reach_of, root_nodes
from reliability_platform.incidents.impact.radius import is_contained
from reliability_platform.incidents.model import Incident
from reliability_platform.service.queries.answer import QueryAnswer


class MeasureImpact(QueryAnswer):
    """What an incident does to one measure of a published table."""

    table: str
    """The published table."""
    measure: str
    """The measure, as `revenue`."""
    event_dates: list[date]
    """The event dates over which it is summed."""
    published: str | None
    """What consumers read before healing; an exact number as text."""
    bad: str | None
    """What the warehouse held before healing."""
    recovered: str | None
    """What the warehouse holds since healing."""
    difference: str | None
    """Recovered less bad."""


class DownstreamImpact(QueryAnswer):
    """What one incident reaches."""

    incident: str
    """Its id."""
    severity: str
    """P0 is the worst."""
    state: str
    """Where the incident is in its life."""
    began_in: list[str]
    """The datasets in which it began."""
    column: str | None
    """The column that it is about, where it is one."""
    rows: int | None
    """Rows delivered on its landing days, as recorded before healing; null until then."""
    keys: int | None
    """Different keys among them."""
    tables: list[str]
    """Everything downstream."""
    published: list[str]
    """The published tables among them."""
    spoils_numbers: bool
    """Whether values made from it are wrong, or only lack its rows."""
    columns: Mapping[str, Mapping[str, str]]
    """Dataset → column → `direct` (made of it) or `indirect` (influenced by it)."""
    checks: Sequence[str]
    """The checks of everything downstream."""
    exposures: list[Exposure]
    """Who reads the published tables."""


class RecordedImpact(DownstreamImpact):
    """What one incident reaches, with the numbers that were written down before healing and after it."""

    contained: bool
    """Whether consumers are kept from it."""
    recovered: bool
    """Whether the data are right again."""
    measures: list[MeasureImpact]
    """Empty until they were recorded."""


def downstream_impact(manifest: Path, incident: Incident) -> DownstreamImpact:
    """What an incident reaches by lineage. The first call after a change of the dbt models takes 7 s."""
    reach = reach_of(manifest, incident)
    recorded = [entry.data for entry in incident.timeline if entry.kind == "impact"]
    numbers = recorded[0] if recorded else {}
    return DownstreamImpact(
        incident=incident.id,
        severity=incident.severity,
        state=incident.state,
        began_in=root_nodes(manifest, incident),
        column=incident.column,
        rows=numbers.get("rows"),
        keys=numbers.get("keys"),
        tables=reach.tables,
        published=reach.published,
        spoils_numbers=CLASSES[incident.failure_class].spoils_numbers,
        columns=reach.spoiled,
        checks=reach.checks,
        exposures=reach.exposures,
    )


def recorded_impact(manifest: Path, incident: Incident) -> RecordedImpact:
    """The same with the recorded numbers."""
    return RecordedImpact(
        **downstream_impact(manifest, incident).model_dump(),
        contained=is_contained(incident),
        recovered=incident.recovered_at is not None,
        measures=[_measure(row) for row in measure_table(incident)],
    )


def _measure(row: MeasureRow) -> MeasureImpact:
    def text(value: object) -> str | None:
        return None if value is None else str(value)

    return MeasureImpact(
        table=row.table,
        measure=row.measure,
        event_dates=list(row.event_dates),
        published=text(row.published),
        bad=text(row.bad),
        recovered=text(row.recovered),
        difference=text(row.difference),
    )

"""What an incident did to the published numbers, from the impact entries of its timeline."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from reliability_platform.incidents.documents.blocks import Block, Grid, Paragraph
from reliability_platform.incidents.model import Incident

BAD, RECOVERED = "bad", "recovered"


@dataclass(frozen=True)
class MeasureChange:
    """One measure, summed over the event dates concerned. None where nobody could ask."""

    table: str
    measure: str
    published: Decimal | None
    """What readers saw when the impact was recorded, before healing began."""
    bad: Decimal | None
    """What the warehouse held then."""
    recovered: Decimal | None
    """What the warehouse holds since recovery was verified."""

    @property
    def is_wrong(self) -> bool:
        """Whether the warehouse's value turned out to be wrong."""
        return self.bad is not None and self.recovered is not None and self.bad != self.recovered

    @property
    def was_seen(self) -> bool:
        """Whether readers saw the wrong value."""
        return self.is_wrong and self.published == self.bad


def _decimal(value: Any) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None


def _by_measure(entries: Iterable[Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(str(one["table"]), str(one["measure"])): one for one in entries}


def measure_changes(incident: Incident) -> list[MeasureChange]:
    """Every measure of which an impact entry speaks."""
    impact = incident.impact
    before = _by_measure(impact.get(BAD, {}).get("measures", ()))
    after = _by_measure(impact.get(RECOVERED, {}).get("measures", ()))
    return [
        MeasureChange(
            *key,
            published=_decimal(before.get(key, {}).get("published")),
            bad=_decimal(before.get(key, {}).get("warehouse")),
            recovered=_decimal(after.get(key, {}).get("warehouse")),
        )
        for key in dict.fromkeys([*before, *after])
    ]


def _shown(value: Decimal | None) -> str:
    return "–" if value is None else f"{value:,f}"


def measure_table(incident: Incident) -> list[Block]:
    """The measures as a table; those that were wrong come first."""
    changes = sorted(measure_changes(incident), key=lambda one: (not one.is_wrong, one.table, one.measure))
    if not changes:
        return [Paragraph("The timeline holds no measurement of the published numbers.")]
    rows = []
    for one in changes:
        difference = one.recovered - one.bad if one.recovered is not None and one.bad is not None else None
        values = [_shown(one.published), _shown(one.bad), _shown(one.recovered), _shown(difference)]
        rows.append([one.table, one.measure, *values])
    return [Grid(["table", "measure", "published before", "with the bad data", "recovered", "difference"], rows)]

"""What an incident did to the published numbers, as its timeline measured it before healing and after."""

from reliability_platform.counted import counted
from reliability_platform.incidents.documents.blocks import Block, Grid, Paragraph
from reliability_platform.incidents.impact import MeasureRow, measure_table
from reliability_platform.incidents.model import Incident


def is_wrong(row: MeasureRow) -> bool:
    """Whether gold turned out to have had a wrong value, or none."""
    return row.recovered is not None and row.bad != row.recovered


def was_seen(row: MeasureRow) -> bool:
    """Whether readers saw the wrong value."""
    return is_wrong(row) and row.published is not None and row.published == row.bad


def measured(incident: Incident) -> list[Block]:
    """The measures as a table; those that were wrong come first, those that never changed are counted."""
    rows = measure_table(incident)
    if not rows:
        return [Paragraph("The timeline holds no measurement of the published numbers.")]
    told = [row for row in rows if row.recovered is None or is_wrong(row)]
    same = len(rows) - len(told)
    if not told:
        return [Paragraph(f"{counted(same, 'measure')} of the event dates concerned did not change.")]
    shown = [
        [one.table, one.measure, *one.cells]
        for one in sorted(told, key=lambda row: (not is_wrong(row), row.table, row.measure))
    ]
    words = "Sums over the event dates concerned; another incident on the same dates shows in them, too."
    return [
        Grid(["table", "measure", "published before", "with the bad data", "recovered", "difference"], shown),
        Paragraph(words + (f" {counted(same, 'measure')} did not change." if same else "")),
    ]

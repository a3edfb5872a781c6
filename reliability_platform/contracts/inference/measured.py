"""The columns of a sample, each with how much of it is missing and how many different values it has."""

from dataclasses import dataclass, field

from reliability_platform.contracts.inference.sample import Sample, Typed
from reliability_platform.contracts.inference.told import Told

AT_ONCE = 100
"""Columns that one query measures."""


@dataclass
class ColumnProposal:
    """One column, and what is said of it by the name of the field."""

    typed: Typed
    missing: int
    distinct: int
    """Estimated: within some percent."""
    said: dict[str, Told] = field(default_factory=dict)


def measured(sample: Sample) -> list[ColumnProposal]:
    """All columns of the table `sample`."""
    found = []
    for start in range(0, len(sample.columns), AT_ONCE):
        some = sample.columns[start : start + AT_ONCE]
        terms = [f'count(*) - count("{one.name}"), approx_count_distinct("{one.name}")' for one in some]
        row = sample.connection.execute(f"select {', '.join(terms)} from sample").fetchall()[0]
        found += [ColumnProposal(one, row[2 * number], row[2 * number + 1]) for number, one in enumerate(some)]
    return found

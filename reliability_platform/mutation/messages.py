"""What a mutant did to those who read the project, in their words."""

from reliability_platform.counted import counted
from reliability_platform.formats import number
from reliability_platform.mutation.clean_build import EVERYBODY
from reliability_platform.mutation.readings import SumChange, TableChange
from reliability_platform.mutation.trial import MutantOutcome, MutantStatus

SHOWN_MEASURES = 2


def share(value: float) -> str:
    """`31 %`, `0.4 %`, `9,900 %`."""
    percent = 100 * value
    return f"{percent:,.0f} %" if percent >= 10 else f"{percent:.2g} %"


def effect(change: TableChange) -> str:
    """How a table that consumers read differs."""
    parts = []
    if change.rows_after == 0 and change.rows_before:
        return f"{change.model} is empty"
    if change.rows_before != change.rows_after:
        more = change.rows_after > change.rows_before
        by = abs(change.rows_after - change.rows_before) / max(change.rows_before, 1)
        rows = f"{change.rows_before:,} → {change.rows_after:,}"
        what = "more rows" if more else "fewer rows"
        parts.append(f"{share(by)} {what} ({rows})")
    worst = sorted(change.measures, key=lambda one: (-one.relative, one.column))
    parts += [_moved(one) for one in worst[:SHOWN_MEASURES]]
    if not parts and not change.differing:
        return f"{change.model} has other columns, or of another type: {', '.join(change.columns[:3])}"
    if not parts:
        where = f" in {', '.join(change.columns[:3])}" if change.columns else ""
        parts.append(f"{counted(change.differing, 'wrong row')} of {change.rows_after:,}{where}")
    return f"{change.model} has {' and '.join(parts)}"


def _moved(measure: SumChange) -> str:
    if measure.after is None:
        return f"no {measure.column} in any row"
    if measure.before is None:
        return f"values of {measure.column}, which had none"
    if not measure.before:
        return f"a sum of {measure.column} of {number(float(measure.after))} instead of 0"
    if (measure.after < 0) != (measure.before < 0):
        return f"a sum of {measure.column} with the other sign"
    more = abs(measure.after) > abs(measure.before)
    if more and measure.relative > 3:
        return f"{1 + measure.relative:,.0f} times the sum of {measure.column}"
    return f"{share(measure.relative)} {'more' if more else 'less'} {measure.column}"


def said(outcome: MutantOutcome) -> str:
    """One line on a mutant: what was wrong with the data, and what came of it."""
    if outcome.status is MutantStatus.SURVIVED_CHANGED:
        worst = outcome.changes[0]
        readers = ", ".join(worst.consumers[:3])
        reads = "" if readers == EVERYBODY else f" ({readers})"
        return f"{outcome.mutant.said}: {effect(worst)}{reads}"
    return f"{outcome.mutant.said}: {outcome.status.value}{f' ({outcome.why})' if outcome.why else ''}"

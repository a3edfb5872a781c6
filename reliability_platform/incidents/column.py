"""Which column a failure is about: from the checks that failed, the refusals, and the reasons of rejected rows."""

from collections import Counter
from collections.abc import Iterable, Sequence

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.facts import Deviating
from reliability_platform.checks.results import CheckResult
from reliability_platform.contracts import CONTRACTS
from reliability_platform.contracts.rejections import Rejection
from reliability_platform.incidents.classes import CLASSES
from reliability_platform.profiles.metrics import MetricKind


def _commonest(found: Iterable[str]) -> str | None:
    counted = Counter(found).most_common(1)
    return counted[0][0] if counted else None


def rejections_of(result: CheckResult, codes: Iterable[str]) -> list[Rejection]:
    """What codes say for which rows of the source were rejected."""
    known = CONTRACTS[result.source].rejections
    return [known[code] for code in codes if code in known]


def _codes(result: CheckResult) -> list[str]:
    """The commonest reasons for which rows were rejected, and those of the rows that the check shows."""
    shown = [code for row in result.sample for code in str(row.get("reject_reasons") or "").split(",")]
    return [*result.facts.rejected_for, *shown]


_SECOND_OF_PAIR = frozenset({MetricKind.ORDER, MetricKind.APART})
"""Of two moments the later one is promised, measured or computed from the other; of other pairs the first is the thing."""


def _deviating(results: Iterable[CheckResult]) -> str | None:
    """The column that explains the most of what left its past: each deviation speaks for its own, the strongest the
    loudest (1 / rank). Segments in which something is measured do not speak: an amount in another unit moves the
    means of each currency. None where rows as such are meant, as those that come twice.
    """
    votes: dict[str | None, float] = {}
    for result in results:
        for rank, one in enumerate(result.facts.deviations, 1):
            name = _column_of(result.source, one)
            votes[name] = votes.get(name, 0.0) + 1 / rank
    return max(votes, key=lambda name: (votes[name], name or ""), default=None)


def _column_of(source: str, one: Deviating) -> str | None:
    first, _, second = one.column.partition(" ")
    if one.kind == MetricKind.REJECTED:
        found = CONTRACTS[source].rejections.get(one.part)
        return None if found is None else found.column
    if one.kind == MetricKind.EMPTY_TOGETHER:  # which are empty in the same rows; of one that is alone it is said
        return one.part if one.part in one.column.split() else None
    if one.kind == MetricKind.SLOT:
        return CONTRACTS[source].event_time
    return (second if second and one.kind in _SECOND_OF_PAIR else first) or None


def column_of_results(failure_class: str, own: Sequence[CheckResult], all_of_them: Sequence[CheckResult]) -> str | None:
    """The column, or None where no single one is meant. `own` are the failures of the class without its symptoms."""
    kind = CLASSES[failure_class]
    declared = _commonest(column for result in own if (column := CHECKS[result.check].column) is not None)
    if kind.is_about_event_time:
        return CONTRACTS[own[0].source].event_time
    if declared:
        return declared
    of_files = [name for result in own for file in result.facts.refused for name in file.columns]
    unknown = [name for result in own for name in result.facts.unknown_columns]
    rejected = [
        one.column
        for result in all_of_them
        for one in rejections_of(result, _codes(result))
        if one.column is not None and one.rule in kind.rejections
    ]
    return _deviating(own) or _commonest(of_files) or _commonest(unknown) or _commonest(rejected)

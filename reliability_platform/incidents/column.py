"""Which column a failure is about: from the checks that failed, the refusals, and the reasons of rejected rows."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from reliability_platform.checks.catalogue import CHECKS
from reliability_platform.checks.results import CheckResult

_IN_REFUSAL = re.compile(r'"(?:missing": \["|changed": \{")([\w .-]{1,60})"')
_UNKNOWN = re.compile(r"^unknown: ([\w.-]{1,60})")
_IN_REASONS = {
    "broken_references": re.compile(r"(\w+?)_unknown_reference"),
    "null_spike": re.compile(r"(\w+?)_missing"),
    "unknown_values": re.compile(r"(\w+?)_unknown_value"),
    "invalid_values": re.compile(r"(\w+?)_out_of_range"),
}
_ALWAYS = {"future_data": "event_time", "shifted_timestamps": "event_time", "payload_corruption": "payload"}


def _commonest(found: Iterable[str]) -> str | None:
    counted = Counter(found).most_common(1)
    return counted[0][0] if counted else None


def _detail(result: CheckResult) -> str:
    return str(result.details.get("detail") or "")


def column_of_results(failure_class: str, own: Sequence[CheckResult], all_of_them: Sequence[CheckResult]) -> str | None:
    """The column, or None where no single one is meant. `own` are the failures of the class without its symptoms."""
    if failure_class in _ALWAYS:
        return _ALWAYS[failure_class]
    declared = _commonest(column for result in own if (column := CHECKS[result.check].column) is not None)
    if declared is not None:
        return declared
    if failure_class == "schema_break":
        return _commonest(name for result in own for name in _IN_REFUSAL.findall(_detail(result)))
    if failure_class == "schema_addition":
        return _commonest(name for result in own for name in _UNKNOWN.findall(_detail(result)))
    pattern = _IN_REASONS.get(failure_class)
    if pattern is None:
        return None
    reasons = [_detail(result) for result in all_of_them]
    reasons += [str(row.get("reject_reasons") or "") for result in own for row in result.sample]
    return _commonest(name for text in reasons for reason in text.split(",") for name in pattern.findall(reason))

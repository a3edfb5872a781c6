"""How bad an incident is, and why, in words.

The class says how bad it is by default; a check may declare worse. What consumers were shown can raise it to P1, which
means wrong numbers in critical data; no number of readers makes it P0, which means a breach or a major loss.
"""

from collections.abc import Iterable, Sequence

from reliability_platform.incidents.classes import CLASSES, RESPONSE, Severity


def assess(failure_class: str, *, declared: Iterable[str] = (), shown_to: Sequence[str] = ()) -> tuple[Severity, str]:
    """The severity, and the reason for it.

    `declared` are the severities of the checks that failed, `shown_to` the critical consumers that were shown the
    landing days before the failure was noticed.
    """
    kind = CLASSES[failure_class]
    severity = min([kind.severity, *(Severity(one) for one in declared)])
    reason = f"{kind.severity} by its class"
    if severity < kind.severity:
        reason = f"{severity}, as one of its checks declares ({reason})"
    if not (shown_to and kind.spoils_numbers):
        return severity, f"{reason}, not raised: no critical consumer was shown bad data; {RESPONSE[severity]}"
    shown = f"critical consumers had been shown these days ({', '.join(shown_to)})"
    if severity <= Severity.P1:
        return severity, f"{reason}; {shown}; {RESPONSE[severity]}"
    return Severity.P1, f"{reason}, raised to {Severity.P1}: {shown}; {RESPONSE[Severity.P1]}"

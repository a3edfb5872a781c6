"""How bad an incident is, and why, in words."""

from reliability_platform.incidents.classes import CLASSES, RESPONSE, Severity


def assess(failure_class: str, *, shown_to_critical_consumers: bool = False) -> tuple[Severity, str]:
    """The default of the class; one step higher if critical consumers were shown the bad data."""
    severity = CLASSES[failure_class].severity
    if shown_to_critical_consumers and severity not in (Severity.P0, Severity.P1):
        raised = Severity(f"P{int(severity[1]) - 1}")
        return raised, f"{severity} by its class, raised: critical consumers were shown the data; {RESPONSE[raised]}"
    return (
        severity,
        f"{severity} by its class, not raised: no critical consumer was shown bad data; {RESPONSE[severity]}",
    )

"""The severity that an incident of a fault should have: graded by the catalogue, not by what the platform says of itself."""

from reliability_platform.incidents.classes import Severity
from reliability_platform.incidents.triage import WIDESPREAD_DAYS, spread
from reliability_platform.lab.faults.fault import Containment


def expected_severity(
    declared: str | None,
    containment: str,
    days: int,
    found: str | None,
    widespread_days: int = WIDESPREAD_DAYS,
) -> str | None:
    """What is declared for a day, raised as triage raises what is on many; None for a control.

    Of what is held or told by its size, `found` may be anything between P3 and P1: how much of the numbers it changes follows
    from the data, and no entry of the catalogue says so.
    """
    if declared is None:
        return None
    if containment == Containment.TOLD.value and found is not None and Severity(found) >= Severity.P1:
        return found
    return spread(Severity(declared), days, widespread_days).value

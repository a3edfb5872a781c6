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

    Of what is held or told by its size, `found` may be as for one day, for a drift is known on its later days alone, or P1:
    where so much is wrong that it is held, or where critical consumers were shown it.
    """
    if declared is None:
        return None
    if containment == Containment.TOLD.value and found in (declared, Severity.P1.value):
        return found
    return spread(Severity(declared), days, widespread_days).value

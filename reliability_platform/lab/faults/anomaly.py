"""What faults have in common that leave every single row possible: only the source's own past can tell.

Each limit of what a row, a key or a batch may be is kept, the number of rows as well. What is wrong is how the rows of a
day stand to each other and to those of the days before.
"""

from collections.abc import Mapping

from reliability_platform.lab.faults.fault import Containment, Fault, InjectionFunction
from reliability_platform.lab.faults.targets import RECONCILIATION, Target

WITHIN_LIMITS = 0.15
"""So large a share of a day's rows may be gone, or come twice, and the number of rows is still that of a bad or good
day, at the end of a month too: its rows are a fifth more by themselves, and from 29 % on the number alone would tell."""


def anomaly(
    name: str,
    family: str,
    description: str,
    target: Target,
    magnitudes: Mapping[str, float],
    meaning: str,
    injection: InjectionFunction,
    *,
    also_known_as: tuple[str, ...] = ("sources_disagree", "volume_anomaly"),
    symptoms: tuple[str, ...] = (),
    containment: Containment = Containment.TOLD,
    days_touched: int = 1,
    days_read: int = 0,
    severity: str = "P2",
) -> Fault:
    """A fault that the profile of its landing day gives away. A large one is held, a smaller one published and told."""
    return Fault(
        name=name,
        family=family,
        description=description,
        target=target,
        magnitudes=magnitudes,
        magnitude_meaning=meaning,
        expected_class="profile_anomaly",
        expected_severity=severity,
        also_known_as=also_known_as,
        root="int_{source}__deduplicated",
        signature=("int_{source}__deduplicated__profile",),
        symptoms=(
            "int_{source}__deduplicated__profile_impact",
            "int_{source}__deduplicated__volume",  # on a day that has fewer or more besides
            RECONCILIATION,
            *symptoms,
        ),
        containment=containment,
        end_state="confirmed or re-requested after approval, oracle-equal",
        injection=injection,
        days_touched=days_touched,
        days_read=days_read,
        whole_day=True,
        fills_its_days=days_touched > 1,
    )
